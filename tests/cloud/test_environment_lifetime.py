"""When an environment ends: idle for T, too old, or replaced."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path

import pytest

from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import Together, deploy, request, wait_until


def _states(running: Running) -> list[str]:
    return sorted(view.state for view in running.plane.environments())


def _wait_for_end(running: Running, environment: str) -> float:
    """Wait for the environment's process to end. Returns when, in monotonic seconds."""
    (record,) = (item for item in running.ledger.environments() if item.id == environment)
    assert record.pid is not None
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return time.monotonic()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(20_000)
    os.close(descriptor)
    return time.monotonic()


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Idle environments are ended after a time T, which AWS does not publish",
    how="option",
)
def test_an_idle_environment_ends_when_t_has_passed(start: Start, tmp_path: Path) -> None:
    """The idle lifetime counts from the end of the last request, and ends the process in time.

    AWS page: "Understanding the Lambda execution environment lifecycle"; T itself is unpublished.
    """
    running, version = start(idle_seconds=1.0), deploy(tmp_path)
    running.plane.invoke(version, request(version))
    outcome = running.plane.invoke(version, request(version, {"sleep": 0.5}))
    used = time.monotonic()
    ended = _wait_for_end(running, outcome.environment_id)
    assert 0.95 < ended - used < 2.0
    wait_until(lambda: running.plane.environments() == ())
    assert running.ledger.environments()[0].end_reason == "idle"
    assert running.plane.invoke(version, request(version)).cold


def test_use_prolongs_the_life_of_the_environment_that_is_used(
    start: Start, tmp_path: Path
) -> None:
    """Of two environments only the one that gets no request ends after T."""
    running, version = start(idle_seconds=1.5), deploy(tmp_path)
    together = Together()
    for _ in range(2):
        together.start(running.plane, version, {"sleep": 0.4})
    together.join()
    unused, used = (outcome.environment_id for outcome in together.outcomes)
    watcher = threading.Thread(target=_wait_for_end, args=(running, unused))
    watcher.start()
    while watcher.is_alive():
        assert running.plane.invoke(version, request(version)).environment_id == used
        watcher.join(0.3)
    assert [view.id for view in running.plane.environments() if view.id != unused] == [used]


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Environments are ended after some hours, idle or not",
    how="option",
)
def test_maximum_lifetime_ends_an_idle_environment(start: Start, tmp_path: Path) -> None:
    """An idle environment is ended when it is old enough, long before T has passed.

    AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle": Lambda
    ends environments every few hours, even those of functions that are invoked continuously.
    """
    running, version = start(max_lifetime_seconds=1.0), deploy(tmp_path)
    running.plane.invoke(version, request(version))
    wait_until(lambda: running.plane.environments() == ())
    (record,) = running.ledger.environments()
    assert record.end_reason == "lifetime"
    assert record.ended_at is not None
    assert record.ended_at - record.spawned_at >= 0.95


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "One past its maximum lifetime gets no further request",
    how="option",
)
def test_maximum_lifetime_ends_an_environment_in_use(start: Start, tmp_path: Path) -> None:
    """An environment older than the maximum lifetime gets no further request.

    AWS page: as above.
    """
    running, version = start(max_lifetime_seconds=0.5), deploy(tmp_path)
    running.plane.invoke(version, request(version, {"sleep": 0.6}))
    wait_until(lambda: running.plane.environments() == ())
    assert running.ledger.environments()[0].end_reason == "lifetime"


@pytest.mark.aws(
    "Lambda API reference: UpdateFunctionCode",
    "After an update of the code requests get new environments",
)
def test_retiring_ends_old_environments_and_keeps_the_new(start: Start, tmp_path: Path) -> None:
    """After an update the old code's idle environments end; the kept key and others stay."""
    running = start()
    old, new = deploy(tmp_path, code_sha256="old"), deploy(tmp_path, code_sha256="new")
    numbered = deploy(tmp_path, version="1")
    for version in (old, new, numbered):
        running.plane.invoke(version, request(version))
    running.plane.retire("sample", version="$LATEST", keep=new.key)
    assert [view.key for view in running.plane.environments()] == [new.key, numbered.key]
    running.plane.retire("sample")
    assert running.plane.environments() == ()
    assert {record.end_reason for record in running.ledger.environments()} == {"retired"}


def test_a_busy_environment_is_retired_after_its_request(start: Start, tmp_path: Path) -> None:
    """A request that runs while its function is updated is answered; then its environment ends."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 1})
    wait_until(lambda: _states(running) == ["busy"])
    running.plane.retire("sample")
    assert _states(running) == ["busy"]
    together.join()
    assert together.outcomes[0].function_error is None
    assert running.plane.environments() == ()
