"""SnapStart's order of events, without snapshots: INIT, parked, restored for a request.

Sources: AWS Lambda developer guide, "Improving startup performance with Lambda SnapStart", "Lambda
SnapStart runtime hooks", "Monitoring for Lambda SnapStart".
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from infra.cloud.environment import Environment
from infra.cloud.failure import RestoreFailed
from infra.cloud.provisioner import Provisioned
from tests.cloud.conftest import Start
from tests.cloud.sample_function import call, deploy, evaluate, request, wait_until

_HOOKS = """
import os, time
from snapshot_restore_py import register_after_restore, register_before_snapshot
order = ["init"]
register_before_snapshot(lambda: order.append(("before", time.monotonic())))
register_after_restore(lambda: order.append(("after", time.monotonic())))
def handler(event, context):
    return [order, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


@pytest.mark.aws(
    "Lambda developer guide: Lambda SnapStart runtime hooks for Python",
    "INIT and before-snapshot hooks run ahead, after-restore hooks at the restore",
)
def test_hooks_run_before_parking_and_after_the_request_came(start: Start, tmp_path: Path) -> None:
    """INIT and before-snapshot hooks run ahead; after-restore hooks when a request needs it.

    AWS page: "Lambda SnapStart runtime hooks for Python".
    """
    running = start(idle_seconds=600)
    version = deploy(tmp_path, _HOOKS, version="1", init_type="snap-start")
    running.plane.provision(version, 1)
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(1, 1, 0, "READY"))
    assert [view.state for view in running.plane.environments()] == ["parked"]
    asked_at = time.monotonic()
    outcome = running.plane.invoke(version, request(version))
    (init, (before, parked_at), (after, restored_at)), told = json.loads(outcome.payload)
    assert (init, before, after, told) == ("init", "before", "after", "snap-start")
    assert parked_at < asked_at < restored_at
    assert outcome.cold
    assert outcome.init_ms is None
    assert outcome.restore_ms is not None
    # Another is parked for the next request that finds none idle.
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(1, 1, 0, "READY"))
    warm = running.plane.invoke(version, request(version))
    assert (warm.cold, warm.environment_id) == (False, outcome.environment_id)
    assert warm.restore_ms is None


def test_it_is_ready_when_a_request_would_find_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as soon as it is parked: a request that came then would wait for an INIT of its own."""
    running, said = start(idle_seconds=600), []
    version = deploy(tmp_path, _HOOKS, version="1", init_type="snap-start")
    freeze = Environment.freeze

    def look(environment: Environment) -> None:
        said.append((environment.state, running.plane.provisioned(version)))
        freeze(environment)

    monkeypatch.setattr(Environment, "freeze", look)
    running.plane.provision(version, 1)
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(1, 1, 0, "READY"))
    assert said == [("parked", Provisioned(1, 0, 0, "IN_PROGRESS"))]


@pytest.mark.aws(
    "Lambda developer guide: Improving startup performance with Lambda SnapStart",
    "No request is billed for a SnapStart INIT",
)
def test_a_request_that_finds_nothing_parked_still_restores(start: Start, tmp_path: Path) -> None:
    """Without one made ahead, the request waits for INIT and restore, and no INIT is billed to it.

    On AWS publishing a version makes the snapshot, so a request never waits for INIT.
    AWS page: "Improving startup performance with Lambda SnapStart".
    """
    source = "import time\ntime.sleep(0.3)\n" + _HOOKS
    running, version = start(), deploy(tmp_path, source, init_type="snap-start")
    outcome = running.plane.invoke(version, request(version))
    assert [item[0] for item in json.loads(outcome.payload)[0]] == ["i", "before", "after"]
    assert outcome.cold
    assert outcome.billed_ms < 300


@pytest.mark.aws(
    "Lambda developer guide: Monitoring for Lambda SnapStart",
    "The log has RESTORE_START and RESTORE_REPORT",
)
def test_the_log_tells_init_and_restore(start: Start, tmp_path: Path) -> None:
    """INIT_REPORT, RESTORE_START, RESTORE_REPORT, and REPORT with the restore instead of the INIT.

    AWS page: "Monitoring for Lambda SnapStart".
    """
    running, version = start(), deploy(tmp_path, _HOOKS, init_type="snap-start")
    running.plane.provision(version, 1)
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(1, 1, 0, "READY"))
    running.plane.invoke(version, request(version))
    running.plane.provision(version, 0)
    running.plane.flush_logs()
    lines = [line for line in running.logs.messages() if not line.startswith("[")][:7]
    assert [line.split()[0] for line in lines] == [
        "INIT_START",
        "INIT_REPORT",
        "RESTORE_START",
        "RESTORE_REPORT",
        "START",
        "END",
        "REPORT",
    ]
    assert "\tRestore Duration: " in lines[-1]
    assert "\tBilled Restore Duration: " in lines[-1]
    assert "Init Duration" not in lines[-1]


@pytest.mark.aws(
    "Lambda developer guide: Monitoring for Lambda SnapStart",
    "Under SnapStart the variables of the log are missing",
)
def test_functions_do_not_know_their_log(start: Start, tmp_path: Path) -> None:
    """The variables that name log group and stream are missing.

    AWS page: "Monitoring for Lambda SnapStart".
    """
    running, version = start(), deploy(tmp_path, init_type="snap-start")
    seen = evaluate(running.plane, version, "[name for name in os.environ if '_LOG_' in name]")
    assert seen == []


@pytest.mark.aws(
    "Lambda API reference: Invoke",
    "A failing or slow restore is SnapStartException or SnapStartTimeoutException",
)
@pytest.mark.parametrize(
    ("hook", "kind", "status", "reason"),
    [
        ("time.sleep(30)", "SnapStartTimeoutException", 408, "restore-timeout"),
        ("1 / 0", "SnapStartException", 400, "restore-error"),
        ("__import__('os')._exit(3)", "SnapStartException", 400, "restore-error"),
    ],
)
def test_a_failing_restore_refuses_the_request(
    start: Start, tmp_path: Path, hook: str, kind: str, status: int, reason: str
) -> None:
    """A hook that is too slow (10 s on AWS), raises or exits fails the request as the API says.

    AWS page: API reference, "Invoke" (SnapStartTimeoutException, SnapStartException).
    """
    source = f"""
import time
from snapshot_restore_py import register_after_restore
register_after_restore(lambda: {hook})
def handler(event, context): pass
"""
    running = start(restore_limit_seconds=0.3 if status == 408 else 10.0)
    version = deploy(tmp_path, source, init_type="snap-start")
    with pytest.raises(RestoreFailed) as failed:
        running.plane.invoke(version, request(version))
    assert (failed.value.kind, failed.value.status) == (kind, status)
    (record,) = running.ledger.environments()
    assert record.end_reason == reason
    assert [item.status for item in running.ledger.invocations()] == ["error"]
    running.plane.flush_logs()
    assert any("RESTORE_REPORT" in line and "Status" in line for line in running.logs.messages())
    assert running.plane.environments() == ()


@pytest.mark.aws(
    "Lambda developer guide: Lambda SnapStart runtime hooks for Python",
    "A failing before-snapshot hook fails the preparation",
)
def test_a_failing_before_snapshot_hook_fails_the_preparation(start: Start, tmp_path: Path) -> None:
    """Nothing is parked, and the status says why; on AWS the version would not become active.

    AWS page: "Lambda SnapStart runtime hooks for Python".
    """
    source = """
from snapshot_restore_py import register_before_snapshot
register_before_snapshot(lambda: 1 / 0)
def handler(event, context): pass
"""
    running, version = start(), deploy(tmp_path, source, init_type="snap-start")
    running.plane.provision(version, 1)

    def reason() -> str:
        status = running.plane.provisioned(version)
        return "" if status is None else status.reason

    wait_until(lambda: "FUNCTION_ERROR_INIT_FAILURE" in reason())


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Under SnapStart and provisioned concurrency INIT may take 130 s",
)
def test_init_may_take_longer_than_on_demand(start: Start, tmp_path: Path) -> None:
    """The INIT limit of on-demand environments does not apply.

    AWS page: "Understanding the Lambda execution environment lifecycle": 130 s, or the function's
    time-out if that is longer.
    """
    source = "import time\ntime.sleep(0.5)\ndef handler(event, context): return 'done'\n"
    running = start(init_limit_seconds=0.2)
    assert call(running.plane, deploy(tmp_path, source, init_type="snap-start")) == "done"
