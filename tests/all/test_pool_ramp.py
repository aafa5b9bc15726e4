"""A linear deploy under steady load, with the pool's ramp ahead of the traffic and without.

Ten steps of ten percent, a minute of the cloud's each. Counted by the cloud's ledger.

AWS pages: CodeDeploy user guide, "Working with deployment configurations in CodeDeploy" and
"AppSpec 'hooks' section for an AWS Lambda deployment"; Lambda developer guide, "Lambda scaling
behavior".
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import PROJECT

FUNCTION, HOOK, WARMER = "local-f", "local-pre-traffic", "local-warmer"
SHIFT = "Linear10PercentEvery1Minute"
SCHEDULE = "rate(3 minutes)"
CLOCK_RATE = 20
IDLE_MINUTES = 5  # that the warmer counts on; the cloud keeps them twice as long
CALLERS = 20
ACCOUNT = 100
"""Concurrency of the account: both versions' pools and live traffic, and not much more."""

SOURCE = """
import os
import time

import warmer

RELEASE = os.environ["RELEASE"]


@warmer.warmable
def handler(event, context):
    time.sleep(0.4)
    return {"release": RELEASE}
"""


def template(release: str, ramp: bool) -> dict[str, Any]:
    """The function with a linear deployment; `ramp`: with hook and warmer ahead of it."""
    common = {
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Timeout": 60,
    }
    preference: dict[str, Any] = {"Type": SHIFT, "Role": common["Role"]}
    if ramp:
        preference["Hooks"] = {"PreTraffic": {"Ref": "Hook"}}
    target = f'[{{"function": "{FUNCTION}", "qualifier": "live", "concurrency": {CALLERS}'
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    **common,
                    "FunctionName": FUNCTION,
                    "CodeUri": "function",
                    "Handler": "app.handler",
                    "AutoPublishAlias": "live",
                    "AutoPublishAliasAllProperties": True,
                    "Environment": {"Variables": {"RELEASE": release}},
                    "DeploymentPreference": preference,
                },
            },
            "Hook": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    **common,
                    "FunctionName": HOOK,
                    "CodeUri": "hook",
                    "Handler": "handlers.pre_traffic.handler",
                    "Environment": {
                        "Variables": {
                            "WARMER_VERSION": {"Ref": "F.Version"},
                            "WARMER_CONCURRENCY": str(CALLERS),
                            "WARMER_RAMP": SHIFT,
                            "WARMER_IDLE_LIFETIME_SECONDS": str(IDLE_MINUTES * 60),
                        }
                    },
                },
            },
            "Warmer": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    **common,
                    "FunctionName": WARMER,
                    "CodeUri": "warmer",
                    "Handler": "handlers.warm.handler",
                    "Environment": {
                        "Variables": {
                            "WARMER_TARGETS": f'{target}, "ramp": "{SHIFT}"}}]',
                            "WARMER_IDLE_LIFETIME_SECONDS": str(IDLE_MINUTES * 60),
                            "WARMER_SCHEDULE": SCHEDULE,
                        }
                    },
                    "Events": {
                        "Schedule": {
                            "Type": "ScheduleV2",
                            "Properties": {
                                "ScheduleExpression": SCHEDULE,
                                "State": "ENABLED" if ramp else "DISABLED",
                            },
                        }
                    },
                },
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Statement": []}},
            },
        },
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three packages, complete."""
    path = tmp_path_factory.mktemp("ramp")
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("function", "hook", "warmer"):
        shutil.copytree(PROJECT / "warmer", path / package / "warmer", ignore=ignored)
    (path / "function" / "app.py").write_text(SOURCE)
    for package, handler in (("hook", "pre_traffic.py"), ("warmer", "warm.py")):
        (path / package / "handlers").mkdir()
        for name in ("__init__.py", handler):
            shutil.copy(PROJECT / "handlers" / name, path / package / "handlers" / name)
    return path


def written(folder: Path, release: str, ramp: bool) -> Path:
    """The template of this release, as a file."""
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump(template(release, ramp)))
    return path


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def users(stack: DeployedStack, since: int) -> list[dict[str, Any]]:
    """Users' requests to the function from mark `since` on."""
    return [item for item in stack.invocations(FUNCTION, since) if not item["ping"]]


@contextmanager
def steady_load(stack: DeployedStack, faults: list[str]) -> Iterator[None]:
    """CALLERS callers of the alias, each with one request at a time."""
    stop = threading.Event()

    def call() -> None:
        client = stack.client("lambda")
        while not stop.is_set():
            try:
                answer = client.invoke(FunctionName=FUNCTION, Qualifier="live")
            except ClientError as error:
                faults.append(repr(error))
                return
            if "FunctionError" in answer:
                faults.append(answer["Payload"].read().decode())

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    before = stack.mark()
    for caller in callers:
        caller.start()
    try:
        until(lambda: len(users(stack, before)) >= 10 * CALLERS)
        yield
    finally:
        stop.set()
        for caller in callers:
            caller.join()


@dataclass
class Deploy:
    """A deploy under load: users' errors, requests and cold starts, pings, of both versions."""

    faults: list[str]
    cold: int
    served: set[str]
    pings: dict[str, int]


def deploy(folder: Path, *, ramp: bool) -> Deploy:
    """A first release, then a second under steady load, in a cloud of its own."""
    clock = ("--clock-rate", str(CLOCK_RATE), "--idle-lifetime", str(2 * IDLE_MINUTES * 60))
    limits = ("--account-concurrency", str(ACCOUNT))
    first = written(folder, "first", ramp)
    with deployed(first, build=False, any_python=True, arguments=(*clock, *limits)) as stack:
        faults: list[str] = []
        with steady_load(stack, faults):
            since = stack.mark()
            stack.update(written(folder, "second", ramp))
            found = stack.invocations(FUNCTION, since)
        asked = [item for item in found if not item["ping"]]
        pings = Counter(item["version"] for item in found if item["ping"])
        cold = sum(item["cold"] for item in asked)
        return Deploy(faults, cold, {item["version"] for item in asked}, dict(pings))


def test_the_ramp_saves_nine_of_ten_cold_starts_of_a_linear_deploy(folder: Path) -> None:
    """Without it every environment of the new version is started by a user; no request fails."""
    without = deploy(folder, ramp=False)
    with_ramp = deploy(folder, ramp=True)

    assert without.faults == with_ramp.faults == []
    assert without.served == with_ramp.served == {"1", "2"}
    assert without.pings == {}
    assert without.cold >= CALLERS / 2
    assert with_ramp.cold <= without.cold / 10, with_ramp
