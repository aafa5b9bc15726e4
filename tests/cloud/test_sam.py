"""Finding and running the SAM command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.cloud.sam import Sam, find_sam, overrides
from warmer.errors import CloudError


def _command(folder: Path, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sam"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_no_sam_says_how_to_get_one(tmp_path: Path) -> None:
    """Neither in the project's tools nor on PATH: the error names both remedies."""
    with pytest.raises(CloudError, match=r"make setup.*or install aws-sam-cli"):
        find_sam(tmp_path, path=str(tmp_path))


def test_the_projects_own_sam_comes_first(tmp_path: Path) -> None:
    """What `make setup` installed is taken rather than what is on PATH."""
    own = _command(tmp_path / ".tools" / "sam" / "bin", "exit 0")
    _command(tmp_path / "other", "exit 0")
    assert find_sam(tmp_path, path=str(tmp_path / "other")) == own


def test_a_sam_on_path_serves_without_the_projects_own(tmp_path: Path) -> None:
    """A user who has aws-sam-cli needs no other."""
    theirs = _command(tmp_path / "bin", "exit 0")
    assert find_sam(tmp_path, path=str(tmp_path / "bin")) == theirs


def test_a_failing_command_shows_its_last_lines(tmp_path: Path) -> None:
    """What sam said is in the error, with its arguments and exit code."""
    _command(tmp_path / ".tools" / "sam" / "bin", "echo before; echo no such stack; exit 3")
    sam = Sam({"PATH": "/usr/bin:/bin"}, tmp_path / "log", tmp_path)
    with pytest.raises(CloudError, match=r"`sam deploy` failed \(exit code 3\):\nbefore\nno such"):
        sam.run("deploy")


def test_parameters_are_passed_as_overrides() -> None:
    """Template parameters become one option with many values."""
    assert list(overrides({"A": "1", "B": "2"})) == ["--parameter-overrides", "A=1", "B=2"]
