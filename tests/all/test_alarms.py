"""The template's alarms, deployed: quiet while all is well, and each raised by its own cause.

Sources: Amazon CloudWatch user guide, "Alarm evaluation"; AWS Lambda developer guide, "Types of
metrics for Lambda functions"; Amazon SQS developer guide, "Available CloudWatch metrics for Amazon
SQS".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.cloud.deployed import DeployedStack, deployed

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
WARMER, INFERENCE = "local-warmer", "local-inference"
NAMES = {
    "cold-starts",
    "dead-letters",
    "errors",
    "latency",
    "new-version-errors",
    "throttles",
    "warm-pool",
    "warmer-errors",
    "warmer-silent",
}
PARAMETERS = {
    "Alarms": "ENABLED",
    "MetricsNamespace": "Warmer",
    "WarmConcurrency": "2",
    "AlarmLatency": "150",
    "AlarmColdStarts": "0.2",
}
BLANK = {"name": "image", "datatype": "FP32"}
# A minute of the cloud's is half a second.
OPTIONS = ("--clock-rate", "120", "--idle-lifetime", "86400")


@pytest.fixture(scope="module")
def stack() -> Iterator[DeployedStack]:
    """The project with alarms; its schedule runs the warmer every five minutes of the cloud's."""
    with deployed(TEMPLATE, PARAMETERS, any_python=True, arguments=OPTIONS) as running:
        yield running


def states(stack: DeployedStack) -> dict[str, str]:
    """Each alarm's state, by the name that follows the stack's."""
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {a["AlarmName"].removeprefix("local-"): a["StateValue"] for a in alarms}


def raised(stack: DeployedStack, cause: Callable[[], object], names: set[str]) -> None:
    """Fails unless these alarms are all raised, at some moment each, while `cause` goes on."""
    waiting, deadline = set(names), time.monotonic() + 60
    while waiting:
        assert time.monotonic() < deadline, f"{waiting} not raised: {states(stack)}"
        cause()
        waiting -= {name for name, state in states(stack).items() if state == "ALARM"}
        time.sleep(0.1)


def settled(stack: DeployedStack, names: set[str]) -> None:
    """Waits until all of these alarms are OK."""
    deadline = time.monotonic() + 60
    while {states(stack)[name] for name in names} != {"OK"}:
        assert time.monotonic() < deadline, states(stack)
        time.sleep(0.1)


def infer(stack: DeployedStack, images: int = 1) -> dict[str, Any]:
    """A request of a user, with as many blank images."""
    tensor = {**BLANK, "shape": [images, 8, 8], "data": [0] * (64 * images)}
    payload = json.dumps({"inputs": [tensor], "outputs": [{"name": "label"}]})
    answer: dict[str, Any] = stack.client("lambda").invoke(
        FunctionName=INFERENCE, Qualifier="live", Payload=payload
    )
    return answer


def throttled(stack: DeployedStack) -> None:
    """A request for which there is no concurrency."""
    with pytest.raises(ClientError, match="TooManyRequests"):
        infer(stack)


def test_no_alarm_is_raised_while_all_is_well(stack: DeployedStack) -> None:
    """Requests are warm and answered, the warmer runs and proves: every alarm comes to be OK."""
    deadline = time.monotonic() + 60
    while set(states(stack).values()) != {"OK"}:
        assert "FunctionError" not in infer(stack)
        assert time.monotonic() < deadline, states(stack)
        time.sleep(0.05)
    assert states(stack).keys() == NAMES


def test_errors_raise_the_alarms_that_stop_a_deploy(stack: DeployedStack) -> None:
    """Of the alias, and of the version that it leads to."""
    settled(stack, {"errors", "new-version-errors"})

    def fail() -> None:
        answer = stack.client("lambda").invoke(FunctionName=INFERENCE, Qualifier="live")
        assert answer["FunctionError"] == "Unhandled"

    raised(stack, fail, {"errors", "new-version-errors"})


def test_slow_requests_raise_an_alarm(stack: DeployedStack) -> None:
    """Of users: large batches take long, and pings do not count.

    Not so large that a minute of the cloud's would pass without one: two of three must be slow.
    """
    settled(stack, {"latency"})
    with ThreadPoolExecutor(2) as users:

        def slow() -> None:
            list(users.map(lambda _: infer(stack, images=4_000), range(2)))

        raised(stack, slow, {"latency"})


def test_requests_that_meet_cold_starts_raise_an_alarm(stack: DeployedStack) -> None:
    """A burst wider than the pool."""
    settled(stack, {"cold-starts"})
    before = stack.mark()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: infer(stack, images=3_000), range(16)))
    assert stack.cold_starts(INFERENCE, before) > 2
    raised(stack, lambda: None, {"cold-starts"})


def test_a_function_without_concurrency_raises_alarms(stack: DeployedStack) -> None:
    """Its users are throttled, and so is the warmer, which then cannot prove what it is asked."""
    settled(stack, {"throttles", "warm-pool"})
    functions = stack.client("lambda")
    functions.put_function_concurrency(FunctionName=INFERENCE, ReservedConcurrentExecutions=0)
    try:
        raised(stack, lambda: throttled(stack), {"throttles", "warm-pool"})
    finally:
        functions.delete_function_concurrency(FunctionName=INFERENCE)


def test_a_warmer_that_fails_raises_alarms(stack: DeployedStack) -> None:
    """Its event is not tried again: it goes to the queue, with the error."""
    settled(stack, {"warmer-errors", "dead-letters", "warmer-silent"})
    functions = stack.client("lambda")
    variables = functions.get_function_configuration(FunctionName=WARMER)["Environment"]
    broken = {**variables["Variables"], "WARMER_TARGETS": "[", "WARMER_TARGETS_PARAMETER": ""}
    functions.update_function_configuration(FunctionName=WARMER, Environment={"Variables": broken})
    raised(stack, lambda: None, {"warmer-errors", "dead-letters"})
    queues = stack.client("sqs")
    url = queues.get_queue_url(QueueName="local-dead-letters")["QueueUrl"]
    (message,) = queues.receive_message(QueueUrl=url)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert "WARMER_TARGETS" in record["responsePayload"]["errorMessage"]
    functions.update_function_configuration(FunctionName=WARMER, Environment=variables)


def test_a_warmer_that_does_not_run_raises_an_alarm(stack: DeployedStack) -> None:
    """Missing data breaches: a schedule that somebody switched off has no other sign."""
    settled(stack, {"warmer-silent"})
    schedules = stack.client("scheduler")
    known = schedules.get_schedule(Name=WARMER)
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    schedules.update_schedule(**{key: known[key] for key in kept}, State="DISABLED")
    raised(stack, lambda: None, {"warmer-silent"})
