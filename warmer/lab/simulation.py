"""Runs a policy over the functions of a trace: compiled where that can be, else look by look."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from warmer.fleet.auto import Auto
from warmer.fleet.policy import Heard, Hearing, IdleReset, Informed, Look, Policy
from warmer.fleet.uses import Use, Uses
from warmer.lab.online import run_auto, scratch
from warmer.lab.pool import advance, finish, logged
from warmer.lab.scenario import Scenario
from warmer.lab.state import (
    COUNTS,
    LOOKS,
    READS,
    REPLY_AGE,
    REPLY_FIELDS,
    REPLY_IDLE,
    REPLY_INIT,
    REPLY_LAST_REQUEST,
    REPLY_NEW,
    REPLY_REQUESTS,
    SECONDS,
    USE_AT,
    USE_BUSY,
    USE_COLD,
    Floats,
    Integers,
    Pool,
    Requests,
    Waves,
    clear,
    new_pool,
)
from warmer.lab.trace import Arrivals, Trace
from warmer.lab.waves import run_idle_reset, run_waves, send_wave

__all__ = ["Counted", "Simulation", "simulate", "waves_of"]

FIRST_PLACES = 64


@dataclass(frozen=True)
class Counted:
    """What happened, a row for each function; columns as named in `warmer.lab.state`."""

    counts: Integers
    seconds: Floats

    @classmethod
    def empty(cls, functions: int) -> Counted:
        """Nothing yet."""
        return cls(np.zeros((functions, COUNTS), np.int64), np.zeros((functions, SECONDS)))


class Simulation:
    """One policy in one scenario, for one function after another.

    Time within begins at a whole minute, the scenario's head start before the trace does, and is 0
    there; `origin` is that moment, in seconds since midnight of the trace's first day.
    compiled: False makes it go look by look even where there is a compiled equivalent.
    """

    def __init__(
        self, policy: Policy, scenario: Scenario, start: float, end: float, compiled: bool = True
    ) -> None:
        self.origin = math.floor((start - scenario.head_start) / 60) * 60.0
        self._end = end - self.origin
        self._scenario = scenario
        self._draws = scenario.draws()
        self._timing = scenario.timing
        self._looks = 0
        self._most = 60.0 if scenario.uses == "told" else math.inf
        self._logs = isinstance(policy, Informed) and scenario.uses != "metrics"
        if isinstance(policy, Informed) and scenario.uses != "metrics":
            policy = policy.informed()
        self._policy = policy
        minutes = 0 if policy.timed else int(self._end // 60) + 1
        self._pool = new_pool(FIRST_PLACES, minutes)
        self._run: Callable[[Requests], bool] = self._look_by_look
        if policy.timed:
            self._waves, self._looks = waves_of(policy, self.origin, end)
            self._run = self._timed
        elif compiled and isinstance(policy, IdleReset):
            self._rules = np.array(
                [policy.size, policy.interval_seconds, scenario.metric_delay, 0.0]
            )
            self._run = self._idle_reset
        elif compiled and isinstance(policy, Auto):
            self._economics = np.array(policy.figures)
            self._clock = np.array(
                [self.origin, scenario.metric_delay, self._end, self._most, scenario.log_delay]
            )
            self._scratch = scratch()
            self._run = self._auto

    def function(self, requests: Requests) -> Pool:
        """The pool after all requests and waves; valid until the next function is run."""
        within = Requests(requests.times - self.origin, requests.services)
        told = max(len(requests.times), 1) if self._logs else 0
        if told > len(self._pool.waited):
            self._pool = new_pool(len(self._pool.busy_end), len(self._pool.peaks), told)
        clear(self._pool)
        while not self._run(within):
            places = 2 * len(self._pool.busy_end)
            self._pool = new_pool(places, len(self._pool.peaks), len(self._pool.waited))
        self._pool.counts[LOOKS] += self._looks
        return self._pool

    def functions(self, arrivals: Arrivals, into: Counted, first: int) -> None:
        """Run all functions of `arrivals`; the first of them is row `first` of `into`."""
        for number in range(len(arrivals)):
            pool = self.function(arrivals.of(number))
            into.counts[first + number] = pool.counts
            into.seconds[first + number] = pool.seconds

    def _timed(self, requests: Requests) -> bool:
        return run_waves(self._pool, requests, self._draws, self._waves, self._timing, self._end)

    def _idle_reset(self, requests: Requests) -> bool:
        return run_idle_reset(
            self._pool, requests, self._draws, self._rules, self._timing, self._end
        )

    def _auto(self, requests: Requests) -> bool:
        return run_auto(
            self._pool,
            requests,
            self._draws,
            self._economics,
            self._clock,
            self._timing,
            self._scratch,
        )

    def _look_by_look(self, requests: Requests) -> bool:
        """What the scheduled warmer does: look, ask the policy, send the wave, hear the replies."""
        pool, now, wave_at = self._pool, 0.0, None
        heard: Sequence[Heard] = ()
        memory: Mapping[str, float] = {}
        while now < self._end:
            if not advance(pool, requests, self._draws, now):
                return False
            pool.counts[LOOKS] += 1
            history = _PoolHistory(pool, self.origin, now - self._scenario.metric_delay)
            look = Look(
                self.origin + now, wave_at, heard, memory, history, self._uses(requests, now)
            )
            decision = self._policy.decide(look)
            memory = decision.memory
            if decision.hold:
                replies = np.empty((decision.hold + 2, REPLY_FIELDS))
                rows = send_wave(
                    pool, requests, self._draws, now, decision.hold, self._timing, replies
                )
                if rows < 0:
                    return False
                wave_at, heard = look.now, [_heard(row) for row in replies[:rows].tolist()]
                if isinstance(self._policy, Hearing):
                    answered = look._replace(wave_at=wave_at, heard=heard, memory=memory)
                    decision = self._policy.after(answered)
                    memory = decision.memory
            now = max(min(decision.look_at - self.origin, now + self._most), now + 1e-3)
        if not advance(pool, requests, self._draws, self._end):
            return False
        finish(pool, self._draws, self._end)
        return True

    def _uses(self, requests: Requests, now: float) -> Uses | None:
        """What the logs tell at `now`; None where they are not read."""
        if not self._logs:
            return None
        until = self.origin + now - self._scenario.log_delay
        rows = logged(self._pool, requests, now - self._scenario.log_delay)
        return Uses(until, until, tuple(_use(row, self.origin) for row in rows.tolist()))


def _use(row: list[float], origin: float) -> Use:
    cold = row[USE_COLD] > 0
    return Use(origin + row[USE_AT], row[USE_BUSY], cold)


class _PoolHistory:
    """Concurrency as CloudWatch would know it, late; each call counts as a read."""

    def __init__(self, pool: Pool, origin: float, known_until: float) -> None:
        self._pool = pool
        self._origin = origin
        self._known_until = known_until

    def concurrency(self, since: float) -> tuple[float, Sequence[int]]:
        """As `warmer.fleet.policy.History` has it."""
        self._pool.counts[READS] += 1
        first = max(0, math.floor((since - self._origin) / 60))
        last = math.floor(self._known_until / 60)
        return self._origin + first * 60.0, self._pool.peaks[first : max(first, last)].tolist()


def _heard(row: list[float]) -> Heard:
    idle, last = row[REPLY_IDLE], row[REPLY_LAST_REQUEST]
    return Heard(
        new=bool(row[REPLY_NEW]),
        idle_seconds=None if math.isnan(idle) else idle,
        age_seconds=row[REPLY_AGE],
        init_ms=row[REPLY_INIT] * 1000,
        user_requests=int(row[REPLY_REQUESTS]),
        last_user_seconds_ago=None if math.isnan(last) else last,
    )


def waves_of(policy: Policy, start: float, end: float) -> tuple[Waves, int]:
    """All waves of a policy that depends on the clock alone, and how often it looks.

    Times of the waves count from `start`. A policy that never sends any is not asked at all.
    """
    times: list[float] = []
    sizes: list[int] = []
    looks, now = 0, start
    while now < end:
        decision = policy.decide(Look(now, None, (), {}, _NoHistory()))
        looks += 1
        if decision.hold:
            times.append(now - start)
            sizes.append(decision.hold)
        now = max(decision.look_at, now + 1e-3)
    waves = Waves(np.array(times, dtype=np.float64), np.array(sizes, dtype=np.int64))
    return waves, looks if times else 0


class _NoHistory:
    """For a policy that depends on the clock alone."""

    def concurrency(self, since: float) -> tuple[float, Sequence[int]]:
        """Never called."""
        raise AssertionError(f"a timed policy has read the history from {since}")


def simulate(trace: Trace, arrivals: Arrivals, policy: Policy, scenario: Scenario) -> Counted:
    """All functions of `arrivals`, which are those of `trace`."""
    counted = Counted.empty(len(arrivals))
    Simulation(policy, scenario, trace.start, trace.end).functions(arrivals, counted, 0)
    return counted
