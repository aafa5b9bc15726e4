"""A stack becomes what its template says, in order, or stays what it was."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from moto.awslambda.exceptions import UnknownFunctionException
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from infra.cloud.resources_lambda import Alias
from tests.cloud.control_plane.conftest import REGION, ControlPlane

Template = dict[str, Any]


def release(control: ControlPlane, number: int) -> Template:
    """A function with an alias on a version of its own, as SAM's AutoPublishAlias makes them."""
    version = f"Version{number}"
    return {
        "Resources": {
            # The alias stands first: order in the template says nothing.
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "live",
                    "FunctionName": {"Ref": "F"},
                    "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                },
            },
            version: {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "Retain",
                "Properties": {"FunctionName": {"Ref": "F"}},
            },
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "sample",
                    "Runtime": "python3.12",
                    "Handler": "app.handler",
                    "Role": control.role,
                    "Code": control.upload(f"code-{number}", f"release = {number}\n"),
                },
            },
        },
        "Outputs": {"Alias": {"Value": {"Ref": "Alias"}}},
    }


def properties(template: Template, name: str) -> Any:
    """Of one resource."""
    return template["Resources"][name]["Properties"]


def source(control: ControlPlane, qualifier: str | None) -> str:
    """The source that an invoke of the function would run."""
    version = control.functions.resolve("sample", qualifier).version
    return (version.code / "app.py").read_text().strip()


def physical(stack: Any) -> dict[str, str]:
    """Logical names and identities of the resources that exist."""
    return {
        resource.logical_resource_id: resource.physical_resource_id
        for resource in stack.stack_resources
    }


def statuses(stack: Any, name: str) -> list[str]:
    """What a resource went through, as events tell it."""
    return [event.resource_status for event in stack.events if event.logical_resource_id == name]


def test_resources_are_made_in_the_order_of_their_references(control: ControlPlane) -> None:
    """The alias last, although it stands first."""
    stack = control.deploy(release(control, 1))
    done = [
        event.logical_resource_id
        for event in stack.events
        if event.resource_status == "CREATE_COMPLETE"
    ]
    assert done == ["F", "Version1", "Alias", "sample"]
    assert stack.status == "CREATE_COMPLETE"


def test_outputs_are_told(control: ControlPlane) -> None:
    """With references resolved."""
    stack = control.deploy(release(control, 1))
    arn = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function:sample:live"
    assert [arn] == [output["OutputValue"] for output in stack.outputs]


def test_a_version_is_published_after_the_code_has_changed(control: ControlPlane) -> None:
    """So the alias reaches the new code, and the old version still has the old."""
    control.deploy(release(control, 1))
    stack = control.deploy(release(control, 2))
    assert stack.status == "UPDATE_COMPLETE"
    assert control.functions.resolve("sample", "live").version.version == "2"
    assert tuple(source(control, qualifier) for qualifier in ("1", "live", None)) == (
        "release = 1",
        "release = 2",
        "release = 2",
    )


def test_a_parameter_alone_can_change_a_stack(control: ControlPlane) -> None:
    """The template is the same; what refers to the parameter changes, and nothing else."""
    template = release(control, 1)
    template["Parameters"] = {"Memory": {"Type": "Number", "Default": 128}}
    properties(template, "F")["MemorySize"] = {"Ref": "Memory"}
    control.deploy(template)
    stack = control.deploy(template, {"Memory": "512"})
    assert control.functions.resolve("sample", None).version.memory_mb == 512
    assert statuses(stack, "F")[2:] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    assert statuses(stack, "Alias")[2:] == []


def test_a_default_given_explicitly_is_no_change(control: ControlPlane) -> None:
    """The change set says so, which `sam deploy` understands."""
    template = release(control, 1)
    template["Parameters"] = {"Memory": {"Type": "Number", "Default": 128}}
    control.deploy(template)
    change_set, _ = control.stacks.create_change_set(
        "sample", "again", json.dumps(template), {"Memory": "128"}, "", "UPDATE"
    )
    described: Any = control.stacks.describe_change_set(change_set)
    assert described.status == "FAILED"
    assert "didn't contain changes" in described.status_reason


def test_changed_configuration_ends_old_environments(control: ControlPlane) -> None:
    """Those of $LATEST; published versions keep theirs."""
    control.deploy(release(control, 1))
    control.retired.clear()
    control.deploy(release(control, 2))
    latest = control.functions.resolve("sample", None).version.key
    assert {("sample", "$LATEST", latest)} == set(control.retired)


def test_what_a_template_no_longer_has_is_removed(control: ControlPlane) -> None:
    """Users before what they use."""
    template = release(control, 1)
    control.deploy(template)
    only = deepcopy(template)
    del only["Resources"]["Alias"], only["Outputs"]
    stack = control.deploy(only)
    assert {"F", "Version1"} == physical(stack).keys()
    with pytest.raises(UnknownFunctionException):
        control.functions.resolve("sample", "live")


def test_a_retained_resource_stays(control: ControlPlane) -> None:
    """Version 1 is there although the new template has only version 2."""
    control.deploy(release(control, 1))
    control.deploy(release(control, 2))
    assert control.functions.resolve("sample", "1").version.version == "1"


def test_a_false_condition_makes_no_resource(control: ControlPlane) -> None:
    """And listing the stack's resources does not trip over it."""
    template = release(control, 1)
    template["Conditions"] = {"Never": {"Fn::Equals": ["a", "b"]}}
    template["Resources"]["Alias"]["Condition"] = "Never"
    del template["Outputs"]
    assert {"F", "Version1"} == physical(control.deploy(template)).keys()


def test_a_failing_creation_leaves_nothing_behind(control: ControlPlane) -> None:
    """What had been made is removed, the events say why, and looking does not make it again."""
    template = release(control, 1)
    properties(template, "Alias")["FunctionVersion"] = "77"
    properties(template, "Alias")["Description"] = {"Ref": "Version1"}
    stack = control.deploy(template)
    assert stack.status == "ROLLBACK_COMPLETE"
    assert statuses(stack, "Alias") == ["CREATE_IN_PROGRESS", "CREATE_FAILED"]
    assert physical(stack) == {}
    with pytest.raises(UnknownFunctionException):
        control.functions.resolve("sample", None)


def test_a_rolled_back_creation_can_only_be_deleted(control: ControlPlane) -> None:
    """As on AWS; the message says how."""
    template = release(control, 1)
    properties(template, "Alias")["FunctionVersion"] = "77"
    control.deploy(template)
    with pytest.raises(ValidationError, match=r"ROLLBACK_COMPLETE.*sam delete"):
        control.deploy(release(control, 1))
    control.stacks.delete_stack("sample")
    assert control.deploy(release(control, 1)).status == "CREATE_COMPLETE"


def test_a_failing_update_brings_the_old_state_back(control: ControlPlane) -> None:
    """Code, configuration and alias; the new version of it is the only trace, being retained."""
    before = release(control, 1)
    control.deploy(before)
    template = release(control, 2)
    properties(template, "F")["MemorySize"] = 512
    properties(template, "Alias")["FunctionVersion"] = "77"
    properties(template, "Alias")["Description"] = {"Ref": "Version2"}
    stack = control.deploy(template)
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert (source(control, "live"), source(control, None)) == ("release = 1", "release = 1")
    assert control.functions.resolve("sample", None).version.memory_mb == 128
    assert {"F", "Version1", "Alias"} == physical(stack).keys()
    assert control.deploy(release(control, 3)).status == "UPDATE_COMPLETE"


def test_a_change_that_fails_halfway_is_undone_too(control: ControlPlane) -> None:
    """The function had new code already when its runtime was refused."""
    control.deploy(release(control, 1))
    template = release(control, 2)
    properties(template, "F")["Runtime"] = "nodejs22.x"
    stack = control.deploy(template)
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert source(control, None) == "release = 1"
    reasons = [event.resource_status_reason or "" for event in stack.events]
    assert any("Python functions; Runtime is nodejs22.x" in reason for reason in reasons)


def test_a_new_name_replaces_a_function_and_what_hangs_on_it(control: ControlPlane) -> None:
    """Version and alias are those of the new one; the old one is gone."""
    control.deploy(release(control, 1))
    template = release(control, 1)
    properties(template, "F")["FunctionName"] = "renamed"
    stack = control.deploy(template)
    assert stack.status == "UPDATE_COMPLETE"
    assert control.functions.resolve("renamed", "live").version.name == "renamed"
    with pytest.raises(UnknownFunctionException):
        control.functions.resolve("sample", None)


def test_the_function_of_another_stack_is_not_taken_over(control: ControlPlane) -> None:
    """A name that is in use fails the creation, and its owner keeps it."""
    control.create_function("sample")
    assert control.deploy(release(control, 1)).status == "ROLLBACK_COMPLETE"
    assert control.functions.resolve("sample", None).version.name == "sample"


def test_retention_changes_without_losing_what_was_logged(control: ControlPlane) -> None:
    """A log group is changed in place."""
    template = {
        "Resources": {
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": "/sample", "RetentionInDays": 7},
            }
        }
    }
    control.deploy(template)
    logs = logs_backends[DEFAULT_ACCOUNT_ID][REGION]
    logs.ensure_log_stream("/sample", "stream")
    properties(template, "Logs")["RetentionInDays"] = 14
    assert control.deploy(template).status == "UPDATE_COMPLETE"
    assert logs.groups["/sample"].retention_in_days == 14
    assert {"stream"} == logs.groups["/sample"].streams.keys()


def test_a_change_that_cannot_be_imitated_is_refused(control: ControlPlane) -> None:
    """Rather than said to have been made: moto cannot change a table."""
    table = {
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    template = {"Resources": {"T": {"Type": "AWS::DynamoDB::Table", "Properties": table}}}
    control.deploy(template)
    table["Tags"] = [{"Key": "a", "Value": "b"}]
    stack = control.deploy(template)
    assert "UPDATE_FAILED" in statuses(stack, "T")
    assert {"T"} == physical(stack).keys()


def test_an_export_can_be_imported_until_its_stack_is_deleted(control: ControlPlane) -> None:
    """Through Fn::ImportValue, in a stack of the same region."""
    template = release(control, 1)
    template["Outputs"]["Alias"]["Export"] = {"Name": "alias-arn"}
    control.deploy(template)
    importing = {
        "Resources": {
            "P": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {
                    "Name": "imported",
                    "Type": "String",
                    "Value": {"Fn::ImportValue": "alias-arn"},
                },
            }
        }
    }
    other = control.stacks.create_stack("other", json.dumps(importing), {})
    assert other.status == "CREATE_COMPLETE"
    control.stacks.delete_stack("sample")
    assert control.stacks.exports == {}


def test_deleting_a_stack_removes_its_resources(control: ControlPlane) -> None:
    """Twice is no error; the record of it stays."""
    stack = control.deploy(release(control, 1))
    control.stacks.delete_stack("sample")
    control.stacks.delete_stack("sample")
    assert stack.status == "DELETE_COMPLETE"
    assert (physical(stack), stack.outputs) == ({}, None)
    with pytest.raises(UnknownFunctionException):
        control.functions.resolve("sample", None)


def test_what_is_gone_already_counts_as_deleted(control: ControlPlane) -> None:
    """Somebody deleted the function by hand."""
    stack = control.deploy(release(control, 1))
    control.functions.delete_function("sample")
    control.stacks.delete_stack("sample")
    assert stack.status == "DELETE_COMPLETE"


def test_what_cannot_be_deleted_keeps_the_stack(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says why, and can be deleted once the cause is gone."""

    def fail(_: object) -> None:
        raise RuntimeError("it is in use")

    stack = control.deploy(release(control, 1))
    with monkeypatch.context() as patch:
        patch.setattr(Alias, "remove", fail)
        control.stacks.delete_stack("sample")
    assert stack.status == "DELETE_FAILED"
    assert stack.events[-1].resource_status_reason == "it is in use"
    control.stacks.delete_stack("sample")
    assert stack.status == "DELETE_COMPLETE"


def test_a_change_set_that_nobody_executed_is_replaced(control: ControlPlane) -> None:
    """A later one of type CREATE makes the stack, and there is one stack of the name."""
    text = json.dumps(release(control, 1))
    control.stacks.create_change_set("sample", "first", text, {}, "", "CREATE")
    change_set, _ = control.stacks.create_change_set("sample", "next", text, {}, "", "CREATE")
    control.stacks.execute_change_set(change_set)
    assert [stack.status for stack in control.stacks.stacks.values()] == ["CREATE_COMPLETE"]


def test_a_stack_is_created_once(control: ControlPlane) -> None:
    """CREATE for an existing stack is refused."""
    control.deploy(release(control, 1))
    text = json.dumps(release(control, 1))
    with pytest.raises(AlreadyExistsException):
        control.stacks.create_change_set("sample", "again", text, {}, "", "CREATE")


def test_a_refused_template_creates_no_stack(control: ControlPlane) -> None:
    """Nothing is recorded before the template has been checked."""
    with pytest.raises(ValidationError):
        control.deploy({"Resources": {"X": {"Type": "AWS::EC2::Instance"}}})
    assert control.stacks.stacks == {}


def test_a_description_may_hold_any_character(control: ControlPlane) -> None:
    """Those beyond U+FFFF too, which JSON and YAML escape differently."""
    template = {**release(control, 1), "Description": "warm \N{FIRE} \N{SNOWFLAKE}"}
    assert template["Description"] == control.deploy(template).description
