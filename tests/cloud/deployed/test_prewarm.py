"""Deploys under steady load, with the PreTraffic hook and without, counted by the cloud's ledger.

Sources: AWS CodeDeploy user guide, "AppSpec 'hooks' section for an AWS Lambda deployment"; AWS
CloudFormation user guide, "UpdatePolicy attribute".
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.cloud.deployed import DeployedStack
from infra.cloud.sam import PROJECT
from tests.cloud.steady_load import steady_load as callers_of
from tests.cloud.steady_load import users as users_of
from warmer.errors import CloudError

if TYPE_CHECKING:
    from infra.cloud.testing import LocalCloudFactory

FUNCTION = "local-f"
HOOK = "local-pre-traffic"
CALLERS = 4
EVERY_SECONDS = 0.04

# A user's function, which takes 0.3 s to start; KIND says what is wrong with this version of it.
SOURCE = """
import os
import time

import warmer

KIND = os.environ["KIND"]
time.sleep(0.3)
if KIND == "init-fails":
    raise RuntimeError("golden outputs differ")


def connect():
    if KIND == "priming-fails":
        raise OSError("no route to the model")


warmer.prime(connect, policy="degrade")


def answer(event, context):
    time.sleep(0.02)
    return {"version": context.function_version}


handler = answer if KIND == "undecorated" else warmer.warmable(answer)
"""


def template(kind: str, hook: bool = True, alias: str = "live") -> dict[str, Any]:
    """The function as SAM's template declares it, with the project's own hook."""
    preference: dict[str, Any] = {
        "Type": "AllAtOnce",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        **({"Hooks": {"PreTraffic": {"Ref": "Hook"}}} if hook else {}),
    }
    common = {
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
    }
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
                    "Environment": {"Variables": {"KIND": kind}},
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
                    "Timeout": 60,
                    "Environment": {
                        "Variables": {"WARMER_VERSION": {"Ref": "F.Version"}, "WARMER_ALIAS": alias}
                    },
                },
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Statement": []}},
            },
        },
    }


def without_caches(_folder: str, names: list[str]) -> set[str]:
    """What is not copied into a package."""
    return {name for name in names if name == "__pycache__"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, complete."""
    path = tmp_path_factory.mktemp("deploys")
    for package in ("function", "hook"):
        shutil.copytree(PROJECT / "warmer", path / package / "warmer", ignore=without_caches)
    (path / "function" / "app.py").write_text(SOURCE)
    (path / "hook" / "handlers").mkdir()
    for name in ("__init__.py", "pre_traffic.py"):
        shutil.copy(PROJECT / "handlers" / name, path / "hook" / "handlers" / name)
    return path


def written(folder: Path, kind: str, **options: Any) -> Path:
    """The template for a version of this kind, as a file."""
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump(template(kind, **options)))
    return path


@pytest.fixture(scope="module")
def stack(folder: Path, local_cloud: LocalCloudFactory) -> DeployedStack:
    """The first deploy."""
    return local_cloud(template=written(folder, "first"), build=False, any_python=True)


def live(stack: DeployedStack) -> str:
    """The version that the alias is on."""
    alias = stack.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
    return str(alias["FunctionVersion"])


def users(stack: DeployedStack, since: int) -> list[dict[str, Any]]:
    """Users' requests to the function from mark `since` on."""
    return users_of(stack, FUNCTION, since)


def said(stack: DeployedStack) -> dict[str, Any]:
    """What the hook logged last of a judgement."""
    events = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{HOOK}")["events"]
    lines = [json.loads(e["message"]) for e in events if e["message"].startswith("{")]
    found: dict[str, Any] = [line for line in lines if line["message"] == "prewarm"][-1]
    return found


def steady_load(stack: DeployedStack) -> AbstractContextManager[None]:
    """CALLERS requests of the alias at once, every EVERY_SECONDS; all is well for each."""
    return callers_of(stack, FUNCTION, CALLERS, EVERY_SECONDS)


def cold_by_version(stack: DeployedStack, since: int) -> Counter[str]:
    """How many users' requests waited for an INIT, by version."""
    return Counter(item["version"] for item in users(stack, since) if item["cold"])


@pytest.fixture(scope="module")
def with_hook(stack: DeployedStack, folder: Path) -> int:
    """An update under steady load; the mark at which it began."""
    with steady_load(stack):
        since = stack.mark()
        stack.update(written(folder, "second"))
    return since


@pytest.mark.aws(
    "CodeDeploy user guide: AppSpec 'hooks' section", "The first deploy of an alias runs no hook"
)
def test_the_first_deploy_runs_no_hook(stack: DeployedStack) -> None:
    """There is no alias to move yet (CodeDeploy user guide, "AppSpec 'hooks' section")."""
    assert live(stack) == "1"
    assert stack.invocations(HOOK) == []


def test_no_request_meets_a_cold_start_of_a_version_that_was_warmed(
    stack: DeployedStack, with_hook: int
) -> None:
    """The hook was told to keep one; it warmed as many as the alias carried."""
    assert live(stack) == "2"
    assert cold_by_version(stack, with_hook) == Counter()
    assert {item["version"] for item in users(stack, with_hook)} == {"1", "2"}
    pings = [item for item in stack.invocations(FUNCTION, with_hook) if item["ping"]]
    assert {item["qualifier"] for item in pings} == {"2"}
    hook = said(stack)
    assert (hook["status"], hook["need"]["configured"]) == ("Succeeded", 1)
    assert (hook["need"]["observed"], hook["need"]["notes"]) == (CALLERS, [])
    assert len({item["environment"] for item in pings}) >= CALLERS


@pytest.mark.usefixtures("with_hook")
def test_without_the_hook_requests_meet_cold_starts(stack: DeployedStack, folder: Path) -> None:
    """The same update without it; some, of the new version alone."""
    with steady_load(stack):
        since = stack.mark()
        stack.update(written(folder, "third", hook=False))
    assert set(cold_by_version(stack, since)) == {live(stack)}


@dataclass
class Refused:
    """Updates that were refused: reasons that the hook logged, by kind; users' requests of then."""

    reasons: dict[str, str]
    before: str
    versions: set[str]


@pytest.fixture(scope="module")
def refused(stack: DeployedStack, folder: Path, with_hook: int) -> Refused:
    """One update after another that cannot be primed, all under steady load."""
    assert with_hook
    before, since = live(stack), stack.mark()
    reasons = {}
    with steady_load(stack):
        for kind in ("init-fails", "priming-fails", "undecorated"):
            with pytest.raises(CloudError, match=f"hook {HOOK} reported Failed"):
                stack.update(written(folder, kind))
            assert said(stack)["status"] == "Failed"
            reasons[kind] = said(stack)["reason"]
    asked = [item for item in users(stack, since) if item["qualifier"] == "live"]
    return Refused(reasons, before, {item["version"] for item in asked})


def test_a_version_that_cannot_be_primed_never_gets_traffic(
    stack: DeployedStack, refused: Refused
) -> None:
    """The stack is rolled back; every request is served by the version from before, faultless."""
    assert refused.versions == {refused.before}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("init-fails", "golden outputs differ"),
        ("priming-fails", "priming failed: connect: .*no route to the model"),
        ("undecorated", "did not answer as one of Warmer's"),
    ],
)
def test_the_log_says_why_a_version_was_refused(refused: Refused, kind: str, reason: str) -> None:
    """CodeDeploy takes a status without a text."""
    assert re.search(reason, refused.reasons[kind])


@pytest.mark.usefixtures("with_hook")
def test_a_setting_that_cannot_be_used_is_reported_at_once(
    stack: DeployedStack, folder: Path
) -> None:
    """Not an hour later, which is how long CodeDeploy waits for a hook that says nothing."""
    with pytest.raises(CloudError, match=f"hook {HOOK} reported Failed"):
        stack.update(written(folder, "fourth", alias="7"))
    assert "WARMER_ALIAS is '7'; expected an alias's name, such as live" in said(stack)["reason"]
