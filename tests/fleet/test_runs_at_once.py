"""Runs of a deployed warmer that come at once, or share the targets: the real handler, the local
cloud's schedules and its DynamoDB. Pings are counted by the cloud's ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fleet.test_in_the_cloud import ROOT, Account, package, running, targets, wait_for

SLOW = """
import time
import warmer

time.sleep(2)
handler = warmer.warmable(lambda event, context: None)
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A cloud in real time with a memory table."""
    for found in running(tmp_path_factory, 1):
        found.client("dynamodb").create_table(
            TableName="memory",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        )
        yield found


def slow(account: Account) -> str:
    """A function whose INIT takes two seconds, so that a run of the warmer takes longer."""
    name = account.function()
    account.client("lambda").update_function_code(FunctionName=name, ZipFile=package(SLOW))
    return name


def run(account: Account, warmer: str, event: object) -> dict[str, Any]:
    """The result of one run."""
    answer = account.client("lambda").invoke(
        FunctionName=warmer, Payload=json.dumps(event).encode()
    )
    result = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, result
    return dict(result)


def test_of_two_deliveries_at_once_one_sends_waves(account: Account) -> None:
    """The other, in an environment of its own, sends nothing and says why; a later one too."""
    function = slow(account)
    warmer = account.warmer(
        TARGETS=targets({"function": function, "concurrency": 3}), MEMORY_TABLE="memory"
    )
    event = {"time": "2026-11-22T10:00:00Z"}

    with ThreadPoolExecutor(2) as callers:
        both = list(callers.map(lambda _: run(account, warmer, event), range(2)))
    late = run(account, warmer, event)

    (refused,) = [result for result in both if "skipped" in result]
    (served,) = [result for result in both if "skipped" not in result]
    assert refused["waves"] == late["waves"] == []
    assert "2026-11-22T10:00:00Z" in refused["skipped"]
    assert "2026-11-22T10:00:00Z" in late["skipped"]
    assert [wave["proven"] for wave in served["waves"]] == [3]
    assert served["problems"] == []
    assert len(account.alive(warmer)) == 1
    assert account.alive(warmer).total() == 2
    # The probe of the version, three that are held, and the spare.
    assert account.pings(function).total() == 5


def test_one_at_a_time_needs_no_table_for_an_event_that_comes_twice(account: Account) -> None:
    """With a reserved concurrency of 1: the second delivery waits, and meets who served the first.

    AWS page: "Error handling for asynchronous invocations" of the Lambda developer guide.
    """
    function = slow(account)
    warmer = account.warmer(TARGETS=targets({"function": function, "concurrency": 3}))
    client = account.client("lambda")
    client.put_function_concurrency(FunctionName=warmer, ReservedConcurrentExecutions=1)
    event = json.dumps({"time": "2026-11-22T10:00:00Z"}).encode()

    for _ in range(2):
        client.invoke(FunctionName=warmer, InvocationType="Event", Payload=event)

    def runs() -> list[str]:
        records = account.cloud.ledger()["invocations"]
        return sorted(item["status"] for item in records if item["function"] == warmer)

    wait_for(lambda: runs().count("success") == 2, "both deliveries")
    assert set(runs()) == {"success", "throttled"}
    assert account.alive(warmer).total() == 1
    assert account.pings(function).total() == 5


def test_a_run_is_refused_while_another_is_under_way(account: Account) -> None:
    """And not any more when that has ended."""
    function = slow(account)
    text = targets({"function": function, "concurrency": 2})
    warmer = account.warmer(TARGETS=text, MEMORY_TABLE="memory")
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(run, account, warmer, {})
        wait_for(lambda: account.pings(function).total(), "the first ping")
        second = run(account, warmer, {})
        first.result()

    assert "another run over shard 1/1 is under way" in second["skipped"]
    assert "skipped" not in first.result()
    assert "skipped" not in run(account, warmer, {})


def test_two_schedules_share_all_targets(account: Account) -> None:
    """As docs/shards.md has them: each target gets its wave once, from one of two runs."""
    functions = [account.function() for _ in range(4)]
    client = account.client("lambda")
    name = "sharded-warmer"
    variables = {
        "WARMER_TARGETS": targets(*({"function": f, "concurrency": 2} for f in functions)),
        "WARMER_MEMORY_TABLE": "memory",
        "WARMER_SCHEDULE": "rate(30 minutes)",
        "WARMER_IDLE_LIFETIME_SECONDS": "3600",
    }
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=account.role,
        Handler="handlers.warm.handler",
        Timeout=60,
        Code={"ZipFile": package("")},
        Environment={"Variables": variables},
    )
    (template,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "shards.md").read_text(), re.DOTALL
    )
    stacks = account.client("cloudformation")
    stacks.create_stack(
        StackName="shards",
        TemplateBody=template,
        Parameters=[
            {"ParameterKey": "WarmerStack", "ParameterValue": "sharded"},
            {"ParameterKey": "Every", "ParameterValue": "rate(30 minutes)"},
        ],
        Capabilities=["CAPABILITY_IAM"],
    )

    wait_for(lambda: all(account.pings(f).total() >= 4 for f in functions), "all waves")
    wait_for(
        lambda: [r["status"] for r in runs(account, name)] == ["success"] * 2, "the runs' ends"
    )

    assert [account.pings(function).total() for function in functions] == [4] * 4
    for function in functions:
        assert account.alive(function).total() in (2, 3)  # with the spare
    stacks.delete_stack(StackName="shards")


def runs(account: Account, warmer: str) -> list[dict[str, Any]]:
    """The ledger's records of the warmer's runs."""
    return [r for r in account.cloud.ledger()["invocations"] if r["function"] == warmer]
