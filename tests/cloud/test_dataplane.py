"""Requests through real execution environments: awslambdaric in its sandbox."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.runtime_api import MAX_RESPONSE_BYTES
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import Together, call, deploy, request, wait_gone, wait_until
from warmer.errors import CloudError, Throttled


def _error(outcome: Any) -> dict[str, Any]:
    assert outcome.function_error == "Unhandled"
    value: dict[str, Any] = json.loads(outcome.payload)
    return value


def _states(running: Running) -> list[str]:
    return sorted(view.state for view in running.plane.environments())


def _wait_for_end(running: Running, environment: str) -> float:
    """Wait for the environment's process to end. Returns when, in monotonic seconds."""
    (record,) = (item for item in running.ledger.environments() if item.id == environment)
    assert record.pid is not None
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return time.monotonic()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(20_000)
    os.close(descriptor)
    return time.monotonic()


# Cold and warm.


def test_the_first_request_is_cold_and_the_next_is_warm(start: Start, tmp_path: Path) -> None:
    """The first request waits for an INIT; the next finds the same environment with its state."""
    running, version = start(), deploy(tmp_path)
    cold = running.plane.invoke(version, request(version))
    warm = running.plane.invoke(version, request(version))
    assert (cold.cold, warm.cold) == (True, False)
    assert cold.environment_id == warm.environment_id
    assert json.loads(warm.payload)["calls"] == 2
    assert cold.init_ms is not None
    assert warm.init_ms is None
    assert cold.init_ms < 20_000
    assert cold.billed_ms >= cold.init_ms + cold.duration_ms > cold.billed_ms - 1
    assert warm.duration_ms <= warm.billed_ms < warm.duration_ms + 1
    assert running.ledger.cold_starts("sample") == 1


def test_init_is_measured_from_executing_the_interpreter_to_its_first_next(
    start: Start, tmp_path: Path
) -> None:
    """Importing for 300 ms makes INIT at least that long; the sandbox's own making is not in it."""
    source = "import time\ntime.sleep(0.3)\ndef handler(event, context): pass\n"
    running, version = start(), deploy(tmp_path, source)
    outcome = running.plane.invoke(version, request(version))
    (record,) = running.ledger.environments()
    assert outcome.init_ms is not None
    assert outcome.init_ms >= 300
    assert record.init_started is not None
    assert record.ready_at is not None
    assert record.init_started > record.spawned_at
    assert (record.ready_at - record.init_started) * 1000 == pytest.approx(outcome.init_ms, abs=50)


def test_an_environment_serves_one_request_at_a_time(start: Start, tmp_path: Path) -> None:
    """Two requests at once need two environments; a third later goes to the last one used."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 1.5})
    together.start(running.plane, version, {"sleep": 0.5})
    together.join()
    assert len(together.outcomes) == 2
    last = together.outcomes[-1].environment_id
    assert len({outcome.environment_id for outcome in together.outcomes}) == 2
    assert running.plane.invoke(version, request(version)).environment_id == last


def test_versions_do_not_share_environments(start: Start, tmp_path: Path) -> None:
    """A request for another version of the same function causes an environment of its own."""
    running = start()
    first, second = deploy(tmp_path, version="1"), deploy(tmp_path, version="2")
    one = running.plane.invoke(first, request(first))
    two = running.plane.invoke(second, request(second))
    assert (two.cold, two.executed_version) == (True, "2")
    assert one.environment_id != two.environment_id


def test_the_context_is_what_the_caller_said(start: Start, tmp_path: Path) -> None:
    """Request id, invoked ARN, remaining time and client context reach the handler."""
    source = """
def handler(event, context):
    return {
        "id": context.aws_request_id, "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(), "custom": context.client_context.custom,
        "group": context.log_group_name, "stream": context.log_stream_name,
    }
"""
    running, version = start(), deploy(tmp_path, source, log_group="/my/group")
    invocation = request(
        version,
        client_context='{"custom":\n{"warmer": {"wave": "\u00fc"}}}',
        invoked_arn=version.arn + ":live",
    )
    seen = json.loads(running.plane.invoke(version, invocation).payload)
    assert seen["id"] == invocation.request_id
    assert seen["arn"] == version.arn + ":live"
    assert 15_000 < seen["left"] <= 20_000
    assert seen["custom"] == {"warmer": {"wave": "\u00fc"}}
    assert seen["group"] == "/my/group"
    assert seen["stream"] == running.plane.environments()[0].log_stream


def test_a_large_event_and_a_large_response_pass(start: Start, tmp_path: Path) -> None:
    """6 MB go in and come out."""
    running, version = start(), deploy(tmp_path)
    text = "x" * (MAX_RESPONSE_BYTES - 100)
    assert call(running.plane, version, {"text": text})["event"]["text"] == text


def test_the_overhead_of_a_warm_invoke_is_small(start: Start, tmp_path: Path) -> None:
    """The median of warm invokes of a trivial function stays under 5 ms."""
    running = start()
    version = deploy(tmp_path, "def handler(event, context): pass\n")
    running.plane.invoke(version, request(version))
    times = []
    for _ in range(100):
        began = time.perf_counter()
        running.plane.invoke(version, request(version))
        times.append(time.perf_counter() - began)
    assert sorted(times)[50] < 0.005


# Failures cost that environment only.


def test_a_raised_exception_keeps_the_environment(start: Start, tmp_path: Path) -> None:
    """An exception is the runtime's own error payload; the environment goes on."""
    running, version = start(), deploy(tmp_path)
    error = _error(running.plane.invoke(version, request(version, {"run": "1 / 0"})))
    assert (error["errorType"], error["errorMessage"]) == ("ZeroDivisionError", "division by zero")
    assert error["stackTrace"]
    assert not running.plane.invoke(version, request(version)).cold


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
    """What fails in INIT fails that invoke, with the runtime's own error, and ends it."""
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


def test_an_exit_costs_only_its_environment(start: Start, tmp_path: Path) -> None:
    """An exit during a request is Runtime.ExitError; another environment goes on undisturbed."""
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


def test_a_function_past_its_time_out_is_killed(start: Start, tmp_path: Path) -> None:
    """At the time-out the environment is killed and the caller told, as Lambda words it."""
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


def test_a_response_over_6_mb_is_refused(start: Start, tmp_path: Path) -> None:
    """A response that is too large fails the invoke, and the next one works."""
    running, version = start(), deploy(tmp_path)
    large = {"run": f"'x' * {MAX_RESPONSE_BYTES}"}
    error = _error(running.plane.invoke(version, request(version, large)))
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert str(MAX_RESPONSE_BYTES) in error["errorMessage"]
    assert call(running.plane, version)["calls"] == 1


def test_an_init_over_its_limit_is_repeated_within_the_invoke(start: Start, tmp_path: Path) -> None:
    """A slow INIT is given up at its limit, and done again under the function's time-out."""
    source = "import time\ntime.sleep(0.6)\ndef handler(event, context): return 'done'\n"
    running, version = start(init_limit_seconds=0.3), deploy(tmp_path, source)
    outcome = running.plane.invoke(version, request(version))
    assert json.loads(outcome.payload) == "done"
    assert outcome.duration_ms >= 600
    assert outcome.init_ms is not None
    assert 300 <= outcome.init_ms < 600
    running.plane.flush_logs()
    assert any("Phase: init\tStatus: timeout" in line for line in running.logs.messages())


def test_a_repeated_init_ends_at_the_functions_time_out(start: Start, tmp_path: Path) -> None:
    """If the repeated INIT takes too long as well, the request times out."""
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


# Lifetimes.


def test_an_idle_environment_ends_when_t_has_passed(start: Start, tmp_path: Path) -> None:
    """The idle lifetime counts from the end of the last request, and ends the process in time."""
    running, version = start(idle_seconds=1.0), deploy(tmp_path)
    running.plane.invoke(version, request(version))
    outcome = running.plane.invoke(version, request(version, {"sleep": 0.5}))
    used = time.monotonic()
    ended = _wait_for_end(running, outcome.environment_id)
    assert 0.95 < ended - used < 1.5
    wait_until(lambda: running.plane.environments() == ())
    assert running.ledger.environments()[0].end_reason == "idle"
    assert running.plane.invoke(version, request(version)).cold


def test_use_prolongs_the_life_of_the_environment_that_is_used(
    start: Start, tmp_path: Path
) -> None:
    """Of two environments only the one that gets no request ends after T."""
    running, version = start(idle_seconds=1.5), deploy(tmp_path)
    together = Together()
    for _ in range(2):
        together.start(running.plane, version, {"sleep": 0.4})
    together.join()
    unused, used = (outcome.environment_id for outcome in together.outcomes)
    watcher = threading.Thread(target=_wait_for_end, args=(running, unused))
    watcher.start()
    while watcher.is_alive():
        assert running.plane.invoke(version, request(version)).environment_id == used
        watcher.join(0.3)
    assert [view.id for view in running.plane.environments() if view.id != unused] == [used]


def test_maximum_lifetime_ends_an_environment_in_use(start: Start, tmp_path: Path) -> None:
    """An environment older than the maximum lifetime gets no further request."""
    running, version = start(max_lifetime_seconds=0.5), deploy(tmp_path)
    running.plane.invoke(version, request(version, {"sleep": 0.6}))
    wait_until(lambda: running.plane.environments() == ())
    assert running.ledger.environments()[0].end_reason == "lifetime"


def test_retiring_ends_old_environments_and_keeps_the_new(start: Start, tmp_path: Path) -> None:
    """After an update the old code's idle environments end; the kept key and others stay."""
    running = start()
    old, new = deploy(tmp_path, code_sha256="old"), deploy(tmp_path, code_sha256="new")
    numbered = deploy(tmp_path, version="1")
    for version in (old, new, numbered):
        running.plane.invoke(version, request(version))
    running.plane.retire("sample", version="$LATEST", keep=new.key)
    assert [view.key for view in running.plane.environments()] == [new.key, numbered.key]
    running.plane.retire("sample")
    assert running.plane.environments() == ()
    assert {record.end_reason for record in running.ledger.environments()} == {"retired"}


def test_a_busy_environment_is_retired_after_its_request(start: Start, tmp_path: Path) -> None:
    """A request that runs while its function is updated is answered; then its environment ends."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 1})
    wait_until(lambda: _states(running) == ["busy"])
    running.plane.retire("sample")
    assert _states(running) == ["busy"]
    together.join()
    assert together.outcomes[0].function_error is None
    assert running.plane.environments() == ()


# Limits.


def test_reserved_concurrency_throttles_at_once(start: Start, tmp_path: Path) -> None:
    """Over the reserved concurrency a request is refused with Lambda's reason, and is recorded."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 1})
    wait_until(lambda: _states(running) == ["busy"])
    with pytest.raises(Throttled) as refused:
        running.plane.invoke(version, request(version), reserved=1)
    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    together.join()
    assert running.plane.invoke(version, request(version), reserved=1).function_error is None
    statuses = [record.status for record in running.ledger.invocations("sample")]
    assert statuses == ["success", "throttled", "success"]


def test_account_concurrency_throttles_every_function(start: Start, tmp_path: Path) -> None:
    """Over the account's concurrency another function is refused too."""
    running = start(account_concurrency=1)
    version, other = deploy(tmp_path), deploy(tmp_path, name="other")
    together = Together()
    together.start(running.plane, version, {"sleep": 1})
    wait_until(lambda: _states(running) == ["busy"])
    with pytest.raises(Throttled) as refused:
        running.plane.invoke(other, request(other))
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"
    together.join()


# Logs.


def test_the_log_is_lambdas(start: Start, tmp_path: Path) -> None:
    """START, what the function printed and logged, END and REPORT come in that order."""
    source = """
import logging
print("importing")
def handler(event, context):
    print("printed")
    logging.getLogger().warning("logged\\nin two lines")
    print("unfinished", end="")
"""
    running, version = start(), deploy(tmp_path, source, version="7")
    invocation = request(version)
    outcome = running.plane.invoke(version, invocation)
    running.plane.flush_logs()
    groups = {(group, stream) for group, stream, _, _ in running.logs.events}
    ((group, stream),) = groups
    assert group == "/aws/lambda/sample"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[7\][0-9a-f]{32}", stream)
    head, importing, begin, printed, logged, unfinished, end, report = running.logs.messages()
    assert head.startswith("INIT_START Runtime Version: python:3.12")
    assert importing == "importing\n"
    assert begin == f"START RequestId: {invocation.request_id} Version: 7\n"
    assert printed == "printed\n"
    assert logged.startswith("[WARNING]\t")
    assert logged.endswith(f"\t{invocation.request_id}\tlogged\nin two lines\n")
    assert unfinished == "unfinished\n"
    assert end == f"END RequestId: {invocation.request_id}\n"
    assert re.fullmatch(
        rf"REPORT RequestId: {invocation.request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms"
        r"\tMemory Size: 1769 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n",
        report,
    )
    assert outcome.log_tail.decode().endswith("".join([end, report]))


def test_memory_counts_what_the_function_used(start: Start, tmp_path: Path) -> None:
    """Max Memory Used grows with what the function allocates."""
    running, version = start(), deploy(tmp_path)
    before = running.plane.invoke(version, request(version)).max_memory_mb
    after = running.plane.invoke(version, request(version, {"run": "len(b'x' * 50_000_000)"}))
    assert before > 5
    assert after.max_memory_mb >= before + 45


def test_output_of_a_request_that_runs_is_seen_meanwhile(start: Start, tmp_path: Path) -> None:
    """A long request's lines reach the sink while it runs."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"run": "[print('begun'), time.sleep(2)] and 1"})
    wait_until(lambda: "begun\n" in running.logs.messages())
    assert together.outcomes == []
    together.join()


def test_the_tail_is_the_last_4_kb(start: Start, tmp_path: Path) -> None:
    """Of a long log the caller gets the end, of this invocation alone."""
    running, version = start(), deploy(tmp_path)
    long = {"run": "print('x' * 10_000)"}
    outcome = running.plane.invoke(version, request(version, long))
    assert len(outcome.log_tail) == 4096
    assert b"REPORT RequestId: " in outcome.log_tail
    assert b"xxx" not in running.plane.invoke(version, request(version)).log_tail


def test_a_failing_sink_fails_no_request(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the sink raises, requests are answered, and the loss is logged."""
    running, version = start(), deploy(tmp_path)
    running.logs.fail = True
    assert call(running.plane, version)["calls"] == 1
    running.plane.flush_logs()
    assert "the disk is full" in caplog.text
    running.logs.fail = False
    assert call(running.plane, version)["calls"] == 2
    running.plane.flush_logs()
    assert any(line.startswith("REPORT") for line in running.logs.messages())


# Later pieces stand on these.


def test_snapstart_restores_at_once(start: Start, tmp_path: Path) -> None:
    """Under SnapStart the runtime's restore call is answered, and its hooks run."""
    source = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
order = []
register_before_snapshot(order.append, "before")
register_after_restore(order.append, "after")
def handler(event, context): return order
"""
    running, version = start(), deploy(tmp_path, source, init_type="snap-start")
    assert call(running.plane, version) == ["before", "after"]


def test_a_failing_restore_hook_is_an_init_error(start: Start, tmp_path: Path) -> None:
    """What an after-restore hook raises is told to the request that waited."""
    source = """
from snapshot_restore_py import register_after_restore
@register_after_restore
def broken(): raise ValueError("not restored")
def handler(event, context): pass
"""
    running, version = start(), deploy(tmp_path, source, init_type="snap-start")
    error = _error(running.plane.invoke(version, request(version)))
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "not restored")


def test_a_closed_data_plane_takes_no_requests(start: Start, tmp_path: Path) -> None:
    """After close an invoke fails with a clear error, and closing again does nothing."""
    running, version = start(), deploy(tmp_path)
    running.plane.close()
    running.plane.close()
    with pytest.raises(CloudError, match="closing"):
        running.plane.invoke(version, request(version))
