"""What the tests of the core share."""

from __future__ import annotations

import pytest

from warmer import environment
from warmer.environment import Environment


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A new execution environment for each test, outside Lambda."""
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT", "WARMER_MAX_HOLD_MS"):
        monkeypatch.delenv(name, raising=False)
    fresh = Environment()
    monkeypatch.setattr(environment, "_current", fresh)
    return fresh
