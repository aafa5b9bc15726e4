"""An alias that leads to two versions.

Source: AWS Lambda developer guide, "Implement Lambda canary deployments using a weighted alias".
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import ECHO, Account

INVOKES = 200
WEIGHT = 0.3


@pytest.fixture
def two_versions(account: Account) -> str:
    """A function with the versions 1 and 2."""
    name = account.function(Publish=True)
    assert account.change(name, ECHO + "\n") == "2"
    return name


def routed(account: Account, reference: str) -> Counter[str]:
    """How often each version was reached; header, payload and ledger agree."""
    reached: Counter[str] = Counter()
    for _ in range(INVOKES):
        answer = account.invoke(reference)
        assert answer["ExecutedVersion"] == answer["Payload"]["version"]
        reached[answer["ExecutedVersion"]] += 1
    return reached


@pytest.mark.aws(
    "Lambda developer guide: Implement Lambda canary deployments using a weighted alias",
    "A weighted alias shares its invokes; ExecutedVersion tells which it was",
)
def test_invokes_are_shared_by_weight(account: Account, two_versions: str) -> None:
    """Within four standard deviations of a binomial; ExecutedVersion tells which it was.

    AWS page: "Implement Lambda canary deployments using a weighted alias" (determining which
    version has been invoked).
    """
    account.functions.create_alias(
        FunctionName=two_versions,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": WEIGHT}},
    )
    reached = routed(account, f"{two_versions}:live")
    spread = math.sqrt(INVOKES * WEIGHT * (1 - WEIGHT))
    assert abs(reached["2"] - INVOKES * WEIGHT) < 4 * spread
    assert {item["qualifier"] for item in account.invocations(two_versions)} == {"live"}


@pytest.mark.aws(
    "Lambda API reference: UpdateAlias", "An empty routing configuration ends the sharing"
)
def test_an_update_without_weights_ends_the_sharing(account: Account, two_versions: str) -> None:
    """An empty routing configuration takes it away.

    AWS page: API reference, "UpdateAlias".
    """
    update = account.functions.update_alias
    live = {"FunctionName": two_versions, "Name": "live"}
    account.functions.create_alias(**live, FunctionVersion="1")
    update(**live, RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert account.invoke(f"{two_versions}:live")["ExecutedVersion"] == "2"
    update(**live, RoutingConfig={})
    assert account.invoke(f"{two_versions}:live")["ExecutedVersion"] == "1"


@pytest.mark.aws(
    "Lambda developer guide: Implement Lambda canary deployments using a weighted alias",
    "An alias has two published versions at most",
)
@pytest.mark.parametrize(
    ("version", "weights", "said"),
    [
        ("1", {"1": 0.5}, "already included in routing configuration"),
        ("1", {"$LATEST": 0.5}, "LATEST is not supported for an alias pointing to more than 1"),
        ("$LATEST", {"1": 0.5}, "LATEST is not supported for an alias pointing to more than 1"),
        ("1", {"2": 0.5, "3": 0.1}, "cannot be greater than 1"),
        ("1", {"2": 1.5}, "expected 0.0 to 1.0"),
    ],
)
def test_a_routing_that_lambda_has_not_is_refused(
    account: Account, two_versions: str, version: str, weights: dict[str, float], said: str
) -> None:
    """Two published versions, and a weight.

    AWS page: "Implement Lambda canary deployments using a weighted alias" (considerations).
    """
    request: dict[str, Any] = {"FunctionName": two_versions, "Name": "bad"}
    with pytest.raises(ClientError, match=said):
        account.functions.create_alias(
            **request,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights},
        )


@pytest.mark.aws(
    "CloudFormation template reference: AWS::Lambda::Alias RoutingConfig",
    "A template can weigh an alias",
)
def test_a_template_can_weigh(account: Account, two_versions: str) -> None:
    """AWS::Lambda::Alias with a RoutingConfig.

    AWS page: CloudFormation, "AWS::Lambda::Alias" (RoutingConfig).
    """
    template = {
        "Resources": {
            "A": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "weighed",
                    "FunctionName": two_versions,
                    "FunctionVersion": "1",
                    "RoutingConfig": {
                        "AdditionalVersionWeights": [{"FunctionVersion": "2", "FunctionWeight": 1}]
                    },
                },
            }
        }
    }
    assert account.deploy("weighed", template) == "CREATE_COMPLETE"
    assert account.invoke(f"{two_versions}:weighed")["ExecutedVersion"] == "2"


@pytest.mark.aws(
    "Lambda developer guide: Manage Lambda function versions",
    "A version's number is never used again",
)
def test_a_versions_number_is_never_used_again(account: Account, two_versions: str) -> None:
    """Also when the last version is gone.

    AWS page: "Manage Lambda function versions".
    """
    account.functions.delete_function(FunctionName=two_versions, Qualifier="2")
    assert account.change(two_versions, ECHO + "\n\n") == "3"
    assert account.invoke(f"{two_versions}:3")["Payload"]["version"] == "3"
