"""The CodeDeploy PreTraffic hook: warms a new version before the alias moves to it, or refuses it.

    WARMER_VERSION       the new version's ARN: `!Ref Function.Version`; required
    WARMER_ALIAS         the alias that is to move; default live
    WARMER_CONCURRENCY   environments that the warmer keeps warm; default 1
    WARMER_UNPRIMED      refuse (default) or allow a version with a model whose priming fails
    WARMER_RAMP          how the alias's requests shift, as a target's ramp; default all at once
    WARMER_IDLE_LIFETIME_SECONDS   how far ahead of that to warm; as the warmer has it; default 300

The lifecycle event does not name the version, hence the first variable. (`!Ref Function.Alias`
would make a cycle: the alias waits for its hook.)

CodeDeploy waits for one hour where a hook does not report, so this one always does: settings are
read in the handler, not at INIT; every exception is reported as Failed before it is raised; and a
timer reports shortly before the function's time-out, whatever the handler hangs in.
CodeDeploy takes a status and no text: the reason is in this function's log, under the deployment's
id, and in what the function returns.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from warmer.aws import LambdaInvoker
from warmer.aws.deployments import Deployments, HookStatus
from warmer.aws.functions import FunctionSettings
from warmer.aws.metrics import ConcurrencyMetrics
from warmer.errors import ConfigurationError, WarmerError
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.lifecycle import LifecycleEvent
from warmer.fleet.prewarm import Need, beside_live_traffic, judge, need_of
from warmer.fleet.report import WaveReport
from warmer.fleet.run import warm
from warmer.fleet.shift import TrafficShift
from warmer.fleet.target import MAX_CONCURRENCY, Target
from warmer.telemetry import Metric, emit, log

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION_KEY = "WARMER_VERSION"
ALIAS_KEY = "WARMER_ALIAS"
CONCURRENCY_KEY = "WARMER_CONCURRENCY"
UNPRIMED_KEY = "WARMER_UNPRIMED"
RAMP_KEY = "WARMER_RAMP"

WAVE_RESERVE_SECONDS = 12.0
"""What the wave leaves of the function's time: a second by which its last answer may be late, and
the report, which CodeDeploy may need two attempts to take."""

WATCHDOG_RESERVE_SECONDS = 8.0
"""What is left when the timer reports that the handler is too late."""

_VERSION = re.compile(
    r"(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[A-Za-z0-9_-]{1,140}:\d{1,20}", re.ASCII
)
_ALIAS = re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}", re.ASCII)

INVOKER = LambdaInvoker()
DEPLOYMENTS = Deployments()
METRICS = ConcurrencyMetrics()
FUNCTIONS = FunctionSettings()


class Context(Protocol):
    """What this handler needs of Lambda's context."""

    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""
        ...


@dataclass(frozen=True)
class HookSettings:
    """What the environment variables say; see the module."""

    version: str
    alias: str
    concurrency: int
    allow_unprimed: bool
    share: float = 1.0

    @property
    def function(self) -> str:
        """The function's name."""
        return self.version.split(":")[-2]


def read_settings(variables: Mapping[str, str]) -> HookSettings:
    """The settings. Raises ConfigurationError, which names the variable."""
    version = variables.get(VERSION_KEY)
    if version is None or not _VERSION.fullmatch(version):
        expected = "a version's ARN, such as arn:aws:lambda:eu-west-1:123456789012:function:f:7"
        raise ConfigurationError(VERSION_KEY, version, expected)
    alias = variables.get(ALIAS_KEY) or "live"
    if not _ALIAS.fullmatch(alias):
        raise ConfigurationError(ALIAS_KEY, alias, "an alias's name, such as live")
    number = variables.get(CONCURRENCY_KEY) or "1"
    if not re.fullmatch(r"\d{1,9}", number, re.ASCII) or not 1 <= int(number) <= MAX_CONCURRENCY:
        expected = f"a whole number from 1 to {MAX_CONCURRENCY}"
        raise ConfigurationError(CONCURRENCY_KEY, number, expected)
    unprimed = variables.get(UNPRIMED_KEY) or "refuse"
    if unprimed not in ("refuse", "allow"):
        raise ConfigurationError(UNPRIMED_KEY, unprimed, "refuse or allow")
    return HookSettings(version, alias, int(number), unprimed == "allow", _share(variables))


def _share(variables: Mapping[str, str]) -> float:
    """The largest share that the version gets for as long as the hook's wave stays warm."""
    text = variables.get(RAMP_KEY)
    if not text:
        return 1.0
    # Schedules too: for those who ask.
    from warmer.fleet.configuration import DEFAULT_IDLE_SECONDS, read_idle_seconds

    idle_seconds = read_idle_seconds(variables) or DEFAULT_IDLE_SECONDS
    try:
        return TrafficShift.parse(text).share_within(0.0, idle_seconds)
    except ConfigurationError as error:
        raise ConfigurationError(RAMP_KEY, error.value, error.expected) from error


def handler(event: object, context: Context) -> dict[str, object]:
    """Warm the version, judge it, and tell CodeDeploy.

    Returns `{"status": "Succeeded" | "Failed", "reason": ..., ...}`, which is also logged. Raises
    ConfigurationError for an event that no deployment sent (then there is nobody to tell) and,
    after it has reported Failed, whatever kept it from a judgement.
    """
    lifecycle = LifecycleEvent.read(event)
    began = time.monotonic()
    deadline = began + context.get_remaining_time_in_millis() / 1000
    with _reporting(lifecycle, deadline - WATCHDOG_RESERVE_SECONDS) as hook:
        settings = read_settings(os.environ)
        need = need_of(settings.function, settings.alias, settings.concurrency, METRICS, FUNCTIONS)
        need = replace(need, share=settings.share)
        report = _warm(settings, need, deadline - WAVE_RESERVE_SECONDS)
        judgement = judge(report, settings.allow_unprimed)
        log("wave", {**report.as_dict(), "deployment": lifecycle.deployment_id})
        status: HookStatus = "Succeeded" if judgement.accepted else "Failed"
        said = {"version": settings.version, "alias": settings.alias, "need": need.as_dict()}
        result = hook.report(status, judgement.reason, {**said, "wave": report.wave})
        _emit(report, status, time.monotonic() - began, context.function_name)
    return result


def _warm(settings: HookSettings, need: Need, deadline: float) -> WaveReport:
    target = Target(settings.version, concurrency=need.concurrency)
    limits = beside_live_traffic(ConcurrencyLimits.read(FUNCTIONS, [target]), need)
    (report,) = warm([target], INVOKER, deadline=deadline, limits=limits)
    return report


class _Hook:
    """Tells CodeDeploy, once: whoever comes first, the handler or the timer."""

    def __init__(self, lifecycle: LifecycleEvent) -> None:
        self._lifecycle = lifecycle
        self._lock = threading.Lock()
        self._status: HookStatus | None = None

    def report(
        self, status: HookStatus, reason: str, fields: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        """Log and report; what is said after the first time is not: that status holds.

        Raises ServiceError where CodeDeploy does not take it.
        """
        with self._lock:
            late = self._status is not None
            result: dict[str, object] = {
                "status": self._status or status,
                "reason": f"reported already; then came: {reason}" if late else reason,
                "deployment": self._lifecycle.deployment_id,
                **(fields or {}),
            }
            log("prewarm", result, "INFO" if result["status"] == "Succeeded" else "ERROR")
            if late:
                return result
            ids = (self._lifecycle.deployment_id, self._lifecycle.execution_id)
            if not DEPLOYMENTS.put_hook_status(*ids, status):
                log("prewarm", {"reason": "the lifecycle event had ended", **result}, "WARNING")
            self._status = status
            return result


@contextmanager
def _reporting(lifecycle: LifecycleEvent, latest: float) -> Iterator[_Hook]:
    """Reports Failed for any exception, which goes on, and at `latest` (monotonic seconds)."""
    hook = _Hook(lifecycle)

    def too_late() -> None:
        hook.report("Failed", "the hook's own time ran out; give it a longer Timeout")

    watchdog = threading.Timer(max(latest - time.monotonic(), 0.0), too_late)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield hook
    except Exception as error:
        kind = "" if isinstance(error, WarmerError) else f"{type(error).__name__}: "
        hook.report("Failed", f"the hook could not judge the version: {kind}{error}")
        raise
    finally:
        watchdog.cancel()


def _emit(report: WaveReport, status: HookStatus, seconds: float, hook: str) -> None:
    emit(
        {
            Metric.DEPLOYS_REFUSED: int(status == "Failed"),
            Metric.ENVIRONMENTS_ASKED: report.asked,
            Metric.ENVIRONMENTS_PROVEN: report.proven,
            Metric.PINGS_FAILED: report.failed,
            Metric.PREWARM_DURATION: seconds * 1000,
        },
        dimensions={"Warmer": hook},
        properties={"function": str(report.target), "wave": report.wave},
    )
