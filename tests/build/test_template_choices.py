"""The choices that template.yaml offers: a pair can be deployed, or a rule says why not."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.rules import broken_rules
from infra.cloud.transform import parameter_values, plain_template
from tests.build.conftest import ROOT
from tests.build.test_translation import creation_order, references

TEMPLATE = ROOT / "template.yaml"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:digits:3"
VPC = {"VpcSubnets": "subnet-0a,subnet-0b", "VpcSecurityGroups": "sg-0c"}

# One choice each, as a user makes it.
CHOICES: dict[str, dict[str, str]] = {
    "arm64": {"Architecture": "arm64"},
    "public URL": {"FunctionUrlAuth": "NONE"},
    "tokens": {"JwtIssuer": "https://issuer.example/pool", "JwtAudience": "models"},
    "model in a layer": {"ModelSource": "LAYER", "ModelLayer": LAYER},
    "model in S3": {"ModelSource": "S3", "ModelPath": "bucket/models/digits"},
    "large /tmp": {"EphemeralStorage": "2048"},
    "reserved": {"ReservedConcurrency": "100"},
    "provisioned": {"ProvisionedConcurrency": "5"},
    "SnapStart": {"SnapStart": "ENABLED"},
    "no schedule": {"Warming": "DISABLED"},
    "targets in SSM": {"TargetsParameter": "ENABLED"},
    "targets by tag": {"TargetsByTag": "ENABLED"},
    "memory": {"Memory": "ENABLED"},
    "policy": {"WarmPolicy": "auto:rate=0.01"},
    "small warmer": {"WarmerMemorySize": "256"},
    "metrics": {"MetricsNamespace": "Warmer"},
    "dashboard": {"MetricsNamespace": "Warmer", "Dashboard": "ENABLED"},
    "alarms": {"Alarms": "ENABLED"},
    "alarm topic": {"Alarms": "ENABLED", "AlarmTopic": TOPIC},
    "no silence alarm": {"Alarms": "ENABLED", "AlarmSilence": "0"},
    "canary": {"DeploymentType": "Canary10Percent5Minutes"},
    "linear": {"DeploymentType": "Linear10PercentEvery1Minute"},
    "tracing": {"Tracing": "Active"},
    "key": {"KmsKey": KEY},
    "VPC": VPC,
    "warmer in VPC": {**VPC, "LambdaEndpoint": "vpce-0123456789abcdef0"},
}
# Pairs that the rules refuse; some choices say the opposite of each other and are no pair.
REFUSED = {("large /tmp", "SnapStart"), ("provisioned", "SnapStart")}
CONTRARY = {
    ("model in a layer", "model in S3"),
    ("alarm topic", "no silence alarm"),
    ("canary", "linear"),
}
PAIRS = [pair for pair in itertools.combinations(CHOICES, 2) if pair not in CONTRARY]


@cache
def text() -> str:
    """The template, with its package in S3 as `sam package` leaves it."""
    return TEMPLATE.read_text(encoding="utf-8").replace("CodeUri: infra/build", "CodeUri: s3://b/k")


@cache
def plain(deployment: str, tracing: str) -> dict[str, Any]:
    """What CloudFormation gets, for the parameters that the transform reads."""
    chosen = {"DeploymentType": deployment, "Tracing": tracing}
    return plain_template(text(), chosen, "us-east-1")


def transformed(choices: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The plain template for these choices, and the value of every parameter."""
    template = plain(
        choices.get("DeploymentType", "AllAtOnce"), choices.get("Tracing", "PassThrough")
    )
    return copy.deepcopy(template), parameter_values(template, choices)


def truth(template: Mapping[str, Any], node: Any, values: Mapping[str, str]) -> bool:
    """What a condition is for these values of parameters."""
    ((function, given),) = node.items()
    if function == "Condition":
        return truth(template, template["Conditions"][given], values)
    if function == "Fn::Not":
        return not truth(template, given[0], values)
    if function == "Fn::And":
        return all(truth(template, item, values) for item in given)
    assert function == "Fn::Equals", node
    left, right = (values[item["Ref"]] if isinstance(item, dict) else str(item) for item in given)
    return left == right


def chosen(template: Mapping[str, Any], node: Any, values: Mapping[str, str]) -> Any:
    """A part of the template with every `Fn::If` decided, and without what has no value."""
    if isinstance(node, dict) and "Fn::If" in node:
        condition, then, otherwise = node["Fn::If"]
        holds = truth(template, {"Condition": condition}, values)
        return chosen(template, then if holds else otherwise, values)
    if isinstance(node, dict):
        found = {key: chosen(template, item, values) for key, item in node.items()}
        return {key: item for key, item in found.items() if item != {"Ref": "AWS::NoValue"}}
    if isinstance(node, list):
        items = [chosen(template, item, values) for item in node]
        return [item for item in items if item != {"Ref": "AWS::NoValue"}]
    return node


def resources(choices: Mapping[str, str]) -> dict[str, Any]:
    """The resources that these choices come to."""
    template, values = transformed(choices)
    return {
        name: chosen(template, resource, values)
        for name, resource in template["Resources"].items()
        if "Condition" not in resource
        or truth(template, {"Condition": resource["Condition"]}, values)
    }


KNOWN = {"Alias", "Bucket", "GbSecond", "Ramp", "Request", "Signature", "ConfigName"}
"""Names that `Fn::Sub` is given values for."""


def check(choices: Mapping[str, str]) -> None:
    """No cycle, and nothing refers to a resource that the choices leave out."""
    made = resources(choices)
    creation_order(made)
    known = {*made, *transformed(choices)[0]["Parameters"], *KNOWN}
    named = {name for name in references(list(made.values())) if not name.startswith("AWS::")}
    assert named <= known


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_choices_go_together(pair: tuple[str, str]) -> None:
    """Or a rule refuses them."""
    choices = {**CHOICES[pair[0]], **CHOICES[pair[1]]}
    assert bool(broken_rules(*transformed(choices))) == (pair in REFUSED)
    check(choices)


@settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(CHOICES))))
def test_any_choices_go_together(names: set[str]) -> None:
    """However many: those that no rule refuses by itself or in pairs, no rule refuses."""
    choices = {key: value for name in sorted(names) for key, value in CHOICES[name].items()}
    refused = any(set(pair) <= names for pair in (*REFUSED, *CONTRARY))
    assert refused or not broken_rules(*transformed(choices))
    check(choices)


DEPLOYMENTS = plain("AllAtOnce", "PassThrough")["Parameters"]["DeploymentType"]["AllowedValues"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("tracing", ["PassThrough", "Active"])
def test_the_transform_takes_every_deployment_type(deployment: str, tracing: str) -> None:
    """Each is one of CodeDeploy's own configurations, under its whole name."""
    group = plain(deployment, tracing)["Resources"]["InferenceFunctionDeploymentGroup"]
    name, names = group["Properties"]["DeploymentConfigName"]["Fn::Sub"]
    assert (name, names) == ("CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": deployment})


@pytest.mark.parametrize(
    ("choices", "rule", "remedy"),
    [
        (
            {"SnapStart": "ENABLED", "ProvisionedConcurrency": "1"},
            "SnapStartOrProvisioned",
            "Set ProvisionedConcurrency to 0",
        ),
        (
            {"SnapStart": "ENABLED", "EphemeralStorage": "513"},
            "SnapStartOrProvisioned",
            "Set EphemeralStorage to 512",
        ),
        ({"ModelSource": "LAYER"}, "LayerHasModel", "Set ModelLayer"),
        ({"ModelLayer": LAYER}, "LayerIsUsed", "leave ModelLayer empty"),
        ({"JwtIssuer": "https://issuer.example"}, "IssuerHasAudience", "Set JwtAudience"),
        ({"JwtAudience": "models"}, "AudienceHasIssuer", "leave JwtAudience empty"),
        ({"VpcSubnets": "subnet-0a"}, "FunctionsInVpcHaveSecurityGroups", "Set VpcSecurityGroups"),
        ({"VpcSecurityGroups": "sg-0a"}, "SecurityGroupsHaveSubnets", "leave VpcSecurityGroups"),
        ({"LambdaEndpoint": "vpce-0a"}, "EndpointIsInVpc", "leave LambdaEndpoint empty"),
        ({"AlarmTopic": TOPIC}, "TopicHasAlarms", "Set Alarms to ENABLED"),
        ({"Dashboard": "ENABLED"}, "DashboardHasMetrics", "to Warmer for example"),
        ({"WarmSchedule": "rate(2 minutes)"}, "OneRunAtATime", "Set Memory to ENABLED"),
    ],
)
def test_a_combination_that_cannot_work_is_refused(
    choices: dict[str, str], rule: str, remedy: str
) -> None:
    """Before anything is created, with what to do."""
    template, values = transformed(choices)
    (found,) = broken_rules(template, values).items()
    assert found[0] == rule
    assert remedy in found[1]


def test_the_defaults_break_no_rule() -> None:
    """And neither does any single choice."""
    often = {"WarmSchedule": "rate(1 minute)", "Memory": "ENABLED"}
    for choices in ({}, often, *CHOICES.values()):
        assert broken_rules(*transformed(choices)) == {}


def test_every_parameter_is_grouped_and_described() -> None:
    """In the console, where a user meets them first."""
    template, _ = transformed({})
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert all(rules["Description"] for rules in template["Parameters"].values())


def test_every_parameter_is_documented_with_its_default() -> None:
    """In the README's table, in the order of the console."""
    template, _ = transformed({})
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z][A-Za-z]+)` \| (none|`[^`]+`|[\d.]+) \|", readme, re.MULTILINE)
    defaults = {name: str(rules["Default"]) for name, rules in template["Parameters"].items()}
    assert {name: value.strip("`").replace("none", "") for name, value in rows} == defaults


def test_the_alarms_cost_what_is_said() -> None:
    """$0.10 a month for each metric of an alarm (CloudWatch pricing page, us-east-1)."""

    def dollars(choices: dict[str, str]) -> str:
        made = resources({"Alarms": "ENABLED", **choices}).values()
        alarms = [r["Properties"] for r in made if r["Type"] == "AWS::CloudWatch::Alarm"]
        metrics = sum(
            sum("MetricStat" in metric for metric in alarm.get("Metrics", [{"MetricStat": 1}]))
            for alarm in alarms
        )
        return f"{metrics / 10:.2f}"

    without, with_metrics = dollars({}), dollars({"MetricsNamespace": "Warmer"})
    said = transformed({})[0]["Parameters"]["Alarms"]["Description"]
    more = f"{float(with_metrics) - float(without):.2f}"
    assert re.findall(r"\$(\d\.\d\d)", said) == [without, more]


@pytest.mark.parametrize("alarm", ["ErrorsAlarm", "NewVersionErrorsAlarm"])
def test_alarms_of_a_deploy_name_the_alias_by_text(alarm: str) -> None:
    """The alias waits for CodeDeploy, and that for its alarms: a reference would make a cycle."""
    made = resources({"Alarms": "ENABLED"})
    dimensions = {d["Name"]: d["Value"] for d in made[alarm]["Properties"]["Dimensions"]}
    assert dimensions["Resource"] == {"Fn::Sub": "${InferenceFunction}:live"}
    group = made["InferenceFunctionDeploymentGroup"]["Properties"]
    assert {"Name": {"Ref": alarm}} in group["AlarmConfiguration"]["Alarms"]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_a_key_encrypts_all_that_is_kept() -> None:
    """Logs, variables, dead letters and the table."""
    made = resources({"KmsKey": KEY, "Memory": "ENABLED"})
    kept = {
        "AWS::DynamoDB::Table": lambda p: p["SSESpecification"]["KMSMasterKeyId"],
        "AWS::Lambda::Function": lambda p: p["KmsKeyArn"],
        "AWS::Logs::LogGroup": lambda p: p["KmsKeyId"],
        "AWS::SQS::Queue": lambda p: p["KmsMasterKeyId"],
    }
    used = [kept[r["Type"]](r["Properties"]) for r in made.values() if r["Type"] in kept]
    assert used == [{"Ref": "KmsKey"}] * 8


def test_cors_is_closed() -> None:
    """No page of another origin may call the URL."""
    assert (
        "Cors" not in resources({"FunctionUrlAuth": "NONE"})["InferenceFunctionUrl"]["Properties"]
    )


@pytest.mark.parametrize("function", ["Inference", "PreTraffic", "Warmer"])
def test_events_that_fail_are_kept(function: str) -> None:
    """With the error, in the queue that the dead-letters alarm watches."""
    made = resources({})
    config = made[f"{function}FunctionEventInvokeConfig"]["Properties"]["DestinationConfig"]
    assert config == {"OnFailure": {"Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}}


def test_what_the_scheduler_cannot_deliver_is_kept() -> None:
    """By a role that may do this and run the warmer."""
    target = resources({})["WarmerFunctionSchedule"]["Properties"]["Target"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    assert target["RoleArn"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}
