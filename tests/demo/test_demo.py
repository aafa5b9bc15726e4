"""The whole story through the real parts: sam, awslambdaric, onnxruntime, HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from infra.demo.sam import PROJECT


@pytest.mark.timeout(400)
def test_demo_proves_what_it_says() -> None:
    """N of N environments proven, the ledger agreeing; cold starts only without the warmer."""
    finished = subprocess.run(
        [sys.executable, "-m", "warmer", "demo", "--json", "--requests", "100"],
        cwd=PROJECT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    figures = json.loads(finished.stdout)
    wave = figures["wave"]
    assert (wave["asked"], wave["proven"], wave["distinct"], wave["new"]) == (10, 10, 10, 10)
    assert 1 <= wave["rounds"] <= 3
    assert wave["billed_ms"] > 0
    assert figures["steady_wave"]["new"] == 0
    assert figures["burst"]["with_warmer"]["cold_starts"] == 0
    assert figures["burst"]["with_warmer"]["requests"] == 10
    assert figures["burst"]["without_warmer"]["cold_starts"] > 0
    assert figures["alive_after_idle"] == 0
    assert figures["problems"] == []
