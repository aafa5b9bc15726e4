"""How many pings may be in flight: what Lambda allows, less what is left to users."""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fleet.pool import MemoryPool
from warmer.aws import InvokeReply, SignedInvoke
from warmer.aws.functions import AccountConcurrency
from warmer.errors import ServiceError
from warmer.fleet import Target, warm
from warmer.fleet.budget import ConcurrencyBudget, ConcurrencyLimits, open_files_allowance

A, B = Target("a", "live", 10), Target("b", "live", 10)


@dataclass
class Settings:
    """Lambda's settings, and what was asked of them."""

    limit: int = 1000
    unreserved: int = 1000
    reservations: dict[str, int] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def account(self) -> AccountConcurrency:
        """GetAccountSettings."""
        self._ask("account")
        return AccountConcurrency(self.limit, self.unreserved)

    def reserved(self, function: str) -> int | None:
        """GetFunctionConcurrency."""
        self._ask(function)
        return self.reservations.get(function)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.broken:
            raise ServiceError(f"not allowed to ask for {what}", "AccessDeniedException")


@pytest.mark.parametrize(("unreserved", "pings"), [(1000, 900), (100, 90), (10, 9), (2, 1), (1, 0)])
def test_a_tenth_of_the_accounts_concurrency_is_left_to_users(unreserved: int, pings: int) -> None:
    """And at least one ("Understanding Lambda function scaling", AWS Lambda developer guide)."""
    limits = ConcurrencyLimits.read(Settings(unreserved, unreserved), [A])

    assert limits.account == limits.allowance(A).pings == pings


def test_where_nobody_reserved_anything_one_request_is_enough() -> None:
    """The account's figures tell; Lambda answers 15 such requests a second."""
    settings = Settings()
    ConcurrencyLimits.read(settings, [A, B])

    assert settings.asked == ["account"]


def test_one_of_the_reserved_concurrency_is_left_to_users() -> None:
    """A function's own reservation is its limit; others keep to the account's."""
    settings = Settings(unreserved=980, reservations={"a": 20})
    limits = ConcurrencyLimits.read(settings, [A, B])

    assert limits.allowance(A).pings == 19
    assert limits.allowance(A).reason == "reserved concurrency 20, less one for live traffic"
    assert limits.allowance(B).pings == 882


@pytest.mark.parametrize("broken", ["account", "a"])
def test_what_cannot_be_read_is_noted(broken: str) -> None:
    """The first 429 remains as the limit."""
    limits = ConcurrencyLimits.read(Settings(unreserved=900, broken=(broken,)), [A])

    assert f"not allowed to ask for {broken}" in limits.notes[0]
    assert limits.allowance(A).pings >= 10


def test_connections_stay_below_the_open_files() -> None:
    """Lambda allows 1,024 ("Lambda quotas", AWS Lambda developer guide)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        allowance = open_files_allowance()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert 200 < allowance.pings < 300
    assert "300 open files" in allowance.reason


@given(st.lists(st.integers(1, 10), max_size=30), st.integers(10, 20))
def test_slots_are_never_exceeded_and_given_in_order(counts: list[int], most: int) -> None:
    """Whoever asked first is served first, and all are served."""
    served: list[int] = []

    async def use(budget: ConcurrencyBudget, number: int) -> None:
        async with budget.slots(counts[number]):
            served.append(number)
            assert budget.taken <= most
            await asyncio.sleep(0)

    async def run() -> None:
        budget = ConcurrencyBudget(most)
        await asyncio.gather(*(use(budget, number) for number in range(len(counts))))
        assert budget.taken == 0

    asyncio.run(run())
    assert served == list(range(len(counts)))


def test_who_gives_up_waiting_takes_no_slot() -> None:
    """A run that is cancelled leaves the budget as it was."""

    async def run() -> int:
        budget = ConcurrencyBudget(1)
        async with budget.slots(1):
            waiting = asyncio.create_task(_hold(budget))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        await asyncio.wait_for(_hold(budget), 1)
        return budget.taken

    assert asyncio.run(run()) == 0


async def _hold(budget: ConcurrencyBudget) -> None:
    async with budget.slots(1):
        pass


class Counting(MemoryPool):
    """Counts invokes that are in flight at the same time."""

    in_flight = 0
    most = 0

    async def invoke(self, signed: SignedInvoke) -> InvokeReply:
        """See `Invoker.invoke`."""
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(0.001)
            return await super().invoke(signed)
        finally:
            self.in_flight -= 1


def test_all_waves_together_stay_within_the_accounts_concurrency() -> None:
    """Six functions of five and a spare each, where 18 may be in flight at a time."""
    targets = [Target(f"f{number}", "live", 5) for number in range(6)]
    pool = Counting()
    pool._open = True  # who waits for whom is of no interest here

    reports = warm(targets, pool, limits=ConcurrencyLimits(unreserved=20))

    assert pool.most <= 18
    assert len(pool.requests) == sum(report.sent for report in reports)


def test_a_target_beyond_the_limit_is_warmed_as_far_as_it_goes() -> None:
    """The fleet is smaller rather than a user throttled, and the report says why."""
    pool = MemoryPool(spare=0)

    (report,) = warm([Target("a", "live", 30)], pool, limits=ConcurrencyLimits(unreserved=10))

    assert report.proven == 9
    assert not report.ok
    assert report.problems[0] == (
        "9 pings at a time are allowed: the account's unreserved concurrency 10, less 1 for live"
        " traffic"
    )


def test_a_limit_that_leaves_nothing_sends_nothing() -> None:
    """An account whose last free environment would be taken is left alone."""
    pool = MemoryPool()

    (report,) = warm([A], pool, limits=ConcurrencyLimits(unreserved=1))

    assert pool.requests == []
    assert "leaves no ping" in report.problems[0]
