"""The whole story through the real parts: sam, awslambdaric, onnxruntime, HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cloud.sam import PROJECT


@pytest.mark.timeout(400)
def test_demo_proves_what_it_says(tmp_path: Path) -> None:
    """N of N environments proven, the ledger agreeing; cold starts only without; the page too."""
    page, picture = tmp_path / "new" / "demo.html", tmp_path / "burst.svg"
    written = ["--page", str(page), "--picture", str(picture)]
    finished = subprocess.run(
        [sys.executable, "-m", "warmer", "demo", "--json", "--requests", "100", *written],
        cwd=PROJECT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    figures = json.loads(finished.stdout)
    wave = figures["wave"]
    assert (wave["asked"], wave["proven"], wave["distinct"]) == (10, 10, 10 + wave["spares"])
    assert 1 <= wave["rounds"] <= 3
    assert wave["new"] == wave["distinct"]
    assert wave["billed_ms"] > 0
    steady = figures["steady_wave"]
    # Where this machine keeps a wave's spare waiting, that finds one of the others free: then the
    # next wave makes the spare.
    assert steady["new"] == max(steady["distinct"] - wave["distinct"], 0) <= 1
    assert steady["lost"] == {}
    assert figures["burst"]["with_warmer"]["cold_starts"] == 0
    assert figures["burst"]["with_warmer"]["requests"] == 10
    assert figures["burst"]["without_warmer"]["cold_starts"] > 0
    assert figures["alive_after_idle"] == 0
    assert figures["problems"] == []
    assert f"page: {page}" in finished.stderr
    text = page.read_text()
    cold = figures["burst"]["without_warmer"]["cold_starts"]
    assert f"10 requests at once: {cold} cold starts without the warmer, 0 with it" in text
    assert text.count('class="mark request" data-cold="no"') == 20 - cold
    assert text.count('class="mark lane"') == len(re.findall('class="mark cold-mark', text))
    assert len(text.encode()) < 500_000
    assert picture.read_text().startswith("<svg")
