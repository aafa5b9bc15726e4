"""The PreTraffic hook's handler: it always reports, once, and says why."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from handlers import pre_traffic
from handlers.pre_traffic import read_settings
from tests.fleet.test_prewarm import Cloud, report
from warmer.errors import ConfigurationError, EndpointUnreachable, ServiceError
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.report import WaveReport

EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
VERSION = "arn:aws:lambda:eu-west-1:123456789012:function:digits:7"


class Context:
    """What Lambda passes as context."""

    function_name = "hook"

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that are left."""
        return int(self.seconds * 1000)


class CodeDeploy:
    """Takes statuses, or is as it is told to be."""

    def __init__(self) -> None:
        self.statuses: list[tuple[str, str, str]] = []
        self.taken = True
        self.error: ServiceError | None = None
        self.told = threading.Event()

    def put_hook_status(self, deployment_id: str, execution_id: str, status: str) -> bool:
        """PutLifecycleEventHookExecutionStatus."""
        if self.error is not None:
            raise self.error
        self.statuses.append((deployment_id, execution_id, status))
        self.told.set()
        return self.taken


@pytest.fixture
def codedeploy(monkeypatch: pytest.MonkeyPatch) -> CodeDeploy:
    """CodeDeploy, and a version of which three environments get warm."""
    found = CodeDeploy()
    monkeypatch.setenv("WARMER_VERSION", VERSION)
    for name in ("WARMER_ALIAS", "WARMER_CONCURRENCY", "WARMER_UNPRIMED"):
        monkeypatch.delenv(name, raising=False)
    cloud = Cloud({0.0: 3.0})
    monkeypatch.setattr(pre_traffic, "DEPLOYMENTS", found)
    monkeypatch.setattr(pre_traffic, "METRICS", cloud)
    monkeypatch.setattr(pre_traffic, "FUNCTIONS", cloud)
    return found


Waves = Callable[[WaveReport | Exception], list[tuple[Any, ...]]]


@pytest.fixture
def waves(monkeypatch: pytest.MonkeyPatch) -> Waves:
    """Says what the wave brings; returns targets and deadlines as they come."""
    asked: list[tuple[Any, ...]] = []

    def bring(result: WaveReport | Exception) -> list[tuple[Any, ...]]:
        def warm(
            targets: list[Any], _: Any, *, deadline: float, limits: ConcurrencyLimits
        ) -> list[WaveReport]:
            (target,) = targets
            asked.append((target, deadline, limits))
            if isinstance(result, Exception):
                raise result
            return [result]

        monkeypatch.setattr(pre_traffic, "warm", warm)
        return asked

    return bring


def lines(capsys: pytest.CaptureFixture[str], message: str) -> list[dict[str, Any]]:
    """What was logged under this message."""
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in logged if line.get("message") == message]


def test_warms_the_version_by_its_own_arn(codedeploy: CodeDeploy, waves: Waves) -> None:
    """Not by the alias, which leads to the old one."""
    asked = waves(report(proven=3))
    result = pre_traffic.handler(EVENT, Context())
    ((target, _, limits),) = asked
    assert (str(target), target.concurrency) == (VERSION, 3)
    assert limits.unreserved == 1000 - 3  # the alias's own traffic goes on
    assert codedeploy.statuses == [("d-1", "e-1", "Succeeded")]
    assert result["status"] == "Succeeded"
    json.dumps(result)


def test_refuses_a_version_that_fails(
    codedeploy: CodeDeploy, waves: Waves, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has the reason under the deployment's id, and the wave's id."""
    waves(replace(report(function_error=1), wave="w-1"))
    assert pre_traffic.handler(EVENT, Context())["status"] == "Failed"
    assert codedeploy.statuses == [("d-1", "e-1", "Failed")]
    (line,) = lines(capsys, "prewarm")
    assert (line["level"], line["deployment"], line["wave"]) == ("ERROR", "d-1", "w-1")
    assert "the version failed in 1 of 1 pings: as the wave said" in line["reason"]
    assert line["need"]["observed"] == 3


def test_an_unprimed_version_is_let_through_by_a_setting(
    codedeploy: CodeDeploy, waves: Waves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a model that is loaded with policy="degrade"."""
    waves(report({"digits": "no such axis"}, proven=3))
    pre_traffic.handler(EVENT, Context())
    monkeypatch.setenv("WARMER_UNPRIMED", "allow")
    pre_traffic.handler(EVENT, Context())
    assert [status for *_, status in codedeploy.statuses] == ["Failed", "Succeeded"]


@pytest.mark.parametrize("error", [EndpointUnreachable("no route"), RuntimeError("a bug")])
def test_reports_its_own_failure_before_it_raises(
    codedeploy: CodeDeploy, waves: Waves, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """CodeDeploy would wait for an hour; Lambda counts an error of the hook."""
    waves(error)
    with pytest.raises(type(error), match=str(error)):
        pre_traffic.handler(EVENT, Context())
    assert codedeploy.statuses == [("d-1", "e-1", "Failed")]
    assert str(error) in lines(capsys, "prewarm")[0]["reason"]


def test_reports_shortly_before_its_time_is_up(
    codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it hangs in; what it would say afterwards does not count."""

    def hang(*_: Any, **__: Any) -> list[WaveReport]:
        assert codedeploy.told.wait(20)
        return [report(proven=3)]

    monkeypatch.setattr(pre_traffic, "warm", hang)
    seconds = pre_traffic.WATCHDOG_RESERVE_SECONDS + 0.05
    result = pre_traffic.handler(EVENT, Context(seconds))
    assert codedeploy.statuses == [("d-1", "e-1", "Failed")]
    assert result["status"] == "Failed"
    assert "reported already; then came: 3 of 3" in str(result["reason"])


def test_the_wave_ends_before_the_timer_strikes(codedeploy: CodeDeploy, waves: Waves) -> None:
    """Its deadline leaves time for the last answer and the report."""
    asked = waves(report(proven=3))
    pre_traffic.handler(EVENT, Context(60.0))
    pre_traffic.handler(EVENT, Context(120.0))
    assert asked[1][1] - asked[0][1] == pytest.approx(60.0, abs=5.0)
    assert pre_traffic.WAVE_RESERVE_SECONDS > pre_traffic.WATCHDOG_RESERVE_SECONDS


def test_a_lifecycle_event_that_has_ended_is_logged(
    codedeploy: CodeDeploy, waves: Waves, capsys: pytest.CaptureFixture[str]
) -> None:
    """An attempt whose answer was lost may have been taken; this is not an error."""
    waves(report(proven=3))
    codedeploy.taken = False
    pre_traffic.handler(EVENT, Context())
    assert [line["level"] for line in lines(capsys, "prewarm")] == ["INFO", "WARNING"]


def test_a_report_that_codedeploy_refuses_is_raised(codedeploy: CodeDeploy, waves: Waves) -> None:
    """The error names the permission; nothing else could be done."""
    waves(report(proven=3))
    codedeploy.error = ServiceError(
        "the role needs codedeploy:PutLifecycleEventHookExecutionStatus"
    )
    with pytest.raises(ServiceError, match="codedeploy:Put"):
        pre_traffic.handler(EVENT, Context())


@pytest.mark.parametrize("event", [None, {}, {"DeploymentId": "d-1"}, [], "d-1"])
def test_an_event_of_no_deployment_is_raised(codedeploy: CodeDeploy, event: object) -> None:
    """There is nobody to report to, and no version is pinged."""
    with pytest.raises(ConfigurationError, match=r"(DeploymentId|ExecutionId) is|the event is"):
        pre_traffic.handler(event, Context())
    assert codedeploy.statuses == []


def test_metrics_are_the_hooks_own(
    codedeploy: CodeDeploy, waves: Waves, capsys: pytest.CaptureFixture[str]
) -> None:
    """One dimension, the hook; version and wave are properties."""
    waves(report(proven=2, throttled=1))
    pre_traffic.handler(EVENT, Context())
    (line,) = [
        found for found in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in found
    ]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Warmer"]]
    assert (line["DeploysRefused"], line["EnvironmentsProven"]) == ([0.0], [2.0])
    assert line["function"] == "digits:7"


def test_settings_have_defaults() -> None:
    """Only the version has to be said."""
    settings = read_settings({"WARMER_VERSION": VERSION})
    assert (settings.function, settings.alias, settings.concurrency) == ("digits", "live", 1)
    assert settings.allow_unprimed is False


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("WARMER_VERSION", "", "a version's ARN, such as arn:aws:lambda"),
        ("WARMER_VERSION", "digits:live", "a version's ARN"),
        ("WARMER_VERSION", "digits:$LATEST", "a version's ARN"),
        ("WARMER_ALIAS", "7", "an alias's name, such as live"),
        ("WARMER_ALIAS", "a b", "an alias's name"),
        ("WARMER_CONCURRENCY", "many", "a whole number from 1 to 900"),
        ("WARMER_CONCURRENCY", "0", "a whole number from 1 to 900"),
        ("WARMER_CONCURRENCY", "٣", "a whole number from 1 to 900"),
        ("WARMER_CONCURRENCY", "901", "a whole number from 1 to 900"),
        ("WARMER_UNPRIMED", "maybe", "refuse or allow"),
    ],
)
def test_a_setting_that_cannot_be_used_is_reported(
    codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch, key: str, value: str, expected: str
) -> None:
    """At once, as Failed: the error names the variable, its value and what it takes."""
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigurationError, match=f"{key} is .*; expected {expected}"):
        pre_traffic.handler(EVENT, Context())
    assert codedeploy.statuses == [("d-1", "e-1", "Failed")]


def test_a_ramp_is_warmed_as_far_ahead_as_environments_live(
    codedeploy: CodeDeploy, waves: Waves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five minutes of ten steps of ten percent: half of the requests, with two deviations."""
    assert codedeploy.taken
    asked = waves(report(proven=3))
    monkeypatch.setenv("WARMER_CONCURRENCY", "100")
    monkeypatch.setenv("WARMER_RAMP", "Linear10PercentEvery1Minute")
    result = pre_traffic.handler(EVENT, Context())

    assert asked[0][0].concurrency == 60
    assert result["need"]["share"] == 0.5  # type: ignore[index]  # JSON


def test_a_ramp_that_cannot_be_used_names_the_variable() -> None:
    """And says what would be one."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings({"WARMER_VERSION": VERSION, "WARMER_RAMP": "linear(10%)"})

    assert caught.value.key == "WARMER_RAMP"
