"""What the tests of the deployed functions share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are wanted: without a namespace there are none."""
    monkeypatch.setenv("WARMER_METRICS_NAMESPACE", "Warmer")
