"""What `warmer cloud status` tells: the environments of a running cloud, and its clock."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table

from infra.cloud.clock import Clock
from infra.cloud.ledger import EnvironmentRecord, Ledger, Tally
from warmer.errors import CloudError

if TYPE_CHECKING:
    from infra.cloud.dataplane import EnvironmentView

__all__ = ["describe", "environment_table", "fetch", "reading"]

_STATUS_SECONDS = 10.0


def describe(
    clock: Clock, views: Sequence[EnvironmentView], ledger: Ledger, now: float | None = None
) -> dict[str, Any]:
    """The environments of `views`, counts by function, and the clock, as JSON can hold them.

    `age_seconds` (since the environment was created) and `idle_seconds` (since its last request or
    its INIT; None unless it is idle) are cloud time, as T is; `init_ms` is real time.
    now: real Unix seconds; only tests give another.
    """
    moment = time.time() if now is None else now
    records = {item.id: item for item in ledger.environments()}
    environments = [
        _environment(view, records[view.id], ledger.served(view.id), moment, clock.rate)
        for view in views
        if view.id in records
    ]
    return {
        "cloud_time": clock.at(moment).isoformat(),
        "clock_rate": clock.rate,
        "cloud_time_fields": ["cloud_time", "age_seconds", "idle_seconds"],
        "real_time_fields": ["init_ms"],
        "functions": _functions(environments),
        "environments": environments,
    }


def _environment(
    view: EnvironmentView,
    record: EnvironmentRecord,
    served: Tally,
    now: float,
    rate: float,
) -> dict[str, Any]:
    since = record.ready_at if served.last_ended is None else served.last_ended
    idle = view.state == "idle" and since is not None
    return {
        **vars(view),
        "age_seconds": max(0.0, now - record.spawned_at) * rate,
        "idle_seconds": max(0.0, now - (since or now)) * rate if idle else None,
        "invokes": served.invocations,
        "pings": served.pings,
        "init_ms": record.init_ms,
    }


def _functions(environments: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """By function: how many environments there are in each state, and in all."""
    counts: dict[str, dict[str, int]] = {}
    for item in environments:
        states = counts.setdefault(item["function"], {"environments": 0})
        states["environments"] += 1
        states[item["state"]] = states.get(item["state"], 0) + 1
    return counts


def fetch(endpoint: str) -> dict[str, Any]:
    """What the cloud at `endpoint` says of itself; CloudError where there is none."""
    address = endpoint.rstrip("/") + "/_warmer/status"
    remedy = "start one with `warmer cloud up`, or name its address with --endpoint"
    if not address.startswith(("http://", "https://")):
        raise CloudError(f"{endpoint} is no address; expected one like http://localhost:4599")
    try:
        with urllib.request.urlopen(address, timeout=_STATUS_SECONDS) as response:
            found = json.load(response)
    except urllib.error.HTTPError as error:
        error.close()
        raise CloudError(f"What answers at {endpoint} is no local cloud ({error}): {remedy}") from (
            error
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CloudError(f"There is no local cloud at {endpoint} ({reason}): {remedy}") from error
    if not isinstance(found, dict) or "environments" not in found:
        raise CloudError(f"What answers at {endpoint} is no local cloud: {remedy}")
    return found


def environment_table(status: dict[str, Any]) -> Table:
    """One row for each environment."""
    table = Table(box=None, pad_edge=False)
    for heading in ("function", "version", "state", "INIT type", "environment"):
        table.add_column(heading, no_wrap=True)
    for heading in ("age", "idle for", "invokes", "pings", "INIT"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in status["environments"]:
        table.add_row(*_row(item))
    return table


def _row(item: dict[str, Any]) -> Iterator[str]:
    yield from (item["function"], item["version"], item["state"], item["init_type"], item["id"][:8])
    yield _length(item["age_seconds"])
    yield "" if item["idle_seconds"] is None else _length(item["idle_seconds"])
    yield from (str(item["invokes"]), str(item["pings"]))
    yield "" if item["init_ms"] is None else f"{item['init_ms']:,.0f} ms"


def reading(status: dict[str, Any]) -> Iterator[str]:
    """What stands around the table: counts, the clock, and which times are whose."""
    counts = status["functions"]
    for function, states in sorted(counts.items()):
        shares = [f"{n} {state}" for state, n in states.items() if state != "environments"]
        yield f"{function}: {states['environments']} ({', '.join(shares)})"
    if not counts:
        yield "No execution environments: none has been invoked, or all have ended."
    yield (
        f"It is {status['cloud_time'][:19].replace('T', ' ')} UTC in the cloud, whose time goes "
        f"{status['clock_rate']:g} times as fast as real time. Age and idle time are cloud time; "
        "INIT is real time."
    )


def _length(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
