"""Runs a policy over the functions of a trace: compiled where that can be, else look by look."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from warmer.fleet.auto import Auto
from warmer.fleet.policy import Heard, Hearing, IdleReset, Informed, Look, Policy, Sharing
from warmer.fleet.use_log import MOST_REPORTS
from warmer.fleet.uses import Use, Uses
from warmer.lab.log_reads import log_reads, own_groups
from warmer.lab.online import FIRST_PLACES, run_auto
from warmer.lab.pool import advance, finish, logged, mark_run, run_before, skip
from warmer.lab.scenario import Scenario
from warmer.lab.state import (
    COUNTS,
    DRAWS_APART,
    LOG_AGAIN,
    LOG_LINES,
    LOG_READS,
    LOOKS,
    PINGS,
    READS,
    REPLY_AGE,
    REPLY_FIELDS,
    REPLY_IDLE,
    REPLY_INIT,
    REPLY_LAST_REQUEST,
    REPLY_NEW,
    REPLY_REQUESTS,
    RUNS,
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
    larger,
    new_pool,
)
from warmer.lab.trace import Arrivals, Trace
from warmer.lab.waves import run_idle_reset, run_waves, send_wave, with_room

__all__ = ["Counted", "Simulation", "simulate", "waves_of"]


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
    """One policy in one scenario, for the functions of one warmer after those of another.

    Time within begins at a whole minute, the scenario's head start before the trace does, and is 0
    there; `origin` is that moment, in seconds since midnight of the trace's first day.
    compiled: False makes it go look by look even where there is a compiled equivalent.
    functions_a_run: how many functions a warmer looks after: its runs are counted once.
    """

    def __init__(
        self,
        policy: Policy,
        scenario: Scenario,
        start: float,
        end: float,
        compiled: bool = True,
        functions_a_run: int = 1,
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
        self._functions_a_run = functions_a_run
        self._runs = np.zeros(int(self._end // 60) + 1, np.bool_)
        self._pool = new_pool(FIRST_PLACES, 0 if policy.timed else len(self._runs))
        self._run: Callable[[Requests], bool] | None = None
        if policy.timed:
            self._waves, self._looks = waves_of(policy, self.origin, end)
            self._run = self._timed
        elif compiled and isinstance(policy, IdleReset):
            self._rules = np.array(
                [policy.size, policy.interval_seconds, scenario.metric_delay, self._end]
            )
            self._run = self._idle_reset
        self._compiled = compiled and isinstance(policy, Auto)

    def function(self, requests: Requests) -> Pool:
        """The pool after all requests and waves; valid until the next function is run."""
        counted = Counted.empty(1)
        offsets = np.array([0, len(requests.times)])
        self.functions(Arrivals(requests.times, requests.services, offsets), counted, 0)
        self._pool.counts[:], self._pool.seconds[:] = counted.counts[0], counted.seconds[0]
        return self._pool

    def functions(self, arrivals: Arrivals, into: Counted, first: int) -> None:
        """Run all functions of `arrivals`; the first of them is row `first` of `into`.

        Those of one warmer, `functions_a_run`, are counted from the first of `arrivals`.
        """
        times = arrivals.times - self.origin
        size = self._functions_a_run
        for begin in range(0, len(arrivals), size):
            offsets = arrivals.offsets[begin : begin + size + 1]
            group = Arrivals(times, arrivals.services, offsets)
            rows = slice(first + begin, first + begin + len(group))
            counted = Counted(into.counts[rows], into.seconds[rows])
            self._before, self._runs[:] = first + begin, False
            self._whose = own_groups(offsets, self._end)
            self._looked = np.zeros((self._whose.max() + 1, len(self._runs)), np.bool_)
            if self._run is not None:
                self._one_by_one(group, counted, self._run)
            elif self._compiled:
                self._auto(group, counted)
            else:
                self._look_by_look(group, counted)
            if self._logs:
                self._read(group, counted)

    def _read(self, group: Arrivals, into: Counted) -> None:
        """Count what is read of the log group that most functions share, and of others' own."""
        pings, shared = into.counts[:, PINGS], np.flatnonzero(self._whose < 0)
        ended = [group.of(number).times for number in range(len(group))]
        places = [LOG_READS, LOG_LINES, LOG_AGAIN]
        for number in np.flatnonzero(self._whose >= 0):
            looks = self._looked[self._whose[number]]
            into.counts[number, places] = log_reads(looks, ended[number], int(pings[number]))
        if len(shared):
            theirs = np.concatenate([ended[number] for number in shared])
            sent = int(pings[shared].sum())
            read = log_reads(self._runs, theirs, sent, len(shared))
            into.counts[shared[0], places] = read

    def _one_by_one(self, group: Arrivals, into: Counted, run: Callable[[Requests], bool]) -> None:
        """Functions whose policy has nothing of the others'."""
        for number in range(len(group)):
            clear(self._pool)
            drawn = (self._before + number) * DRAWS_APART
            skip(self._pool, drawn)
            others = self._runs.copy()
            while not run(group.of(number)):
                self._pool = new_pool(2 * len(self._pool.busy_end), len(self._pool.peaks))
                skip(self._pool, drawn)
                self._runs[:] = others
            skip(self._pool, -drawn)
            self._pool.counts[LOOKS] += self._looks
            self._pool.counts[RUNS] += self._looks if number == 0 else 0
            into.counts[number], into.seconds[number] = self._pool.counts, self._pool.seconds

    def _timed(self, requests: Requests) -> bool:
        return run_waves(self._pool, requests, self._draws, self._waves, self._timing, self._end)

    def _idle_reset(self, requests: Requests) -> bool:
        pool, runs = self._pool, self._runs
        return run_idle_reset(pool, requests, self._draws, self._rules, self._timing, runs)

    def _auto(self, group: Arrivals, into: Counted) -> None:
        assert isinstance(self._policy, Auto)
        delay = self._scenario.log_delay if self._logs else -1.0
        clock = [self.origin, self._scenario.metric_delay, self._end, self._most, delay]
        run_auto(
            (Requests(group.times, group.services), group.offsets),
            self._draws,
            np.array(self._policy.figures),
            np.array(clock),
            self._timing,
            (self._runs, self._looked, self._whose),
            (into.counts, into.seconds, self._before),
        )

    def _look_by_look(self, group: Arrivals, into: Counted) -> None:
        """What the scheduled warmer does: the function whose look is due first is looked at."""
        followed = [self._followed(group.of(number)) for number in range(len(group))]
        for number, one in enumerate(followed):
            skip(one.pool, (self._before + number) * DRAWS_APART)
        queue = [(0.0, number) for number in range(len(group))]
        while queue[0][0] < self._end:
            now, number = queue[0]
            if self._whose[number] >= 0:
                self._looked[self._whose[number], int(now / 60)] = True
            look_at = self._look(followed[number], now, self._among(followed, number))
            look_at = min(look_at, now + self._most)
            heapq.heapreplace(queue, (run_before(look_at, now), number))
        for number, one in enumerate(followed):
            self._advance(one, self._end)
            finish(one.pool, self._draws, self._end)
            skip(one.pool, -(self._before + number) * DRAWS_APART)
            into.counts[number], into.seconds[number] = one.pool.counts, one.pool.seconds

    def _followed(self, requests: Requests) -> _Followed:
        told = len(requests.times) if self._logs else 0
        return _Followed(new_pool(FIRST_PLACES, len(self._runs), told), requests)

    def _advance(self, one: _Followed, now: float) -> None:
        while not advance(one.pool, one.requests, self._draws, now):
            one.pool = larger(one.pool)

    def _among(self, followed: Sequence[_Followed], number: int) -> Policy:
        """The policy for one function, with what the others tell."""
        if not isinstance(self._policy, Sharing):
            return self._policy
        others = [one.memory for one in followed]
        del others[number]
        return self._policy.among(self._policy.told(others))

    def _look(self, one: _Followed, now: float, policy: Policy) -> float:
        """Look, ask the policy, send the wave, hear the replies; returns when to look again."""
        self._advance(one, now)
        one.pool.counts[LOOKS] += 1
        history = _PoolHistory(one.pool, self.origin, now - self._scenario.metric_delay)
        uses = self._uses(one, now)
        look = Look(self.origin + now, one.wave_at, one.heard, one.memory, history, uses)
        decision = policy.decide(look)
        one.memory = decision.memory
        if decision.hold or self._most == math.inf:  # where uses are told, for a wave alone
            mark_run(one.pool, self._runs, now)
        if decision.hold:
            hold, timing, draws = decision.hold, self._timing, self._draws
            replies = np.empty((hold + 2, REPLY_FIELDS))
            one.pool = with_room(one.pool, one.requests, draws, now, hold, timing)
            rows = send_wave(one.pool, one.requests, draws, now, hold, timing, replies)
            one.wave_at, one.heard = look.now, [_heard(row) for row in replies[:rows].tolist()]
            if isinstance(policy, Hearing):
                answered = look._replace(wave_at=look.now, heard=one.heard, memory=one.memory)
                decision = policy.after(answered)
                one.memory = decision.memory
        return decision.look_at - self.origin

    def _uses(self, one: _Followed, now: float) -> Uses | None:
        """What the logs tell at `now`; None where they are not read."""
        if not self._logs:
            return None
        until = self.origin + now - self._scenario.log_delay
        rows = logged(one.pool, one.requests, now - self._scenario.log_delay)
        since, one.logged_until = min(one.logged_until, until), until
        if len(rows) == MOST_REPORTS:
            since = max(since, self.origin + rows[0, USE_AT])  # those before were not read
        return Uses(since, until, tuple(_use(row, self.origin) for row in rows.tolist()))


@dataclass
class _Followed:
    """A function between two looks of its policy."""

    pool: Pool
    requests: Requests
    wave_at: float | None = None
    heard: Sequence[Heard] = ()
    memory: Mapping[str, float] = field(default_factory=dict)
    logged_until: float = math.inf


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
