"""A user's own functions join the warmer: a decorator, and a tag or a schedule of their own.

Counted by the cloud's ledger.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.cloud.deployed import DeployedStack
from infra.cloud.sam import PROJECT

if TYPE_CHECKING:
    from infra.cloud.testing import LocalCloudFactory

README = (PROJECT / "README.md").read_text(encoding="utf-8")
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"

# The template around the README's resources; what the warmer needs is in the project's own.
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {{ Runtime: {RUNTIME}, Timeout: 30, MemorySize: 512 }}
Resources:
%s
  Bare:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-bare
      CodeUri: bare
      Handler: app.handler
      AutoPublishAlias: live
      Tags: {{ "warmer:concurrency": "2", "warmer:qualifier": live }}
  Warmer:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-warmer
      CodeUri: warmer
      Handler: handlers.warm.handler
      Environment: {{ Variables: {{ WARMER_TARGETS_BY_TAG: ENABLED }} }}
"""

# Its own code would run on a ping.
BARE = """
def handler(event, context):
    return event
"""


def without_caches(_folder: str, names: list[str]) -> set[str]:
    """What is not copied into a package."""
    return {name for name in names if name == "__pycache__"}


def block(language: str, beginning: str) -> str:
    """The README's block in this language that has a line which begins so."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if re.search(rf"^{beginning}", text, re.MULTILINE)]
    return str(found)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, local_cloud: LocalCloudFactory
) -> DeployedStack:
    """The README's functions as they stand there, one that is tagged only, and a warmer."""
    folder = tmp_path_factory.mktemp("joining")
    for package in ("greeter", "nightly", "warmer"):
        shutil.copytree(PROJECT / "warmer", folder / package / "warmer", ignore=without_caches)
    (folder / "greeter" / "app.py").write_text(block("py-greeter", "async def handler"))
    (folder / "nightly" / "app.py").write_text(block("py-nightly", "@warmer.warmable"))
    (folder / "bare").mkdir()
    (folder / "bare" / "app.py").write_text(BARE)
    shutil.copytree(PROJECT / "handlers", folder / "warmer" / "handlers", ignore=without_models)
    resources = block("yaml", "  Greeter:")
    (folder / "template.yaml").write_text(TEMPLATE % resources)
    return local_cloud(folder / "template.yaml", build=False, any_python=True)


def without_models(folder: str, names: list[str]) -> set[str]:
    """Neither caches nor the demo's model."""
    return without_caches(folder, names) | ({"models"} & set(names))


def invoke(stack: DeployedStack, function: str, event: object, **options: Any) -> Any:
    """What a function answers."""
    answer = stack.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps(event).encode(), **options
    )
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


@pytest.fixture(scope="module")
def run(stack: DeployedStack) -> dict[str, Any]:
    """What the warmer says of one run."""
    said: dict[str, Any] = invoke(stack, "local-warmer", {})
    return said


def test_a_tagged_function_is_warmed_without_a_deploy_of_the_warmer(
    stack: DeployedStack, run: dict[str, Any]
) -> None:
    """As many environments as its tag says, by the ledger; a request then meets none cold."""
    (wave,) = [wave for wave in run["waves"] if wave["function"].endswith("local-greeter")]
    assert (wave["asked"], wave["proven"]) == (3, 3)
    assert len(stack.environments("local-greeter")) >= 3
    since = stack.mark()
    assert invoke(stack, "local-greeter", {"name": "you"}, Qualifier="live") == {"hello": "you"}
    assert stack.cold_starts("local-greeter", since) == 0


def test_a_function_that_is_tagged_and_not_decorated_meets_one_ping(
    stack: DeployedStack, run: dict[str, Any]
) -> None:
    """And the warmer says what is to be done about it."""
    assert run["ok"] is False
    pings = [item for item in stack.invocations("local-bare") if item["ping"]]
    assert len(pings) == 1
    assert "local-bare" in json.dumps(run["left_alone"] + run["waves"])


@pytest.mark.aws(
    "EventBridge Scheduler user guide: Schedule types",
    "A schedule of one's own invokes a function with the input that it names, at once",
)
def test_a_schedule_of_ones_own_pings_a_function_that_accepts_events(stack: DeployedStack) -> None:
    """A rate fires at once; the ping does the work that it asks for, and no code of the user's.

    AWS page: EventBridge Scheduler user guide, "Schedule types".
    """
    deadline = time.monotonic() + 20
    while not (found := [i for i in stack.invocations("local-nightly") if i["ended"]]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (found[0]["kind"], found[0]["status"]) == ("event", "success")
    lines = messages(stack, "local-nightly")
    assert not [line for line in lines if "a user's request" in line]
    assert invoke(stack, "local-nightly", {"warmer": {"version": 1}, "more": 1}) == "connected"
    assert [line for line in messages(stack, "local-nightly") if "a user's request" in line]


def messages(stack: DeployedStack, function: str) -> list[str]:
    """All that a function has logged."""
    found = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")
    return [event["message"] for event in found["events"]]


def status(stack: DeployedStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`warmer status` against the cloud."""
    command: list[Any] = [PROJECT / ".venv" / "bin" / "warmer", "status", *arguments]
    return subprocess.run(
        [*command, "--endpoint-url", stack.endpoint],
        env={**stack.environment(), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.usefixtures("run")
def test_status_tells_what_was_proven(stack: DeployedStack) -> None:
    """From the warmer's own log lines; it finds the warmer by its name."""
    shown = status(stack)
    assert "local-greeter:live" in shown.stdout, shown.stderr
    assert re.search(r"3 of 3, \d+ s ago", shown.stdout)
    found = json.loads(status(stack, "local-warmer", "--json").stdout)["warmers"][0]
    (target,) = [item for item in found["targets"] if item["function"].endswith("local-greeter")]
    alive = {item["id"] for item in stack.environments("local-greeter")}
    assert (target["proven"], len(alive) >= 3, target["versions"]) == (3, True, ["1"])


def test_status_of_what_never_ran_names_it(stack: DeployedStack) -> None:
    """With what to check."""
    shown = status(stack, "nobody")
    assert shown.returncode == 1
    assert "WARMER is 'nobody'; expected a function with the log group" in shown.stderr
