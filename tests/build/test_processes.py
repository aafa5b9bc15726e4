"""The processes above this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build import processes
from infra.build.processes import Process, ancestors

ROOT = Path(__file__).resolve().parents[2]
_SHOW = "from infra.build.processes import ancestors; print(next(ancestors()).arguments)"
_SPAWN = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


def test_a_process_sees_the_arguments_of_its_parent_as_they_were_given() -> None:
    """Arguments with spaces, quotes and empty ones arrive unchanged."""
    arguments = (sys.executable, "-c", _SPAWN, _SHOW, "rate(5 minutes)", "", "it's")
    shown = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert str(arguments) == shown.strip()


def test_the_walk_names_the_folder_of_the_parent() -> None:
    """A relative path on a command line is relative to the folder of its process."""
    expected = Path(f"/proc/{os.getppid()}/cwd")
    parent = next(ancestors())
    assert parent.folder == (expected.readlink() if expected.exists() else None)


def test_the_walk_ends() -> None:
    """The walk stops below process 1."""
    assert len(list(ancestors())) >= 1


def test_without_proc_the_ps_command_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a system without /proc the arguments come as one line, the folder not at all."""
    ps = tmp_path / "ps"
    ps.write_text('#!/bin/sh\necho "    1 /opt/sam/bin/sam build --parallel"\n', encoding="utf-8")
    ps.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    expected = Process(("/opt/sam/bin/sam", "build", "--parallel"), None)
    assert [expected] == list(ancestors())
