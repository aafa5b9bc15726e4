"""Priming under SnapStart, in environments of the local cloud that snapshot hooks run in."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.function import FunctionVersion
from infra.cloud.provisioner import Provisioned
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import deploy, request, wait_until
from warmer.ping import Ping, Reply, client_context, parse_reply

_PACKAGE = Path(__file__).resolve().parents[2] / "warmer"

_FUNCTION = """
import time
import warmer
from warmer import environment

calls = []

def note(what):
    calls.append((what, time.time()))

# No time for it within INIT: it is left to the hook before the snapshot.
warmer.prime(note, "templates", budget_ms=0)
warmer.prime(note, "connection", after_restore=True, name="connect")
at_init = environment.current().id

@warmer.warmable
def handler(event, context):
    return {"calls": calls, "at_init": at_init, "id": environment.current().id}
"""


def _deploy(folder: Path, **changes: Any) -> FunctionVersion:
    version = deploy(folder, _FUNCTION, **changes)
    ignored = shutil.ignore_patterns("__pycache__", "cli", "fleet", "model", "bundling")
    shutil.copytree(_PACKAGE, version.code / "warmer", ignore=ignored)
    return version


def _ping(running: Running, version: FunctionVersion, ping: Ping) -> Reply:
    context = base64.b64decode(client_context(ping)).decode()
    outcome = running.plane.invoke(version, request(version, client_context=context))
    reply = parse_reply(outcome.payload)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.aws(
    "Lambda developer guide: Lambda SnapStart runtime hooks for Python",
    "What a before-snapshot hook warms is warm after the restore",
)
def test_priming_is_finished_before_the_snapshot(start: Start, tmp_path: Path) -> None:
    """What INIT had no time for is warm when a request comes, and only connections are made again.

    AWS page: "Lambda SnapStart runtime hooks for Python".
    """
    running = start(idle_seconds=600)
    version = _deploy(tmp_path, version="1", init_type="snap-start")
    running.plane.provision(version, 1)
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(1, 1, 0, "READY"))
    outcome = running.plane.invoke(version, request(version))
    calls = json.loads(outcome.payload)["calls"]
    assert [what for what, _ in calls] == ["connection", "templates", "connection"]
    (invocation,) = running.ledger.invocations()
    assert calls[1][1] < invocation.started < calls[2][1]


@pytest.mark.aws(
    "Lambda developer guide: Handling uniqueness with Lambda SnapStart",
    "What must be unique is made again after the restore",
)
def test_a_restored_environment_is_a_new_one(start: Start, tmp_path: Path) -> None:
    """Its id is not the snapshot's, and its first ping finds it new and just begun.

    AWS page: "Handling uniqueness with Lambda SnapStart".
    """
    running = start(idle_seconds=600)
    version = _deploy(tmp_path, version="1", init_type="snap-start")
    reply = _ping(running, version, Ping(prime=True))
    said = json.loads(running.plane.invoke(version, request(version)).payload)
    assert said["id"] == reply.environment != said["at_init"]
    assert (reply.new, reply.pings, reply.init_type) == (True, 1, "snap-start")
    assert reply.age_seconds < 5
    assert {name: report["primed"] for name, report in reply.functions.items()} == {
        "note": True,
        "connect": True,
    }


def test_on_demand_the_first_ping_finishes_what_init_left(start: Start, tmp_path: Path) -> None:
    """Never a user's request, which finds things as they are."""
    running, version = start(idle_seconds=600), _deploy(tmp_path)
    said = json.loads(running.plane.invoke(version, request(version)).payload)
    assert [what for what, _ in said["calls"]] == ["connection"]
    assert not _ping(running, version, Ping()).functions["note"]["primed"]
    reply = _ping(running, version, Ping(prime=True))
    assert reply.functions["note"]["primed"]
    assert reply.primed_ms > 0
