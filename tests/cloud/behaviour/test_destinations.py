"""Where asynchronous invokes go when they have ended.

Sources: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations" and
"Adding a dead-letter queue".
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import ACCOUNT, REGION, Account, wait_for


def configure(account: Account, name: str, **settings: Any) -> None:
    """PutFunctionEventInvokeConfig; destinations by OnSuccess and OnFailure."""
    destinations = {
        key: {"Destination": settings.pop(key)}
        for key in ("OnSuccess", "OnFailure")
        if key in settings
    }
    account.functions.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig=destinations, **settings
    )


def arn(name: str, service: str = "lambda:function") -> str:
    """An ARN of the account."""
    kind, _, sub = service.partition(":")
    return f"arn:aws:{kind}:{REGION}:{ACCOUNT}:{f'{sub}:' if sub else ''}{name}"


@pytest.mark.aws(
    "Lambda developer guide: Capturing records of Lambda asynchronous invocations",
    "An asynchronous success is recorded at its destination",
)
def test_a_success_is_recorded(account: Account) -> None:
    """With the request, the answer and how it came to that.

    AWS page: "Capturing records of Lambda asynchronous invocations" (example record).
    """
    name, (url, queue) = account.function(), account.queue()
    configure(account, name, OnSuccess=queue)
    request_id = account.send(name, {"a": 1})
    record = json.loads(account.received(url)["Body"])
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{arn(name)}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert (record["version"], record["requestPayload"]) == ("1.0", {"a": 1})
    assert record["responsePayload"]["event"] == {"a": 1}


@pytest.mark.aws(
    "Lambda developer guide: Adding a dead-letter queue",
    "A failure is recorded after its retries; the dead-letter queue gets the event",
)
def test_a_failure_is_recorded_after_its_retries(account: Account) -> None:
    """All three attempts have the request's id; and the dead-letter queue has the event.

    AWS page: "Adding a dead-letter queue" (message attributes); "How Lambda handles errors and
    retries with asynchronous invocation".
    """
    (failed, failed_arn), (dead, dead_arn) = account.queue(), account.queue()
    name = account.function(DeadLetterConfig={"TargetArn": dead_arn})
    configure(account, name, OnFailure=failed_arn)
    request_id = account.send(name, {"raise": "no good"})
    record = json.loads(account.received(failed)["Body"])
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 3)
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no good"
    assert [item["request_id"] for item in account.invocations(name)] == [request_id] * 3
    message = account.received(dead)
    assert json.loads(message["Body"]) == {"raise": "no good"}
    values = {key: item["StringValue"] for key, item in message["MessageAttributes"].items()}
    assert values == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no good"}


@pytest.mark.aws(
    "Lambda developer guide: Capturing records of Lambda asynchronous invocations",
    "An event that grew too old is recorded as EventAgeExceeded",
)
def test_a_throttled_event_grows_old(account: Account) -> None:
    """Its record says so, and has no answer.

    AWS page: "Capturing records of Lambda asynchronous invocations" (EventAgeExceeded).
    """
    name, (url, queue) = account.function(), account.queue()
    account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    configure(account, name, OnFailure=queue, MaximumEventAgeInSeconds=60)
    account.send(name, {})
    record = json.loads(account.received(url)["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record


@pytest.mark.aws(
    "Lambda developer guide: Capturing records of Lambda asynchronous invocations",
    "Queues, topics, functions and buses can be destinations",
)
def test_a_topic_a_function_and_a_bus_can_be_destinations(account: Account) -> None:
    """The record is the message, the event, or the detail.

    AWS page: "Capturing records of Lambda asynchronous invocations" (destinations).
    """
    sns, events = account.client("sns"), account.client("events")
    (topic_url, topic_queue), (bus_url, bus_queue) = account.queue(), account.queue()
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex[:8]}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue)
    events.put_rule(Name="r", EventPattern='{"source": ["lambda"]}', State="ENABLED")
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": bus_queue}])
    follower, name = account.function(), account.function()
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    configure(account, name, OnSuccess=topic, OnFailure=bus, MaximumRetryAttempts=0)
    account.send(name, {})
    notified = json.loads(json.loads(account.received(topic_url)["Body"])["Message"])
    assert notified["requestContext"]["condition"] == "Success"
    account.send(name, {"raise": "no good"})
    event = json.loads(account.received(bus_url)["Body"])
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["resources"] == [bus, f"{arn(name)}:$LATEST"]
    assert event["detail"]["requestPayload"] == {"raise": "no good"}
    configure(account, name, OnSuccess=arn(follower))
    account.send(name, {})
    wait_for(lambda: account.invocations(follower), "the follower's invoke")


@pytest.mark.aws(
    "Lambda developer guide: Types of metrics for Lambda functions",
    "DestinationDeliveryFailures and DeadLetterErrors are metrics",
)
def test_a_destination_that_is_gone_is_counted(account: Account) -> None:
    """DestinationDeliveryFailures and DeadLetterErrors, as CloudWatch has them.

    AWS page: "Types of metrics for Lambda functions" (asynchronous invocation metrics).
    """
    gone = arn("gone", "sqs")
    name = account.function(DeadLetterConfig={"TargetArn": gone})
    configure(account, name, OnFailure=gone, MaximumRetryAttempts=0)
    account.send(name, {"raise": "no good"})
    metrics = account.client("cloudwatch").list_metrics
    dimension = {"Name": "FunctionName", "Value": name}

    def names() -> set[str]:
        found = metrics(Namespace="AWS/Lambda", Dimensions=[dimension])["Metrics"]
        return {item["MetricName"] for item in found}

    counted = {"DestinationDeliveryFailures", "DeadLetterErrors", "AsyncEventsDropped"}
    wait_for(lambda: counted <= names(), f"{counted}")


@pytest.mark.aws(
    "Lambda API reference: UpdateFunctionEventInvokeConfig",
    "Each version and alias has an event-invoke configuration of its own",
)
def test_each_version_and_alias_has_a_configuration_of_its_own(account: Account) -> None:
    """Updated in part, listed, and deleted.

    AWS page: API reference, "UpdateFunctionEventInvokeConfig".
    """
    name, functions = account.function(Publish=True), account.functions
    configure(account, f"{name}:1", MaximumRetryAttempts=1)
    functions.update_function_event_invoke_config(
        FunctionName=name, Qualifier="1", MaximumEventAgeInSeconds=300
    )
    found = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="1")
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 300)
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        functions.get_function_event_invoke_config(FunctionName=name)
    listed = functions.list_function_event_invoke_configs(FunctionName=name)
    (item,) = listed["FunctionEventInvokeConfigs"]
    assert item["FunctionArn"] == f"{arn(name)}:1"
    functions.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    listed = functions.list_function_event_invoke_configs(FunctionName=name)
    assert listed["FunctionEventInvokeConfigs"] == []


@pytest.mark.aws(
    "EventBridge Scheduler user guide: "
    "Configuring a schedule's dead-letter queue in EventBridge Scheduler",
    "What a schedule cannot deliver goes to its dead-letter queue",
)
def test_a_schedule_without_a_target_has_a_dead_letter_queue(account: Account) -> None:
    """It gets the payload, and why.

    AWS page: EventBridge Scheduler user guide, "Configuring a schedule's dead-letter queue".
    """
    url, queue = account.queue()
    scheduler = account.client("scheduler")
    target = {
        "Arn": arn("nobody"),
        "RoleArn": account.role,
        "Input": '{"tick": 1}',
        "DeadLetterConfig": {"Arn": queue},
    }
    scheduler.create_schedule(
        Name="lost",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    message = account.received(url)
    scheduler.delete_schedule(Name="lost")
    assert json.loads(message["Body"]) == {"tick": 1}
    values = {key: item["StringValue"] for key, item in message["MessageAttributes"].items()}
    assert values["TARGET_ARN"] == arn("nobody")
    assert values["SCHEDULE_ARN"].endswith("schedule/default/lost")
    assert values["ERROR_CODE"] == "ResourceNotFoundException"
