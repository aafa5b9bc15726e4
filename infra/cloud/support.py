"""What the local cloud makes of each resource type: imitated, recorded, or refused.

A property that is not imitated is recorded without effect and listed when it is deployed; a type
that is not here is refused before anything is created.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError

# Resource type -> properties that have their effect here.
IMITATED: dict[str, frozenset[str]] = {
    "AWS::Lambda::Function": frozenset(
        {
            "Architectures",
            "Code",
            "DeadLetterConfig",
            "Description",
            "Environment",
            "EphemeralStorage",
            "FunctionName",
            "Handler",
            "Layers",
            "LoggingConfig",
            "MemorySize",
            "PackageType",
            "ReservedConcurrentExecutions",
            "Role",
            "Runtime",
            "SnapStart",
            "Tags",
            "Timeout",
        }
    ),
    "AWS::Lambda::Version": frozenset(
        {"Description", "FunctionName", "ProvisionedConcurrencyConfig"}
    ),
    "AWS::Lambda::LayerVersion": frozenset(
        {
            "CompatibleArchitectures",
            "CompatibleRuntimes",
            "Content",
            "Description",
            "LayerName",
            "LicenseInfo",
        }
    ),
    "AWS::Lambda::Alias": frozenset(
        {
            "Description",
            "FunctionName",
            "FunctionVersion",
            "Name",
            "ProvisionedConcurrencyConfig",
            "RoutingConfig",
        }
    ),
    "AWS::Lambda::Url": frozenset(
        {"AuthType", "Cors", "InvokeMode", "Qualifier", "TargetFunctionArn"}
    ),
    "AWS::CodeDeploy::Application": frozenset({"ApplicationName", "ComputePlatform"}),
    "AWS::CodeDeploy::DeploymentGroup": frozenset(
        {
            "AlarmConfiguration",
            "ApplicationName",
            "AutoRollbackConfiguration",
            "DeploymentConfigName",
            "DeploymentGroupName",
            "DeploymentStyle",
            "ServiceRoleArn",
        }
    ),
    "AWS::Lambda::Permission": frozenset(),
    "AWS::Lambda::EventInvokeConfig": frozenset(
        {
            "DestinationConfig",
            "FunctionName",
            "MaximumEventAgeInSeconds",
            "MaximumRetryAttempts",
            "Qualifier",
        }
    ),
    "AWS::Scheduler::ScheduleGroup": frozenset({"Name", "Tags"}),
    "AWS::Scheduler::Schedule": frozenset(
        {
            "Description",
            "EndDate",
            "GroupName",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
            "Target",
        }
    ),
    "AWS::Events::Rule": frozenset(
        {"Description", "Name", "ScheduleExpression", "State", "Targets"}
    ),
    # Policies can be read back; what they allow or deny is not checked.
    "AWS::IAM::Role": frozenset({"Description", "Path", "RoleName", "Tags"}),
    "AWS::IAM::Policy": frozenset({"PolicyName", "Roles"}),
    "AWS::IAM::ManagedPolicy": frozenset({"Description", "ManagedPolicyName", "Path", "Roles"}),
    "AWS::Logs::LogGroup": frozenset(
        {
            "LogGroupName",
            "RetentionInDays",
            "Tags",
        }
    ),
    "AWS::CloudWatch::Alarm": frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "TreatMissingData",
            "Unit",
        }
    ),
    "AWS::CloudWatch::Dashboard": frozenset({"DashboardBody", "DashboardName"}),
    "AWS::SQS::Queue": frozenset(
        {
            "DelaySeconds",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "QueueName",
            "Tags",
            "VisibilityTimeout",
        }
    ),
    "AWS::SNS::Topic": frozenset({"DisplayName", "Subscription", "TopicName"}),
    "AWS::SSM::Parameter": frozenset({"Description", "Name", "Tags", "Type", "Value"}),
    "AWS::S3::Bucket": frozenset(
        {
            "BucketName",
            "Tags",
            "VersioningConfiguration",
        }
    ),
    "AWS::DynamoDB::Table": frozenset(
        {
            "AttributeDefinitions",
            "BillingMode",
            "KeySchema",
            "ProvisionedThroughput",
            "TableName",
            "Tags",
        }
    ),
}

# Accepted by their nature: nothing of them could have an effect on this machine.
RECORDED = frozenset(
    {
        "AWS::CloudFormation::WaitConditionHandle",
        "AWS::S3::BucketPolicy",
    }
)


def refuse_unsupported(template: Mapping[str, Any], false_conditions: Collection[str] = ()) -> None:
    """Raise moto's ValidationError, naming them, where resource types are neither of the two.

    A resource with one of `false_conditions` is not created, whatever its type.
    """
    refused = sorted(
        f"{name} ({resource.get('Type')})"
        for name, resource in template["Resources"].items()
        if resource.get("Type") not in IMITATED
        and resource.get("Type") not in RECORDED
        and resource.get("Condition") not in false_conditions
    )
    if refused:
        raise ValidationError(
            message="The local cloud does not imitate these resources, so it will not deploy them "
            f"as if it did: {', '.join(refused)}. Put them under a condition that is false here. "
            f"Imitated types: {', '.join(sorted(IMITATED))}"
        )


def without_effect(template: Mapping[str, Any]) -> Iterator[str]:
    """`LogicalId.Property` (or `LogicalId`) for all that is recorded but does nothing here."""
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in RECORDED or not IMITATED[kind]:
            yield f"{name} ({kind})"
            continue
        for key in resource.get("Properties") or {}:
            if key not in IMITATED[kind]:
                yield f"{name}.{key} ({kind})"
