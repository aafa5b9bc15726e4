"""A pool of execution environments in memory: an `Invoker` whose overlap is decided, not timed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from warmer.aws import InvokeReply, InvokeRequest, SignedInvoke
from warmer.errors import Throttled
from warmer.ping import Ping, Reply

HANG_SECONDS = 20.0
"""A gate that stays shut this long is a fault of the test, which then fails."""

START = 1_764_000_000.0


@dataclass
class ManualClock:
    """A clock that moves when it is told to."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def time(self) -> float:
        """Unix seconds."""
        return START + self.now

    async def sleep(self, seconds: float) -> None:
        """Move."""
        self.now += max(seconds, 0.0)
        await asyncio.sleep(0)


@dataclass
class MemoryPool:
    """Environments under most-recently-used routing.

    `overlap` says, for each round, how many pings are in flight together; the last figure also
    holds for later rounds. The next so many pings arrive only when those are back. `capacity` is
    the concurrency beyond which Lambda throttles. `answer` may replace the reply to a ping: it
    gets the call's number, the ping and the true payload, and returns a payload, a function error
    (as a pair), or raises. `spare` is as in the wave's settings.
    """

    overlap: Sequence[int] = (10_000,)
    capacity: int = 10_000
    reason: str = "ConcurrentInvocationLimitExceeded"
    answer: Callable[[int, Ping, bytes], bytes | tuple[str, bytes]] | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    dispatch_ms: float = 0.0
    held_ms: float = 0.0
    init_ms: float = 800.0
    seconds_per_ping: float = 0.0
    spare: int = 1
    spare_joins: bool = False
    """Whether those that are held wait for the spare as well."""

    def __post_init__(self) -> None:
        self.requests: list[InvokeRequest] = []
        self.pings: list[Ping] = []
        self.connections = 0
        self.started = 0
        self.idle: list[str] = []
        self._changed = asyncio.Condition()
        self._seen: Counter[int] = Counter()
        self._arrived: Counter[tuple[int, int]] = Counter()
        self._spares = 0
        self._gone: Counter[tuple[int, int]] = Counter()
        self._positions: Counter[int] = Counter()
        self._busy = 0
        self._open = False

    async def connect(self, connections: int) -> None:
        """See `Invoker.connect`."""
        self.connections = max(self.connections, connections)

    async def disconnect(self) -> None:
        """See `Invoker.disconnect`."""
        self._changed = asyncio.Condition()  # the next run has a loop of its own

    def sign(self, request: InvokeRequest) -> SignedInvoke:
        """See `Invoker.sign`."""
        return SignedInvoke(request)

    async def invoke(self, signed: SignedInvoke) -> InvokeReply:
        """Run a ping in an idle environment or a new one; see `Invoker.invoke`."""
        request = signed.request
        ping = _ping_in(request)
        async with self._changed:
            self.requests.append(request)
            self.pings.append(ping)
            number = len(self.requests) - 1
            self.clock.now += self.seconds_per_ping
            gate, members, position = self._gate_of(ping)
            await self._wait(lambda: not gate[1] or self._gone[gate[0], gate[1] - 1] >= self._width)
            environment, new = self._take()
            self._arrived[gate] += 1
            self._changed.notify_all()
            self._spares += ping.index == ping.size - 1 > 0
            await self._wait(lambda: self._arrived[gate] >= members and self._joined(gate[0]))
            self._busy -= 1
            self.idle.append(environment)
            self._gone[gate] += 1
            self._changed.notify_all()
        return self._reply(number, ping, environment, new, position)

    def _joined(self, round_number: int) -> bool:
        return not self.spare_joins or self._spares > round_number

    def _gate_of(self, ping: Ping) -> tuple[tuple[int, int], int, int]:
        """The round and group that a ping belongs to, the group's size, its place in the round."""
        if not ping.release_at:
            return (-1, 0), 1, 0
        round_number = self._seen[ping.index]
        self._seen[ping.index] += 1
        position = self._positions[round_number]
        self._positions[round_number] += 1
        self._width = self.overlap[min(round_number, len(self.overlap) - 1)]
        group = position // self._width
        held = ping.size - self.spare
        return (round_number, group), min(self._width, held - group * self._width), position

    async def _wait(self, ready: Callable[[], bool]) -> None:
        waiting = self._changed.wait_for(lambda: self._open or ready())
        await asyncio.wait_for(waiting, HANG_SECONDS)

    def _take(self) -> tuple[str, bool]:
        if self._busy >= self.capacity:
            self._open = True  # the rest of the round may never be sent
            self._changed.notify_all()
            raise Throttled("Rate Exceeded.", self.reason)
        self._busy += 1
        if self.idle:
            return self.idle.pop(), False
        self.started += 1
        return f"environment-{self.started}", True

    def _reply(
        self, number: int, ping: Ping, environment: str, new: bool, position: int
    ) -> InvokeReply:
        reply = Reply(
            environment,
            wave=ping.wave,
            index=ping.index,
            function_version="7",
            new=new,
            held_ms=self.held_ms,
        )
        payload: bytes | tuple[str, bytes] = json.dumps(reply.as_dict()).encode()
        if self.answer is not None:
            assert isinstance(payload, bytes)
            payload = self.answer(number, ping, payload)
        error, payload = payload if isinstance(payload, tuple) else (None, payload)
        sent_at = self.clock.now + position * self.dispatch_ms / 1000
        took_ms = self.held_ms + (self.init_ms if new else 0.0)
        return InvokeReply(200, error, payload, "7", sent_at, sent_at + took_ms / 1000)


def _ping_in(request: InvokeRequest) -> Ping:
    return Ping(**json.loads(base64.b64decode(request.client_context))["custom"]["warmer"])
