"""The scheduled warmer: keeps its targets warm, and proves it.

    WARMER_TARGETS                 [{"function": "digits", "qualifier": "live", "concurrency": 10}]
    WARMER_TARGETS_PARAMETER       or the SSM parameter that holds such a list, read at each run
    WARMER_TARGETS_BY_TAG          ENABLED: functions with the tag warmer:concurrency, too
    WARMER_SCHEDULE                when it runs, so that it knows for how long a run has to last
    WARMER_IDLE_LIFETIME_SECONDS   idle lifetime of an execution environment that it counts on; 0,
                                   or not set: what replies teach, at first 300
    WARMER_POLICY                  when to hold how many of a target's number, such as auto or
                                   auto:rate=0.01; without it, the number at all times
    WARMER_USES                    from where a policy learns of users' requests: logs, where the
                                   role may read them, else metrics; or metrics
    WARMER_MEMORY_TABLE            DynamoDB table in which it remembers; without it, its process
    WARMER_ALARM_SILENCE_SECONDS   after so long without a run an alarm is raised: runs whose time a
                                   policy chose are not as far apart; 0, or not set: a day at most

With a policy, a run that EventBridge Scheduler started by a rate moves that to when the policy
looks again, and hands over what it knows in the schedule's input (`warmer.fleet.next_run`).

The event may say which shard of the targets a run is for (`warmer.fleet.trigger`). Runs over the
same targets never overlap, as far as `warmer.fleet.lease` says.

A setting that cannot be used fails INIT, so that a deployment shows it at once. The clients are
made at INIT too, where the function has the most CPU.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from warmer.aws import LambdaInvoker
from warmer.aws.functions import FunctionSettings
from warmer.aws.metrics import ConcurrencyMetrics
from warmer.aws.schedules import Schedules
from warmer.aws.table import Table
from warmer.errors import InvokeError
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.configuration import UpkeepSettings
from warmer.fleet.discovery import sources_from_environment
from warmer.fleet.expressions import Rate
from warmer.fleet.guidance import Guidance
from warmer.fleet.lease import Lease
from warmer.fleet.memory import Memory
from warmer.fleet.next_run import NextRun
from warmer.fleet.plan import Decision
from warmer.fleet.policy import policy_from_text
from warmer.fleet.report import Outcome, WaveReport
from warmer.fleet.run import warm
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target
from warmer.fleet.trigger import Trigger
from warmer.fleet.upkeep import Upkeep, UpkeepReport
from warmer.fleet.versions import LiveVersions
from warmer.telemetry import Metric, emit, log

RESERVE_SECONDS = 2.0
"""What a run leaves of the warmer's own time: one second by which the last answer may be late, and
one to write metrics and logs."""

EACH_MINUTE = Rate(timedelta(minutes=1))
"""How often a run may be whose schedule is moved: EventBridge Scheduler is precise to a minute."""

APART = timedelta(minutes=3)
"""A run has ended three minutes after its time, which is the latest that it begins at and the
longest that it takes: a schedule with longer intervals starts no two at once."""

LIMITS_SECONDS = 900.0
"""For how long the account's concurrency is taken for what it was when it was read."""


class Context(Protocol):
    """What this handler needs of Lambda's context."""

    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""
        ...


class Sender:
    """Sends waves within the account's limits; what is learnt in one run serves the next."""

    def __init__(self, settings: FunctionSettings) -> None:
        self._invoker = LambdaInvoker()
        self._settings = settings
        self._spread = DispatchSpread()
        self._limits = ConcurrencyLimits()
        self._read_at = float("-inf")
        self._functions: set[str] = set()
        self.runs_at_once = 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not known of the limits."""
        return self._limits.notes

    def prepare(self) -> None:
        """Make the client, at INIT. Raises ConfigurationError."""
        self._invoker.prepare()

    def __call__(self, targets: Sequence[Target], deadline: float) -> list[WaveReport]:
        """Send a wave to each target before `deadline` (monotonic seconds)."""
        functions = {target.function for target in targets}
        now = time.monotonic()
        if now > self._read_at + LIMITS_SECONDS or not functions <= self._functions:
            self._limits = ConcurrencyLimits.read(self._settings, targets)
            self._read_at, self._functions = now, functions
        limits = self._limits.shared(self.runs_at_once)
        return warm(targets, self._invoker, spread=self._spread, deadline=deadline, limits=limits)


SETTINGS = UpkeepSettings.read(os.environ)
SOURCES = sources_from_environment(os.environ)
FUNCTIONS = FunctionSettings()
TABLE = Table(SETTINGS.table) if SETTINGS.table else None
MEMORY = Memory(TABLE)
LEASE = Lease(TABLE)
SENDER = Sender(FUNCTIONS)
METRICS = ConcurrencyMetrics()  # its client is made when it is first asked, which may be never
UPKEEP = Upkeep(
    SOURCES,
    SENDER,
    LiveVersions(FUNCTIONS),
    memory=MEMORY,
    metrics=METRICS,
    schedule=SETTINGS.schedule,
    idle_seconds=SETTINGS.idle_seconds,
)
if SETTINGS.policy:
    policy = policy_from_text(SETTINGS.policy)
    UPKEEP.guidance = Guidance(SETTINGS.policy, policy, METRICS)
    if SETTINGS.uses == "logs" and not policy.timed:
        from warmer.aws.log_reader import LogReader
        from warmer.fleet.use_log import UseLog

        logs = LogReader()
        logs.prepare()
        UPKEEP.guidance.use_log = UseLog(logs)

NEXT_RUN: NextRun | None = None
if SETTINGS.policy and isinstance(SETTINGS.schedule, Rate):
    schedules = Schedules()
    schedules.prepare()
    NEXT_RUN = NextRun(schedules, SETTINGS.longest_pause_seconds)
    if SETTINGS.schedule.period >= APART:
        LEASE = Lease()  # one run starts the next: no table is needed to keep them apart

for part in (SOURCES, FUNCTIONS, MEMORY, SENDER):
    part.prepare()


def handler(event: object, context: Context) -> dict[str, object]:
    """Keep all targets warm until the next run, or those of the shard that the event names.

    Returns `{"ok": bool, "waves": [...], "left_alone": [...], "problems": [...], "notes": [...]}`:
    a wave's report for each version that needed one, each one that did not with the reason, what
    went wrong beside waves, and which logs could not be read for a policy. Alarms belong on the
    metrics PingsFailed, and EnvironmentsProven below EnvironmentsAsked, which
    WARMER_METRICS_NAMESPACE turns on. Raises ConfigurationError or ServiceError when there are no
    targets to be had, and InvokeError when none could be reached at all (no network, no permission,
    no such function, no time), so that Lambda counts an error of the warmer itself. A run that may
    not be, since another is under way or has been, sends nothing and says why in `skipped`.
    """
    trigger = Trigger.read(event)
    seconds = context.get_remaining_time_in_millis() / 1000
    now = time.time()
    if skipped := LEASE.take(trigger, now, now + seconds):
        log("skipped", {"reason": skipped})
        return {"ok": True, "waves": [], "left_alone": [], "problems": [], "skipped": skipped}
    try:
        return _run(trigger, seconds - RESERVE_SECONDS, context)
    finally:
        LEASE.give_back(trigger, time.time())


def _run(trigger: Trigger, seconds: float, context: Context) -> dict[str, object]:
    SENDER.runs_at_once = trigger.shard.count
    moves = NEXT_RUN if trigger.schedule else None
    UPKEEP.schedule = SETTINGS.schedule if moves is None else EACH_MINUTE
    handed = None if moves is None else trigger.handed
    report = UPKEEP.run(time.monotonic() + seconds, shard=trigger.shard, handed=handed)
    problems = [*report.problems, *SENDER.notes, *LEASE.problems()]
    _record(report, problems, context.function_name)
    _refuse_if_unreached(report)
    if moves is not None:
        moves.set(trigger, report.look_at, report.plan.situation.now, MEMORY.handed())
        _record_problems(moves.problems)
        problems += moves.problems
    return {
        "ok": report.ok,
        "waves": [wave.as_dict() for wave in report.waves],
        "left_alone": [decision.as_dict() for decision in report.left_alone],
        "problems": problems,
        "notes": list(report.notes),
    }


def _record(report: UpkeepReport, problems: Sequence[str], warmer: str) -> None:
    situation = report.plan.situation
    lifetime = {"seconds": situation.idle_seconds, "observations": situation.observations}
    briefly = UPKEEP.guidance is not None
    news = report.waves or any(_level(one) != "DEBUG" for one in report.left_alone)
    log("idle lifetime", lifetime, "INFO" if news and not briefly else "DEBUG")
    for probe in report.probes:
        log("probe", probe.as_dict(), "DEBUG" if briefly else "INFO")
    brief = [wave.brief() for wave in report.waves] if briefly else []
    if told := [one for one in brief if one]:
        log("waves", {"idle": list(lifetime.values()), "waves": told})
    for wave in report.waves:
        _record_wave(wave, warmer, "DEBUG" if briefly and wave.brief() else "INFO")
    for decision in report.left_alone:
        log("left alone", decision.as_dict(), _level(decision))
        if decision.problem:
            asked = {Metric.ENVIRONMENTS_ASKED: decision.number, Metric.ENVIRONMENTS_PROVEN: 0}
            emit(asked, {"Warmer": warmer}, {"function": str(decision.subject.target)})
    _record_problems(problems)
    for note in report.notes:
        log("note", {"note": note})


def _record_problems(problems: Sequence[str]) -> None:
    for problem in problems:
        log("problem", {"problem": problem}, "WARNING")


def _level(decision: Decision) -> str:
    """That a policy waits is no news, and a line for each target costs more than to ask it."""
    if decision.problem:
        return "WARNING"
    return "DEBUG" if decision.subject.hold == 0 else "INFO"


def _record_wave(report: WaveReport, warmer: str, level: str) -> None:
    emit(
        {
            Metric.ENVIRONMENTS_ASKED: report.asked,
            Metric.ENVIRONMENTS_PROVEN: report.proven,
            Metric.ENVIRONMENTS_NEW: report.new,
            Metric.PINGS_THROTTLED: report.outcomes.get(Outcome.THROTTLED, 0),
            Metric.PINGS_FAILED: report.failed,
            Metric.BILLED_DURATION: report.billed_ms,
            Metric.WAVE_DURATION: report.wall_ms,
        },
        dimensions={"Warmer": warmer},
        properties={"function": str(report.target), "wave": report.wave},
    )
    log("wave", report.as_dict(), level if report.ok else "WARNING")


def _refuse_if_unreached(report: UpkeepReport) -> None:
    if report.waves and not report.left_alone and not any(wave.reached for wave in report.waves):
        problems = "; ".join(problem for wave in report.waves for problem in wave.problems)
        raise InvokeError(f"no target could be reached: {problems}")
