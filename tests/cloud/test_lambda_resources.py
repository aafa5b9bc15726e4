"""Memory, processor and storage of an environment, where control groups can be had."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.cloud import sandbox as sandbox_module
from infra.cloud.cgroup import Cgroups, CgroupsRefused, Controller
from infra.cloud.sandbox import SandboxFactory
from infra.cloud.settings import CloudSettings
from tests.cloud.conftest import Start
from tests.cloud.sample_function import Together, call, deploy, evaluate, request, wait_until
from warmer.errors import CloudError


def _refusal(*controllers: Controller) -> str:
    try:
        Cgroups(controllers).close()
    except CgroupsRefused as error:
        return str(error)
    return ""


needs_memory = pytest.mark.skipif(bool(_refusal("memory")), reason=_refusal("memory"))
needs_cpu = pytest.mark.skipif(bool(_refusal("cpu")), reason=_refusal("cpu"))


def _folders(pid: int | None = None) -> set[str]:
    """Control groups of the cloud that this process, or another one, is."""
    mark = f"-{os.getpid() if pid is None else pid}-"
    return {
        place
        for place, _, _ in os.walk("/sys/fs/cgroup")
        if any(part.startswith("warmer-") and mark in part for part in place.split("/"))
    }


@pytest.mark.aws(
    "Lambda developer guide: Troubleshoot execution issues in Lambda",
    "More memory than configured is Runtime.OutOfMemory and costs the environment",
    how="option",
)
@needs_memory
def test_more_memory_than_configured_costs_the_environment(start: Start, tmp_path: Path) -> None:
    """The kernel kills what goes over the limit, the caller is told, other environments go on.

    AWS page: "Troubleshoot execution issues in Lambda" (signal: killed, Runtime.OutOfMemory).
    """
    running, version = start(), deploy(tmp_path, memory_mb=128)
    together = Together()
    together.start(running.plane, version, {"sleep": 1.0})
    wait_until(lambda: [view.state for view in running.plane.environments()] == ["busy"])
    invocation = request(version, {"run": "len(b'x' * 300_000_000)"})
    outcome = running.plane.invoke(version, invocation)
    assert outcome.function_error == "Unhandled"
    assert json.loads(outcome.payload) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {invocation.request_id} Error: "
        "Runtime exited with error: signal: killed",
    }
    assert b"Status: error\tError Type: Runtime.OutOfMemory" in outcome.log_tail
    together.join()
    assert together.outcomes[0].function_error is None
    reasons = {record.id: record.end_reason for record in running.ledger.environments()}
    assert reasons[outcome.environment_id] == "out-of-memory"
    assert evaluate(running.plane, version, "len(b'x' * 50_000_000)") == 50_000_000


@pytest.mark.aws(
    "Lambda developer guide: Troubleshoot execution issues in Lambda",
    "Out of memory in INIT is told alike",
    how="option",
)
@needs_memory
def test_out_of_memory_in_init_is_told_too(start: Start, tmp_path: Path) -> None:
    """An INIT that needs more than there is ends with the same error type.

    AWS page: "Troubleshoot execution issues in Lambda".
    """
    source = "x = b'x' * 300_000_000\ndef handler(event, context): pass\n"
    version = deploy(tmp_path, source, memory_mb=128)
    outcome = start().plane.invoke(version, request(version))
    assert json.loads(outcome.payload)["errorType"] == "Runtime.OutOfMemory"


def test_memory_is_not_limited_when_that_is_chosen(start: Start, tmp_path: Path) -> None:
    """With memory_limit "none" a function may use more than it is configured for."""
    running, version = start(memory_limit="none"), deploy(tmp_path, memory_mb=128)
    assert evaluate(running.plane, version, "len(b'x' * 300_000_000)") == 300_000_000


@pytest.mark.aws(
    "Lambda developer guide: Configure Lambda function memory",
    "Processor time is in proportion to memory, one processor at 1,769 MB",
    how="option",
)
@needs_cpu
def test_processor_time_is_in_proportion_to_memory(start: Start, tmp_path: Path) -> None:
    """A function with a quarter of 1,769 MB computes with a quarter of a processor, after INIT.

    AWS page: "Configure Lambda function memory" (one vCPU at 1,769 MB).
    """
    source = """
import time

def burn(seconds):
    wall, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < seconds:
        pass
    return (time.process_time() - used) / (time.perf_counter() - wall)

during_init = burn(0.2)

def handler(event, context):
    return [during_init, burn(0.2)]
"""
    running, version = start(cpu="proportional"), deploy(tmp_path, source, memory_mb=442)
    during_init, after = call(running.plane, version)
    assert after < 0.35  # 442 / 1769 = 0.25
    assert during_init > 1.3 * after  # on a machine with other work less than a whole processor


@needs_memory
def test_groups_are_removed_with_their_environments(start: Start, tmp_path: Path) -> None:
    """Each environment has a group while it lives; after close none of the cloud's is left."""
    before = _folders()
    running, version = start(), deploy(tmp_path)
    call(running.plane, version)
    (view,) = running.plane.environments()
    assert any(place.endswith(view.id) for place in _folders() - before)
    running.plane.invoke(version, request(version, {"exit": 1}))
    assert not any(place.endswith(view.id) for place in _folders())
    running.plane.close()
    assert _folders() == before


_PROGRAM = """
import sys, time
from infra.cloud.cgroup import Cgroups
Cgroups(("memory",)).create("environment", 128)
print("made", flush=True)
time.sleep(60)
"""


@needs_memory
def test_groups_of_a_killed_cloud_are_removed_at_the_next_start() -> None:
    """What a cloud could not remove because it was killed, the next one removes; not what is used.

    A cloud that is alive keeps its groups.
    """
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, cwd=root
    ) as cloud:
        assert cloud.stdout is not None
        assert cloud.stdout.readline() == b"made\n"
        assert len(_folders(cloud.pid)) == 2
        Cgroups(("memory",)).close()
        assert len(_folders(cloud.pid)) == 2
        cloud.send_signal(signal.SIGKILL)
    Cgroups(("memory",)).close()
    assert _folders(cloud.pid) == set()


def test_a_machine_without_control_groups_is_told_plainly(
    cloud_settings: Callable[..., CloudSettings],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By default the cloud warns that memory is not limited; what is required is an error."""

    def refuse(controllers: tuple[Controller, ...]) -> Cgroups:
        raise CgroupsRefused("/sys/fs/cgroup/warmer: Permission denied")

    monkeypatch.setattr(sandbox_module, "Cgroups", refuse)
    with caplog.at_level(logging.WARNING, "warmer.cloud"):
        SandboxFactory(cloud_settings()).close()
    assert "memory limits are not enforced" in caplog.text
    assert "Permission denied" in caplog.text
    with pytest.raises(CloudError, match=r"Memory cannot be limited.*Permission denied.*as root"):
        SandboxFactory(cloud_settings(memory_limit="required"))
    with pytest.raises(CloudError, match=r"Processor time cannot.*cpu='unlimited'"):
        SandboxFactory(cloud_settings(cpu="proportional"))


@pytest.mark.aws(
    "Lambda developer guide: Configure ephemeral storage for Lambda functions",
    "/tmp can be filled to its size and no further",
)
def test_tmp_can_be_filled_to_its_size_and_no_further(start: Start, tmp_path: Path) -> None:
    """Writing more than the ephemeral storage fails with "No space left on device".

    AWS page: "Configure ephemeral storage for Lambda functions".
    """
    running, version = start(), deploy(tmp_path, ephemeral_storage_mb=512)
    fill = "os.posix_fallocate(os.open('/tmp/file', os.O_CREAT | os.O_WRONLY), 0, {} << 20) or 1"
    assert evaluate(running.plane, version, fill.format(500)) == 1
    answer = call(running.plane, version, {"run": fill.format(513)})
    assert (answer["errorType"], "No space left" in answer["errorMessage"]) == ("OSError", True)


@pytest.mark.aws(
    "Lambda developer guide: Lambda scaling behavior",
    "Over the scaling rate requests are throttled; idle environments still serve",
)
def test_scaling_faster_than_the_rate_is_throttled(start: Start, tmp_path: Path) -> None:
    """A function gets so many environments in ten seconds and no more; idle ones still serve.

    AWS page: "Lambda scaling behavior".
    """
    running, version = start(scaling_rate=2), deploy(tmp_path)
    together = Together()
    began = time.monotonic()
    for _ in range(3):
        together.start(running.plane, version, {"sleep": 0.5})
    together.join()
    assert time.monotonic() - began < 5
    assert len(together.outcomes) == 2
    assert [getattr(error, "reason", None) for error in together.errors] == [""]
    assert not running.plane.invoke(version, request(version)).cold
    statuses = sorted(record.status for record in running.ledger.invocations())
    assert statuses == ["success", "success", "success", "throttled"]
