"""A function that fails costs its own environment only, and its caller is told as on Lambda."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.runtime_api import MAX_RESPONSE_BYTES
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import Together, call, deploy, request, wait_gone, wait_until


def _error(outcome: Any) -> dict[str, Any]:
    assert outcome.function_error == "Unhandled"
    value: dict[str, Any] = json.loads(outcome.payload)
    return value


def _states(running: Running) -> list[str]:
    return sorted(view.state for view in running.plane.environments())


@pytest.mark.aws(
    "Lambda developer guide: Troubleshoot execution issues in Lambda",
    "A raised exception is an error payload; the environment goes on",
)
def test_a_raised_exception_keeps_the_environment(start: Start, tmp_path: Path) -> None:
    """An exception is the runtime's own error payload; the environment goes on."""
    running, version = start(), deploy(tmp_path)
    error = _error(running.plane.invoke(version, request(version, {"run": "1 / 0"})))
    assert (error["errorType"], error["errorMessage"]) == ("ZeroDivisionError", "division by zero")
    assert error["stackTrace"]
    assert not running.plane.invoke(version, request(version)).cold


@pytest.mark.aws(
    "Lambda developer guide: Troubleshoot execution issues in Lambda",
    "An error in INIT fails the request that waited for it",
)
@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("", "missing.handler", "Runtime.ImportModuleError"),
        ("", "app.missing", "Runtime.HandlerNotFound"),
        ("def handler(:\n", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("1 / 0", "app.handler", "ZeroDivisionError"),
        ("", "nodot", "Runtime.MalformedHandlerName"),
    ],
)
def test_an_init_error_is_told_to_the_request_that_waited(
    start: Start, tmp_path: Path, source: str, handler: str, error_type: str
) -> None:
    """What fails in INIT fails that invoke, with the runtime's own error, and ends it.

    AWS page: "Troubleshoot execution issues in Lambda".
    """
    running, version = start(), deploy(tmp_path, source, handler=handler)
    outcome = running.plane.invoke(version, request(version))
    assert _error(outcome)["errorType"] == error_type
    assert outcome.init_ms is not None
    assert b"Init Duration: " in outcome.log_tail
    assert running.plane.environments() == ()
    (record,) = running.ledger.environments()
    assert (record.end_reason, record.ready_at) == ("init-error", None)


def test_a_runtime_that_exits_in_init_says_how(start: Start, tmp_path: Path) -> None:
    """An exit before the first /next is Runtime.ExitError with the exit status."""
    running, version = start(), deploy(tmp_path, "import os\nos._exit(7)\n")
    invocation = request(version)
    assert _error(running.plane.invoke(version, invocation)) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invocation.request_id} Error: "
        "Runtime exited with error: exit status 7",
    }


@pytest.mark.aws(
    "Lambda developer guide: Troubleshoot execution issues in Lambda",
    "An exit is Runtime.ExitError and costs one environment",
)
def test_an_exit_costs_only_its_environment(start: Start, tmp_path: Path) -> None:
    """An exit during a request is Runtime.ExitError; another environment goes on undisturbed.

    AWS page: "Troubleshoot execution issues in Lambda".
    """
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 1})
    wait_until(lambda: _states(running) == ["busy"])
    invocation = request(version, {"exit": 1})
    assert _error(running.plane.invoke(version, invocation)) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invocation.request_id} Error: "
        "Runtime exited with error: exit status 1",
    }
    together.join()
    assert together.outcomes[0].function_error is None
    assert not running.plane.invoke(version, request(version)).cold
    assert sorted(item.end_reason or "" for item in running.ledger.environments()) == ["", "exited"]


def test_a_crash_names_its_signal(start: Start, tmp_path: Path) -> None:
    """A segmentation fault is told as such."""
    running, version = start(), deploy(tmp_path)
    crash = {"run": "os.kill(os.getpid(), 11)"}
    message = _error(running.plane.invoke(version, request(version, crash)))["errorMessage"]
    assert message.endswith("Runtime exited with error: signal: segmentation fault")


@pytest.mark.aws(
    "Lambda developer guide: Configure Lambda function timeout",
    "A function past its time-out is killed, with its environment",
)
def test_a_function_past_its_time_out_is_killed(start: Start, tmp_path: Path) -> None:
    """At the time-out the environment is killed and the caller told, as Lambda words it.

    AWS page: "Configure Lambda function timeout".
    """
    running, version = start(), deploy(tmp_path, timeout_seconds=0.5)
    invocation = request(version, {"sleep": 30})
    began = time.monotonic()
    outcome = running.plane.invoke(version, invocation)
    assert time.monotonic() - began < 15
    assert _error(outcome) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {invocation.request_id} Error: "
        "Task timed out after 0.50 seconds",
    }
    assert outcome.duration_ms == 500
    assert b"Status: timeout" in outcome.log_tail
    (record,) = running.ledger.environments()
    assert record.end_reason == "timeout"
    assert record.pid is not None
    wait_gone([record.pid])
    assert running.plane.invoke(version, request(version)).cold


@pytest.mark.aws("Lambda developer guide: Lambda quotas", "A larger response fails the invoke")
def test_a_response_over_6_mb_is_refused(start: Start, tmp_path: Path) -> None:
    """A response that is too large fails the invoke, and the next one works.

    AWS page: "Lambda quotas" (invocation payload).
    """
    running, version = start(), deploy(tmp_path)
    large = {"run": f"'x' * {MAX_RESPONSE_BYTES}"}
    error = _error(running.plane.invoke(version, request(version, large)))
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert str(MAX_RESPONSE_BYTES) in error["errorMessage"]
    assert call(running.plane, version)["calls"] == 1


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "An INIT that fails is repeated within the first invoke, which succeeds if that does",
)
def test_an_init_that_fails_once_costs_the_request_time_only(start: Start, tmp_path: Path) -> None:
    """The runtime is killed in INIT, started again, and answers; nothing reports the second INIT.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    source = (
        "import os, time\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "def handler(event, context): return 'done'\n"
    )
    running, version = start(), deploy(tmp_path, source)
    together = Together()
    together.start(running.plane, version)
    pids = set[int | None]()

    def started(times: int) -> bool:
        pids.update(record.pid for record in running.ledger.environments() if record.pid)
        return len(pids) == times

    wait_until(lambda: started(times=1))
    os.killpg(next(filter(None, pids)), signal.SIGKILL)
    wait_until(lambda: started(times=2))
    (version.code / "go").touch()
    together.join()
    (outcome,) = together.outcomes
    assert json.loads(outcome.payload) == "done"
    running.plane.flush_logs()
    said = "".join(running.logs.messages())
    assert said.count("INIT_REPORT ") == 1
    assert "Phase: init\tStatus: error\tError Type: Runtime.ExitError\n" in said
    assert len(running.ledger.environments()) == 1


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Where the repeated INIT fails too, each is reported, before START",
)
def test_an_init_that_fails_twice_is_reported_twice(start: Start, tmp_path: Path) -> None:
    """First by its own phase, then as part of the invoke; the request gets the second's error.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running, version = start(), deploy(tmp_path, "print('INIT code')\n1 / 0\n")
    outcome = running.plane.invoke(version, request(version))
    assert _error(outcome)["errorType"] == "ZeroDivisionError"
    running.plane.flush_logs()
    kinds = [re.sub("[0-9.]+ ms", "<number> ms", line) for line in running.logs.messages()]
    told = [line for line in kinds if re.match("INIT code|INIT_REPORT|START|END", line)]
    failed = "INIT_REPORT Init Duration: <number> ms\tPhase: {}\tStatus: error\tError Type: {}\n"
    assert [line.split(" RequestId")[0] for line in told] == [
        "INIT code\n",
        failed.format("init", "ZeroDivisionError"),
        "INIT code\n",
        failed.format("invoke", "ZeroDivisionError"),
        "START",
        "END",
    ]


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "INIT is given up after 10 s, and repeated within the first invoke",
)
def test_an_init_over_its_limit_is_repeated_within_the_invoke(start: Start, tmp_path: Path) -> None:
    """A slow INIT is given up at its limit, and done again under the function's time-out.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    source = "import time\ntime.sleep(0.6)\ndef handler(event, context): return 'done'\n"
    running, version = start(init_limit_seconds=0.3), deploy(tmp_path, source)
    outcome = running.plane.invoke(version, request(version))
    assert json.loads(outcome.payload) == "done"
    assert outcome.duration_ms >= 600
    assert outcome.init_ms is not None
    assert 300 <= outcome.init_ms < 600
    running.plane.flush_logs()
    assert any("Phase: init\tStatus: timeout" in line for line in running.logs.messages())


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "The repeated INIT ends at the function's time-out",
)
def test_a_repeated_init_ends_at_the_functions_time_out(start: Start, tmp_path: Path) -> None:
    """If the repeated INIT takes too long as well, the request times out.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running = start(init_limit_seconds=0.2)
    version = deploy(tmp_path, "import time\ntime.sleep(30)\n", timeout_seconds=0.3)
    outcome = running.plane.invoke(version, request(version))
    assert _error(outcome)["errorType"] == "Sandbox.Timedout"
    assert running.plane.environments() == ()


def test_an_environment_that_dies_while_idle_is_noticed(start: Start, tmp_path: Path) -> None:
    """An idle environment that is killed from outside is recorded as ended and not used again."""
    running, version = start(), deploy(tmp_path)
    first = running.plane.invoke(version, request(version))
    (record,) = running.ledger.environments()
    assert record.pid is not None
    os.killpg(record.pid, signal.SIGKILL)
    wait_until(lambda: running.plane.environments() == ())
    assert running.ledger.environments()[0].end_reason == "exited"
    again = running.plane.invoke(version, request(version))
    assert again.cold
    assert again.environment_id != first.environment_id


def test_concurrent_use_of_the_api_by_a_function_does_no_harm(start: Start, tmp_path: Path) -> None:
    """A function that calls the Runtime API itself is refused, and answers as ever."""
    source = """
import os, urllib.error, urllib.request
def handler(event, context):
    root = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
    codes = []
    for path, data in [("/invocation/next", None), ("/invocation/other/response", b"{}"),
                       ("/init/error", b"{}"), ("/nothing", None)]:
        try:
            urllib.request.urlopen(root + path, data, timeout=5)
        except urllib.error.HTTPError as error:
            codes.append(error.code)
    return codes
"""
    running, version = start(), deploy(tmp_path, source)
    assert call(running.plane, version) == [403, 400, 403, 404]
    assert call(running.plane, version) == [403, 400, 403, 404]
