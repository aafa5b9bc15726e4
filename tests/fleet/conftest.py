"""What the tests of the fleet share."""

from __future__ import annotations

import pytest

from tests.fleet.endpoint import aws_settings


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS settings that work with the loopback only."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in aws_settings().items():
        monkeypatch.setenv(name, value)
