"""All targets in a row: order, throttles, and the time that is left."""

from __future__ import annotations

import pytest

from tests.fleet.pool import MemoryPool
from warmer.aws import InvokeReply, SignedInvoke
from warmer.fleet import Target, WaveReport, warm
from warmer.fleet.run import FUNCTION_REASONS

TARGETS = (Target("a", "live", 2), Target("b", "live", 3))


def run(pool: MemoryPool, deadline: float = float("inf")) -> list[WaveReport]:
    """Warm both targets through a pool of their own each, on one clock."""
    other = MemoryPool(clock=pool.clock, seconds_per_ping=pool.seconds_per_ping)
    pools = {"a": pool, "b": other}

    class Both(MemoryPool):
        async def invoke(self, signed: SignedInvoke) -> InvokeReply:
            return await pools[signed.request.function].invoke(signed)

    return warm(TARGETS, Both(), deadline=deadline, clock=pool.clock)


def test_reports_on_every_target_in_order() -> None:
    """One report for each target, in the order given."""
    reports = run(MemoryPool())

    assert tuple(report.target for report in reports) == TARGETS
    assert [report.proven for report in reports] == [2, 3]


def test_a_target_without_time_is_reported_as_not_pinged() -> None:
    """What does not fit before the deadline is not ok, and says why."""
    pool = MemoryPool()

    first, second = run(pool, deadline=pool.clock.now + 3)

    assert (first.sent, first.ok) == (second.sent, second.ok) == (0, False)
    assert second.problems == ("b:live was not pinged: 3.0 s were left",)


@pytest.mark.parametrize(
    "reason", ["ConcurrentInvocationLimitExceeded", "CallerRateLimitExceeded", ""]
)
def test_a_throttle_of_the_account_ends_the_run(reason: str) -> None:
    """Other targets share the account's concurrency, so they are left alone."""
    _, second = run(MemoryPool(capacity=0, reason=reason))

    assert second.rounds == 0
    assert second.sent <= 1  # its probe may be under way already
    assert "throttled a:live" in second.problems[0]


@pytest.mark.parametrize("reason", sorted(FUNCTION_REASONS))
def test_a_throttle_of_one_function_does_not_stop_the_others(reason: str) -> None:
    """A function at its own limit says nothing about the next one."""
    first, second = run(MemoryPool(capacity=0, reason=reason))

    assert first.throttle_reason == reason
    assert second.ok


def test_a_failed_target_does_not_stop_the_others() -> None:
    """A function without the decorator ends its own wave only."""
    first, second = run(MemoryPool(answer=lambda *_: b"null"))

    assert not first.ok
    assert second.ok
