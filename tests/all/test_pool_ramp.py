"""A linear deploy under steady load, with the pool's ramp ahead of the traffic and without.

Ten steps of ten percent, a minute of the cloud's each. Counted by the cloud's ledger.

AWS pages: CodeDeploy user guide, "Working with deployment configurations in CodeDeploy" and
"AppSpec 'hooks' section for an AWS Lambda deployment"; Lambda developer guide, "Lambda scaling
behavior".
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.cloud.deployed import deployed
from infra.cloud.sam import PROJECT
from tests.cloud.steady_load import steady_load

FUNCTION, HOOK, WARMER = "local-f", "local-pre-traffic", "local-warmer"
SHIFT = "Linear10PercentEvery1Minute"
SCHEDULE = "rate(3 minutes)"
CLOCK_RATE = 8
"""A minute of the cloud, at which the share rises, takes 7.5 s. INIT takes real time, whatever the
clock's rate, and thirty at once take some seconds of two processors that others use as well."""

IDLE_MINUTES = 5  # that the warmer counts on; the cloud keeps them twice as long
CALLERS = 30
"""So many that the cold starts which chance leaves are few beside a tenth of those without a ramp:
an alias draws each request's version, and now and then more go to one than two standard deviations
above its share."""

SERVICE_SECONDS, EVERY_SECONDS = 0.8, 1.0
"""What a request takes, as a call to a database would, and how often each caller sends one: the
load is thirty requests at once, every second."""

ACCOUNT = 75
"""Concurrency of the account: the users, waves to both versions beside them, and not much more."""

SOURCE = """
import os
import time

import warmer

RELEASE = os.environ["RELEASE"]
SERVICE_SECONDS = float(os.environ["SERVICE_SECONDS"])


@warmer.warmable
def handler(event, context):
    time.sleep(SERVICE_SECONDS)
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
                    "Environment": {
                        "Variables": {
                            "RELEASE": release,
                            "SERVICE_SECONDS": str(SERVICE_SECONDS),
                        }
                    },
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


@dataclass
class Deploy:
    """A deploy under load: users' requests and cold starts, pings, throttles, of both versions.

    `peak`: the most invocations at once, of all functions.
    """

    cold: Counter[str]
    served: set[str]
    pings: dict[str, int]
    throttled: int
    peak: int


def most_at_once(records: list[dict[str, Any]]) -> int:
    """The most of these invocations that ran at one moment."""
    changes = [(r["started"], 1) for r in records] + [(r["ended"], -1) for r in records]
    running = accumulate(change for _, change in sorted(changes))
    return max(running, default=0)


def deploy(folder: Path, *, ramp: bool) -> Deploy:
    """A first release, then a second under steady load, in a cloud of its own."""
    clock = ("--clock-rate", str(CLOCK_RATE), "--idle-lifetime", str(2 * IDLE_MINUTES * 60))
    limits = ("--account-concurrency", str(ACCOUNT))
    first = written(folder, "first", ramp)
    with deployed(first, build=False, any_python=True, arguments=(*clock, *limits)) as stack:
        with steady_load(stack, FUNCTION, CALLERS, EVERY_SECONDS):
            since = stack.mark()
            stack.update(written(folder, "second", ramp))
        found = stack.invocations(FUNCTION, since)
        of_all = [item for item in stack.ledger()["invocations"] if item["ended"]]
        asked = [item for item in found if not item["ping"]]
        return Deploy(
            cold=Counter(item["version"] for item in asked if item["cold"]),
            served={item["version"] for item in asked},
            pings=dict(Counter(item["version"] for item in found if item["ping"])),
            throttled=sum(item["status"] == "throttled" for item in of_all),
            peak=most_at_once([item for item in of_all if item["status"] != "throttled"]),
        )


def test_the_ramp_saves_nine_of_ten_cold_starts_of_a_linear_deploy(folder: Path) -> None:
    """Without it every environment of the new version is started by a user; no request fails.

    Near the account's limit, too: nobody is throttled, user or ping.
    """
    without = deploy(folder, ramp=False)
    with_ramp = deploy(folder, ramp=True)

    assert without.served == with_ramp.served == {"1", "2"}
    assert without.pings == {}
    assert without.cold.total() >= 3 * CALLERS / 4
    assert with_ramp.cold.total() <= without.cold.total() / 10, with_ramp
    assert (without.throttled, with_ramp.throttled) == (0, 0), with_ramp
    assert with_ramp.peak >= 0.6 * ACCOUNT, with_ramp
