"""A template's Rules, which moto ignores (CloudFormation user guide, "Rules section")."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from infra.cloud.rules import broken_rules
from infra.cloud.transform import plain_template

A, B = {"Ref": "A"}, {"Ref": "B"}
VALUES = {"A": "one", "B": "one, two"}


def broken(asserted: Any, condition: Any = None) -> dict[str, str]:
    """What a template with one rule says of VALUES."""
    rule = {"Assertions": [{"Assert": asserted, "AssertDescription": "Do it."}]}
    if condition is not None:
        rule["RuleCondition"] = condition
    return broken_rules({"Rules": {"Rule": rule}}, VALUES)


@pytest.mark.parametrize(
    ("function", "holds"),
    [
        ({"Fn::Equals": [A, "one"]}, True),
        ({"Fn::Equals": [A, B]}, False),
        ({"Fn::Not": [{"Fn::Equals": [A, "two"]}]}, True),
        ({"Fn::And": [{"Fn::Equals": [A, "one"]}, {"Fn::Equals": [A, "two"]}]}, False),
        ({"Fn::Or": [{"Fn::Equals": [A, "one"]}, {"Fn::Equals": [A, "two"]}]}, True),
        ({"Fn::Contains": [["one", "two"], A]}, True),
        ({"Fn::Contains": [["two"], A]}, False),
        ({"Fn::EachMemberEquals": [B, "one"]}, False),
        ({"Fn::EachMemberIn": [B, ["one", "two", "three"]]}, True),
    ],
)
def test_an_assertion_is_a_function_of_parameters(function: Any, holds: bool) -> None:
    """Each of the rule-specific functions that look at parameters alone."""
    assert broken(function) == ({} if holds else {"Rule": "Do it."})


def test_a_rule_holds_where_its_condition_does() -> None:
    """Without RuleCondition it always does."""
    never = {"Fn::Equals": ["a", "b"]}
    assert broken(never) == {"Rule": "Do it."}
    assert broken(never, condition=never) == {}


@pytest.mark.parametrize("asserted", [{"Fn::RefAll": ["AWS::EC2::VPC::Id"]}, {"Ref": "A"}, "yes"])
def test_what_cannot_be_evaluated_is_refused(asserted: Any) -> None:
    """Rather than taken for granted; the rule is named."""
    with pytest.raises(ValidationError, match="Rule Rule has"):
        broken(asserted)


@pytest.mark.aws(
    "CloudFormation user guide: Rules section",
    "Rules refuse combinations of parameters before anything is created",
    how="imitated",
)
def test_a_template_whose_rules_are_broken_is_not_deployed() -> None:
    """CloudFormation user guide, "Rules section": the assertion's text is the error."""
    template = {
        "Parameters": {"A": {"Type": "String", "Default": "one"}},
        "Rules": {
            "Two": {
                "Assertions": [{"Assert": {"Fn::Equals": [A, "two"]}, "AssertDescription": "No."}]
            }
        },
        "Resources": {"Q": {"Type": "AWS::SQS::Queue"}},
    }
    with pytest.raises(ValidationError, match=r"No\."):
        plain_template(json.dumps(template), {}, "us-east-1")
    assert plain_template(json.dumps(template), {"A": "two"}, "us-east-1")["Resources"]


def test_a_condition_may_name_another_by_the_short_tag() -> None:
    """`!Condition` is `Condition`, which is what moto evaluates."""
    text = (
        "Parameters: {A: {Type: String, Default: one}}\n"
        "Conditions: {One: !Equals [!Ref A, one], Two: !Not [!Condition One]}\n"
        "Resources: {Q: {Type: 'AWS::SQS::Queue'}}\n"
    )
    plain = plain_template(text, {}, "us-east-1")
    assert plain["Conditions"]["Two"] == {"Fn::Not": [{"Condition": "One"}]}
