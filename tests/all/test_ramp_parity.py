"""The committed answers of torch and Transformers are what these libraries answer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".tools/train/bin/python"


@pytest.mark.skipif(not PYTHON.exists(), reason="no torch: make test-all makes .tools/train")
def test_the_libraries_answer_what_is_committed(tmp_path: Path) -> None:
    """To 1e-12, by the same script that wrote them."""
    path = tmp_path / "parity.json"
    command = [str(PYTHON), "-m", "infra.train.parity", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    found = json.loads(path.read_bytes())
    committed = json.loads((ROOT / "tests/ramp/parity.json").read_bytes())
    assert [case["ramp"] for case in found["cases"]] == [c["ramp"] for c in committed["cases"]]
    for new, old in zip(found["cases"], committed["cases"], strict=True):
        assert new["values"] == pytest.approx(old["values"], rel=0, abs=1e-12), new["schedule"]
