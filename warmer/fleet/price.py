"""What Lambda charges: us-east-1, before any free tier, with date and source.

Seen on 2026-11-22 on the pricing pages of AWS Lambda and Amazon CloudWatch.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRICES", "SECONDS_A_MONTH", "Prices"]

SECONDS_A_MONTH = 30 * 24 * 3600
"""A month of 30 days, as AWS's own examples count."""


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars, for x86-64.

    `request` is for one invoke; `gb_second` for a billed second of 1 GB, INIT included (billed for
    zip packages since 2025-08-01); `provisioned_gb_second` for provisioned concurrency that idles;
    `log_gb` for a gigabyte of log lines taken in.
    """

    request: float = 0.20 / 1_000_000
    gb_second: float = 0.000_016_666_7
    provisioned_gb_second: float = 0.000_004_166_7
    log_gb: float = 0.50

    def invokes(self, count: int, billed_ms: float, memory_mb: int) -> float:
        """Dollars for `count` invokes that were billed `billed_ms` milliseconds in all."""
        return count * self.request + billed_ms / 1000 * memory_mb / 1024 * self.gb_second

    def provisioned_month(self, environments: int, memory_mb: int) -> float:
        """Dollars for keeping `environments` provisioned, and idle, for a month."""
        gb = environments * memory_mb / 1024
        return gb * SECONDS_A_MONTH * self.provisioned_gb_second

    def logs(self, size_bytes: float) -> float:
        """Dollars for taking in `size_bytes` of log lines (a gigabyte has 2**30 bytes)."""
        return size_bytes / 2**30 * self.log_gb


PRICES = Prices()
