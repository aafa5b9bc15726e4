"""Requests through real execution environments: awslambdaric in its sandbox."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from infra.cloud.runtime_api import MAX_RESPONSE_BYTES
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import Together, call, deploy, evaluate, request, wait_until
from warmer.errors import CloudError, Throttled


def _states(running: Running) -> list[str]:
    return sorted(view.state for view in running.plane.environments())


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "A first request waits for an INIT; the next finds the same environment",
)
def test_the_first_request_is_cold_and_the_next_is_warm(start: Start, tmp_path: Path) -> None:
    """The first request waits for an INIT; the next finds the same environment with its state.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
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


@pytest.mark.aws(
    "Lambda developer guide: Understanding Lambda function scaling",
    "An environment serves one request at a time; more at once need more environments",
)
def test_an_environment_serves_one_request_at_a_time(start: Start, tmp_path: Path) -> None:
    """Two requests at once need two environments; a third later goes to the last one used.

    AWS page: "Understanding Lambda function scaling".
    """
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 1.5})
    together.start(running.plane, version, {"sleep": 0.5})
    together.join()
    assert len(together.outcomes) == 2
    last = together.outcomes[-1].environment_id
    assert len({outcome.environment_id for outcome in together.outcomes}) == 2
    assert running.plane.invoke(version, request(version)).environment_id == last


@pytest.mark.aws(
    "Lambda developer guide: Manage Lambda function versions", "Versions share no environments"
)
def test_versions_do_not_share_environments(start: Start, tmp_path: Path) -> None:
    """A request for another version of the same function causes an environment of its own."""
    running = start()
    first, second = deploy(tmp_path, version="1"), deploy(tmp_path, version="2")
    one = running.plane.invoke(first, request(first))
    two = running.plane.invoke(second, request(second))
    assert (two.cold, two.executed_version) == (True, "2")
    assert one.environment_id != two.environment_id


@pytest.mark.aws(
    "Lambda developer guide: Using the Lambda context object to retrieve Python function "
    "information",
    "Request id, invoked ARN, remaining time and client context reach the handler",
)
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


@pytest.mark.aws("Lambda developer guide: Lambda quotas", "Events and responses may have 6 MB")
def test_a_large_event_and_a_large_response_pass(start: Start, tmp_path: Path) -> None:
    """6 MB go in and come out.

    AWS page: "Lambda quotas" (invocation payload).
    """
    running, version = start(), deploy(tmp_path)
    text = "x" * (MAX_RESPONSE_BYTES - 100)
    assert call(running.plane, version, {"text": text})["event"]["text"] == text


@pytest.mark.aws(
    "Lambda developer guide: Configuring reserved concurrency for a function",
    "Over the reserved concurrency: 429 with its reason, at once",
)
def test_reserved_concurrency_throttles_at_once(start: Start, tmp_path: Path) -> None:
    """Over the reserved concurrency a request is refused with Lambda's reason, and is recorded.

    AWS page: "Configuring reserved concurrency for a function"; API reference, "Invoke" (Reason).
    """
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


@pytest.mark.aws(
    "Lambda developer guide: Understanding Lambda function scaling",
    "Over the account's concurrency every function is throttled",
)
def test_account_concurrency_throttles_every_function(start: Start, tmp_path: Path) -> None:
    """Over the account's concurrency another function is refused too.

    AWS page: "Understanding Lambda function scaling"; API reference, "Invoke" (Reason).
    """
    running = start(account_concurrency=1)
    version, other = deploy(tmp_path), deploy(tmp_path, name="other")
    together = Together()
    together.start(running.plane, version, {"sleep": 1})
    wait_until(lambda: _states(running) == ["busy"])
    with pytest.raises(Throttled) as refused:
        running.plane.invoke(other, request(other))
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"
    together.join()


def test_a_closed_data_plane_takes_no_requests(start: Start, tmp_path: Path) -> None:
    """After close an invoke fails with a clear error, and closing again does nothing."""
    running, version = start(), deploy(tmp_path)
    running.plane.close()
    running.plane.close()
    with pytest.raises(CloudError, match="closing"):
        running.plane.invoke(version, request(version))


def test_functions_run_on_the_processors_that_they_are_given(start: Start, tmp_path: Path) -> None:
    """Also where the cloud's own process keeps to one: what starts them does not."""
    (most, *_) = processors = sorted(os.sched_getaffinity(0))
    version = deploy(tmp_path)
    found = [
        evaluate(start(processors=given).plane, version, "sorted(os.sched_getaffinity(0))")
        for given in (frozenset({most}), None)
    ]
    assert found == [[most], processors]
