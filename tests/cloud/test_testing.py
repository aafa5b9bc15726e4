"""The pytest fixture that gives a user's tests a cloud with their template deployed."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.cloud.artifacts import packaged
from infra.cloud.deploy import deploy
from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.process import CloudProcess
from infra.cloud.sam import PROJECT
from warmer.errors import CloudError, ConfigurationError

if TYPE_CHECKING:
    from infra.cloud.testing import LocalCloudFactory

RUNTIME_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Parameters: {{ Word: {{ Type: String, Default: none }}, Type: {{ Type: String, Default: A }} }}
Resources:
  Sample:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-sample
      Handler: app.handler
      CodeUri: src
      Runtime: {RUNTIME_PYTHON}
      Tracing: Active
      Environment: {{ Variables: {{ WORD: !Ref Word }} }}
Outputs:
  Function: {{ Value: !Ref Sample }}
"""
SOURCE = """
import os

def handler(event, context):
    return os.environ["WORD"]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's template, with its code beside it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(SOURCE)
    path = folder / "template.yaml"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture(scope="module")
def stack(template: Path, local_cloud: LocalCloudFactory) -> DeployedStack:
    """Built by the real `sam build`, and deployed."""
    return local_cloud(template=template, parameters={"Word": "mine"})


def invoke(stack: DeployedStack, function: str) -> Any:
    """What a function answers."""
    answer = stack.client("lambda").invoke(FunctionName=function)
    return json.loads(answer["Payload"].read())


def test_a_users_function_is_built_deployed_and_counted(stack: DeployedStack) -> None:
    """Outputs, parameters, cold starts, environments and marks are what the cloud saw."""
    function = stack.outputs["Function"]
    assert function == "local-sample"
    before = stack.mark()
    assert [invoke(stack, function) for _ in range(2)] == ["mine", "mine"]
    assert stack.cold_starts(function) == 1
    assert stack.cold_starts(function, since=before + 1) == 0
    (environment,) = stack.environments(function)
    assert (environment["state"], environment["invokes"], environment["pings"]) == ("idle", 2, 0)
    assert 0 <= environment["idle_seconds"] <= environment["age_seconds"]
    assert environment["init_ms"] > 0
    assert len(stack.invocations(function, since=before)) == 2


def test_the_same_arguments_give_the_same_cloud(
    template: Path, stack: DeployedStack, local_cloud: LocalCloudFactory
) -> None:
    """Every test may ask for it."""
    assert local_cloud(template=template, parameters={"Word": "mine"}) is stack


def test_a_stack_can_be_updated(template: Path, stack: DeployedStack) -> None:
    """Another parameter, without a build: the function says the new word."""
    stack.update(template, {"Word": "other"})
    assert invoke(stack, stack.outputs["Function"]) == "other"


def test_a_template_that_cloudformation_refuses_is_said(
    template: Path, stack: DeployedStack
) -> None:
    """In its own words."""
    with pytest.raises(CloudError, match=r"Parameters: \[Nothing\] do not exist"):
        deploy(stack.endpoint, packaged(template), {"Nothing": "1"}, "refused")


def test_a_resource_that_fails_is_named_with_its_reason(
    template: Path, stack: DeployedStack
) -> None:
    """The function's runtime is none that the cloud runs."""
    text = TEMPLATE.replace(RUNTIME_PYTHON, "nodejs22.x")
    wrong = template.with_name("wrong.yaml")
    wrong.write_text(text)
    with pytest.raises(CloudError, match=r"Sample CREATE_FAILED: .*Runtime is nodejs22.x"):
        deploy(stack.endpoint, packaged(wrong), {}, "wrong")


def test_a_template_that_does_not_exist_starts_nothing(tmp_path: Path) -> None:
    """It is a configuration error with the path."""
    with pytest.raises(ConfigurationError, match=r"none\.yaml"), deployed(tmp_path / "none.yaml"):
        pass


def test_without_pytest_a_context_ends_its_cloud(template: Path) -> None:
    """Here without a build, since the code folder is complete; afterwards nobody answers."""
    with deployed(template, build=False, stack="other", arguments=["--clock-rate", "60"]) as stack:
        assert stack.outputs == {"Function": "other-sample"}
        assert stack.status()["clock_rate"] == 60
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(stack.endpoint, timeout=5)


def test_the_commands_deploy_a_template_and_tell_its_status(template: Path, tmp_path: Path) -> None:
    """`up --template` with parameters as sam takes them; `status` as text and as JSON."""
    log = tmp_path / "log"
    options = ["--template", str(template), "--parameter-overrides", "Word=a", "Type=b"]
    with CloudProcess(options, directory=PROJECT, log=log) as cloud:
        runs = DeployedStack(cloud, "local", {})
        assert invoke(runs, "local-sample") == "a"
        text = _status("--endpoint", cloud.endpoint)
        found = json.loads(_status("--endpoint", cloud.endpoint, "--json").stdout)
        assert "recorded without effect" in log.read_text()
        assert "Sample.TracingConfig" in log.read_text()
    (environment,) = found["environments"]
    assert found["functions"] == {"local-sample": {"environments": 1, "idle": 1}}
    assert environment["invokes"] == 1
    assert "local-sample: 1 (1 idle)" in text.stdout
    assert "Age and idle time are cloud time; INIT is real time." in text.stdout
    gone = _status("--endpoint", cloud.endpoint)
    assert (gone.returncode, gone.stdout) == (1, "")
    (line,) = gone.stderr.splitlines()
    assert f"There is no local cloud at {cloud.endpoint}" in line


def _status(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.cloud", "status", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
