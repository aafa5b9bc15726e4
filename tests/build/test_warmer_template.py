"""infra/warmer/template.yaml, the warmer alone: its choices, and what it shares with the other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from infra.cloud.rules import broken_rules
from infra.cloud.transform import parameter_values, plain_template
from tests.build.conftest import ROOT
from tests.build.test_template_choices import KEY, TOPIC, chosen, plain, truth
from tests.build.test_translation import (
    OF_NO_RESOURCE,
    actions,
    creation_order,
    references,
    statements,
)

TEMPLATE = ROOT / "infra" / "warmer" / "template.yaml"
DOCUMENT = ROOT / "docs" / "two-stacks.md"
ENDPOINT = {"LambdaEndpoint": "vpce-0a"}
VPC = {"VpcSubnets": "subnet-0a", "VpcSecurityGroups": "sg-0a", **ENDPOINT}
CHOICES: dict[str, dict[str, str]] = {
    "arm64": {"Architecture": "arm64"},
    "no schedule": {"Warming": "DISABLED"},
    "memory": {"Memory": "ENABLED"},
    "policy": {"WarmPolicy": "auto:rate=0.01"},
    "small warmer": {"WarmerMemorySize": "256"},
    "reserved": {"ReservedConcurrency": "2"},
    "metrics": {"MetricsNamespace": "Warmer"},
    "dashboard": {"MetricsNamespace": "Warmer", "Dashboard": "ENABLED"},
    "alarms": {"Alarms": "ENABLED"},
    "alarm topic": {"Alarms": "ENABLED", "AlarmTopic": TOPIC},
    "tracing": {"Tracing": "Active"},
    "key": {"KmsKey": KEY},
    "VPC": VPC,
}


@cache
def transformed() -> dict[str, Any]:
    """What CloudFormation gets."""
    text = re.sub(r"(CodeUri|ContentUri): \.\./build", r"\1: s3://b/k", TEMPLATE.read_text("utf-8"))
    return plain_template(text, {}, "us-east-1")


def made(choices: Mapping[str, str]) -> dict[str, Any]:
    """The resources that these choices come to."""
    template, values = transformed(), parameter_values(transformed(), choices)
    return {
        name: chosen(template, resource, values)
        for name, resource in template["Resources"].items()
        if "Condition" not in resource
        or truth(template, {"Condition": resource["Condition"]}, values)
    }


@pytest.mark.parametrize("pair", list(itertools.combinations(CHOICES, 2)), ids=" + ".join)
def test_two_choices_go_together(pair: tuple[str, str]) -> None:
    """No rule refuses them, there is no cycle, and nothing refers to what is left out."""
    choices = {**CHOICES[pair[0]], **CHOICES[pair[1]]}
    assert broken_rules(transformed(), parameter_values(transformed(), choices)) == {}
    found = made(choices)
    creation_order(found)
    known = {*found, *transformed()["Parameters"]}
    named = {name for name in references(list(found.values())) if not name.startswith("AWS::")}
    assert named <= known


@pytest.mark.parametrize(
    ("choices", "rule"),
    [
        ({"VpcSubnets": "subnet-0a", "VpcSecurityGroups": "sg-0a"}, "WarmerInVpcIsComplete"),
        (ENDPOINT, "WarmerInVpcIsComplete"),
        ({"AlarmTopic": TOPIC}, "TopicHasAlarms"),
        ({"WarmSchedule": "rate(1 minute)"}, "OneRunAtATime"),
        ({"Dashboard": "ENABLED"}, "DashboardHasMetrics"),
    ],
)
def test_what_cannot_work_is_refused(choices: dict[str, str], rule: str) -> None:
    """Before anything is created, with the remedy."""
    ((found, said),) = broken_rules(transformed(), parameter_values(transformed(), choices)).items()
    assert found == rule
    assert "Set " in said


def test_every_parameter_is_documented_with_its_default() -> None:
    """In docs/two-stacks.md; and grouped and described for the console."""
    template = transformed()
    table = DOCUMENT.read_text("utf-8").split("| parameter | default | meaning |")[1]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", table, re.MULTILINE)
    shown = {name: default.strip(" `").replace("none", "") for name, default in rows}
    assert shown == {n: str(rules["Default"]) for n, rules in template["Parameters"].items()}
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(n for group in groups for n in group["Parameters"]) == sorted(shown)
    assert all(rules["Description"] for rules in template["Parameters"].values())


def test_parameters_that_both_templates_have_take_the_same_values() -> None:
    """Who knows one knows the other; what they say may differ."""
    other = plain("AllAtOnce", "PassThrough")["Parameters"]
    for name, rules in transformed()["Parameters"].items():
        kept = {key: value for key, value in rules.items() if key != "Description"}
        assert kept == {k: v for k, v in other[name].items() if k != "Description"}, name


SAME = (
    "DeadLetters",
    "DeadLettersAlarm",
    "ScheduleRole",
    "SilenceAlarm",
    "WarmPoolAlarm",
    "WarmerErrorsAlarm",
    "WarmerFunctionEventInvokeConfig",
    "WarmerFunctionSchedule",
    "WarmerLogGroup",
    "WarmerMemory",
)


@pytest.mark.parametrize("name", SAME)
def test_what_both_templates_have_is_the_same(name: str) -> None:
    """Both warmers run, fail and alarm alike."""
    own, other = (
        {key: value for key, value in t["Resources"][name].items() if key != "Metadata"}
        for t in (transformed(), plain("AllAtOnce", "PassThrough"))
    )
    assert own == other


def test_the_warmer_may_invoke_what_is_tagged_and_nothing_else() -> None:
    """By a condition on the tag; other wildcards know no resources or are Lambda's own."""
    found = statements(transformed()["Resources"], "WarmerRole")
    (invoking,) = [s for s in found if "lambda:InvokeFunction" in actions(s)]
    assert invoking["Condition"] == {"Null": {"aws:ResourceTag/warmer:concurrency": "false"}}
    for statement in found:
        assert not any("*" in action for action in actions(statement))
        wild = statement["Resource"] == "*" and statement["Effect"] == "Allow"
        assert not wild or actions(statement) <= OF_NO_RESOURCE


def test_the_alarms_and_metrics_cost_what_is_said() -> None:
    """$0.10 a month for each metric of an alarm, $0.30 for a metric (CloudWatch pricing page)."""

    def dollars(choices: dict[str, str]) -> float:
        alarms = [
            r["Properties"]
            for r in made({"Alarms": "ENABLED", **choices}).values()
            if r["Type"] == "AWS::CloudWatch::Alarm"
        ]
        asked = (alarm.get("Metrics", [{"MetricStat": 1}]) for alarm in alarms)
        return sum("MetricStat" in metric for metrics in asked for metric in metrics) / 10

    without, with_metrics = dollars({}), dollars({"MetricsNamespace": "Warmer"})
    said = re.findall(r"\$(\d\.\d\d)", transformed()["Parameters"]["Alarms"]["Description"])
    assert said == [f"{without:.2f}", f"{with_metrics - without:.2f}"]


def test_the_layer_stays_for_functions_that_use_it() -> None:
    """And its ARN is where their templates look for it."""
    found = made({})
    (layer,) = [r for r in found.values() if r["Type"] == "AWS::Lambda::LayerVersion"]
    assert layer["DeletionPolicy"] == "Retain"
    assert found["LayerParameter"]["Properties"]["Name"] == {"Fn::Sub": "/${AWS::StackName}/layer"}
