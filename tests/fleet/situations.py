"""What the tests of the planner are made of: replies, reports, subjects and moments."""

from __future__ import annotations

from collections.abc import Sequence

from warmer.fleet import Outcome, Target, WaveReport
from warmer.fleet.plan import Situation
from warmer.ping import Reply

NOON = 1_795_435_200.0
"""Monday, 2026-11-23, 12:00 UTC, the start of a minute."""


def situation(
    now: float = NOON, period: float | None = 300.0, idle: float = 600.0, look: bool = False
) -> Situation:
    """A run now, the next one a period later."""
    following = None if period is None else now + period
    return Situation(now, following, idle, look)


def reply(environment: str = "e", **fields: object) -> Reply:
    """A reply of an environment on demand, of 1,769 MB."""
    known: dict[str, object] = {"function_version": "7", "init_type": "on-demand"}
    return Reply(environment, **{**known, "memory_mb": 1769, **fields})  # type: ignore[arg-type]  # named by the tests


def report(
    replies: Sequence[Reply],
    asked: int | None = None,
    at: float = NOON,
    failed: Outcome | None = None,
    version: str = "7",
) -> WaveReport:
    """A wave whose every reply is from an environment of its own, and one failed ping at most."""
    environments = tuple(dict.fromkeys(reply.environment for reply in replies))
    asked = len(environments) if asked is None else asked
    outcomes = {Outcome.PROVEN: len(environments)}
    if failed is not None:
        outcomes[failed] = 1
    return WaveReport(
        target=Target("digits", "live", max(asked, 1)),
        rounds=1,
        sent=sum(outcomes.values()),
        outcomes=outcomes,
        environments=environments,
        new=sum(reply.new for reply in replies),
        started_at=at,
        held_ms=sum(reply.held_ms for reply in replies),
        spread_ms=0.0,
        wall_ms=0.0,
        versions=(version,) if version else (),
        throttle_reason="" if failed is Outcome.THROTTLED else None,
        problems=(f"digits:live: {failed}",) if failed or len(environments) < asked else (),
        replies=tuple(replies),
        billed_ms=sum(reply.held_ms + 1 for reply in replies),
    )
