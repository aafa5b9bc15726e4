"""What keeping warm costs: us-east-1, before any free tier, with date and source.

Seen on 2026-11-22 on the pricing pages of AWS Lambda, Amazon CloudWatch, Amazon EventBridge
(Scheduler) and Amazon DynamoDB (on-demand capacity). Tags, settings of functions, and standard
parameters of Parameter Store are read for nothing; schedules are read and changed for nothing, as
EventBridge Scheduler counts what it invokes alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from warmer.errors import ConfigurationError

__all__ = [
    "ARCHITECTURES",
    "PRICES",
    "SECONDS_A_MONTH",
    "Bill",
    "Prices",
    "prices_from_json",
]

SECONDS_A_MONTH = 30 * 24 * 3600
"""A month of 30 days, as AWS's own examples count."""


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars, for x86-64.

    `request` is for one invoke; `gb_second` for a billed second of 1 GB, INIT included (billed for
    zip packages since 2025-08-01); `provisioned_gb_second` for provisioned concurrency that idles;
    `log_gb` for a gigabyte of log lines taken in; `metric_read` for one metric in one
    GetMetricData; `custom_metric` for one metric of one's own for a month; `schedule` for one time
    that EventBridge Scheduler fires; `table_write` for a written item of up to 1 KB and
    `table_read` for a read unit (two items of up to 4 KB, eventually consistent).
    `log_request` is for one FilterLogEvents: CloudWatch's price list has logs taken in, kept,
    queried with Insights and watched live, and no charge for requests of their API.
    `provisioned_running_gb_second` is for what runs on provisioned concurrency; with SnapStart,
    `snap_start_cache_gb_second` for each second that a version is kept, and
    `snap_start_restore_gb` for each restore, both by the function's memory.
    """

    request: float = 0.20 / 1_000_000
    gb_second: float = 0.000_016_666_7
    provisioned_gb_second: float = 0.000_004_166_7
    log_gb: float = 0.50
    metric_read: float = 0.01 / 1000
    custom_metric: float = 0.30
    schedule: float = 1.00 / 1_000_000
    table_write: float = 0.625 / 1_000_000
    table_read: float = 0.125 / 1_000_000
    log_request: float = 0.0
    provisioned_running_gb_second: float = 0.000_009_722_2
    snap_start_cache_gb_second: float = 0.000_001_504_6
    snap_start_restore_gb: float = 0.000_139_799_8

    def invokes(self, count: int, billed_ms: float, memory_mb: int) -> float:
        """Dollars for `count` invokes that were billed `billed_ms` milliseconds in all."""
        return count * self.request + billed_ms / 1000 * memory_mb / 1024 * self.gb_second

    def log_look(self, billed_ms: float, memory_mb: int, requests: int = 1) -> float:
        """Dollars for reading logs: the reader's own time, and its requests, which are free."""
        return requests * self.log_request + self.invokes(0, billed_ms, memory_mb)

    def provisioned_month(self, environments: int, memory_mb: int) -> float:
        """Dollars for keeping `environments` provisioned, and idle, for a month."""
        gb = environments * memory_mb / 1024
        return gb * SECONDS_A_MONTH * self.provisioned_gb_second

    def logs(self, size_bytes: float) -> float:
        """Dollars for taking in `size_bytes` of log lines (a gigabyte has 2**30 bytes)."""
        return size_bytes / 2**30 * self.log_gb

    def table(self, written: int, read: int) -> float:
        """Dollars for items written and items read, each of up to 1 KB; the storage is below a
        cent a month for a thousand of them."""
        return written * self.table_write + read / 2 * self.table_read


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Dollars, by what they are for; nothing that warming costs is left out.

    pings: invokes of the targets. runs: the warmer's own, and the schedule that fires them. reads:
    metrics that were read. log_reads: functions' logs that were. logs: log lines taken in. metrics:
    metrics of one's own. table: items of the memory table.
    """

    pings: float = 0.0
    runs: float = 0.0
    reads: float = 0.0
    log_reads: float = 0.0
    logs: float = 0.0
    metrics: float = 0.0
    table: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(asdict(self).values()))

    def as_dict(self) -> dict[str, float]:
        """Every item, and the total."""
        return {**asdict(self), "total": self.total}


PRICES = Prices()

ARCHITECTURES = {
    "x86_64": PRICES,
    "arm64": replace(
        PRICES,
        gb_second=0.000_013_333_4,
        provisioned_gb_second=0.000_003_333_4,
        provisioned_running_gb_second=0.000_007_777_8,
    ),
}
"""Prices by the architecture of the function, as a template names it."""


def prices_from_json(text: str, key: str, base: Prices = PRICES) -> Prices:
    """Prices that are `base` but for those that a JSON object names: `{"request": 2.4e-7}`.

    `key` is where the text comes from, for the error. Raises ConfigurationError.
    """
    names = ", ".join(asdict(base))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(key, text[:80], f"a JSON object of prices ({error})") from error
    if not isinstance(found, dict):
        raise ConfigurationError(key, text[:80], f"a JSON object with some of {names}")
    for name, value in found.items():
        if name not in asdict(base):
            raise ConfigurationError(key, name, f"one of {names}")
        if type(value) not in (int, float) or not 0 <= value < 1e9:
            raise ConfigurationError(f"{key}: {name}", value, "US dollars, from 0")
    return replace(base, **found)
