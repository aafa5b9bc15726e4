"""Provisioned concurrency: asked for by API or template, on a version or an alias.

Source: AWS Lambda developer guide, "Configuring provisioned concurrency for a function".
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import ECHO, Account, wait_for

BROKEN = "raise ValueError('no good')\n"


def config(account: Account, name: str, qualifier: str) -> dict[str, Any]:
    """What GetProvisionedConcurrencyConfig says."""
    answer: dict[str, Any] = account.functions.get_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier
    )
    return answer


def provision(account: Account, name: str, qualifier: str, count: int) -> None:
    """PutProvisionedConcurrencyConfig, and wait until it is READY."""
    answer = account.functions.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["RequestedProvisionedConcurrentExecutions"] == count
    wait_for(lambda: config(account, name, qualifier)["Status"] == "READY", "READY")


def with_alias(account: Account, **settings: Any) -> str:
    """A function whose alias `live` is on version 1."""
    name = account.function(Publish=True, **settings)
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


@pytest.mark.aws(
    "Lambda API reference: PutProvisionedConcurrencyConfig",
    "An alias gets environments of its version ahead of requests",
)
def test_an_alias_gets_environments_ahead_of_requests(account: Account) -> None:
    """They are of its version, and the function is told how it was initialised.

    AWS page: API reference, "PutProvisionedConcurrencyConfig".
    """
    name = with_alias(account)
    provision(account, name, "live", 2)
    assert account.invocations(name) == []
    assert [item["version"] for item in account.environments(name)] == ["1", "1"]
    assert account.invoke(f"{name}:live")["Payload"]["init_type"] == "provisioned-concurrency"
    listed = account.functions.list_provisioned_concurrency_configs(FunctionName=name)
    (item,) = listed["ProvisionedConcurrencyConfigs"]
    assert item["FunctionArn"].endswith(f"{name}:live")
    assert item["AvailableProvisionedConcurrentExecutions"] == 2


@pytest.mark.aws(
    "Lambda API reference: DeleteProvisionedConcurrencyConfig",
    "Deleting the configuration ends its environments",
)
def test_deleting_it_ends_the_environments(account: Account) -> None:
    """And there is no configuration any more.

    AWS page: API reference, "DeleteProvisionedConcurrencyConfig".
    """
    name = account.function(Publish=True)
    provision(account, name, "1", 1)
    account.functions.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    wait_for(lambda: account.environments(name) == [], "their end")
    with pytest.raises(ClientError, match="ProvisionedConcurrencyConfigNotFoundException"):
        config(account, name, "1")


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "Provisioned concurrency follows its alias to another version",
)
def test_it_follows_its_alias(account: Account) -> None:
    """To the version that the alias is moved to.

    AWS page: "Configuring provisioned concurrency for a function".
    """
    name = with_alias(account)
    provision(account, name, "live", 1)
    account.change(name, ECHO + "\n")
    account.functions.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    wait_for(lambda: [item["version"] for item in account.environments(name)] == ["2"], "version 2")


@pytest.mark.aws(
    "Lambda API reference: GetProvisionedConcurrencyConfig",
    "The configuration tells a failing INIT",
)
def test_a_failing_init_is_told(account: Account) -> None:
    """The status is FAILED, with the reason.

    AWS page: API reference, "GetProvisionedConcurrencyConfig".
    """
    name = account.function(BROKEN, Publish=True)
    account.functions.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    wait_for(lambda: config(account, name, "1")["Status"] == "FAILED", "FAILED")
    assert "FUNCTION_ERROR_INIT_FAILURE" in config(account, name, "1")["StatusReason"]


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "$LATEST cannot have provisioned concurrency",
)
@pytest.mark.parametrize("qualifier", ["$LATEST", "unpublished"])
def test_an_unpublished_version_is_refused(account: Account, qualifier: str) -> None:
    """By itself, or behind an alias.

    AWS page: "Configuring provisioned concurrency for a function" ($LATEST).
    """
    name = account.function()
    account.functions.create_alias(FunctionName=name, Name="unpublished", FunctionVersion="$LATEST")
    with pytest.raises(ClientError, match="cannot be applied to unpublished function versions"):
        account.functions.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=1
        )


def template(account: Account, source: str, count: int) -> dict[str, Any]:
    """A function with an alias that has provisioned concurrency, as SAM writes it."""
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": "provisioned",
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "InlineCode": source,
                    "Role": account.role,
                    "AutoPublishAlias": "live",
                    "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": count},
                },
            }
        },
    }


@pytest.mark.aws(
    "CloudFormation template reference: AWS::Lambda::Alias",
    "A new version is provisioned before the alias moves to it",
)
def test_a_template_can_ask_for_it(account: Account) -> None:
    """A new version is ready before the alias moves, or the update is rolled back.

    AWS page: CloudFormation, "AWS::Lambda::Alias ProvisionedConcurrencyConfiguration".
    """
    assert account.deploy("provisioned", template(account, ECHO, 1)) == "CREATE_COMPLETE"
    assert config(account, "provisioned", "live")["Status"] == "READY"
    assert account.deploy("provisioned", template(account, ECHO + "\n", 2)) == "UPDATE_COMPLETE"
    assert config(account, "provisioned", "live")["AvailableProvisionedConcurrentExecutions"] == 2
    assert account.invoke("provisioned:live")["Payload"]["version"] == "2"
    failed = account.deploy("provisioned", template(account, BROKEN, 2))
    assert failed == "UPDATE_ROLLBACK_COMPLETE"
    assert "FUNCTION_ERROR_INIT_FAILURE" in account.reasons("provisioned")
    assert account.invoke("provisioned:live")["Payload"]["version"] == "2"
    assert config(account, "provisioned", "live")["Status"] == "READY"
