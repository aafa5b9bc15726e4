"""A fraction of a processor for a process that is measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.bench.quota import Quotas
from infra.cloud.cgroup import CgroupsRefused
from warmer.errors import ConfigurationError

# Works for half a second of wall-clock time, and says how much of a processor it got.
WORK = """
import time
began, used = time.monotonic(), time.process_time()
while time.monotonic() < began + 0.5:
    pass
print((time.process_time() - used) / (time.monotonic() - began))
"""


@pytest.fixture(params=[True, False], ids=["as it can be had", "stop and continue"])
def quotas(request: pytest.FixtureRequest) -> Iterator[Quotas]:
    """By the kernel where it lets us, and without it."""
    found = Quotas(kernel=request.param)
    yield found
    found.close()


def _share_of(quotas: Quotas, cpus: float, program: str = WORK) -> float:
    """What a program prints that has a share of a processor."""
    with quotas.share(cpus) as share:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=share.join,
        )
        share.begin(process)
        output, _ = process.communicate(timeout=60)
    return float(output)


def test_a_process_gets_no_more_than_its_share(quotas: Quotas) -> None:
    """What it may use beyond that is a fraction of a period."""
    assert 0.05 < _share_of(quotas, 0.3) < 0.42


def test_a_whole_processor_is_one(quotas: Quotas) -> None:
    """And neither stopped nor two."""
    assert _share_of(quotas, 1.0) <= 1.05


def test_what_is_stopped_goes_on_once_it_is_let_go() -> None:
    """So that nobody waits for a process that nobody continues."""
    with Quotas(kernel=False).share(0.01) as share:
        process = subprocess.Popen(
            [sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE, preexec_fn=share.join
        )
        share.begin(process)
        share.end()
        share.end()
        assert process.communicate(timeout=60)[0] == b"1\n"


def test_a_process_may_end_before_its_share_does(quotas: Quotas) -> None:
    """Nobody is signalled then: its number may be another's."""
    assert _share_of(quotas, 0.5, "print(1)") == 1.0


@pytest.mark.parametrize("cpus", [0.0, -1.0, 1.5, float("nan")])
def test_what_is_no_share_is_refused(quotas: Quotas, cpus: float) -> None:
    """The error says what is."""
    with (
        pytest.raises(ConfigurationError, match="more than 0 and at most 1 processor"),
        quotas.share(cpus),
    ):
        pass


def test_it_says_why_the_kernel_has_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure under another mechanism is another figure."""

    def refuse(_controllers: object) -> None:
        raise CgroupsRefused("/sys/fs/cgroup/cpu: Read-only file system")

    monkeypatch.setattr("infra.bench.quota.Cgroups", refuse)
    mechanism = Quotas().mechanism
    assert mechanism.startswith("stopping and continuing each process every 20 ms")
    assert "Read-only file system" in mechanism
