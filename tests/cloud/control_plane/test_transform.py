"""Templates become plain CloudFormation, or are refused in words that say what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudformation.exceptions import ValidationError

from infra.cloud.transform import parameter_values, parse, plain_template

TOPIC = {"T": {"Type": "AWS::SNS::Topic"}}


def with_parameter(**rules: Any) -> dict[str, Any]:
    """A template with the parameter P."""
    return {"Parameters": {"P": {"Type": "String", **rules}}, "Resources": TOPIC}


@pytest.mark.parametrize(
    ("rules", "value", "said"),
    [
        ({"AllowedValues": ["a", "b"]}, "c", "allowed values are a, b"),
        ({"AllowedValues": [True, False]}, "yes", "allowed values are true, false"),
        ({"AllowedPattern": "[a-z]+"}, "ab1", r"must match \[a-z\]\+"),
        ({"AllowedPattern": "x", "ConstraintDescription": "must be x"}, "y", "must be x"),
        ({"AllowedPattern": "("}, "y", "no regular expression"),
        ({"MinLength": 2}, "a", "at least 2 characters"),
        ({"MaxLength": "2"}, "abc", "at most 2 characters"),
        ({"Type": "Number"}, "many", "a number"),
        ({"Type": "Number"}, "nan", "a number"),
        ({"Type": "Number", "MinValue": 1}, "0", "at least 1"),
        ({"Type": "Number", "MaxValue": 1}, "1.5", "at most 1"),
        ({"Type": "List<Number>", "MaxValue": 1}, "1,2", "at most 1"),
        ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "a,c", "a, b"),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_refused(
    rules: dict[str, Any], value: str, said: str
) -> None:
    """The message says the parameter, its value and the rule."""
    with pytest.raises(ValidationError, match=f"P is '{value}': .*{said}"):
        parameter_values(with_parameter(**rules), {"P": value})


@pytest.mark.parametrize(
    ("rules", "given", "expected"),
    [
        ({"Default": "a"}, {}, "a"),
        ({"Default": "a"}, {"P": "b"}, "b"),
        ({"Default": 5, "Type": "Number", "MinValue": 5, "MaxValue": 5}, {}, "5"),
        ({"Default": True, "AllowedValues": [True, False]}, {}, "true"),
        ({"Type": "CommaDelimitedList"}, {"P": ["a", "b"]}, "a,b"),
        ({"AllowedPattern": "[a-z]*"}, {"P": ""}, ""),
    ],
)
def test_parameters_are_text_given_or_by_default(
    rules: dict[str, Any], given: dict[str, Any], expected: str
) -> None:
    """As CloudFormation has them all."""
    assert {"P": expected} == parameter_values(with_parameter(**rules), given)


def test_a_parameter_without_a_value_is_refused() -> None:
    """Where neither the caller nor the template has one."""
    with pytest.raises(ValidationError, match=r"Parameters: \[P\] must have values"):
        parameter_values(with_parameter(), {})


def test_a_parameter_that_the_template_has_not_is_refused() -> None:
    """It is misspelled, most likely."""
    with pytest.raises(ValidationError, match=r"\[Q\] do not exist in the template"):
        parameter_values(with_parameter(Default="a"), {"Q": "b"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: [",
        "{",
        "Resources: {}",
        "Resources: [1]",
        "Resources: {A: 5}",
        "Resources: {A: {}}",
        "Resources: {A: {Type: 5}}",
        "Resources: {A: {Type: T}}\nParameters: 5",
        "Resources: {A: {Type: T}}\nParameters: {P: 5}",
        "Resources: {A: {Type: T}}\nOutputs: {P: 5}",
        "[" * 5000,
        "a: &a [*a]",
    ],
)
def test_what_is_no_template_is_refused(text: str) -> None:
    """YAML or JSON that cannot be read, or that lacks what a template must have."""
    with pytest.raises(ValidationError, match="Template format error"):
        parse(text)


@given(st.text())
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    """No text makes the parser raise anything else."""
    try:
        parse(text)
    except ValidationError:
        return


def test_short_tags_become_functions() -> None:
    """As `sam` leaves them in YAML."""
    text = "Resources: {A: {Type: T, Properties: {X: !GetAtt B.Arn, Y: !Sub 'a ${B}'}}}"
    properties = parse(text)["Resources"]["A"]["Properties"]
    assert properties == {"X": {"Fn::GetAtt": ["B", "Arn"]}, "Y": {"Fn::Sub": "a ${B}"}}


def test_a_date_stays_text() -> None:
    """YAML would make a date of it."""
    assert (
        parse("AWSTemplateFormatVersion: 2010-09-09\nResources: {A: {Type: T}}")[
            "AWSTemplateFormatVersion"
        ]
        == "2010-09-09"
    )


def serverless(**properties: Any) -> str:
    """A SAM template with one function."""
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "CodeUri": "s3://bucket/key",
            **properties,
        },
    }
    return json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"F": function}})


@pytest.mark.aws(
    "SAM developer guide: Transform", "The Serverless transform, by AWS's own translator"
)
def test_the_serverless_transform_is_applied() -> None:
    """By AWS's own translator: an alias comes with a version."""
    plain = plain_template(serverless(AutoPublishAlias="live"), {}, "us-east-1")
    types = sorted(resource["Type"] for resource in plain["Resources"].values())
    expected = ["AWS::IAM::Role", "AWS::Lambda::Alias", "AWS::Lambda::Function"]
    assert [*expected, "AWS::Lambda::Version"] == types


def test_an_error_of_the_transform_says_which_resource_and_why() -> None:
    """As `sam deploy` shows it."""
    with pytest.raises(ValidationError, match=r"Transform .* \[F\] is invalid.*CodeUri"):
        plain_template(serverless(CodeUri="not in S3"), {}, "us-east-1")


def test_a_type_that_is_not_imitated_is_refused_by_name() -> None:
    """With the condition as remedy."""
    template = {"Resources": {**TOPIC, "C": {"Type": "AWS::EC2::Instance"}}}
    with pytest.raises(ValidationError, match=r"C \(AWS::EC2::Instance\).*condition"):
        plain_template(json.dumps(template), {}, "us-east-1")
