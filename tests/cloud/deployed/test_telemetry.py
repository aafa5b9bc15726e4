"""Metrics and alarms of a deployed function, through CloudWatch's own API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.deployed.conftest import RUNTIME_PYTHON, Deployed, wait_for

STACK = "telemetry"
FUNCTION = "telemetry-f"
HANDLER = """
import json, time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    if "print" in event:
        print(json.dumps(event["print"]))
    if event.get("fail"):
        raise ValueError("asked to")
"""
# Periods of this length begin so rarely that all that a test measures lies in one.
MONTH = 30 * 86_400
DIMENSIONS = [{"Name": "FunctionName", "Value": FUNCTION}]
ERRORS: dict[str, Any] = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": DIMENSIONS,
}
ALARM: dict[str, Any] = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "TreatMissingData": "notBreaching",
    "AlarmActions": [{"Ref": "Topic"}],
}
RATE_OF_ERRORS = [
    {"Id": "rate", "Expression": "IF(calls > 0, 100 * errors / calls, 0)", "Label": "Error rate"},
    {
        "Id": "errors",
        "MetricStat": {"Metric": ERRORS, "Period": 60, "Stat": "Sum"},
        "ReturnData": False,
    },
    {
        "Id": "calls",
        "MetricStat": {
            "Metric": {**ERRORS, "MetricName": "Invocations"},
            "Period": 60,
            "Stat": "Sum",
        },
        "ReturnData": False,
    },
]
TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": FUNCTION,
                "Runtime": RUNTIME_PYTHON,
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": HANDLER},
            },
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "telemetry"}},
        "Fires": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                **ALARM,
                "AlarmName": "fires",
                "Metrics": RATE_OF_ERRORS,
                "Threshold": 10,
            },
        },
        "Stays": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                **ALARM,
                **ERRORS,
                "AlarmName": "stays",
                "Statistic": "Sum",
                "Period": 60,
                "Threshold": 1000,
            },
        },
        "Board": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": "board", "DashboardBody": '{"widgets": []}'},
        },
    },
    "Outputs": {
        "Alarm": {"Value": {"Ref": "Fires"}},
        "AlarmArn": {"Value": {"Fn::GetAtt": ["Fires", "Arn"]}},
        "Topic": {"Value": {"Ref": "Topic"}},
    },
}


@dataclass
class Measured:
    """A deployed function after some invokes: 8 that succeed and, in one minute, 2 that fail."""

    deployed: Deployed
    outputs: dict[str, str]
    queue: str
    begun: datetime
    cloudwatch: Any = field(init=False)

    def __post_init__(self) -> None:
        self.cloudwatch = self.deployed.client("cloudwatch")

    def now(self) -> datetime:
        """Cloud time."""
        return datetime.fromisoformat(self.deployed.cloud.status()["cloud_time"])

    def data(self, *queries: dict[str, Any], **options: Any) -> dict[str, Any]:
        """GetMetricData since the test began: results by id, and the token of the next page."""
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=queries,
            StartTime=self.begun - timedelta(hours=1),
            EndTime=self.now() + timedelta(minutes=1),
            **{"ScanBy": "TimestampAscending", **options},
        )
        found = {result["Id"]: result for result in answer["MetricDataResults"]}
        return {**found, "token": answer.get("NextToken")}

    def total(self, name: str, stat: str = "Sum", **changes: Any) -> float:
        """A statistic of a metric of the function over one month."""
        metric = {**ERRORS, "MetricName": name, **changes}
        stat_query = {"Metric": metric, "Period": MONTH, "Stat": stat}
        result = self.data({"Id": "m", "MetricStat": stat_query})["m"]
        return float(sum(result["Values"]))


def queue_on(deployed: Deployed, topic: str) -> str:
    """A queue that gets what the topic is sent."""
    sqs = deployed.client("sqs")
    url = str(sqs.create_queue(QueueName="telemetry")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    deployed.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    return url


def embedded() -> dict[str, Any]:
    """What a function prints for three measurements of a metric of its own."""
    directive = {
        "Namespace": "Own",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Size", "Unit": "Bytes"}],
    }
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": metadata, "service": "sample", "Size": [1, 2, 3]}


@pytest.fixture(scope="module")
def measured(deployed: Deployed) -> Iterator[Measured]:
    """The stack, and what was invoked."""
    formation = deployed.client("cloudformation")
    formation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE", formation.describe_stack_events(
        StackName=STACK
    )
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    queue = queue_on(deployed, outputs["Topic"])
    begun = datetime.fromisoformat(deployed.cloud.status()["cloud_time"])
    lambdas = deployed.client("lambda")
    version = lambdas.publish_version(FunctionName=FUNCTION)["Version"]
    lambdas.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion=version)
    events: list[dict[str, Any]] = [{"sleep": 0.02 * index} for index in range(7)]
    for event in [*events, {"print": embedded()}, {"fail": 1}, {"fail": 1}]:
        deployed.invoke(f"{FUNCTION}:live", event)
    yield Measured(deployed, outputs, queue, begun)
    formation.delete_stack(StackName=STACK)


@pytest.mark.aws(
    "Lambda developer guide: Types of metrics for Lambda functions",
    "Invocations, Errors, Throttles, Duration and ConcurrentExecutions are metrics",
)
def test_invocations_errors_and_durations_are_metrics(measured: Measured) -> None:
    """AWS Lambda developer guide, "Types of metrics for Lambda functions"."""
    assert measured.total("Invocations") == 10
    assert measured.total("Errors") == 2
    assert measured.total("Throttles") == 0
    records = measured.deployed.invocations(FUNCTION)
    durations = [record["duration_ms"] for record in records]
    assert measured.total("Duration", "SampleCount") == 10
    assert measured.total("Duration", "Maximum") == pytest.approx(max(durations))
    assert measured.total("ConcurrentExecutions", "Maximum") == 1


@pytest.mark.aws(
    "CloudWatch user guide: Metrics concepts", "Percentiles lie between the values measured"
)
def test_percentiles_lie_between_the_durations_that_were_measured(measured: Measured) -> None:
    """CloudWatch user guide, "Metrics concepts", Percentiles."""
    records = measured.deployed.invocations(FUNCTION)
    durations = sorted(record["duration_ms"] for record in records)
    p50, p99 = measured.total("Duration", "p50"), measured.total("Duration", "p99")
    assert durations[4] <= p50 <= durations[5]
    assert durations[8] <= p99 <= durations[9]


@pytest.mark.aws(
    "Lambda developer guide: View metrics for Lambda functions",
    "An alias and the version behind it have metrics of their own",
)
def test_an_alias_and_the_version_behind_it_can_be_told_apart(measured: Measured) -> None:
    """AWS Lambda developer guide, "View metrics for Lambda functions"."""
    listed = measured.cloudwatch.list_metrics(
        Namespace="AWS/Lambda", MetricName="Invocations", Dimensions=DIMENSIONS
    )
    found = [{item["Name"]: item["Value"] for item in m["Dimensions"]} for m in listed["Metrics"]]
    resource = {"FunctionName": FUNCTION, "Resource": f"{FUNCTION}:live"}
    assert {"FunctionName": FUNCTION} in found
    assert resource in found
    assert {**resource, "ExecutedVersion": "1"} in found


@pytest.mark.aws(
    "CloudWatch user guide: Specification: Embedded metric format",
    "What a function prints in EMF is a metric",
)
def test_what_a_function_prints_as_emf_is_a_metric(measured: Measured) -> None:
    """CloudWatch user guide, "Specification: Embedded metric format"."""
    own: dict[str, Any] = {
        "Namespace": "Own",
        "Dimensions": [{"Name": "service", "Value": "sample"}],
    }
    assert measured.total("Size", **own) == 6
    assert measured.total("Size", "SampleCount", **own) == 3


@pytest.mark.aws(
    "CloudWatch user guide: Using math expressions with CloudWatch metrics",
    "GetMetricData does math",
)
def test_math_is_done_on_the_metrics(measured: Measured) -> None:
    """CloudWatch user guide, "Using math expressions with CloudWatch metrics"."""
    month = json.loads(json.dumps(RATE_OF_ERRORS).replace("60", str(MONTH)))
    result = measured.data(*month)["rate"]
    assert (result["Label"], sum(result["Values"])) == ("Error rate", 20.0)


def test_a_function_that_is_not_supported_is_refused_by_name(measured: Measured) -> None:
    """With what is supported, as a ValidationError."""
    with pytest.raises(ClientError, match=r"SEARCH.*expected a function of ABS") as refused:
        measured.data({"Id": "e", "Expression": "SEARCH('Errors', 'Sum')"})
    assert refused.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.aws("CloudWatch API reference: GetMetricData", "GetMetricData comes in pages")
def test_pages_follow_each_other(measured: Measured) -> None:
    """API reference, GetMetricData: MaxDatapoints and NextToken."""
    start = measured.begun - timedelta(hours=1)
    datum = {"MetricName": "Paged", "Unit": "Count"}
    measured.cloudwatch.put_metric_data(
        Namespace="Own",
        MetricData=[
            {**datum, "Timestamp": start + timedelta(minutes=minute), "Value": minute}
            for minute in range(5)
        ],
    )
    stat = {"Metric": {"Namespace": "Own", "MetricName": "Paged"}, "Period": 60, "Stat": "Sum"}
    query = {"Id": "m", "MetricStat": stat}
    pages = [measured.data(query, MaxDatapoints=2)]
    while token := pages[-1]["token"]:
        pages.append(measured.data(query, MaxDatapoints=2, NextToken=token))
    assert [page["m"]["Values"] for page in pages] == [[0, 1], [2, 3], [4]]
    assert [page["m"]["StatusCode"] for page in pages] == ["PartialData"] * 2 + ["Complete"]


@pytest.mark.aws(
    "CloudWatch API reference: GetMetricStatistics", "GetMetricStatistics has extended statistics"
)
def test_statistics_have_percentiles_beside_them(measured: Measured) -> None:
    """API reference, GetMetricStatistics."""
    (point,) = measured.cloudwatch.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Duration",
        Dimensions=DIMENSIONS,
        StartTime=measured.begun - timedelta(hours=1),
        EndTime=measured.now() + timedelta(minutes=1),
        Period=MONTH,
        Statistics=["SampleCount", "Average"],
        ExtendedStatistics=["p50", "p99.9"],
    )["Datapoints"]
    assert (point["SampleCount"], point["Unit"]) == (10, "Milliseconds")
    assert 0 < point["ExtendedStatistics"]["p50"] < point["ExtendedStatistics"]["p99.9"]


def state(measured: Measured, name: str) -> dict[str, Any]:
    """An alarm as DescribeAlarms tells it."""
    (alarm,) = measured.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


@pytest.mark.aws(
    "CloudWatch user guide: Alarm evaluation", "An alarm's action publishes to its topic"
)
def test_an_alarm_fires_and_its_topic_says_so(measured: Measured) -> None:
    """CloudWatch user guide, "Alarm evaluation" and "Alarm actions"."""
    assert measured.outputs["Alarm"] == "fires"
    assert measured.outputs["AlarmArn"] == state(measured, "fires")["AlarmArn"]
    sqs = measured.deployed.client("sqs")

    def next_message() -> Any:
        got = sqs.receive_message(QueueUrl=measured.queue).get("Messages", [])
        return json.loads(json.loads(got[0]["Body"])["Message"]) if got else None

    message = wait_for(next_message, "the topic's message", 30)
    assert (message["AlarmName"], message["NewStateValue"]) == ("fires", "ALARM")
    assert "was greater than the threshold (10.0)" in message["NewStateReason"]
    history = measured.cloudwatch.describe_alarm_history(
        AlarmName="fires", HistoryItemType="StateUpdate"
    )["AlarmHistoryItems"]
    assert any("to ALARM" in item["HistorySummary"] for item in history)
    assert state(measured, "stays")["StateValue"] != "ALARM"


def test_an_alarm_that_is_not_reached_is_ok(measured: Measured) -> None:
    """Its minutes pass, and it never fires."""
    wait_for(lambda: state(measured, "stays")["StateValue"] == "OK", "the first evaluation")
    history = measured.cloudwatch.describe_alarm_history(AlarmName="stays")["AlarmHistoryItems"]
    assert not any("to ALARM" in item["HistorySummary"] for item in history)


def test_a_bad_alarm_is_refused(measured: Measured) -> None:
    """Not created and then silent."""
    with pytest.raises(ClientError, match=r"Period is 10; expected a multiple of 60"):
        measured.cloudwatch.put_metric_alarm(
            **ERRORS,
            AlarmName="bad",
            Statistic="Sum",
            Period=10,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )


def test_the_dashboard_is_there(measured: Measured) -> None:
    """As it was written."""
    board = measured.cloudwatch.get_dashboard(DashboardName="board")
    assert json.loads(board["DashboardBody"]) == {"widgets": []}


@pytest.mark.aws(
    "Lambda developer guide: Types of metrics for Lambda functions",
    "AsyncEventsReceived and its like are metrics",
)
def test_asynchronous_events_are_counted(measured: Measured) -> None:
    """AWS Lambda developer guide, "Asynchronous invocation metrics"."""
    lambdas = measured.deployed.client("lambda")
    before = measured.total("AsyncEventsReceived")
    lambdas.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=b"{}")
    assert measured.total("AsyncEventsReceived") == before + 1
    wait_for(lambda: measured.total("AsyncEventAge", "SampleCount") == before + 1, "the invoke")
