"""Markers of first runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from warmer.model.attempt import Attempt, crashed_attempts

BUNDLE = "0123456789abcdef"

_END = """
import os, signal, sys
from warmer.model.attempt import Attempt
Attempt(sys.argv[1], "native", sys.argv[2]).begin()
os.kill(os.getpid(), int(sys.argv[3]))
"""


def _end(folder: Path, by: signal.Signals, *options: str) -> str:
    """A process that is ended by a signal within an attempt; its standard error."""
    command = [sys.executable, *options, "-c", _END, BUNDLE, str(folder), str(int(by))]
    done = subprocess.run(command, timeout=60, stderr=subprocess.PIPE, text=True)
    assert done.returncode == -by
    return done.stderr


@pytest.mark.parametrize(
    ("by", "fault"),
    [
        (signal.SIGSEGV, "Segmentation fault"),
        (signal.SIGABRT, "Aborted"),
        (signal.SIGILL, "Illegal instruction"),
        (signal.SIGBUS, "Bus error"),
        (signal.SIGFPE, "Floating point exception"),
    ],
)
def test_a_process_that_native_code_ended_has_crashed(
    tmp_path: Path, by: signal.Signals, fault: str
) -> None:
    """Its marker tells the next one which variant and how, of this bundle and no other."""
    _end(tmp_path, by)
    (crash,) = crashed_attempts(BUNDLE, str(tmp_path))
    assert crash.variant == "native"
    assert crash.fault.startswith(fault)
    assert Path(crash.marker).is_file()
    assert crashed_attempts("another", str(tmp_path)) == []


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_somebody_ended_has_not(tmp_path: Path, by: signal.Signals) -> None:
    """Lambda ends an INIT that takes too long (Lambda developer guide, "Understanding the Lambda
    execution environment lifecycle"); the variant is tried again, and the marker is gone."""
    _end(tmp_path, by)
    assert crashed_attempts(BUNDLE, str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_crash_is_known_where_faults_are_handled_already(tmp_path: Path) -> None:
    """Who looks for crashes with PYTHONFAULTHANDLER is the one who has them."""
    _end(tmp_path, signal.SIGSEGV, "-X", "faulthandler")
    assert [crash.variant for crash in crashed_attempts(BUNDLE, str(tmp_path))] == ["native"]


_AFTERWARDS = """
import os, signal, sys
from warmer.model.attempt import Attempt
one, two = (Attempt(sys.argv[1], name, sys.argv[2]) for name in ("one", "two"))
one.begin()
two.begin()
one.end()
two.end()
os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.parametrize(("options", "told"), [(["-X", "faulthandler"], True), ([], False)])
def test_afterwards_faults_are_handled_as_before(
    tmp_path: Path, options: list[str], told: bool
) -> None:
    """The user's own setting is back once the attempts have ended."""
    command = [sys.executable, *options, "-c", _AFTERWARDS, BUNDLE, str(tmp_path)]
    done = subprocess.run(command, timeout=60, stderr=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGSEGV
    assert ("Fatal Python error: Segmentation fault" in done.stderr) is told
    assert list(tmp_path.iterdir()) == []


def test_a_process_at_work_has_not(tmp_path: Path) -> None:
    """Two environments of one machine may share /tmp."""
    attempt = Attempt(BUNDLE, "native", str(tmp_path))
    attempt.begin()
    assert crashed_attempts(BUNDLE, str(tmp_path)) == []
    assert len(list(tmp_path.iterdir())) == 1
    attempt.end()
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_another_process_has_now_keeps_no_marker(tmp_path: Path) -> None:
    """Lambda's runtime has the same number after a restart: its start time tells."""
    (tmp_path / f"warmer-{BUNDLE}-native.{os.getpid()}.1").touch()
    assert crashed_attempts(BUNDLE, str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_is_made_twice_ends_once(tmp_path: Path) -> None:
    """Two models of a process may come from one bundle."""
    one, two = (Attempt(BUNDLE, "native", str(tmp_path)) for _ in range(2))
    one.begin()
    two.begin()
    one.end()
    two.end()
    assert list(tmp_path.iterdir()) == []


def test_where_no_marker_can_be_written_it_says_so(tmp_path: Path) -> None:
    """The attempt is made all the same: the variant was tried when the bundle was made."""
    (tmp_path / "file").touch()
    attempt = Attempt(BUNDLE, "native", str(tmp_path / "file"))
    attempt.begin()
    attempt.end()
    assert "no marker could be written" in str(attempt.unmarked)
    assert crashed_attempts(BUNDLE, str(tmp_path / "file")) == []
