"""One wave: pings dispatched together, held together, and counted by the environments that answer.

Only overlap proves: N pings reach N environments if all N are in flight at one moment, so each ping
carries the moment at which all may return. Only the dispatch spread decides that moment. A cold
environment needs no longer hold: its request waits at Lambda, and occupies it, throughout INIT, and
a ping whose INIT ends after the release time returns at once.

A round that left environments unproven is repeated with all N pings, held longer. Fewer would
prove nothing: under most-recently-used routing (the assumption; Lambda promises none) they would
meet the environments that were used last, the proven ones. Those have to be kept busy for the
others to be met or made, and a ping is what keeps them busy.

While N pings are held, a user's request would meet no free environment where there are only N, and
start a cold one. So a wave keeps one more warm, the spare. Its ping is sent last, when the others
are in flight (else it would meet one of theirs), and is not held: the spare is busy for a
millisecond, not for the hold. A single environment's ping is not held at all and has no spare.
Where a policy weighs what each environment is worth, the spare is one of the number: all but one
are held, and as many are proven for a ping and an environment less.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from warmer.aws import Invoker
from warmer.errors import ConfigurationError
from warmer.fleet.answer import Answer, unprimed
from warmer.fleet.budget import UNLIMITED, Allowance, ConcurrencyBudget
from warmer.fleet.clock import SYSTEM_CLOCK, Clock
from warmer.fleet.dispatch import SPARE_AHEAD_MS, Dispatcher, Sending, Sent
from warmer.fleet.report import SUCCESSES, Outcome, WaveReport
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.tally import Tally
from warmer.fleet.target import Target

__all__ = ["Clock", "Progress", "Wave", "WaveSettings", "run_wave"]

LEAST_ROUND_SECONDS = 5.0
"""A round is not begun with less time left than this."""

LONGER = 2.0
"""How much longer a round is held when the one before did not overlap."""

HELD_MS = 1.0
"""A reply that tells of a shorter hold came after the release: it measures what holding costs."""

EARLY_SECONDS = 0.002
"""A held reply that comes sooner than this before the release was not held to the end."""

FINAL = frozenset(Outcome) - SUCCESSES - {Outcome.FUNCTION_ERROR, Outcome.TIMEOUT}
"""Outcomes after which no ping is sent any more: another would meet the same, or do harm."""


@dataclass(frozen=True)
class WaveSettings:
    """How far a wave may go.

    `max_rounds` (at least 1, default 3) bounds the rounds, the probe apart. `answer_seconds` (at
    least 1, default 60) is the longest wait for one answer; a cold target's INIT is in it: 10 s at
    most, after which Lambda repeats it under the function's own time-out. `spare` (0 or 1, default
    1) is how many environments to keep warm beyond the number asked for; see the module.
    `allowance` bounds the pings that are in flight at a time.

    Raises ConfigurationError for other values.
    """

    max_rounds: int = 3
    answer_seconds: float = 60.0
    spare: int = 1
    allowance: Allowance = UNLIMITED

    def __post_init__(self) -> None:
        if type(self.max_rounds) is not int or self.max_rounds < 1:
            raise ConfigurationError("max_rounds", self.max_rounds, "a whole number from 1")
        if type(self.answer_seconds) not in (int, float) or not 1 <= self.answer_seconds < inf:
            raise ConfigurationError("answer_seconds", self.answer_seconds, "seconds, from 1")
        if type(self.spare) is not int or self.spare not in (0, 1):
            raise ConfigurationError("spare", self.spare, "0 or 1")


@dataclass(frozen=True)
class Progress:
    """How far a wave is: pings `answered`, environments `asked` and seen so far."""

    asked: int
    answered: int
    environments: int


def run_wave(
    target: Target,
    invoker: Invoker,
    *,
    settings: WaveSettings | None = None,
    spread: DispatchSpread | None = None,
    deadline: float = inf,
    clock: Clock = SYSTEM_CLOCK,
    watch: Callable[[Progress], None] | None = None,
) -> WaveReport:
    """Warm one target and report every ping.

    A probe goes first, held for no time, so that a function which is not decorated, or broken, or
    may not be invoked, meets one ping and not N; of a target that is `probed` the wave's own pings
    prove that. Then come rounds of N pings, until N environments
    are proven, the rounds are used up, or going on would be wrong; in particular nothing is sent
    after the first 429. Blocks until every answer is in, which is before `deadline` (monotonic
    seconds) to within a second. `spread` learns, and may be passed from wave to wave. `watch` is
    told of every answer. Must not be called in a running event loop.
    """

    async def run() -> WaveReport:
        budget = ConcurrencyBudget(UNLIMITED.pings)
        dispatcher = Dispatcher(invoker, spread or DispatchSpread(), clock, budget)
        seen: list[Answer] = []

        def tell(answer: Answer) -> None:
            seen.append(answer)
            environments = {found.reply.environment for found in seen if found.reply}
            if watch is not None:
                watch(Progress(target.concurrency, len(seen), len(environments)))

        wave = Wave(target, dispatcher, settings or WaveSettings(), deadline, tell)
        try:
            async with budget.slots(wave.pings):
                return await wave.run()
        finally:
            await invoker.disconnect()

    return asyncio.run(run())


def not_run(target: Target, reason: str, started_at: float) -> WaveReport:
    """The report of a wave that sent nothing; `reason` is a sentence."""
    return WaveReport(
        target=target,
        rounds=0,
        sent=0,
        outcomes={},
        environments=(),
        new=0,
        started_at=started_at,
        held_ms=0.0,
        spread_ms=0.0,
        wall_ms=0.0,
        problems=(reason,),
    )


class Wave:
    """A wave while it runs, in one event loop.

    `listen` is told of every answer as it comes. `halt`, once it is set, ends the wave with that
    sentence as reason.
    """

    def __init__(
        self,
        target: Target,
        dispatcher: Dispatcher,
        settings: WaveSettings,
        deadline: float,
        listen: Callable[[Answer], None],
    ) -> None:
        self.target = target
        self.settings = settings
        self.deadline = deadline
        self.allowance = settings.allowance
        self.id = os.urandom(16).hex()
        self.halt = ""
        self.rounds = 0
        self.spread_ms = 0.0
        self.notes: list[str] = []
        self._dispatcher = dispatcher
        self._clock = dispatcher.clock
        self._listen = listen
        self._tally = Tally(target.concurrency)
        self._stopped = False
        self._least_hold_ms = 0.0
        self._arrivals_ms: list[float] = []
        self._busy_ms = 0.0

    @property
    def size(self) -> int:
        """Environments that are to be proven."""
        return min(self.target.concurrency, self.allowance.pings)

    @property
    def spare(self) -> int:
        """Pings that are sent last and not held."""
        if self.size <= 1:
            return 0
        room = 1 if self.target.spare_within else self.allowance.pings - self.size
        return min(self.settings.spare, room)

    @property
    def held(self) -> int:
        """Pings that are held together."""
        return self.size - self.spare if self.target.spare_within else self.size

    @property
    def pings(self) -> int:
        """Pings of a round."""
        return self.held + self.spare

    async def run(self) -> WaveReport:
        """Warm the target. The caller has seen to `pings` slots of the budget."""
        started_at, start = self._clock.time(), self._clock.monotonic()
        if self.size < self.target.concurrency:
            self.notes.append(
                f"{self.allowance.pings} pings at a time are allowed: {self.allowance.reason}"
            )
        if self.target.concurrency > 1 and not self.target.probed:
            await self._send_probe()
        while self._tally.proven < self.size and self._may_go_on():
            self.rounds += 1
            await self._send_round()
            self._stopped = self._stopped or not self._tally.proven
            if self.target.concurrency == 1:
                break  # the one ping is its own probe: whatever failed would only be met again
        # Of the last round alone: what delays several rounds of one wave delays no other wave.
        self._dispatcher.spread.learn(self._arrivals_ms, self.held, self._busy_ms)
        return self._report(started_at, (self._clock.monotonic() - start) * 1000)

    def _may_go_on(self) -> bool:
        if self._stopped or self.halt or self.rounds == self.settings.max_rounds:
            return False
        left = self.deadline - self._clock.monotonic()
        if left < LEAST_ROUND_SECONDS:
            self.notes.append(f"{left:.1f} s left are too few for another round")
            return False
        return True

    async def _send_probe(self) -> None:
        if self.size and self._may_go_on():
            await self._send(1, 0, hold_ms=0.0)
            self._stopped = self._stopped or not self._tally.proven

    async def _send_round(self) -> None:
        hold_ms = self._dispatcher.spread.hold_ms(self.size)
        if self.target.spare_within and self.spare:
            hold_ms += SPARE_AHEAD_MS  # what comes when all others are there has to come in time
        hold_ms = min(max(hold_ms, self._least_hold_ms), self.target.max_hold_ms)
        sent = await self._send(self.held, self.spare, hold_ms)
        needed = [*sent.answers, *sent.spares] if self.target.spare_within else sent.answers
        replies = [answer.reply for answer in needed if answer.reply]
        overlapped = len({reply.environment for reply in replies}) == len(replies)
        arrivals = _arrivals_ms(sent, overlapped)
        self.spread_ms = max(self.spread_ms, _spread_ms(sent, arrivals))
        release = sent.started_at + sent.hold_ms / 1000 - EARLY_SECONDS
        early = [a for a in sent.answers if a.reply and not a.reply.new and a.received_at < release]
        if early and not overlapped:
            self.notes.append(
                f"{self.target} did not hold pings for the {sent.hold_ms:.0f} ms that the wave"
                " needed: its WARMER_MAX_HOLD_MS is lower, or its clock is ahead of this one"
            )
        elif not overlapped:
            self._least_hold_ms = LONGER * sent.hold_ms
        self._arrivals_ms = arrivals
        self._busy_ms = _busy_ms(sent) if overlapped else 0.0

    async def _send(self, size: int, spare: int, hold_ms: float) -> Sent:
        sent = await self._dispatcher.send(
            Sending(
                target=self.target,
                wave=self.id,
                size=size,
                spare=spare,
                hold_ms=hold_ms,
                timeout_seconds=self._timeout_seconds,
                stopped=lambda: self._stopped or bool(self.halt),
                on_answer=self._note,
            )
        )
        self._tally.add([*sent.answers, *sent.spares])
        return sent

    def _timeout_seconds(self) -> float:
        left = self.deadline - self._clock.monotonic()
        return min(self.settings.answer_seconds, max(left, 1.0))

    def _note(self, answer: Answer) -> None:
        """An answer is in, of some that are still awaited."""
        self._stopped = self._stopped or answer.outcome in FINAL
        self._listen(answer)

    def _report(self, started_at: float, wall_ms: float) -> WaveReport:
        tally = self._tally
        throttles = [a for a in tally.answers if a.outcome is Outcome.THROTTLED]
        replies = tuple(answer.reply for answer in tally.answers if answer.reply)
        return WaveReport(
            target=self.target,
            rounds=self.rounds,
            sent=len(tally.answers),
            outcomes=tally.outcomes,
            environments=tuple(tally.environments),
            spares=tuple(tally.spares),
            new=sum(tally.environments.values()),
            started_at=started_at,
            held_ms=sum(answer.held_ms for answer in tally.answers),
            billed_ms=sum(answer.billed_ms for answer in tally.answers),
            request_ids=tuple(a.request_id for a in tally.answers if a.request_id),
            spread_ms=self.spread_ms,
            wall_ms=wall_ms,
            versions=tally.versions,
            throttle_reason=throttles[0].throttle_reason if throttles else None,
            problems=self._problems(),
            wave=self.id,
            unprimed=unprimed(replies),
            replies=replies,
        )

    def _problems(self) -> tuple[str, ...]:
        tally = self._tally
        problems = tally.problems(str(self.target))
        if tally.proven < self.target.concurrency:
            problems += dict.fromkeys([*self.notes, *([self.halt] if self.halt else [])])
            rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
            problems.append(
                f"{tally.proven} of {self.target.concurrency} environments of"
                f" {self.target} are proven warm after {rounds}"
            )
        return tuple(problems)


def _arrivals_ms(sent: Sent, overlapped: bool) -> list[float]:
    """When pings reached warm environments, in milliseconds after the start of the dispatch.

    One that was held left at the release, or when its answer came if that was before, and had been
    there for the time that it was held: this needs no agreement of two clocks, and no quick reading
    of answers that come all at once. One that was not held counts from when it was answered; but if
    that was after the release, and all overlapped even so, something else kept the others busy,
    such as memory that they had to find again: no reason to hold longer, and it is left out.
    INIT hides the arrival at new environments, and priming that at those that finished theirs.
    """
    arrivals = []
    for answer in sent.answers:
        if answer.reply is None or answer.reply.new or answer.reply.primed_ms:
            continue
        received_ms = (answer.received_at - sent.started_at) * 1000
        if answer.held_ms > HELD_MS:
            arrivals.append(max(min(received_ms, sent.hold_ms) - answer.held_ms, 0.0))
        elif not overlapped or received_ms < sent.hold_ms:
            arrivals.append(max(received_ms, 0.0))
    return arrivals


def _busy_ms(sent: Sent) -> float:
    """How long after the release the first answer came of a ping that was held."""
    held = [answer for answer in sent.answers if answer.reply and answer.held_ms > HELD_MS]
    first_ms = min([(answer.received_at - sent.started_at) * 1000 for answer in held], default=0.0)
    return max(first_ms - sent.hold_ms, 0.0)


def _spread_ms(sent: Sent, arrivals: Sequence[float]) -> float:
    """The time between the first and the last ping, as sent or as arrived, in milliseconds."""
    times = [answer.sent_at * 1000 for answer in sent.answers if answer.sent_at]
    return max((max(found) - min(found) if found else 0.0) for found in (times, arrivals))
