"""The README's example of the fixture `local_cloud`, and how long a deployed cloud takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from infra.cloud.deployed import deployed
from infra.cloud.sam import PROJECT

LONGEST_SECONDS = 5.0
PARAMETERS = {"Warming": "DISABLED"}  # no wave competes for the processors


def test_the_readmes_example_passes(tmp_path: Path) -> None:
    """As a user's own test, in pytest's hands."""
    (example,) = re.findall(
        r"^```py\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "test_example.py").write_text(example)
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", f"--rootdir={PROJECT}", "-c", os.devnull),
            *("-p", "no:cacheprovider", str(tmp_path / "test_example.py")),
        ],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 passed" in finished.stdout


def test_a_built_template_is_deployed_in_five_seconds() -> None:
    """This project's own template, two functions of 110 MB, the best of three."""
    with deployed(PROJECT / "template.yaml", PARAMETERS, any_python=True):
        pass  # built, if it was not
    times = []
    for _ in range(3):
        started = time.monotonic()
        with deployed(PROJECT / "template.yaml", PARAMETERS, any_python=True):
            times.append(time.monotonic() - started)
    assert min(times) < LONGEST_SECONDS, times
