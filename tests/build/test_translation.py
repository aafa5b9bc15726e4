"""What AWS's own library makes of template.yaml: the resources that CloudFormation gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from tests.build.conftest import ROOT
from warmer.fleet.expressions import parse
from warmer.fleet.shift import TrafficShift
from warmer.fleet.target import Target, targets_from_json

Template = dict[str, Any]

CHOICES = [
    {"FunctionUrlAuth": auth, "Architecture": architecture, "DeploymentType": deployment, **others}
    for auth, architecture in (("AWS_IAM", "x86_64"), ("NONE", "arm64"))
    for deployment in ("AllAtOnce", "Canary10Percent5Minutes", "Linear10PercentEvery1Minute")
    for others in ({}, {"Alarms": "ENABLED", "Tracing": "Active", "MetricsNamespace": "Warmer"})
]


def translate(choices: Mapping[str, str]) -> Template:
    """template.yaml as the Serverless transform leaves it, for these parameters."""
    template = yaml_parse(ROOT.joinpath("template.yaml").read_text(encoding="utf-8"))
    # `sam build` and `sam package` put the place of the package here.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    translated: Template = Translator({}, Parser()).translate(template, dict(choices))
    return translated


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transform asks for the region's partition."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def resources() -> Template:
    """The resources for the parameters' defaults."""
    found: Template = translate({})["Resources"]
    return found


def references(value: object) -> Iterator[str]:
    """Every name that a value refers to: Ref, Fn::GetAtt, Fn::Sub."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item.split(".")[0] if isinstance(item, str) else item[0]
            elif key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text))
            yield from references(item)


def creation_order(resources: Mapping[str, Any]) -> list[str]:
    """An order in which the resources can be created; CycleError if there is none."""
    graph = {}
    for name, resource in resources.items():
        explicit = resource.get("DependsOn", [])
        needed = {*references(resource), *([explicit] if isinstance(explicit, str) else explicit)}
        graph[name] = needed & resources.keys()
    return list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("choices", CHOICES)
def test_resources_can_be_created_in_some_order(choices: Mapping[str, str]) -> None:
    """No cycle of references, which neither `sam validate` nor cfn-lint would see."""
    order = creation_order(translate(choices)["Resources"])
    alias, role = order.index("InferenceFunctionAliaslive"), order.index("WarmerRole")
    assert order.index("InferenceFunction") < alias < role < order.index("WarmerFunction")
    assert order.index("PreTrafficFunction") < alias


def test_the_schedule_comes_to_be_after_the_alias(resources: Template) -> None:
    """A first deploy runs no hook: the schedule's first run warms it, at once where it is a rate.

    AWS page: EventBridge Scheduler user guide, "Schedule types": a rate without a StartDate invokes
    its target as soon as it is made.
    """
    needed: set[str] = set()
    ahead = ["WarmerFunctionSchedule"]
    while ahead:
        name = ahead.pop()
        found = set(references(resources[name])) & resources.keys()
        ahead += found - needed
        needed |= found
    assert "InferenceFunctionAliaslive" in needed
    assert "StartDate" not in resources["WarmerFunctionSchedule"]["Properties"]


def test_the_alias_moves_once_its_hook_agrees(resources: Template) -> None:
    """The hook knows the version from a variable, which changes before the alias does."""
    update = resources["InferenceFunctionAliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update["BeforeAllowTrafficHook"] == {"Ref": "PreTrafficFunction"}
    variables = resources["PreTrafficFunction"]["Properties"]["Environment"]["Variables"]
    version = resources["InferenceFunctionAliaslive"]["Properties"]["FunctionVersion"]
    assert variables["WARMER_VERSION"] == {"Ref": version["Fn::GetAtt"][0]}
    assert variables["WARMER_CONCURRENCY"]["Fn::If"][0] == "WarmingIsEnabled"


def test_the_hook_is_not_run_twice(resources: Template) -> None:
    """It reports its own failure; a retry would find the lifecycle event ended."""
    invoke = resources["PreTrafficFunctionEventInvokeConfig"]["Properties"]
    assert invoke["MaximumRetryAttempts"] == 0


def test_codedeploy_may_move_one_alias_and_ask_one_hook(resources: Template) -> None:
    """With a role of the template's own: SAM's may move every alias of the account."""
    assert "CodeDeployServiceRole" not in resources
    (policy,) = resources["DeploymentRole"]["Properties"]["Policies"]
    allowed = {
        action: statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert allowed["lambda:InvokeFunction"] == {"Fn::GetAtt": ["PreTrafficFunction", "Arn"]}
    assert {action for action, resource in allowed.items() if resource == "*"} == {
        "cloudwatch:DescribeAlarms"
    }


def test_the_hook_may_ping_versions_of_one_function(resources: Template) -> None:
    """And report, and read metrics, which cannot be told apart by resource."""
    allowed = [s for s in statements(resources, "PreTrafficRole") if not s["If"]]
    (invoking,) = [s for s in allowed if "lambda:InvokeFunction" in actions(s)]
    assert invoking["Resource"] == {"Fn::Sub": "${InferenceFunction.Arn}:*"}
    assert [s["Action"] for s in allowed if s["Resource"] == "*"] == [
        ["lambda:GetAccountSettings", "cloudwatch:GetMetricData"]
    ]


def test_a_cycle_would_be_seen(resources: Template) -> None:
    """A function whose environment names its own alias is the usual one."""
    variables = {"Variables": {"ALIAS": {"Fn::Sub": ["${A}", {"A": {"Ref": "WarmerRole"}}]}}}
    resources["InferenceFunction"]["Properties"]["Environment"] = variables
    with pytest.raises(CycleError):
        creation_order(resources)


@pytest.mark.parametrize("choices", CHOICES)
def test_every_reference_is_to_something(choices: Mapping[str, str]) -> None:
    """Outputs and resources name only resources, parameters and substitutions."""
    template = translate(choices)
    local = {
        "Alias",
        "Bucket",
        "GbSecond",
        "Ramp",
        "Request",
        "Signature",
        "ConfigName",
    }  # which substitutions define themselves
    known = {*template["Resources"], *template["Parameters"], *local}
    used = set(references([template["Resources"], template["Outputs"]]))
    assert {name for name in used - known if not name.startswith("AWS::")} == set()


OF_NO_RESOURCE = {
    "cloudwatch:GetMetricData",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "lambda:GetAccountSettings",
    "tag:GetResources",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
# What ends in * and is no more than it says: versions, groups of one application,
# network interfaces that Lambda makes and names, and a model's files.
OF_MANY_RESOURCES = (
    "${InferenceFunction.Arn}:*",
    "deploymentgroup:${ServerlessDeploymentApplication}/*",
    "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:*/*",
    "arn:${AWS::Partition}:s3:::${ModelPath}/*",
)


def under_condition(item: Template) -> tuple[str, Template]:
    """What `Fn::If` gives where its condition, which comes first, is true; "" for none."""
    if "Fn::If" not in item:
        return "", item
    condition, then, otherwise = item["Fn::If"]
    assert otherwise == {"Ref": "AWS::NoValue"}
    return condition, then


def statements(resources: Template, role: str) -> list[Template]:
    """Every statement of a role, those under a condition too, each with its condition's name."""
    found = []
    for policy in resources[role]["Properties"]["Policies"]:
        of_policy, given = under_condition(policy)
        for statement in given["PolicyDocument"]["Statement"]:
            condition, then = under_condition(statement)
            found.append({**then, "If": of_policy or condition})
    return found


def actions(statement: Template) -> set[str]:
    """A statement's actions."""
    named = statement["Action"]
    return {named} if isinstance(named, str) else set(named)


def test_the_warmer_may_invoke_its_target_and_nothing_else(resources: Template) -> None:
    """Its alias and its versions; no functions of a similar name, unless tags are asked for."""
    invoking = [
        s for s in statements(resources, "WarmerRole") if "lambda:InvokeFunction" in actions(s)
    ]
    of_target, by_tag = invoking
    assert of_target["If"] == ""
    assert of_target["Resource"] == [
        {"Ref": "InferenceFunctionAliaslive"},
        {"Fn::Sub": "${InferenceFunction.Arn}:*"},
    ]
    assert by_tag["If"] == "TargetsAreTagged"
    assert by_tag["Condition"] == {"Null": {"aws:ResourceTag/warmer:concurrency": "false"}}


@pytest.mark.parametrize("role", ["InferenceRole", "PreTrafficRole", "ScheduleRole", "WarmerRole"])
def test_no_role_has_a_wildcard(resources: Template, role: str) -> None:
    """Save for actions that know no resources, what is listed above, and tagged functions."""
    for statement in statements(resources, role):
        assert not any("*" in action for action in actions(statement))
        if actions(statement) <= OF_NO_RESOURCE or statement["Effect"] == "Deny":
            continue
        text = json.dumps(statement["Resource"])
        for many in OF_MANY_RESOURCES:
            text = text.replace(many, "")
        assert "Condition" in statement or "*" not in text, statement
    assert "ManagedPolicyArns" not in resources[role]["Properties"]


@pytest.mark.parametrize(
    ("parameter", "condition", "permissions"),
    [
        ("TargetsParameter", "TargetsAreInParameter", {"ssm:GetParameter"}),
        ("TargetsByTag", "TargetsAreTagged", {"tag:GetResources"}),
        (
            "Memory",
            "MemoryIsKept",
            {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem"},
        ),
    ],
)
def test_what_is_switched_off_is_not_allowed(
    resources: Template, parameter: str, condition: str, permissions: set[str]
) -> None:
    """A permission comes with the parameter that needs it, which is off by default."""
    assert translate({})["Parameters"][parameter]["Default"] == "DISABLED"
    allowed = [s for s in statements(resources, "WarmerRole") if actions(s) & permissions]
    assert [(s["If"], actions(s)) for s in allowed] == [(condition, permissions)]


def test_only_a_warmer_with_a_policy_may_move_its_schedule(resources: Template) -> None:
    """Its own, and it may pass on no other role than that schedule's."""
    allowed = [s for s in statements(resources, "WarmerRole") if s["If"] == "PolicyIsAsked"]
    schedule, role = allowed
    assert actions(schedule) == {"scheduler:GetSchedule", "scheduler:UpdateSchedule"}
    assert schedule["Resource"]["Fn::Sub"].endswith(":schedule/default/${AWS::StackName}-warmer")
    assert actions(role) == {"iam:PassRole"}
    assert role["Resource"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}
    assert role["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_another_policy_sets_the_schedule_anew(resources: Template) -> None:
    """Else it would stay where the last policy moved it: CloudFormation sees no change there."""
    description = resources["WarmerFunctionSchedule"]["Properties"]["Description"]
    condition, asked, not_asked = description["Fn::If"]
    assert condition == "PolicyIsAsked"
    assert "${WarmPolicy}" in asked["Fn::Sub"] and asked != not_asked


def test_a_late_run_of_the_warmer_is_dropped(resources: Template) -> None:
    """Neither Lambda nor the scheduler tries again or keeps the event for more than a minute."""
    expected = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    invoke = resources["WarmerFunctionEventInvokeConfig"]["Properties"]
    assert expected == {key: invoke[key] for key in expected}
    schedule = resources["WarmerFunctionSchedule"]["Properties"]
    assert expected == schedule["Target"]["RetryPolicy"]
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_two_stacks_share_no_name(resources: Template) -> None:
    """Every name that is given is the stack's own."""
    keys = {
        "AWS::Lambda::Function": "FunctionName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::Scheduler::Schedule": "Name",
        "AWS::SSM::Parameter": "Name",
        "AWS::DynamoDB::Table": "TableName",
        "AWS::SQS::Queue": "QueueName",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
    }
    named = [r["Properties"][keys[r["Type"]]] for r in resources.values() if r["Type"] in keys]
    assert len(named) == 21
    own = {"Ref": "AWS::StackName"}
    assert all(name == own or "${AWS::StackName}" in name["Fn::Sub"] for name in named)
    assert all("RoleName" not in resource["Properties"] for resource in resources.values())


@pytest.mark.parametrize("function", ["Inference", "PreTraffic", "Warmer"])
def test_logs_go_to_a_group_with_retention(resources: Template, function: str) -> None:
    """The group has the name that Lambda would have given it, so every tool finds it."""
    logging = resources[f"{function}Function"]["Properties"]["LoggingConfig"]
    assert logging == {"LogGroup": {"Ref": f"{function}LogGroup"}}
    group = resources[f"{function}LogGroup"]["Properties"]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    name = resources[f"{function}Function"]["Properties"]["FunctionName"]["Fn::Sub"]
    assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/{name}"}


@pytest.mark.parametrize("ramp", ["", "Linear10PercentEvery1Minute"])
def test_the_warmer_can_read_its_targets(resources: Template, ramp: str) -> None:
    """What the variable or the parameter says is what the warmer can parse."""
    variables = resources["WarmerFunction"]["Properties"]["Environment"]["Variables"]
    condition, empty, listed = variables["WARMER_TARGETS"]["Fn::If"]
    assert (condition, empty) == ("TargetsAreInParameter", "")
    assert resources["WarmTargets"]["Properties"]["Value"] == listed
    text, parts = listed["Fn::Sub"]
    condition, with_ramp, without = parts["Ramp"]["Fn::If"]
    assert (condition, without) == ("TrafficShiftsInSteps", "")
    values = {
        "InferenceFunction": "stack-inference",
        "WarmConcurrency": "10",
        "Ramp": with_ramp["Fn::Sub"].replace("${DeploymentType}", ramp) if ramp else without,
    }
    (target,) = targets_from_json(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text))
    assert target == Target("stack-inference", "live", concurrency=10, ramp=ramp or None)


def test_the_hook_warms_to_the_share_that_comes_next(resources: Template) -> None:
    """It knows how CodeDeploy shifts, and for how long what it warms is counted on to stay."""
    variables = resources["PreTrafficFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["WARMER_RAMP"] == {"Ref": "DeploymentType"}
    assert variables["WARMER_IDLE_LIFETIME_SECONDS"] == {"Ref": "IdleLifetime"}
    for name in translate({})["Parameters"]["DeploymentType"]["AllowedValues"]:
        assert TrafficShift.parse(name).share_within(0.0, 86400) == 1.0


def test_a_change_of_configuration_publishes_a_version(resources: Template) -> None:
    """The alias would not see a change of memory otherwise."""
    template = yaml_parse(ROOT.joinpath("template.yaml").read_text(encoding="utf-8"))
    properties = template["Resources"]["InferenceFunction"]["Properties"]
    assert properties["AutoPublishAliasAllProperties"] is True


def test_the_url_is_public_only_if_asked_for(resources: Template) -> None:
    """Both permissions that a public URL needs hang on one condition."""
    permissions = [
        resource
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Permission"
        and resource["Properties"]["Principal"] == "*"
    ]
    assert [permission["Condition"] for permission in permissions] == ["UrlIsPublic"] * 2
    actions = {permission["Properties"]["Action"] for permission in permissions}
    assert {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} == actions


SCHEDULER_PRECISION_SECONDS = 60
"""EventBridge Scheduler user guide, "Schedule types": a target is invoked within the minute."""


def test_two_runs_of_the_warmer_cannot_overlap(resources: Template) -> None:
    """Even the latest run has ended when the next one begins, without any reserved concurrency.

    One may begin a minute late at the scheduler, wait in Lambda's queue until its event is too old,
    and then take all of its time-out; it is not repeated. (Delivering one event twice, which both
    services reserve for rare cases, is left to the first 429 and the accounts' limits.)
    """
    asynchronous = resources["WarmerFunctionEventInvokeConfig"]["Properties"]
    latest_start = SCHEDULER_PRECISION_SECONDS + asynchronous["MaximumEventAgeInSeconds"]
    end = latest_start + resources["WarmerFunction"]["Properties"]["Timeout"]
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = parse(translate({})["Parameters"]["WarmSchedule"]["Default"])
    first = schedule.next_after(moment, ZoneInfo("UTC"), anchor=moment)
    assert first is not None
    second = schedule.next_after(first, ZoneInfo("UTC"), anchor=moment)
    assert second is not None
    assert end <= (second - first).total_seconds()
