"""CodeDeploy moves an alias, as SAM's DeploymentPreference asks.

Sources: AWS CodeDeploy user guide, "AppSpec 'hooks' section for an AWS Lambda deployment" and
"Deployment configurations on an AWS Lambda compute platform".
"""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import ECHO, Account, wait_for

# Judges as its variable says, and tells what it was given and which version was live then.
HOOK = """
import os

import boto3


def handler(event, context):
    print("hook", sorted(event))
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=os.environ["STATUS"],
    )
"""


def template(
    account: Account, stack: str, release: int, status: str = "Succeeded", kind: str = "AllAtOnce"
) -> dict[str, Any]:
    """A function whose alias is moved by CodeDeploy, and the hook that judges."""
    common = {"Runtime": "python3.13", "Handler": "index.handler", "Role": account.role}
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    **common,
                    "FunctionName": stack,
                    "InlineCode": f"RELEASE = {release}\n{ECHO}",
                    "AutoPublishAlias": "live",
                    "DeploymentPreference": {
                        "Type": kind,
                        "Hooks": {"PreTraffic": {"Ref": "Hook"}},
                        "Role": account.role,
                    },
                },
            },
            "Hook": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    **common,
                    "FunctionName": f"CodeDeployHook_{stack}",
                    "InlineCode": HOOK,
                    "Timeout": 30,
                    "Environment": {"Variables": {"STATUS": status}},
                    "DeploymentPreference": {"Enabled": False},
                },
            },
        },
    }


def live(account: Account, stack: str) -> str:
    """The version that the alias is on; it has no weights."""
    alias = account.functions.get_alias(FunctionName=stack, Name="live")
    assert not alias.get("RoutingConfig")
    return str(alias["FunctionVersion"])


def deployments(account: Account) -> list[dict[str, Any]]:
    """All so far, latest first."""
    client = account.client("codedeploy")
    found = [
        client.get_deployment(deploymentId=name)["deploymentInfo"]
        for name in client.list_deployments()["deployments"]
    ]
    return sorted(found, key=lambda item: str(item["createTime"]), reverse=True)


@pytest.mark.aws(
    "CodeDeploy user guide: AppSpec 'hooks' section",
    "The PreTraffic hook is asked before the alias moves",
)
def test_the_hook_is_asked_before_the_alias_moves(account: Account) -> None:
    """Not on the first deploy. It gets the two ids, and Succeeded lets the traffic go.

    AWS page: CloudFormation, "UpdatePolicy attribute"; CodeDeploy, "AppSpec 'hooks' section".
    """
    hook = "CodeDeployHook_moved"
    assert account.deploy("moved", template(account, "moved", 1)) == "CREATE_COMPLETE"
    assert (live(account, "moved"), account.invocations(hook)) == ("1", [])
    assert account.deploy("moved", template(account, "moved", 2)) == "UPDATE_COMPLETE"
    assert (live(account, "moved"), len(account.invocations(hook))) == ("2", 1)
    logs = account.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{hook}")["events"]
    said = "hook ['DeploymentId', 'LifecycleEventHookExecutionId']"
    assert said in [event["message"].strip() for event in events]
    latest = deployments(account)[0]
    assert latest["status"] == "Succeeded"
    with pytest.raises(ClientError, match="InvalidLifecycleEventHookExecutionIdException"):
        account.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=latest["deploymentId"],
            lifecycleEventHookExecutionId="unknown",
            status="Succeeded",
        )


@pytest.mark.aws(
    "CloudFormation template reference: UpdatePolicy attribute",
    "A hook that says Failed rolls the stack back",
)
def test_a_hook_that_says_failed_rolls_the_stack_back(account: Account) -> None:
    """The alias stays, and the stack's events say why.

    AWS page: CloudFormation, "UpdatePolicy attribute"; CodeDeploy, "AppSpec 'hooks' section".
    """
    assert account.deploy("kept", template(account, "kept", 1, "Failed")) == "CREATE_COMPLETE"
    status = account.deploy("kept", template(account, "kept", 2, "Failed"))
    assert (status, live(account, "kept")) == ("UPDATE_ROLLBACK_COMPLETE", "1")
    assert "BeforeAllowTraffic hook CodeDeployHook_kept reported Failed" in account.reasons("kept")
    latest = deployments(account)[0]
    assert (latest["status"], "reported Failed" in latest["errorInformation"]["message"]) == (
        "Failed",
        True,
    )


@pytest.mark.aws(
    "CodeDeploy user guide: Deployment configurations on an AWS Lambda compute platform",
    "A canary shifts a share of the traffic first",
)
def test_a_canary_shifts_a_share_first(account: Account) -> None:
    """A tenth of the requests for five minutes of cloud time, then all of them.

    AWS page: CodeDeploy, "Deployment configurations on an AWS Lambda compute platform".
    """
    kind = "Canary10Percent5Minutes"
    account.deploy("canary", template(account, "canary", 1, kind=kind))
    change = template(account, "canary", 2, kind=kind)
    seen: list[Any] = []

    def look() -> bool:
        alias = account.functions.get_alias(FunctionName="canary", Name="live")
        seen.append((alias["FunctionVersion"], str(alias.get("RoutingConfig"))))
        return bool(seen[-1][0] == "2")

    update = Thread(target=lambda: account.deploy("canary", change))
    update.start()
    wait_for(look, "version 2")
    update.join()
    assert ("1", "{'AdditionalVersionWeights': {'2': 0.1}}") in seen
    assert live(account, "canary") == "2"
