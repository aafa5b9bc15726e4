"""Topics with subscribed functions; and event sources that the cloud refuses."""

from __future__ import annotations

import ast
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.deployed.conftest import Deployed, wait_for

FUNCTION = "sample-echo"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}:live"


class Topic:
    """A topic that the function's alias is subscribed to."""

    def __init__(self, deployed: Deployed, endpoint: str = ARN, **attributes: str) -> None:
        self.deployed = deployed
        self.sns = deployed.client("sns")
        self.arn: str = self.sns.create_topic(Name=f"topic-{uuid.uuid4().hex}")["TopicArn"]
        self.subscription: str = self.sns.subscribe(
            TopicArn=self.arn, Protocol="lambda", Endpoint=endpoint, Attributes=attributes
        )["SubscriptionArn"]

    def publish(self, message: str, **more: Any) -> str:
        """Publish; gives the message's id."""
        answer = self.sns.publish(TopicArn=self.arn, Message=message, **more)
        return str(answer["MessageId"])

    def received(self, mark: str) -> dict[str, Any]:
        """The record with `mark` that the function has printed, once it has."""

        def look() -> Any:
            said = self.deployed.messages(FUNCTION)
            return [line for line in said if line.startswith("the event is") and mark in line]

        (line, *others) = wait_for(look, "the function's line")
        assert not others
        ((record,),) = ast.literal_eval(line.removeprefix("the event is")[1:]).values()
        return dict(record)


@pytest.fixture
def topic(deployed: Deployed) -> Iterator[Topic]:
    """A topic for one test."""
    made = Topic(deployed)
    yield made
    made.sns.delete_topic(TopicArn=made.arn)


@pytest.mark.aws(
    "Lambda developer guide: Invoking Lambda functions with Amazon SNS notifications",
    "A function that is subscribed to a topic gets its messages",
)
def test_a_subscribed_function_gets_the_message(topic: Topic) -> None:
    """AWS Lambda developer guide, "Invoking Lambda functions with Amazon SNS notifications"."""
    attributes = {
        "word": {"DataType": "String", "StringValue": "text"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    message_id = topic.publish("caf\xe9", Subject="a subject", MessageAttributes=attributes)
    record = topic.received(message_id)
    sns = record.pop("Sns")
    assert record == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": topic.subscription,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", sns.pop("Timestamp"))
    assert sns.pop("Signature")
    assert sns.pop("SigningCertUrl").endswith(".pem")
    assert sns.pop("UnsubscribeUrl").endswith(f"SubscriptionArn={topic.subscription}")
    assert sns == {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic.arn,
        "Subject": "a subject",
        "Message": "caf\xe9",
        "SignatureVersion": "2",
        "MessageAttributes": {
            "word": {"Type": "String", "Value": "text"},
            "bytes": {"Type": "Binary", "Value": "AP8="},
        },
    }


def test_what_a_message_does_not_have_is_null_or_empty(topic: Topic) -> None:
    """The same page: a subject is null, and attributes are an empty object."""
    sns = topic.received(topic.publish("plain"))["Sns"]
    assert (sns["Subject"], sns["MessageAttributes"]) == (None, {})


def test_the_function_is_invoked_asynchronously(topic: Topic) -> None:
    """The same page: the invoke is an event, of the version that the subscribed alias has."""
    mark = len(topic.deployed.invocations(FUNCTION))
    topic.received(topic.publish("event"))

    def ended() -> Any:
        records = topic.deployed.invocations(FUNCTION)[mark:]
        return [record for record in records if record["ended"]]

    (record,) = wait_for(ended, "the invoke")
    assert (record["kind"], record["qualifier"], record["status"]) == ("event", "live", "success")


@pytest.mark.aws("SNS API reference: Publish", "MessageStructure json has a text for functions")
def test_a_function_gets_the_text_that_is_meant_for_functions(topic: Topic) -> None:
    """Amazon SNS API reference, Publish: MessageStructure."""
    texts = json.dumps({"default": "for others", "lambda": "for functions"})
    message_id = topic.publish(texts, MessageStructure="json")
    assert topic.received(message_id)["Sns"]["Message"] == "for functions"


@pytest.mark.aws(
    "SNS developer guide: Amazon SNS message filtering", "A filter policy holds messages back"
)
def test_a_filter_policy_holds_messages_back(deployed: Deployed) -> None:
    """Amazon SNS developer guide, "Amazon SNS message filtering"."""
    topic = Topic(deployed, FilterPolicy=json.dumps({"kind": ["wanted"]}))
    mark = len(deployed.invocations(FUNCTION))
    for kind in ("unwanted", "wanted"):
        value = {"DataType": "String", "StringValue": kind}
        message_id = topic.publish(kind, MessageAttributes={"kind": value})
    assert topic.received(message_id)["Sns"]["Message"] == "wanted"
    assert len(deployed.invocations(FUNCTION)) == mark + 1
    topic.sns.delete_topic(TopicArn=topic.arn)


@pytest.mark.aws("CloudWatch user guide: Alarm actions", "An alarm reaches a function by its topic")
def test_an_alarm_reaches_a_function_by_its_topic(topic: Topic) -> None:
    """Amazon CloudWatch user guide, "Alarm actions"."""
    cloudwatch = topic.deployed.client("cloudwatch")
    name = f"alarm-{uuid.uuid4().hex}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmActions=[topic.arn],
        Namespace="Own",
        MetricName="Absent",
        Statistic="Sum",
        Period=86_400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="asked to")
    message = json.loads(topic.received(name)["Sns"]["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == (name, "ALARM")
    cloudwatch.delete_alarms(AlarmNames=[name])


@pytest.mark.aws(
    "SNS developer guide: Amazon SNS message delivery retries",
    "Who publishes is not told of an absent function",
)
def test_who_publishes_is_not_told_of_an_absent_function(deployed: Deployed) -> None:
    """Amazon SNS developer guide, "Amazon SNS message delivery retries": it is SNS's to report."""
    topic = Topic(deployed, ARN.replace(FUNCTION, "absent"))
    assert topic.publish("to nobody")
    log = (deployed.folder / "cloud.log").read_text()
    assert f"{topic.subscription} could not be delivered: Function not found" in log
    topic.sns.delete_topic(TopicArn=topic.arn)


@pytest.mark.aws("SNS API reference: Subscribe", "Only a function's ARN is an endpoint for lambda")
@pytest.mark.parametrize("endpoint", [FUNCTION, "arn:aws:sqs:us-east-1:123456789012:queue", ""])
def test_what_is_no_function_cannot_be_subscribed_as_one(topic: Topic, endpoint: str) -> None:
    """Amazon SNS API reference, Subscribe: for lambda, the endpoint is a function's ARN."""
    with pytest.raises(ClientError, match="expected the ARN of a Lambda function"):
        topic.sns.subscribe(TopicArn=topic.arn, Protocol="lambda", Endpoint=endpoint)


@pytest.mark.aws(
    "Lambda API reference: CreateEventSourceMapping", "Event source mappings", how="refused"
)
def test_event_source_mappings_are_refused(deployed: Deployed) -> None:
    """Not accepted and then never polled."""
    with pytest.raises(ClientError, match="polls no queues or streams") as refused:
        deployed.client("lambda").create_event_source_mapping(
            FunctionName=FUNCTION, EventSourceArn="arn:aws:sqs:us-east-1:123456789012:queue"
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


@pytest.mark.aws(
    "CloudWatch Logs API reference: PutSubscriptionFilter",
    "Log subscriptions of functions",
    how="refused",
)
def test_log_subscriptions_of_functions_are_refused(deployed: Deployed) -> None:
    """Not accepted and then sent every event, whatever the pattern is."""
    deployed.client("logs").create_log_group(logGroupName="subscribed")
    with pytest.raises(ClientError, match="sends log events to no functions") as refused:
        deployed.client("logs").put_subscription_filter(
            logGroupName="subscribed", filterName="all", filterPattern="x", destinationArn=ARN
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
