"""The benchmark of the start, whole: packages by `sam build`, started by awslambdaric."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.bench.models import ROOT
from infra.bench.start_packages import find_runtime
from warmer.errors import BuildError


def test_every_condition_is_measured(tmp_path: Path) -> None:
    """A line each with its verdict, the mechanisms before them, and the parts of a start after."""
    try:
        find_runtime(tmp_path)
    except BuildError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "infra.bench.start", "--models", "digits", "--rounds", "1"]
    conditions = ["warm page cache", "cold page cache", "0.29 vCPU", "0.58 vCPU", "1 vCPU"]
    done = subprocess.run(
        [*command, "--work", tmp_path / "work", "--conditions", *conditions],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    # One start of each is no measurement: goals may be missed.
    assert done.returncode in (0, 1), done.stderr
    lines = done.stdout.splitlines()
    rows = [line for line in lines if line.endswith(("met", "MISSED"))]
    assert [row[21:38].strip() for row in rows] == conditions
    assert "vCPU: " in lines[1]
    assert lines[-1].startswith("digits: the runtime client ")
