"""What the tests of the core share."""

from __future__ import annotations

import pytest

from warmer import environment
from warmer.environment import Environment


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A new execution environment for each test, outside Lambda."""
    for name in (
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "LAMBDA_TASK_ROOT",
        "WARMER_MAX_HOLD_MS",
        "WARMER_PRIME_BUDGET_MS",
    ):
        monkeypatch.delenv(name, raising=False)
    fresh = Environment()
    monkeypatch.setattr(environment, "_current", fresh)
    return fresh
