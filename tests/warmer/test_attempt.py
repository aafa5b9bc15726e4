"""Markers of first runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from warmer.model.attempt import Attempt, crashed_attempts

BUNDLE = "0123456789abcdef"

_CRASH = """
import os, signal, sys
from warmer.model.attempt import Attempt
Attempt(sys.argv[1], "native", sys.argv[2]).begin()
os.kill(os.getpid(), signal.SIGSEGV)
"""


def _crash(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _CRASH, BUNDLE, folder], timeout=60)
    assert done.returncode == -signal.SIGSEGV


def test_a_process_that_died_has_crashed(tmp_path: Path) -> None:
    """Its marker tells the next one, of this bundle and no other."""
    _crash(tmp_path)
    assert list(crashed_attempts(BUNDLE, str(tmp_path))) == ["native"]
    assert crashed_attempts("another", str(tmp_path)) == {}


def test_a_process_at_work_has_not(tmp_path: Path) -> None:
    """Two environments of one machine may share /tmp."""
    attempt = Attempt(BUNDLE, "native", str(tmp_path))
    attempt.begin()
    assert crashed_attempts(BUNDLE, str(tmp_path)) == {}
    attempt.end()
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_another_process_has_now_is_no_alibi(tmp_path: Path) -> None:
    """Lambda's runtime has the same number after a restart."""
    (tmp_path / f"warmer-{BUNDLE}-native.{os.getpid()}.1").touch()
    assert list(crashed_attempts(BUNDLE, str(tmp_path))) == ["native"]


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
    assert crashed_attempts(BUNDLE, str(tmp_path / "file")) == {}
