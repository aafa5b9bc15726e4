"""The smoke run itself, against a local cloud: deployed by sam, measured, compared, cleaned up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.client import local_client
from infra.cloud.process import CloudProcess
from infra.cloud.sam import PROJECT

IDLE_SECONDS = 4.0
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module", params=["most-recently-used", "random"])
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[CloudProcess, str]]:
    """A cloud of either routing."""
    options = ("--idle-lifetime", str(IDLE_SECONDS), "--routing", request.param, "--seed", "3")
    log = tmp_path_factory.mktemp("smoke") / "cloud.log"
    with CloudProcess(options, directory=PROJECT, log=log) as running:
        yield running, request.param


def smoke(cloud: CloudProcess, *options: str) -> subprocess.CompletedProcess[str]:
    """`make smoke-aws` with the cloud's endpoint."""
    command = [sys.executable, "-m", "infra.smoke", "--yes", "--json", "--python", PYTHON]
    environment = {**cloud.environment(), "SAM_CLI_POLL_DELAY": "0.2"}
    return subprocess.run(
        [*command, "--endpoint-url", cloud.endpoint, *options],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def stacks(cloud: CloudProcess) -> list[str]:
    """Stacks of the smoke run that are still there."""
    found = local_client(cloud.endpoint, "cloudformation").describe_stacks()["Stacks"]
    return [item["StackName"] for item in found if item["StackName"].startswith("warmer-smoke")]


def test_the_run_finds_out_how_this_cloud_was_started(cloud: tuple[CloudProcess, str]) -> None:
    """Its routing and its idle lifetime, which are options; and no clock but this machine's."""
    running, kind = cloud
    done = smoke(running, "--minutes", "0.5", "--idle", "1", "13")
    assert done.returncode == 0, done.stderr
    assert "costs at most $0.00" in done.stderr
    found: dict[str, Any] = {f["name"]: f for f in json.loads(done.stdout)["figures"]}
    share = found["requests that the last used environment gets"]["measured"]
    assert share == 1.0 if kind == "most-recently-used" else share < 0.7
    idle = found["idle lifetime"]
    assert idle["measured"] == pytest.approx(IDLE_SECONDS, abs=2), idle
    assert abs(found["the function's clock ahead of ours"]["measured"]) < 100
    assert found["imports without byte-code"]["measured"] > 1.5
    assert 0.3 < found["CPU at INIT"]["measured"] < 3
    wave = found["dispatch of a wave of 20"]
    assert wave["detail"].startswith("20 of 20")
    assert stacks(running) == []


def test_it_cleans_up_after_a_failure(cloud: tuple[CloudProcess, str], tmp_path: Path) -> None:
    """A measure that fails is said, and nothing stays."""
    running, _ = cloud
    code = (
        "from infra.smoke import measures\n"
        "from warmer.errors import InvokeError\n"
        "def fails(account, stack): raise InvokeError('no such luck')\n"
        "measures.bytecode = fails\n"
        "from infra.smoke.command import main\n"
        "main()\n"
    )
    script = tmp_path / "failing.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script, "--yes", "--python", PYTHON, "--endpoint-url", running.endpoint],
        cwd=PROJECT,
        env={**running.environment(), "PYTHONPATH": str(PROJECT), "SAM_CLI_POLL_DELAY": "0.2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, stacks(running)) == (1, []), done.stderr
    assert "no such luck" in done.stderr
