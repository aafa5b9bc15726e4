"""Deploys of the project's own template: the first one, a good one, and a model that differs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import PROJECT
from infra.cloud.sam_build import build, build_environment
from infra.cloud.template_file import read_template
from tests.warmer import bundles, graphs
from warmer.errors import CloudError

INFERENCE, HOOK = "local-inference", "local-pre-traffic"
PARAMETERS = {"WarmConcurrency": "2"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as `sam build` leaves it, in a folder of its own."""
    template = build(PROJECT / "template.yaml", {}, environment=build_environment(True))
    folder = tmp_path_factory.mktemp("deploys") / "build"
    shutil.copytree(template.parent, folder, copy_function=os.link)
    return folder / template.name


@pytest.fixture(scope="module")
def stack(built: Path) -> Iterator[DeployedStack]:
    """The first deploy, with the schedule on."""
    with deployed(built, PARAMETERS, build=False, any_python=True) as stack:
        yield stack


def changed(built: Path, **properties: object) -> Path:
    """The template with other properties of the inference function."""
    template = read_template(built)
    template["Resources"]["InferenceFunction"]["Properties"].update(properties)
    path = built.with_name("changed.json")
    path.write_text(json.dumps(template, default=str))
    return path


def live(stack: DeployedStack) -> str:
    """The version that the alias is on."""
    alias = stack.client("lambda").get_alias(FunctionName=INFERENCE, Name="live")
    return str(alias["FunctionVersion"])


def said(stack: DeployedStack) -> dict[str, Any]:
    """What the hook logged of its last judgement."""
    events = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{HOOK}")["events"]
    lines = [json.loads(e["message"]) for e in events if e["message"].startswith("{")]
    found: dict[str, Any] = [line for line in lines if line["message"] == "prewarm"][-1]
    return found


def request_is_cold(stack: DeployedStack) -> bool:
    """Whether a user's request through the alias waits for an INIT."""
    since = stack.mark()
    stack.client("lambda").invoke(FunctionName=INFERENCE, Qualifier="live", Payload=b"{}")
    return bool(stack.cold_starts(INFERENCE, since))


def test_a_first_deploy_is_warmed_by_the_schedule(stack: DeployedStack) -> None:
    """No hook runs and nobody asks: a rate of EventBridge Scheduler fires as soon as it is made.

    AWS pages: EventBridge Scheduler user guide, "Schedule types"; CodeDeploy user guide, "AppSpec
    'hooks' section for an AWS Lambda deployment".
    """
    deadline = time.monotonic() + 60
    while not any(run["status"] == "success" for run in stack.invocations("local-warmer")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert stack.invocations(HOOK) == []
    assert len(stack.environments(INFERENCE)) >= 2
    assert all(item["ping"] for item in stack.invocations(INFERENCE))
    assert not request_is_cold(stack)


def test_a_change_is_warm_before_it_gets_traffic(stack: DeployedStack, built: Path) -> None:
    """The hook as the template has it, on the real model."""
    stack.update(changed(built, MemorySize=1024), PARAMETERS)
    assert live(stack) == "2"
    hook = said(stack)
    assert hook["status"] == "Succeeded", hook
    assert (hook["need"]["configured"], hook["need"]["notes"]) == (2, [])
    assert not request_is_cold(stack)


def test_a_model_whose_golden_outputs_differ_is_refused(stack: DeployedStack, built: Path) -> None:
    """Its variants subtract where the golden outputs are sums: INIT fails, and nobody is served."""
    before = live(stack)
    folder = built.parent / "InferenceFunction" / "differs"
    folder.mkdir()
    graphs.subtraction(folder / "fast.onnx")
    bundles.write(folder, [bundles.variant("fast")])
    variables = {"Variables": {"WARMER_MODEL": "/var/task/differs"}}
    with pytest.raises(CloudError, match=f"hook {HOOK} reported Failed"):
        stack.update(changed(built, Environment=variables), PARAMETERS)
    assert live(stack) == before
    assert "differs from the golden one" in said(stack)["reason"]
    assert not request_is_cold(stack)
