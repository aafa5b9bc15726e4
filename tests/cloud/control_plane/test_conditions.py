"""Conditions of a template, before anything of it is created."""

from __future__ import annotations

from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from infra.cloud.conditions import false_conditions
from tests.cloud.control_plane.conftest import ControlPlane

TRUE, FALSE = {"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}
UNKNOWN = {"Fn::Equals": [{"Fn::FindInMap": ["Map", "Key", "Name"]}, "a"]}
VALUES = {"Flag": "true", "Number": "0", "Text": ""}


@pytest.mark.aws(
    "CloudFormation user guide: Condition functions", "Conditions decide what a stack has"
)
@pytest.mark.parametrize(
    ("condition", "is_false"),
    [
        (TRUE, False),
        (FALSE, True),
        ({"Fn::Equals": [{"Ref": "Text"}, ""]}, False),
        ({"Fn::Equals": [{"Ref": "Number"}, 0]}, False),
        ({"Fn::Equals": [{"Ref": "Number"}, 1]}, True),
        ({"Fn::Equals": [{"Ref": "Flag"}, True]}, False),
        ({"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}, False),
        ({"Fn::Not": [TRUE]}, True),
        ({"Fn::Not": [UNKNOWN]}, False),
        ({"Fn::And": [TRUE, FALSE]}, True),
        ({"Fn::And": [TRUE, TRUE]}, False),
        ({"Fn::And": [UNKNOWN, FALSE]}, True),
        ({"Fn::And": [UNKNOWN, TRUE]}, False),
        ({"Fn::Or": [FALSE, TRUE]}, False),
        ({"Fn::Or": [FALSE, FALSE]}, True),
        ({"Fn::Or": [UNKNOWN, FALSE]}, False),
        ({"Fn::Not": [{"Condition": "Other"}]}, True),
        ({"Condition": "Nobody"}, False),
        (UNKNOWN, False),
        ("text", False),
        ({"Fn::Equals": "text"}, False),
        ({"Fn::Other": [TRUE]}, False),
    ],
)
def test_a_condition_is_false_where_that_is_known(condition: Any, is_false: bool) -> None:
    """What cannot be known before the stack is made counts as true: it lets nothing through."""
    template = {"Conditions": {"This": condition, "Other": TRUE}}
    found = false_conditions(template, {**VALUES, "AWS::Region": "eu-west-1"})
    assert found == ({"This"} if is_false else set())


def test_a_resource_that_is_not_created_may_be_of_any_type(control: ControlPlane) -> None:
    """Where its condition is false; where it is true the deploy is refused, and names it."""
    template = {
        "Parameters": {"Api": {"Type": "String"}},
        "Conditions": {"ApiIsWanted": {"Fn::Equals": [{"Ref": "Api"}, "yes"]}},
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Condition": "ApiIsWanted"},
        },
    }
    assert control.deploy(template, {"Api": "no"}).status == "CREATE_COMPLETE"
    with pytest.raises(ValidationError, match=r"does not imitate.*Api \(AWS::ApiGatewayV2::Api\)"):
        control.deploy(template, {"Api": "yes"})
