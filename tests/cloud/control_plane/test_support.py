"""Every resource type that is said to be imitated is, and the rest is listed or refused."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import NULL_MODELS, get_model_map

from infra.cloud import (
    resources,
    resources_codedeploy,
    resources_lambda,
    resources_telemetry,
)
from infra.cloud.support import IMITATED, RECORDED, refuse_unsupported, without_effect
from tests.cloud.control_plane.conftest import ControlPlane

_OURS = (resources, resources_codedeploy, resources_lambda, resources_telemetry)


@pytest.mark.parametrize("kind", sorted(IMITATED))
def test_an_imitated_type_has_a_class(kind: str) -> None:
    """Of moto's, or of ours in its place."""
    assert kind in get_model_map()


@pytest.mark.parametrize("kind", sorted(RECORDED))
def test_a_recorded_type_does_nothing(kind: str) -> None:
    """There is nothing of it that could be imitated."""
    assert kind in NULL_MODELS or hasattr(get_model_map()[kind], "TYPE")


OURS = [
    kind
    for module in _OURS
    for kind in vars(module).values()
    if getattr(kind, "TYPE", None) is not None
]


@pytest.mark.parametrize("kind", OURS)
def test_a_class_of_ours_takes_the_place_of_motos(kind: Any) -> None:
    """And the table of types knows it."""
    name = kind.TYPE
    assert name in {*IMITATED, *RECORDED}
    assert kind is get_model_map()[name]


def test_unsupported_types_are_refused_together() -> None:
    """All of them in one message, with their names."""
    template = {
        "Resources": {
            "B": {"Type": "AWS::EC2::Instance"},
            "A": {"Type": "Custom::Thing"},
            "C": {"Type": "AWS::SNS::Topic"},
        }
    }
    with pytest.raises(ValidationError, match=r"A \(Custom::Thing\), B \(AWS::EC2::Instance\)"):
        refuse_unsupported(template)


def test_what_has_no_effect_is_listed() -> None:
    """Types and properties."""
    template = {
        "Resources": {
            "F": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "", "VpcConfig": {}}},
            "P": {"Type": "AWS::Lambda::Permission"},
        }
    }
    expected = ["F.VpcConfig (AWS::Lambda::Function)", "P (AWS::Lambda::Permission)"]
    assert expected == list(without_effect(template))


@pytest.mark.parametrize("chosen", ["yes", "no"])
def test_what_a_condition_leaves_out_is_not_listed(
    control: ControlPlane, caplog: pytest.LogCaptureFixture, chosen: str
) -> None:
    """Neither a resource nor a property: a list of what was not chosen would hide what was."""
    template = {
        "Parameters": {"Chosen": {"Type": "String"}},
        "Conditions": {"IsChosen": {"Fn::Equals": [{"Ref": "Chosen"}, "yes"]}},
        "Resources": {
            "Group": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {
                    "LogGroupName": f"group-{chosen}",
                    "KmsKeyId": {"Fn::If": ["IsChosen", "key", {"Ref": "AWS::NoValue"}]},
                },
            },
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Condition": "IsChosen",
                "Properties": {"QueueName": "queue", "SqsManagedSseEnabled": True},
            },
        },
    }
    with caplog.at_level(logging.WARNING, "warmer.cloud"):
        control.deploy(template, {"Chosen": chosen})
    for told in ("Group.KmsKeyId", "Queue.SqsManagedSseEnabled"):
        assert (told in caplog.text) is (chosen == "yes")


@pytest.mark.aws(
    "Lambda developer guide: "
    "Selecting and configuring an instruction set architecture for your Lambda function",
    "Another architecture than this machine's",
    how="recorded",
)
@pytest.mark.parametrize(
    ("machine", "declared", "listed"),
    [
        ("x86_64", "arm64", True),
        ("x86_64", "x86_64", False),
        ("aarch64", "x86_64", True),
        ("aarch64", "arm64", False),
    ],
)
def test_another_architecture_is_printed_as_without_effect(
    control: ControlPlane,
    caplog: pytest.LogCaptureFixture,
    machine: str,
    declared: str,
    listed: bool,
) -> None:
    """A function runs on this machine's processors, whatever a parameter of its template says."""
    template = {
        "Parameters": {"Architecture": {"Type": "String"}},
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Architectures": [{"Ref": "Architecture"}],
                    "Code": control.upload("code", "def handler(event, context): return event\n"),
                    "Handler": "app.handler",
                    "Role": control.role,
                    "Runtime": "python3.12",
                },
            }
        },
    }
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING, "warmer.cloud"):
        patch.setattr("platform.machine", lambda: machine)
        control.deploy(template, {"Architecture": declared})
    told = "recorded without effect: Function.Architectures (AWS::Lambda::Function)"
    assert (told in caplog.text) is listed
