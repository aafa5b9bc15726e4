"""One wave: pings dispatched together, held together, and counted by the environments that answer.

Only overlap proves: N pings reach N environments if all N are in flight at one moment, so each ping
carries the moment at which all may return. Only the dispatch spread decides that moment. A cold
environment needs no longer hold: its request waits at Lambda, and occupies it, throughout INIT, and
a ping whose INIT ends after the release time returns at once.

A round that left environments unproven is repeated with all N pings, held longer. Fewer would
prove nothing: under most-recently-used routing (the assumption; Lambda promises none) they would
meet the environments that were used last, the proven ones. Those have to be kept busy for the
others to be met or made, and a ping is what keeps them busy.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from typing import Protocol

from warmer.aws import Invoker
from warmer.errors import ConfigurationError
from warmer.fleet.answer import Answer, send, unprimed
from warmer.fleet.report import SUCCESSES, Outcome, WaveReport
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target
from warmer.ping import Ping

__all__ = ["Clock", "WaveSettings", "run_wave"]

LEAST_ROUND_SECONDS = 5.0
"""A round is not begun with less time left than this."""

FINAL = frozenset(Outcome) - SUCCESSES - {Outcome.FUNCTION_ERROR, Outcome.TIMEOUT}
"""Outcomes after which no ping is sent any more: another would meet the same, or do harm."""


class Clock(Protocol):
    """The two clocks of the standard library's `time` module, which is one."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def time(self) -> float:
        """Unix seconds."""
        ...


@dataclass(frozen=True)
class WaveSettings:
    """How far a wave may go.

    `max_rounds` (at least 1, default 3) bounds the rounds, the probe apart. `answer_seconds` (at
    least 1, default 60) is the longest wait for one answer; a cold target's INIT is in it: 10 s at
    most, after which Lambda repeats it under the function's own time-out.

    Raises ConfigurationError for other values.
    """

    max_rounds: int = 3
    answer_seconds: float = 60.0

    def __post_init__(self) -> None:
        if type(self.max_rounds) is not int or self.max_rounds < 1:
            raise ConfigurationError("max_rounds", self.max_rounds, "a whole number from 1")
        if type(self.answer_seconds) not in (int, float) or not 1 <= self.answer_seconds < inf:
            raise ConfigurationError("answer_seconds", self.answer_seconds, "seconds, from 1")


def run_wave(
    target: Target,
    invoker: Invoker,
    *,
    settings: WaveSettings | None = None,
    spread: DispatchSpread | None = None,
    deadline: float = inf,
    clock: Clock = time,
) -> WaveReport:
    """Warm one target and report every ping.

    A probe goes first, held for no time, so that a function which is not decorated, or broken, or
    may not be invoked, meets one ping and not N. Then come rounds of N pings, until N environments
    are proven, the rounds are used up, or going on would be wrong; in particular nothing is sent
    after the first 429. Blocks until every answer is in, which is before `deadline` (monotonic
    seconds) to within a second. `spread` learns, and may be passed from wave to wave.
    """
    wave = _Wave(
        target, invoker, settings or WaveSettings(), spread or DispatchSpread(), deadline, clock
    )
    return wave.run()


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


class _Wave:
    """A wave while it runs; used by one thread, which starts and joins the senders."""

    def __init__(
        self,
        target: Target,
        invoker: Invoker,
        settings: WaveSettings,
        spread: DispatchSpread,
        deadline: float,
        clock: Clock,
    ) -> None:
        self.target = target
        self.invoker = invoker
        self.settings = settings
        self.spread = spread
        self.deadline = deadline
        self.clock = clock
        self.id = os.urandom(16).hex()
        self.rounds = 0
        self.answers: list[Answer] = []
        self.environments: dict[str, bool] = {}  # id -> it was new
        self.spread_ms = 0.0
        self.stop = threading.Event()
        self.notes: list[str] = []

    def run(self) -> WaveReport:
        started_at, start = self.clock.time(), self.clock.monotonic()
        if self.target.concurrency > 1:
            self._send_probe()
        while len(self.environments) < self.target.concurrency and self._may_go_on():
            self.rounds += 1
            self._send_round()
        return self._report(started_at, (self.clock.monotonic() - start) * 1000)

    def _may_go_on(self) -> bool:
        if self.stop.is_set() or self.rounds == self.settings.max_rounds:
            return False
        left = self.deadline - self.clock.monotonic()
        if left < LEAST_ROUND_SECONDS:
            self.notes.append(f"{left:.1f} s left are too few for another round")
            return False
        return True

    def _send_probe(self) -> None:
        if self._may_go_on():
            (answer,) = self._dispatch([Ping(wave=self.id, prime=True)])
            if answer.outcome not in SUCCESSES:
                self.stop.set()

    def _send_round(self) -> None:
        size = self.target.concurrency
        hold_ms = min(self.spread.hold_ms(size), self.target.max_hold_ms)
        release = self.clock.monotonic() + hold_ms / 1000
        release_at = self.clock.time() + hold_ms / 1000
        answers = self._dispatch(
            [
                Ping(wave=self.id, index=i, size=size, release_at=release_at, prime=True)
                for i in range(size)
            ]
        )
        measured_ms = _spread_ms(answers)
        self.spread_ms = max(self.spread_ms, measured_ms)
        replies = [answer.reply for answer in answers if answer.reply]
        overlapped = len({reply.environment for reply in replies}) == len(replies)
        early = [a for a in answers if a.reply and not a.reply.new and a.received_at < release]
        if early and not overlapped:
            self.notes.append(
                f"{self.target} did not hold pings for the {hold_ms:.0f} ms that the wave needed:"
                " its WARMER_MAX_HOLD_MS is lower, or its clock is ahead of this one"
            )
            overlapped = True  # a longer hold would be cut short as well
        self.spread.learn(size, measured_ms, overlapped)

    def _dispatch(self, pings: Sequence[Ping]) -> list[Answer]:
        """Send all at once, each on a thread of its own, and wait for all."""
        with ThreadPoolExecutor(len(pings), thread_name_prefix="ping") as senders:
            futures = [senders.submit(self._send, ping) for ping in pings]
        answers = [answer for future in futures if (answer := future.result())]
        return [self._count(answer) for answer in answers]

    def _send(self, ping: Ping) -> Answer | None:
        """Runs in a sender's thread; None if the wave was stopped before this ping went out."""
        if self.stop.is_set():
            return None
        left = self.deadline - self.clock.monotonic()
        timeout_seconds = min(self.settings.answer_seconds, max(left, 1.0))
        answer = send(self.invoker, self.target, ping, timeout_seconds)
        if answer.outcome in FINAL:
            self.stop.set()
        return answer

    def _count(self, answer: Answer) -> Answer:
        reply = answer.reply
        if reply is not None and reply.environment in self.environments:
            answer = answer._replace(outcome=Outcome.DUPLICATE)
        elif reply is not None:
            self.environments[reply.environment] = reply.new
        self.answers.append(answer)
        return answer

    def _report(self, started_at: float, wall_ms: float) -> WaveReport:
        throttles = [a for a in self.answers if a.outcome is Outcome.THROTTLED]
        replies = tuple(answer.reply for answer in self.answers if answer.reply)
        return WaveReport(
            target=self.target,
            rounds=self.rounds,
            sent=len(self.answers),
            outcomes=Counter(answer.outcome for answer in self.answers),
            environments=tuple(self.environments),
            new=sum(self.environments.values()),
            started_at=started_at,
            held_ms=sum(answer.held_ms for answer in self.answers),
            spread_ms=self.spread_ms,
            wall_ms=wall_ms,
            versions=tuple(sorted({a.version for a in self.answers if a.version})),
            throttle_reason=throttles[0].throttle_reason if throttles else None,
            problems=self._problems(),
            wave=self.id,
            unprimed=unprimed(replies),
            replies=replies,
        )

    def _problems(self) -> tuple[str, ...]:
        failures = [answer for answer in self.answers if answer.outcome not in SUCCESSES]
        counts = Counter(answer.problem or answer.outcome.value for answer in failures)
        problems = [text if n == 1 else f"{text} ({n} pings)" for text, n in counts.items()]
        if len(self.environments) < self.target.concurrency:
            problems += dict.fromkeys(self.notes)
            rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
            problems.append(
                f"{len(self.environments)} of {self.target.concurrency} environments of"
                f" {self.target} are proven warm after {rounds}"
            )
        return tuple(problems)


def _spread_ms(answers: Sequence[Answer]) -> float:
    """The time between the first and the last ping of a round, in milliseconds.

    By when they went out, and, where environments were warm, by when they arrived: the moment of
    the answer less the hold, which needs no agreement of two clocks. INIT hides that of new ones,
    and priming that of those that finished theirs.
    """
    sent = [answer.sent_at for answer in answers if answer.sent_at]
    arrived = [
        answer.received_at - answer.held_ms / 1000
        for answer in answers
        if answer.reply and not answer.reply.new and not answer.reply.primed_ms
    ]
    return max((max(times) - min(times)) * 1000 if times else 0.0 for times in (sent, arrived))
