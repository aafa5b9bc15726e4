"""The stack with a policy: built by `sam build`, deployed to a local cloud, its schedule moved."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam_build import build, build_environment
from tests.fleet.test_in_the_cloud import wait_for
from warmer.fleet.carried import unpacked

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
CHOICES = {"WarmPolicy": "fixed:10x2", "WarmConcurrency": "2"}
WARMER, INFERENCE = "local-warmer", "local-inference"


@pytest.fixture(scope="module")
def stack() -> Iterator[DeployedStack]:
    """With a policy, and without a memory table."""
    with deployed(TEMPLATE, CHOICES, any_python=True) as running:
        yield running


def schedule(stack: DeployedStack) -> dict[str, Any]:
    """The warmer's schedule as it stands."""
    return dict(stack.client("scheduler").get_schedule(Name=WARMER, GroupName="default"))


def handed(stack: DeployedStack) -> dict[str, Any]:
    """What the last run handed over; nothing before one did."""
    found = json.loads(schedule(stack)["Target"].get("Input", "{}")).get("handed", {})
    return dict(found)


def test_the_first_run_moves_the_schedule_and_nothing_else_of_it(stack: DeployedStack) -> None:
    """To half a minute before the policy looks again; what it knows is in the input."""
    known = wait_for(lambda: handed(stack).get("known"), "a run that hands over")
    stands = schedule(stack)

    ((key, text),) = known.items()
    assert key.startswith(f"{INFERENCE}:")
    (wave,) = unpacked("the schedule", text).waves
    assert wave.proven == 2
    assert stands["StartDate"].timestamp() == pytest.approx(wave.at + 570, abs=20)
    assert stands["ScheduleExpression"] == "rate(5 minutes)"
    assert stands["State"] == "ENABLED"
    assert stands["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert stands["Target"]["DeadLetterConfig"]["Arn"]
    assert stands["StartDate"].timestamp() > time.time() + 300


def test_a_deploy_may_switch_it_off(stack: DeployedStack) -> None:
    """And runs by hand leave it so."""
    built = build(TEMPLATE, {}, environment=build_environment(True))
    stack.update(built, {**CHOICES, "Warming": "DISABLED"})
    stack.client("lambda").invoke(FunctionName=WARMER)

    assert schedule(stack)["State"] == "DISABLED"
