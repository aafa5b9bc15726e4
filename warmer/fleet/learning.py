"""What waves and looks teach about a version: pure functions from knowledge to knowledge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from warmer.fleet.demand import Busy, busy_minutes, held_until, sliding, usage, users_of_minute
from warmer.fleet.knowledge import Knowledge, LastWave
from warmer.fleet.plan import LEAST_MEMORY_MB, Situation
from warmer.fleet.price import PRICES
from warmer.fleet.report import SUCCESSES, Outcome, WaveReport
from warmer.fleet.survival import Survival
from warmer.ping import Reply

__all__ = ["after_look", "after_wave"]

HANDLER_MS = 1.0
"""What a ping is billed beside its hold: the answer itself, rounded up as Lambda does."""

FAULTS = frozenset({Outcome.NO_REPLY, Outcome.REFUSED})
"""Outcomes that another ping to the same version would meet again, at the cost of running a
stranger's code: they end the pings to this version."""

DOUBTS = frozenset(Outcome) - SUCCESSES - {Outcome.THROTTLED, Outcome.UNREACHABLE}
"""Outcomes after which it is not sure any more that a version answers."""


def after_wave(
    known: Knowledge, report: WaveReport, situation: Situation, *, probe: bool = False
) -> Knowledge:
    """Take in a wave to this version alone; a `probe` says nothing of how many were warm."""
    if not report.sent:
        return known
    fault = next((text for text in report.problems if _faulty(report)), "")
    if fault and not report.replies:
        # What was known was of other code, if this version is $LATEST.
        return Knowledge(fault=fault, fault_at=report.started_at, spent=_spent(known, report))
    doubtful = any(report.outcomes.get(outcome, 0) for outcome in DOUBTS)
    if not doubtful and not report.replies:
        doubtful = known.doubtful
    learned = replace(known, spent=_spent(known, report), doubtful=doubtful)
    if not probe:
        wave = LastWave(round(report.started_at, 1), report.asked, report.proven, report.new)
        learned = replace(learned, waves=(*known.waves, wave))
    if not report.replies:
        return learned
    window = (*known.window, Busy(round(report.started_at, 1), report.proven))
    last = report.replies[-1]
    if not probe:
        learned = replace(
            learned,
            ping_ms=_ping_ms(report.replies) or known.ping_ms,
            pointless=(*known.pointless, *_was_pointless(report, situation)),
            survivals=(*known.survivals, *_survivals(known, report)),
        )
    return replace(
        learned,
        fault="",
        fault_at=0.0,
        window=sliding(window, situation.now, situation.idle_seconds),
        init_type=last.init_type or "unknown",
        memory_mb=last.memory_mb or known.memory_mb,
    )


def after_look(
    known: Knowledge, maxima: Mapping[float, float], number: int, situation: Situation
) -> Knowledge:
    """Take in ConcurrentExecutions by minute, as CloudWatch has it for this version.

    Own pings in a minute cannot be told from users, so it is users' doing only what is beyond them.
    """
    seen = [
        busy._replace(by_users=_users_alone(known, busy, number))
        for busy in busy_minutes(maxima, situation.now)
    ]
    window = sliding((*known.window, *seen), situation.now, situation.idle_seconds)
    held = held_until(window, number, situation.idle_seconds)
    return replace(known, window=window, pointless=(*known.pointless, held >= situation.until))


def _spent(known: Knowledge, report: WaveReport) -> float:
    memory_mb = max([known.memory_mb, *(reply.memory_mb for reply in report.replies)])
    price = PRICES.invokes(report.sent, report.billed_ms, memory_mb or LEAST_MEMORY_MB)
    return round(known.spent + price, 9)


def _faulty(report: WaveReport) -> bool:
    return any(report.outcomes.get(outcome, 0) for outcome in FAULTS)


def _ping_ms(replies: Sequence[Reply]) -> float:
    warm = [reply.held_ms + HANDLER_MS for reply in replies if not reply.new]
    return round(sum(warm) / len(warm), 1) if warm else 0.0


def _was_pointless(report: WaveReport, situation: Situation) -> list[bool]:
    """Whether users alone had kept as many warm until after the next run, if all are proven."""
    if report.proven < report.asked:
        return []
    seconds = situation.idle_seconds - (situation.until - report.started_at)
    return [usage(report.replies).concurrency(seconds) >= report.asked]


def _survivals(known: Knowledge, report: WaveReport) -> list[Survival]:
    """The longest that an environment had been idle and lived, and how soon others had gone."""
    found: list[Survival] = []
    seen: set[str] = set()
    idle: list[float] = []
    for reply in report.replies:
        if reply.environment not in seen and reply.idle_seconds is not None and not reply.new:
            idle.append(reply.idle_seconds)
        seen.add(reply.environment)
    if idle:
        found.append(Survival(round(max(idle), 1), alive=True))
    if known.waves and report.proven >= report.asked:
        before = known.waves[-1]
        if before.proven > report.proven - report.new:
            gap = max(report.started_at - before.at, 0.0)
            found.append(Survival(round(gap, 1), alive=False))
    return found


def _users_alone(known: Knowledge, minute: Busy, number: int) -> bool:
    """Whether users had that many busy even if own pings, the spare's too, came on top."""
    pings = sum(
        wave.asked + 1 for wave in known.waves if minute.moment <= wave.at < minute.moment + 60
    )
    return users_of_minute(minute.number, pings).least >= number
