"""Ramps equal the schedulers of torch and Transformers, step for step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmer.ramp import Ramp

ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("parity.json").read_bytes())
"""What the libraries answered; `python -m infra.train.parity` wrote it."""


@pytest.mark.parametrize("case", [pytest.param(c, id=c["schedule"]) for c in ANSWERS["cases"]])
def test_a_ramp_equals_the_scheduler(case: dict[str, Any]) -> None:
    """Within 1e-12 of what the library itself answered."""
    ramp = Ramp.parse(case["ramp"], total=ANSWERS["steps"])
    found = ramp(np.arange(ANSWERS["steps"]))
    np.testing.assert_allclose(found, case["values"], rtol=0, atol=1e-12)
