"""Values of a template, as CloudFormation takes them."""

from __future__ import annotations

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from tests.cloud.control_plane.conftest import ControlPlane


@pytest.mark.aws(
    "CloudFormation template reference: AWS::Lambda::Function Environment",
    "Numbers and booleans of a template are text in a function's variables",
)
def test_numbers_of_a_template_are_text_in_variables(control: ControlPlane) -> None:
    """CloudFormation takes a number or boolean where a string is expected.

    AWS page: CloudFormation template reference, "AWS::Lambda::Function Environment" (Variables:
    Object of String).
    """
    variables = {"SECONDS": {"Ref": "Seconds"}, "RATE": 0.5, "ON": True, "NAME": "007"}
    template = {
        "Parameters": {"Seconds": {"Type": "Number", "Default": 600}},
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": control.upload("code", "def handler(event, context): return event\n"),
                    "Environment": {"Variables": variables},
                    "FunctionName": "sample",
                    "Handler": "app.handler",
                    "Role": control.role,
                    "Runtime": "python3.12",
                },
            }
        },
    }
    control.deploy(template)
    found = control.functions.resolve("sample", None).version.variables
    assert found == {"SECONDS": "600", "RATE": "0.5", "ON": "true", "NAME": "007"}


@pytest.mark.aws(
    "CloudFormation template reference: Pseudo parameters reference",
    "`AWS::NoValue` takes an item out of a list, as it takes a property out of a resource",
)
@pytest.mark.parametrize("given", ["yes", "no"])
def test_no_value_takes_an_item_out_of_a_list(control: ControlPlane, given: str) -> None:
    """As it does a property: a condition decides on a statement of a policy, or on a policy.

    AWS page: CloudFormation template reference, "Pseudo parameters reference" (AWS::NoValue).
    """
    optional = {"Fn::If": ["IsGiven", {"Key": "optional", "Value": "1"}, {"Ref": "AWS::NoValue"}]}
    policy = {"PolicyName": "P", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
    template = {
        "Parameters": {"Given": {"Type": "String"}},
        "Conditions": {"IsGiven": {"Fn::Equals": [{"Ref": "Given"}, "yes"]}},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                    "Policies": [
                        {"Fn::If": ["IsGiven", policy, {"Ref": "AWS::NoValue"}]},
                        {**policy, "PolicyName": "always"},
                    ],
                    "RoleName": "sample",
                    "Tags": [optional, {"Key": "always", "Value": "1"}],
                },
            }
        },
    }
    stack = control.deploy(template, {"Given": given})
    assert stack.status == "CREATE_COMPLETE"
    role = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_role("sample")
    expected = {"always", "P"} if given == "yes" else {"always"}
    assert set(role.policies) == expected
