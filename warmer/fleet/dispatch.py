"""Sends the pings of a wave together: all signed and connected before the first goes out.

What is prepared while pings are held already is paid for by all that are held. So a dispatch first
has its connections open, then chooses its start and its release time far enough ahead to sign all
requests (a signature covers the release time), waits for the start, and only writes from then on.

One dispatch at a time: functions are staggered, and one's preparation does not delay another's
pings. Answers are awaited side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from warmer.aws import Invoker, SignedInvoke
from warmer.errors import EndpointUnreachable
from warmer.fleet.answer import Answer, answer_to, request_for
from warmer.fleet.budget import ConcurrencyBudget
from warmer.fleet.clock import Clock
from warmer.fleet.report import Outcome
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target
from warmer.ping import Ping

__all__ = ["SPARE_AHEAD_MS", "Dispatcher", "Sending", "Sent"]

FIRST_SIGNING_MS = 0.3
"""The guess for signing one request; 0.1 ms on a whole CPU."""

SIGNING_HEADROOM = 1.5
LATE_MS = 5.0
"""A start later than this is not worth keeping: the requests are signed anew."""

SIGNING_ATTEMPTS = 3
SPARE_AHEAD_MS = 5.0
"""A spare's ping is to arrive so long before the release of the others, if they are all there."""

BETWEEN_LOOKS = 50
"""Pings written, or requests signed, before answers are looked at: a throttle stops the rest."""


@dataclass(frozen=True)
class Sending:
    """What to send: `size` pings to one target, all held until `hold_ms` after the start.

    With 0 they are not held. `spare` more are sent when those are in flight, and not held.
    `timeout_seconds` is asked for right before the start; `stopped` before each ping; `on_answer`
    is told every answer as it comes.
    """

    target: Target
    wave: str
    size: int
    spare: int
    hold_ms: float
    timeout_seconds: Callable[[], float]
    stopped: Callable[[], bool]
    on_answer: Callable[[Answer], None]


@dataclass(frozen=True)
class Sent:
    """What came back, in the order of sending; the spares apart.

    `started_at` is when the first ping was to go out, in monotonic seconds, and `hold_ms` the time
    from then to the release.
    """

    started_at: float
    hold_ms: float
    answers: Sequence[Answer]
    spares: Sequence[Answer] = field(default=())


class Dispatcher:
    """Sends for all waves of one run, in one event loop."""

    def __init__(
        self, invoker: Invoker, spread: DispatchSpread, clock: Clock, budget: ConcurrencyBudget
    ) -> None:
        self.spread = spread
        self.clock = clock
        self.budget = budget
        self._invoker = invoker
        self._turn = asyncio.Lock()
        self._signing_ms = FIRST_SIGNING_MS

    async def send(self, sending: Sending) -> Sent:
        """Send the pings, and wait for all answers."""
        async with self._turn:
            if sending.stopped():  # while it waited for its turn
                return Sent(self.clock.monotonic(), 0.0, [])
            try:
                await self._invoker.connect(max(self.budget.taken, sending.size + sending.spare))
            except EndpointUnreachable as error:
                answer = Answer(Outcome.UNREACHABLE, f"{sending.target}: {error}")
                sending.on_answer(answer)
                return Sent(self.clock.monotonic(), 0.0, [answer])
            start, hold_ms, prepared = await self._prepare(sending)
            await self.clock.sleep(start - self.clock.monotonic())
            answers = await self._start(sending, prepared[: sending.size])
        spares = [
            asyncio.create_task(self._send_spare(sending, start, hold_ms, *item))
            for item in prepared[sending.size :]
        ]
        answered = await asyncio.gather(*answers)
        spared = await asyncio.gather(*spares)
        return Sent(start, hold_ms, answered, [answer for answer in spared if answer])

    async def _prepare(
        self, sending: Sending
    ) -> tuple[float, float, list[tuple[Ping, SignedInvoke]]]:
        """Start, hold and the signed pings; so early that the start is still to come."""
        count = sending.size + sending.spare
        wanted_ms = sending.hold_ms
        attempt = 0
        while True:
            attempt += 1
            lead_seconds = self._signing_ms * count * SIGNING_HEADROOM / 1000
            began = self.clock.monotonic()
            start = began + lead_seconds
            release_at = self.clock.time() + lead_seconds + wanted_ms / 1000
            prepared = await self._sign(sending, release_at if wanted_ms else 0.0)
            now = self.clock.monotonic()
            took_ms = (now - began) * 1000 / count
            self._signing_ms = max(took_ms, self._signing_ms / 2)
            late_ms = max(now - start, 0.0) * 1000
            if not wanted_ms or late_ms <= LATE_MS or attempt == SIGNING_ATTEMPTS:
                return max(start, now), max(wanted_ms - late_ms, 0.0), prepared

    async def _sign(self, sending: Sending, release_at: float) -> list[tuple[Ping, SignedInvoke]]:
        prepared = []
        count = sending.size + sending.spare
        timeout_seconds = sending.timeout_seconds()
        for index in range(count):
            held = index < sending.size
            ping = Ping(
                wave=sending.wave,
                index=index,
                size=count,
                release_at=release_at if held else 0.0,
                prime=True,
            )
            request = request_for(sending.target, ping, timeout_seconds)
            prepared.append((ping, self._invoker.sign(request)))
            if index % BETWEEN_LOOKS == BETWEEN_LOOKS - 1:
                await asyncio.sleep(0)
        return prepared

    async def _start(
        self, sending: Sending, prepared: Sequence[tuple[Ping, SignedInvoke]]
    ) -> list[asyncio.Task[Answer]]:
        """Send, until a ping's answer stops the wave."""
        tasks: list[asyncio.Task[Answer]] = []
        for ping, signed in prepared:
            if sending.stopped():
                break
            tasks.append(asyncio.create_task(self._send(sending, ping, signed)))
            if len(tasks) % BETWEEN_LOOKS == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)  # each task writes in its first step
        return tasks

    async def _send(self, sending: Sending, ping: Ping, signed: SignedInvoke) -> Answer:
        answer = await answer_to(self._invoker, sending.target, ping, signed)
        sending.on_answer(answer)
        return answer

    async def _send_spare(
        self, sending: Sending, start: float, hold_ms: float, ping: Ping, signed: SignedInvoke
    ) -> Answer | None:
        """Late, so that it finds the others held; itself not held, since it takes the last one."""
        arrival_ms = max(hold_ms - SPARE_AHEAD_MS, self.spread.last_ms(sending.size))
        seconds = (arrival_ms - self.spread.latency_ms) / 1000
        await self.clock.sleep(start + seconds - self.clock.monotonic())
        return None if sending.stopped() else await self._send(sending, ping, signed)
