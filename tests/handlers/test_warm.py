"""The scheduled warmer's handler, against Lambda's Invoke on the loopback."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fleet.endpoint import Failure, Function, aws_settings, serving
from warmer.errors import InvokeError

Load = Callable[..., ModuleType]
ONE_OF_EACH = (
    '[{"function": "digits", "qualifier": "live", "concurrency": 3}, {"function": "bare"}]'
)


class Context:
    """What Lambda passes as context."""

    function_name = "warmer"

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that are left."""
        return int(self.seconds * 1000)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports the handler afresh, as INIT does, with these targets and functions."""
    with ExitStack() as stack:

        def with_targets(targets: str, **functions: Function) -> ModuleType:
            url = stack.enter_context(
                serving({name.replace("__", ":"): item for name, item in functions.items()})
            )
            for name, value in {**aws_settings(url), "WARMER_TARGETS": targets}.items():
                monkeypatch.setenv(name, value)
            sys.modules.pop("handlers.warm", None)
            module = importlib.import_module("handlers.warm")
            stack.callback(sys.modules.pop, "handlers.warm", None)
            return module

        yield with_targets


def test_warms_every_target_and_returns_the_waves(load: Load) -> None:
    """The result tells for each target what was asked and proven."""
    warm = load(ONE_OF_EACH, digits__live=Function(), bare=Function())

    result = warm.handler({}, Context())

    assert result["ok"] is True
    assert [(wave["asked"], wave["proven"]) for wave in result["waves"]] == [(3, 3), (1, 1)]
    json.dumps(result)


def test_writes_one_log_line_and_one_set_of_metrics_a_wave(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metrics have the warmer as dimension, and the function as property only."""
    warm = load(ONE_OF_EACH, digits__live=Function(), bare=Function())
    warm.handler({}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    metrics = [line for line in lines if "_aws" in line]
    waves = [line for line in lines if line.get("message") == "wave"]

    assert [line["function"] for line in metrics] == ["digits:live", "bare"]
    assert {line["Warmer"] for line in metrics} == {"warmer"}
    assert metrics[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Warmer"]]
    assert (metrics[0]["EnvironmentsAsked"], metrics[0]["EnvironmentsProven"]) == ([3.0], [3.0])
    # Also the one that the probe of the version started.
    assert (metrics[0]["EnvironmentsNew"], metrics[0]["PingsThrottled"]) == ([3.0], [0.0])
    assert metrics[0]["PingsFailed"] == [0.0]
    assert metrics[0]["BilledDuration"][0] >= 1
    assert metrics[0]["WaveDuration"][0] > 0
    assert [wave["proven"] for wave in waves] == [3, 1]


def test_a_run_with_a_policy_tells_its_waves_in_one_line(
    load: Load, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the policy looks at next is cheap: details are at the level DEBUG."""
    monkeypatch.setenv("WARMER_POLICY", "fixed:5x3")
    warm = load(ONE_OF_EACH, digits__live=Function(), bare=Function())
    result = warm.handler({}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if "_aws" not in line]

    assert (line["level"], line["message"], line["idle"]) == ("INFO", "waves", [300.0, 0])
    assert line["waves"] == [
        ["digits:live", "7", 3, 3, 3, result["waves"][0]["wave"]],
        ["bare", "$LATEST", 1, 1, 1, result["waves"][1]["wave"]],
    ]


def test_a_run_with_a_policy_tells_all_of_a_wave_that_failed(
    load: Load, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a policy; the others are in the one line."""
    monkeypatch.setenv("WARMER_POLICY", "fixed:5x3")
    load(ONE_OF_EACH, bare=Function()).handler({}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    brief, failed = (
        next(one for one in lines if one.get("message") == kind) for kind in ("waves", "wave")
    )
    assert [one[0] for one in brief["waves"]] == ["bare"]
    assert (failed["level"], failed["outcomes"]) == ("WARNING", {"rejected": 1})
    assert failed["problems"]


def test_a_target_that_failed_is_reported_not_raised(load: Load) -> None:
    """As long as one target was reached the result says what is wrong, and ok is false."""
    warm = load(ONE_OF_EACH, bare=Function())

    result = warm.handler({}, Context())

    assert result["ok"] is False
    assert result["waves"][0]["outcomes"] == {"rejected": 1}
    assert result["waves"][1]["ok"] is True


def test_a_function_that_is_not_decorated_meets_one_ping_and_stays_in_the_metrics(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later runs leave it alone, with the reason, and count it as asked and not proven."""
    undecorated = Failure(status=200, body={"label": 7})
    warm = load(ONE_OF_EACH, digits__live=undecorated, bare=Function())
    warm.handler({}, Context())
    capsys.readouterr()

    result = warm.handler({}, Context())

    assert undecorated.invokes == 1
    assert result["ok"] is False
    (left,) = result["left_alone"]
    assert (left["function"], left["number"], left["problem"]) == ("digits", 3, True)
    assert "@warmer.warmable" in left["reason"]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [(m["EnvironmentsAsked"], m["EnvironmentsProven"]) for m in metrics] == [
        ([1.0], [1.0]),
        ([3.0], [0.0]),
    ]


def test_raises_when_no_target_could_be_reached(load: Load) -> None:
    """Then the warmer itself has failed, and Lambda counts an error."""
    denied = Failure(status=403, headers={"x-amzn-ErrorType": "AccessDeniedException"})
    warm = load(ONE_OF_EACH, bare=denied)

    with pytest.raises(InvokeError, match=r"no target could be reached: .*lambda:InvokeFunction"):
        warm.handler({}, Context())


def test_raises_when_there_is_no_time_for_any_target(load: Load) -> None:
    """A warmer with too short a time-out fails instead of warming nothing in silence."""
    warm = load(ONE_OF_EACH, digits__live=Function(), bare=Function())

    with pytest.raises(InvokeError, match="were left"):
        warm.handler({}, Context(seconds=5))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(event=json_values)
def test_the_event_does_not_matter(load: Load, event: object) -> None:
    """Whatever invokes the warmer, and with whatever event, the targets are warmed."""
    warm = load('[{"function": "bare"}]', bare=Function())

    assert warm.handler(event, Context())["ok"] is True


def init(targets: str | None, code: str = "") -> subprocess.CompletedProcess[str]:
    """Import the handler in a process of its own, with these targets."""
    variables = {**os.environ, **aws_settings()}
    variables.pop("WARMER_TARGETS", None)
    if targets is not None:
        variables["WARMER_TARGETS"] = targets
    command = [sys.executable, "-c", f"import sys, handlers.warm; {code}"]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (None, "WARMER_TARGETS is None; expected a JSON list"),
        ('[{"function": "digits", "concurrency": 0}]', "WARMER_TARGETS[0].concurrency is 0"),
    ],
)
def test_targets_that_cannot_be_used_fail_init(targets: str | None, said: str) -> None:
    """A deployment with a wrong setting fails at INIT with the key, the value and the remedy."""
    run = init(targets)

    assert run.returncode == 1
    assert f"ConfigurationError: {said}" in run.stderr


def test_loads_neither_a_model_runtime_nor_numpy() -> None:
    """The warmer's package has no need of them, and its INIT pays for no such import."""
    unwanted = "{'numpy', 'onnxruntime', 'aws_lambda_powertools', 'click', 'rich'}"

    run = init('[{"function": "digits"}]', f"print(*{unwanted} & set(sys.modules))")

    assert run.stdout.split() == []
    assert run.returncode == 0


@pytest.mark.parametrize(
    ("settings", "reads"),
    [
        ({"WARMER_POLICY": "auto"}, True),
        ({"WARMER_POLICY": "auto", "WARMER_USES": "metrics"}, False),
        ({"WARMER_POLICY": "fixed:5"}, False),
    ],
)
def test_logs_are_read_for_policies_that_look_at_users(
    load: Load, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], reads: bool
) -> None:
    """Unless metrics are asked for; fixed pings look at nobody."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    warm = load('[{"function": "bare"}]', bare=Function())

    assert (warm.UPKEEP.guidance.use_log is not None) is reads


def test_without_a_policy_no_log_is_known() -> None:
    """Its INIT does not pay for the module."""
    run = init('[{"function": "digits"}]', "print('warmer.fleet.use_log' in sys.modules)")

    assert run.stdout.split() == ["False"]
