"""A canary that fails after the hook let it pass: an alarm moves the traffic back.

AWS pages: CodeDeploy user guide, "Monitoring deployments with Amazon CloudWatch alarms"; SAM
developer guide, "Deploying serverless applications gradually".
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import PROJECT
from infra.cloud.sam_build import build, build_environment
from infra.cloud.template_file import read_template
from warmer.errors import CloudError

INFERENCE = "local-inference"
PARAMETERS = {
    "Alarms": "ENABLED",
    "DeploymentType": "Canary10Percent5Minutes",
    "WarmConcurrency": "3",
}
# A minute of the cloud's is a second: the canary would take five.
CLOCK = ("--clock-rate", "60", "--idle-lifetime", "86400")
SENT = json.dumps(
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 8, 8], "data": [0] * 64}]}
)

# Primes and answers pings as the release before it did; its users are another matter.
BROKEN = """
import warmer
from handlers import inference


@warmer.warmable
def handler(event, context):
    raise RuntimeError("this release is broken")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as `sam build` leaves it, in a folder of its own, with a broken release too."""
    template = build(PROJECT / "template.yaml", {}, environment=build_environment(True))
    folder = tmp_path_factory.mktemp("rollback") / "build"
    shutil.copytree(template.parent, folder, copy_function=os.link)
    (folder / "InferenceFunction" / "handlers" / "broken.py").write_text(BROKEN)
    return folder / template.name


@pytest.fixture(scope="module")
def stack(built: Path) -> Iterator[DeployedStack]:
    """The first release, warm."""
    with deployed(built, PARAMETERS, build=False, any_python=True, arguments=CLOCK) as running:
        running.client("lambda").invoke(FunctionName="local-warmer")
        yield running


class Users:
    """Callers of the alias, one request at a time each; what became of every request."""

    def __init__(self, stack: DeployedStack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.threads = [threading.Thread(target=self._call) for _ in range(3)]

    def _call(self) -> None:
        client = self._stack.client("lambda")
        while not self._stop.is_set():
            answer = client.invoke(FunctionName=INFERENCE, Qualifier="live", Payload=SENT)
            said = json.loads(answer["Payload"].read())
            failed = said.get("errorMessage", "") if "FunctionError" in answer else ""
            with self._lock:
                self.outcomes[answer["ExecutedVersion"], failed] += 1
            time.sleep(0.01)

    @contextmanager
    def calling(self) -> Iterator[Counter[tuple[str, str]]]:
        """They call until the end of the block."""
        for thread in self.threads:
            thread.start()
        try:
            yield self.outcomes
        finally:
            self._stop.set()
            for thread in self.threads:
                thread.join()


def changed(built: Path, **properties: object) -> Path:
    """The template with other properties of the inference function."""
    template = read_template(built)
    template["Resources"]["InferenceFunction"]["Properties"].update(properties)
    path = built.with_name("changed.json")
    path.write_text(json.dumps(template, default=str))
    return path


def alias(stack: DeployedStack) -> dict[str, Any]:
    """Where users are led."""
    found: dict[str, Any] = stack.client("lambda").get_alias(FunctionName=INFERENCE, Name="live")
    return found


def alarm_states(stack: DeployedStack) -> dict[str, str]:
    """The two alarms that a deploy watches."""
    names = ["local-errors", "local-new-version-errors"]
    alarms = stack.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}


def test_an_alarm_moves_a_broken_canary_back(stack: DeployedStack, built: Path) -> None:
    """A tenth of the traffic meets it, and after the rollback nobody does."""
    users = Users(stack)
    with users.calling() as outcomes:
        with pytest.raises(CloudError, match=r"alarm local-(new-version-)?errors is in ALARM"):
            stack.update(changed(built, Handler="handlers.broken.handler"), PARAMETERS)
        during = dict(outcomes)
        since = stack.mark()
        time.sleep(1)
    broken = sum(count for (version, _), count in during.items() if version == "2")
    assert during["2", "this release is broken"] == broken > 0
    assert broken / sum(during.values()) < 0.25, during
    assert {said for version, said in during if version == "1"} == {""}
    assert (alias(stack)["FunctionVersion"], alias(stack).get("RoutingConfig")) == ("1", None)
    after = stack.invocations(INFERENCE, since)
    assert {(item["version"], item["status"]) for item in after} == {("1", "success")}
    assert sum(item["cold"] for item in after if not item["ping"]) == 0
    hook = stack.invocations("local-pre-traffic")
    assert [item["status"] for item in hook] == ["success"]


def test_a_good_release_can_follow(stack: DeployedStack, built: Path) -> None:
    """Once the alarm is over; its canary ends with all of the traffic."""
    deadline = time.monotonic() + 30
    while set(alarm_states(stack).values()) != {"OK"}:
        assert time.monotonic() < deadline, alarm_states(stack)
        time.sleep(0.1)
    stack.update(changed(built, MemorySize=1024), PARAMETERS)
    assert alias(stack)["FunctionVersion"] == "3"
