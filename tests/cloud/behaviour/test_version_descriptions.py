"""A version with another description is another version, as templates of parameters rely on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.behaviour.conftest import ECHO, Account
from tests.cloud.behaviour.test_codedeploy import live, template


def described(account: Account, stack: str, memory: int, status: str = "Succeeded") -> Any:
    """A template whose version has the function's memory in its description, and a hook."""
    found = template(account, stack, 1, status)
    function = found["Resources"]["F"]["Properties"]
    # As a parameter's value, which the transform does not look at when it names the version.
    found["Parameters"] = {"Memory": {"Type": "Number", "Default": memory}}
    function |= {"MemorySize": {"Ref": "Memory"}, "VersionDescription": {"Fn::Sub": "${Memory} MB"}}
    function["InlineCode"] = ECHO
    return found


def versions(account: Account, stack: str) -> dict[str, int]:
    """Memory by published version."""
    found = account.functions.list_versions_by_function(FunctionName=stack)["Versions"]
    return {v["Version"]: v["MemorySize"] for v in found if v["Version"] != "$LATEST"}


@pytest.mark.aws(
    "CloudFormation template reference: AWS::Lambda::Version",
    "Another Description replaces a version: a new one is published",
)
def test_another_description_publishes_a_version(account: Account) -> None:
    """The alias moves there by its hook; then the one that it replaced goes.

    AWS page: CloudFormation template reference, "AWS::Lambda::Version".
    """
    assert account.deploy("described", described(account, "described", 256)) == "CREATE_COMPLETE"
    assert account.deploy("described", described(account, "described", 512)) == "UPDATE_COMPLETE"
    assert (live(account, "described"), versions(account, "described")) == ("2", {"2": 512})
    assert len(account.invocations("CodeDeployHook_described")) == 1
    assert account.deploy("described", described(account, "described", 512)) == "UPDATE_COMPLETE"
    assert live(account, "described") == "2"


@pytest.mark.aws(
    "CloudFormation template reference: AWS::Lambda::Version",
    "A rollback goes back to the version that was to be replaced",
)
def test_a_rollback_keeps_the_version_that_was_live(account: Account) -> None:
    """The one that was refused goes; nobody was served by it.

    AWS page: CloudFormation template reference, "AWS::Lambda::Version".
    """
    account.deploy("unreplaced", described(account, "unreplaced", 256))
    refused = account.deploy("unreplaced", described(account, "unreplaced", 512, "Failed"))
    assert refused == "UPDATE_ROLLBACK_COMPLETE", account.reasons("unreplaced")
    assert (live(account, "unreplaced"), versions(account, "unreplaced")) == ("1", {"1": 256})
    assert account.invoke("unreplaced:live")["Payload"]["version"] == "1"
    assert account.deploy("unreplaced", described(account, "unreplaced", 1024)) == "UPDATE_COMPLETE"
    assert (live(account, "unreplaced"), versions(account, "unreplaced")) == ("3", {"3": 1024})
