"""A deployed warmer that moves its own schedule: all parts real, its clock the cloud's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.process import CloudProcess
from tests.all.test_replay import clock_of, invocations
from tests.fleet.test_in_the_cloud import Account, package, wait_for
from warmer.fleet.carried import unpacked
from warmer.fleet.knowledge import Knowledge

ROOT = Path(__file__).resolve().parents[2]
RATE = 60
SCHEDULE = "rate(5 minutes)"
PAUSE = 8
"""Minutes between two waves of the policy."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A minute takes a second: an INIT has to end within the schedule's interval."""
    log = tmp_path_factory.mktemp("cloud") / "cloud.log"
    options = ("--clock-rate", str(RATE), "--idle-lifetime", "86400", "--any-python")
    with CloudProcess(options, directory=ROOT, log=log) as cloud:
        yield Account(cloud)


def scheduled(account: Account, **targets: str) -> str:
    """A warmer with a policy and a schedule of its own; its name is the schedule's, too."""
    variables = {
        "REPLAY_CLOCK": clock_of(account),
        **targets,
        "WARMER_SCHEDULE": SCHEDULE,
        "WARMER_POLICY": f"fixed:{PAUSE}",
    }
    code = package((ROOT / "tests" / "all" / "replay_warmer.py").read_text())
    name = account.function(Code={"ZipFile": code}, Environment={"Variables": variables})
    client = account.client("lambda")
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    account.client("scheduler").create_schedule(
        Name=name,
        Description="as it was deployed",
        ScheduleExpression=SCHEDULE,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": account.role, "RetryPolicy": {"MaximumRetryAttempts": 0}},
    )
    return name


def minutes(account: Account, function: str) -> list[float]:
    """When a function was invoked, in the cloud's minutes."""
    return [one["started"] * RATE / 60 for one in invocations(account, function)]


def handed(account: Account, warmer: str, function: str) -> Knowledge:
    """What the last run wrote into its schedule; nothing before it did."""
    text = schedule_of(account, warmer)["Target"].get("Input", "{}")
    known = json.loads(text).get("handed", {}).get("known", {})
    key = f"{function}:$LATEST"
    return unpacked("the schedule", known[key]) if key in known else Knowledge()


def schedule_of(account: Account, warmer: str) -> dict[str, Any]:
    """The schedule as it stands."""
    return dict(account.client("scheduler").get_schedule(Name=warmer, GroupName="default"))


def replaced(account: Account, warmer: str) -> None:
    """Have all environments of the warmer replaced."""
    client = account.client("lambda")
    found = client.get_function_configuration(FunctionName=warmer)["Environment"]["Variables"]
    variables = {**found, "ANOTHER": str(len(invocations(account, warmer)))}
    client.update_function_configuration(FunctionName=warmer, Environment={"Variables": variables})


def test_runs_come_when_the_policy_wants_them_and_know_what_those_before_knew(
    account: Account,
) -> None:
    """Every eight minutes, not every five; also where each run has another process.

    A rate counts from its start (EventBridge Scheduler user guide, "Schedule types").
    """
    function = account.function()
    warmer = scheduled(account, WARMER_TARGETS=json.dumps([{"function": function}]))
    for runs in (1, 2, 3):
        wait_for(partial(waves_of, account, warmer, function, runs), "a wave")
        replaced(account, warmer)
    ran, pinged = minutes(account, warmer), minutes(account, function)

    gaps = [later - sooner for sooner, later in pairwise(ran)]
    # INIT of a new process is in real time, of which a second is one of the cloud's minutes.
    assert all(PAUSE - 1 <= gap <= 2 * PAUSE for gap in gaps), gaps
    assert len(pinged) == len(ran)
    stands = schedule_of(account, warmer)
    assert stands["Description"] == "as it was deployed"
    assert stands["ScheduleExpression"] == SCHEDULE
    assert stands["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    account.client("scheduler").delete_schedule(Name=warmer)


def test_a_run_that_fails_moves_nothing_and_another_follows(account: Account) -> None:
    """After the interval of the schedule."""
    warmer = scheduled(account, WARMER_TARGETS_PARAMETER="/none-of-this-name")
    wait_for(lambda: len(minutes(account, warmer)) >= 3, "the third run")

    assert "handed" not in schedule_of(account, warmer)["Target"].get("Input", "")
    account.client("scheduler").delete_schedule(Name=warmer)


def test_a_run_by_hand_leaves_a_schedule_that_is_switched_off_as_it_is(account: Account) -> None:
    """Only the schedule's own runs move it."""
    function = account.function()
    warmer = scheduled(account, WARMER_TARGETS=json.dumps([{"function": function}]))
    wait_for(lambda: handed(account, warmer, function).waves, "a wave")
    account.client("scheduler").update_schedule(
        Name=warmer,
        ScheduleExpression=SCHEDULE,
        State="DISABLED",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            key: item
            for key, item in schedule_of(account, warmer)["Target"].items()
            if key != "Input"
        },
    )
    account.run(warmer)
    stands = schedule_of(account, warmer)

    assert stands["State"] == "DISABLED"
    assert "Input" not in stands["Target"]
    account.client("scheduler").delete_schedule(Name=warmer)


def waves_of(account: Account, warmer: str, function: str, count: int) -> bool:
    """Whether so many waves are known to the last run."""
    return len(handed(account, warmer, function).waves) >= count
