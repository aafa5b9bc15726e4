"""What an account's concurrency is divided into.

Source: AWS Lambda developer guide, "Configuring reserved concurrency for a function".
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.cloud.process import CloudProcess
from tests.cloud.behaviour.conftest import ECHO, ROOT, Account


def settings(account: Account) -> dict[str, Any]:
    """Limits of GetAccountSettings."""
    limits: dict[str, Any] = account.functions.get_account_settings()["AccountLimit"]
    return limits


@pytest.fixture
def reserving(account: Account) -> Iterator[str]:
    """A function that may reserve concurrency; it has none afterwards."""
    name = account.function(Publish=True)
    yield name
    account.functions.delete_function(FunctionName=name)


@pytest.mark.aws(
    "Lambda API reference: GetAccountSettings", "GetAccountSettings tells what is left unreserved"
)
def test_what_is_reserved_is_no_more_for_others(account: Account, reserving: str) -> None:
    """GetAccountSettings tells what is left, and that all comes back.

    AWS page: API reference, "GetAccountSettings".
    """
    before = settings(account)
    account.functions.put_function_concurrency(
        FunctionName=reserving, ReservedConcurrentExecutions=30
    )
    left = settings(account)["UnreservedConcurrentExecutions"]
    assert left == before["UnreservedConcurrentExecutions"] - 30
    found = account.functions.get_function(FunctionName=reserving)
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 30}
    account.functions.delete_function_concurrency(FunctionName=reserving)
    assert settings(account) == before
    assert before["ConcurrentExecutions"] == 1000


@pytest.mark.aws(
    "Lambda developer guide: Configuring reserved concurrency for a function",
    "100 executions always stay unreserved",
)
def test_a_hundred_stay_unreserved(account: Account, reserving: str) -> None:
    """Lambda refuses to reserve them.

    AWS page: "Configuring reserved concurrency for a function".
    """
    most = settings(account)["UnreservedConcurrentExecutions"] - 100
    with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
        account.functions.put_function_concurrency(
            FunctionName=reserving, ReservedConcurrentExecutions=most + 1
        )
    assert "Concurrency" not in account.functions.get_function(FunctionName=reserving)


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "Provisioned concurrency fits in the function's reservation",
)
def test_provisioned_concurrency_fits_in_the_reservation(account: Account, reserving: str) -> None:
    """And a reservation is not made smaller than it.

    AWS page: "Configuring provisioned concurrency for a function".
    """
    provision = account.functions.put_provisioned_concurrency_config
    reserve = account.functions.put_function_concurrency
    reserve(FunctionName=reserving, ReservedConcurrentExecutions=1)
    with pytest.raises(ClientError, match="should not be greater than the reserved"):
        provision(FunctionName=reserving, Qualifier="1", ProvisionedConcurrentExecutions=2)
    provision(FunctionName=reserving, Qualifier="1", ProvisionedConcurrentExecutions=1)
    with pytest.raises(ClientError, match=r"total provisioned concurrency \[1\]"):
        reserve(FunctionName=reserving, ReservedConcurrentExecutions=0)


@pytest.mark.aws(
    "CloudFormation template reference: AWS::Lambda::Function",
    "A template that reserves too much is rolled back",
)
def test_a_template_cannot_reserve_too_much(account: Account) -> None:
    """The stack is rolled back, with Lambda's words.

    AWS page: CloudFormation, "AWS::Lambda::Function" (ReservedConcurrentExecutions).
    """
    template = {
        "Resources": {
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": ECHO},
                    "Role": account.role,
                    "ReservedConcurrentExecutions": 901,
                },
            }
        }
    }
    assert account.deploy("greedy", template) == "ROLLBACK_COMPLETE"
    assert "below its minimum value of [100]" in account.reasons("greedy")


@pytest.mark.aws("Lambda API reference: Invoke", "Each limit has its own reason in a 429")
def test_each_limit_has_its_own_reason(tmp_path: Path) -> None:
    """The account's and the function's, as 429 tells them.

    AWS page: API reference, "Invoke" (TooManyRequestsException, Reason).
    """
    options = ("--account-concurrency", "2", "--any-python")
    with CloudProcess(options, directory=ROOT, log=tmp_path / "log") as cloud:
        small = Account(cloud)
        assert settings(small)["ConcurrentExecutions"] == 2
        name, other = small.function(), small.function()
        small.functions.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=0)

        def attempt(function: str) -> str:
            try:
                small.invoke(function, {"sleep": 0.5})
            except ClientError as error:
                return str(dict(error.response)["Reason"])
            return "answered"

        with ThreadPoolExecutor(4) as threads:
            reasons = list(threads.map(attempt, [name, name, name, other]))
    assert sorted(reasons) == [
        "ConcurrentInvocationLimitExceeded",
        "ReservedFunctionConcurrentInvocationLimitExceeded",
        "answered",
        "answered",
    ]
