"""What the local cloud makes of all of template.yaml: nothing in it is silently accepted."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from infra.cloud.support import IMITATED, RECORDED, without_effect
from infra.cloud.transform import plain_template
from tests.cloud.control_plane.conftest import BUCKET, REGION, ControlPlane, package

TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"
# These bring every resource that the template can have.
PARAMETERS = {
    "FunctionUrlAuth": "NONE",
    "PythonRuntime": "python3.12",
    "TargetsParameter": "ENABLED",
    "TargetsByTag": "ENABLED",
    "Memory": "ENABLED",
    "Alarms": "ENABLED",
    "MetricsNamespace": "Warmer",
}

# Resource type -> properties with their effect here, and properties that are only recorded. One
# that the template gains has to be entered here; a type that is not imitated would be refused.
CLASSIFIED: dict[str, tuple[set[str], set[str]]] = {
    "AWS::CodeDeploy::Application": ({"ComputePlatform"}, set()),
    "AWS::CodeDeploy::DeploymentGroup": (
        {
            "AlarmConfiguration",
            "ApplicationName",
            "AutoRollbackConfiguration",
            "DeploymentConfigName",
            "DeploymentStyle",
            "ServiceRoleArn",
        },
        set(),
    ),
    "AWS::CloudWatch::Alarm": (
        {
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Threshold",
            "TreatMissingData",
        },
        set(),
    ),
    # Its items stay: DynamoDB too takes days to delete what has expired.
    "AWS::DynamoDB::Table": (
        {"AttributeDefinitions", "BillingMode", "KeySchema", "TableName"},
        {"SSESpecification", "TimeToLiveSpecification"},
    ),
    "AWS::IAM::Role": ({"Description"}, {"AssumeRolePolicyDocument", "Policies"}),
    "AWS::Lambda::Alias": (
        {"FunctionName", "FunctionVersion", "Name", "ProvisionedConcurrencyConfig"},
        set(),
    ),
    "AWS::Lambda::EventInvokeConfig": (
        {
            "DestinationConfig",
            "FunctionName",
            "MaximumEventAgeInSeconds",
            "MaximumRetryAttempts",
            "Qualifier",
        },
        set(),
    ),
    "AWS::Lambda::Function": (
        {
            "Architectures",
            "Code",
            "Description",
            "Environment",
            "EphemeralStorage",
            "FunctionName",
            "Handler",
            "Layers",
            "LoggingConfig",
            "MemorySize",
            "ReservedConcurrentExecutions",
            "Role",
            "Runtime",
            "SnapStart",
            "Tags",
            "Timeout",
        },
        {"KmsKeyArn", "TracingConfig", "VpcConfig"},
    ),
    "AWS::Lambda::Permission": (
        set(),
        {
            "Action",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "SourceArn",
        },
    ),
    "AWS::Lambda::Url": ({"AuthType", "TargetFunctionArn"}, set()),
    "AWS::Lambda::Version": ({"Description", "FunctionName"}, set()),
    "AWS::Logs::LogGroup": ({"LogGroupName", "RetentionInDays"}, {"KmsKeyId"}),
    "AWS::SQS::Queue": (
        {"MessageRetentionPeriod", "QueueName"},
        {"KmsMasterKeyId", "SqsManagedSseEnabled"},
    ),
    "AWS::CloudWatch::Dashboard": ({"DashboardBody", "DashboardName"}, set()),
    "AWS::SSM::Parameter": ({"Description", "Name", "Type", "Value"}, set()),
    "AWS::Scheduler::Schedule": (
        {"Description", "Name", "ScheduleExpression", "State", "Target"},
        {"FlexibleTimeWindow"},
    ),
}


# Refused, and so under conditions that are false by default: type -> condition.
REFUSED = {
    "AWS::ApiGatewayV2::Api": "TokensAreTaken",
    "AWS::ApiGatewayV2::Stage": "TokensAreTaken",
}


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """The template as CloudFormation sees it after the Serverless transform."""
    return plain_template(_packaged(), PARAMETERS, REGION)


def _packaged() -> str:
    text = TEMPLATE.read_text()
    assert "CodeUri: infra/build" in text
    return text.replace("CodeUri: infra/build", f"CodeUri: s3://{BUCKET}/project")


def _accepted(template: dict[str, Any]) -> dict[str, Any]:
    """The resources that the cloud makes or records."""
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] not in REFUSED
    }


def _properties(template: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for resource in _accepted(template).values():
        found.setdefault(resource["Type"], set()).update(resource.get("Properties") or {})
    return found


def test_every_type_and_property_is_imitated_or_recorded(plain: dict[str, Any]) -> None:
    """The table above is all of them, each as the cloud's own table has it."""
    expected = {kind: imitated | noted for kind, (imitated, noted) in CLASSIFIED.items()}
    assert _properties(plain) == expected
    for kind, (imitated, noted) in CLASSIFIED.items():
        known = IMITATED.get(kind, frozenset())
        assert imitated <= known, kind
        assert not noted & known, kind


@pytest.mark.aws(
    "CloudFormation template reference",
    "IAM policies and permissions, flexible time windows, keys, VPC and tracing of a template",
    how="recorded",
)
def test_all_that_is_only_recorded_is_listed(plain: dict[str, Any]) -> None:
    """By logical id: whole resources, or their properties."""
    expected = set()
    for name, resource in _accepted(plain).items():
        kind = resource["Type"]
        imitated, noted = CLASSIFIED[kind]
        if kind in RECORDED or not imitated:
            expected.add(f"{name} ({kind})")
        else:
            for key in noted & set(resource.get("Properties") or {}):
                expected.add(f"{name}.{key} ({kind})")
    assert set(without_effect({"Resources": _accepted(plain)})) == expected


def test_what_is_refused_is_under_a_condition_that_is_false_by_default(
    plain: dict[str, Any],
) -> None:
    """So that the template can be deployed here; with tokens it is refused before anything."""
    refused = [one for one in plain["Resources"].values() if one["Type"] in REFUSED]
    assert {one["Type"]: one["Condition"] for one in refused} == REFUSED
    tokens = {"JwtIssuer": "https://issuer.example", "JwtAudience": "models"}
    with pytest.raises(
        ValidationError, match=r"will not deploy them.* InferenceApi \(AWS::ApiGatewayV2::Api\)"
    ):
        plain_template(_packaged(), {**PARAMETERS, **tokens}, REGION)


def test_a_deployment_prints_what_is_only_recorded(
    control: ControlPlane, plain: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """As a warning, which `warmer cloud up` shows without being asked."""
    control.s3.put_object(BUCKET, "project", package())
    with caplog.at_level(logging.WARNING, "warmer.cloud"):
        # This control plane has no CloudWatch; tests/cloud/deployed has.
        stack = control.deploy(plain, {**PARAMETERS, "Alarms": "DISABLED"})
    assert stack.status == "CREATE_COMPLETE"
    (message,) = [item.message for item in caplog.records if "without effect" in item.message]
    told = set(message.partition("without effect: ")[2].split(", "))
    assert told <= set(without_effect({"Resources": _accepted(plain)}))
    # What the parameters leave out is not there: no key, and no VPC.
    assert "InferenceRole.Policies (AWS::IAM::Role)" in told
    assert not [item for item in told if "KmsKey" in item or "Vpc" in item]
