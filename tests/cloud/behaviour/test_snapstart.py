"""SnapStart, configured by API and template.

Source: AWS Lambda developer guide, "Improving startup performance with Lambda SnapStart".
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import ECHO, Account, wait_for

PUBLISHED = {"ApplyOn": "PublishedVersions"}


def template(account: Account, source: str) -> dict[str, Any]:
    """A function with SnapStart and an alias, as SAM writes it."""
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": "snapped",
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "InlineCode": source,
                    "Role": account.role,
                    "AutoPublishAlias": "live",
                    "SnapStart": PUBLISHED,
                },
            }
        },
    }


@pytest.mark.aws(
    "Lambda developer guide: Activating and managing Lambda SnapStart",
    "SnapStart's INIT comes at publishing; the first request is a restore",
)
def test_a_deployed_version_is_restored_for_its_first_request(account: Account) -> None:
    """INIT came before, at publishing; GetFunctionConfiguration tells both states.

    AWS page: "Activating and managing Lambda SnapStart".
    """
    assert account.deploy("snapped", template(account, ECHO)) == "CREATE_COMPLETE"
    assert [item["init_type"] for item in account.environments("snapped")] == ["snap-start"]
    assert account.invocations("snapped") == []
    assert account.invoke("snapped:live")["Payload"]["init_type"] == "snap-start"
    described = account.functions.get_function_configuration
    version = described(FunctionName="snapped", Qualifier="1")["SnapStart"]
    assert version == {**PUBLISHED, "OptimizationStatus": "On"}
    latest = account.functions.get_function(FunctionName="snapped")["Configuration"]["SnapStart"]
    assert latest == {**PUBLISHED, "OptimizationStatus": "Off"}


@pytest.mark.aws(
    "Lambda developer guide: Activating and managing Lambda SnapStart",
    "A version whose INIT fails under SnapStart does not become active",
)
def test_a_version_whose_init_fails_is_not_deployed(account: Account) -> None:
    """The stack is rolled back, with the reason.

    AWS page: "Activating and managing Lambda SnapStart".
    """
    broken = template(account, "raise ValueError('no good')\n")
    broken["Resources"]["F"]["Properties"]["FunctionName"] = "snapped-broken"
    assert account.deploy("snapped-broken", broken) == "ROLLBACK_COMPLETE"
    assert "FUNCTION_ERROR_INIT_FAILURE" in account.reasons("snapped-broken")


@pytest.mark.aws(
    "Lambda developer guide: Improving startup performance with Lambda SnapStart",
    "$LATEST is not snap-started",
)
def test_latest_is_not_snap_started(account: Account) -> None:
    """Its requests wait for an INIT as ever.

    AWS page: "Improving startup performance with Lambda SnapStart".
    """
    name = account.function(SnapStart=PUBLISHED)
    assert account.invoke(name)["Payload"]["init_type"] == "on-demand"


@pytest.mark.aws(
    "Lambda developer guide: Activating and managing Lambda SnapStart",
    "A version keeps the SnapStart that it was published with",
)
def test_turning_it_off_is_for_later_versions(account: Account) -> None:
    """A version keeps what it was published with.

    AWS page: "Activating and managing Lambda SnapStart".
    """
    name = account.function(SnapStart=PUBLISHED, Publish=True)
    account.functions.update_function_configuration(
        FunctionName=name, SnapStart={"ApplyOn": "None"}
    )
    account.functions.publish_version(FunctionName=name)
    wait_for(lambda: len(account.environments(name)) == 1, "the parked environment")
    told = [account.invoke(f"{name}:{number}")["Payload"]["init_type"] for number in (1, 2)]
    assert told == ["snap-start", "on-demand"]


@pytest.mark.aws(
    "Lambda developer guide: Improving startup performance with Lambda SnapStart",
    "What SnapStart does not support is refused",
)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Runtime": "python3.11"}, "python3.11 is not supported for SnapStart enabled functions"),
        ({"EphemeralStorage": {"Size": 1024}}, "Ephemeral storage of 1024 MB is not supported"),
    ],
    ids=["runtime", "storage"],
)
def test_what_snapstart_does_not_support_is_refused(
    account: Account, settings: dict[str, Any], said: str
) -> None:
    """When the function is made, and when it is changed.

    AWS page: "Improving startup performance with Lambda SnapStart" (supported features).
    """
    with pytest.raises(ClientError, match=said):
        account.function(SnapStart=PUBLISHED, **settings)
    name = account.function(**settings)
    with pytest.raises(ClientError, match=said):
        account.functions.update_function_configuration(FunctionName=name, SnapStart=PUBLISHED)
    described = account.functions.get_function_configuration(FunctionName=name)
    assert described["SnapStart"]["ApplyOn"] == "None"


@pytest.mark.aws(
    "Lambda developer guide: Improving startup performance with Lambda SnapStart",
    "SnapStart and provisioned concurrency exclude each other",
)
def test_it_excludes_provisioned_concurrency(account: Account) -> None:
    """For a version of a function with SnapStart.

    AWS page: "Improving startup performance with Lambda SnapStart" (supported features).
    """
    name = account.function(SnapStart=PUBLISHED, Publish=True)
    with pytest.raises(ClientError, match="not supported for SnapStart enabled functions"):
        account.functions.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
        )


@pytest.mark.aws(
    "Lambda developer guide: Activating and managing Lambda SnapStart",
    "A published version is Pending until its INIT is done, then Active or Failed",
)
def test_a_version_is_pending_until_it_is_prepared(account: Account) -> None:
    """Active from then on; Failed, with the reason, where INIT fails.

    AWS page: "Activating and managing Lambda SnapStart" (function states).
    """
    slow = "import time\ntime.sleep(0.5)\n" + ECHO
    name, broken = (
        account.function(slow, SnapStart=PUBLISHED),
        account.function("raise ValueError('no good')\n", SnapStart=PUBLISHED),
    )
    assert account.functions.publish_version(FunctionName=name)["State"] == "Pending"
    account.functions.publish_version(FunctionName=broken)

    def state(function: str) -> str:
        found = account.functions.get_function_configuration(FunctionName=function, Qualifier="1")
        return str(found["State"])

    wait_for(lambda: state(name) == "Active", "Active")
    assert account.invoke(f"{name}:1")["Payload"]["init_type"] == "snap-start"
    assert state(name) == "Active"
    wait_for(lambda: state(broken) == "Failed", "Failed")
