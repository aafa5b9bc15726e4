"""How many pings may be in flight at a time, so that they never take what users need.

Lambda refuses requests beyond an account's unreserved concurrency, and beyond a function's reserved
one, whoever sent them (Lambda developer guide, "Understanding Lambda function scaling"). So a wave
leaves some of either to live traffic: let the fleet be smaller rather than throttle a user. What
others use at this moment is not to be had in time (metrics are minutes late), hence also: stop at
the first 429.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from warmer.errors import WarmerError
from warmer.fleet.target import MAX_CONCURRENCY, Target

__all__ = [
    "UNLIMITED",
    "Allowance",
    "ConcurrencyBudget",
    "ConcurrencyLimits",
    "open_files_allowance",
]

LIVE_SHARE = 0.1
"""The part of a limit, and at least one, that is left to live traffic."""

OTHER_FILES = 64
"""Open files that the interpreter, the runtime and boto3 may need beside a wave's connections."""


@dataclass(frozen=True)
class Allowance:
    """Pings of one target that may be in flight at a time, and which limit says so."""

    pings: int
    reason: str


UNLIMITED = Allowance(MAX_CONCURRENCY + 1, "what one run can have open")
"""No limit of Lambda's is known."""


class Account(Protocol):
    """As `warmer.aws.functions.AccountConcurrency`."""

    @property
    def limit(self) -> int:
        """Concurrent executions of the whole account, in a region."""
        ...

    @property
    def unreserved(self) -> int:
        """What no function has reserved."""
        ...


class Settings(Protocol):
    """As `warmer.aws.functions.FunctionSettings`."""

    def account(self) -> Account:
        """GetAccountSettings."""
        ...

    def reserved(self, function: str) -> int | None:
        """GetFunctionConcurrency."""
        ...


@dataclass(frozen=True)
class ConcurrencyLimits:
    """What Lambda allows: the account's unreserved concurrency, and functions' reserved ones.

    `unreserved` is None where it is not known. `notes` says what could not be read.
    """

    unreserved: int | None = None
    reserved: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, settings: Settings, targets: Sequence[Target]) -> ConcurrencyLimits:
        """Ask Lambda; what cannot be read is noted, and the first 429 remains as the limit.

        One request where no function of the account has reserved concurrency, which the account's
        figures tell; else one more for each function, of 15 a second that Lambda answers. The
        caller should keep the result for a while.
        """
        notes: list[str] = []
        reserved: dict[str, int] = {}
        try:
            account = settings.account()
        except WarmerError as error:
            return cls(notes=(f"the account's concurrency is not known: {error}",))
        if account.unreserved < account.limit:
            for function in dict.fromkeys(target.function for target in targets):
                try:
                    found = settings.reserved(function)
                except WarmerError as error:
                    notes.append(f"the reserved concurrency of {function} is not known: {error}")
                    continue
                if found is not None:
                    reserved[function] = found
        return cls(account.unreserved, reserved, tuple(notes))

    def shared(self, runs: int) -> ConcurrencyLimits:
        """The limits of one of so many runs at a time, each over other functions."""
        if self.unreserved is None or runs == 1:
            return self
        return replace(self, unreserved=self.unreserved // runs)

    @property
    def account(self) -> int | None:
        """Pings in flight at a time, of all targets without reserved concurrency."""
        return None if self.unreserved is None else _less_live(self.unreserved)

    def allowance(self, target: Target) -> Allowance:
        """What a wave may have in flight; 0 where the limit leaves nothing to pings."""
        reserved = self.reserved.get(target.function)
        if reserved is not None:
            spared = max(reserved - 1, 0)
            return Allowance(spared, f"reserved concurrency {reserved}, less one for live traffic")
        most = self.account
        if most is None or self.unreserved is None:
            return UNLIMITED
        reason = f"the account's unreserved concurrency {self.unreserved}"
        return Allowance(most, f"{reason}, less {self.unreserved - most} for live traffic")


def _less_live(limit: int) -> int:
    return max(limit - max(1, round(limit * LIVE_SHARE)), 0)


def open_files_allowance() -> Allowance:
    """Connections that this process may have open: its limit of open files, less some.

    Lambda allows 1,024 ("Lambda quotas", Lambda developer guide).
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return UNLIMITED
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = UNLIMITED.pings if soft == resource.RLIM_INFINITY else soft - OTHER_FILES
    return Allowance(max(most, 1), f"{soft} open files that this process may have")


class ConcurrencyBudget:
    """Slots for pings in flight, given in the order in which they were asked for.

    Used in one event loop. `most` is how many there are.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def slots(self, count: int) -> AsyncIterator[None]:
        """Have `count` slots, at most `most`, while in this context."""
        if self._waiting or self.taken + count > self.most:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give_back(count)
                raise
        else:
            self.taken += count
        try:
            yield
        finally:
            self._give_back(count)

    def _give_back(self, count: int) -> None:
        self.taken -= count
        while self._waiting and self.taken + self._waiting[0][0] <= self.most:
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.taken += wanted
                turn.set_result(None)
