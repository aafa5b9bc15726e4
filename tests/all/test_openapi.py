"""The endpoint against its OpenAPI description, at length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.inference.conftest import schemathesis

if TYPE_CHECKING:
    from infra.cloud.testing import LocalCloudFactory


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(local_cloud: LocalCloudFactory) -> None:
    """Every keyword of the description, kept and broken, and 300 examples of every operation."""
    parameters = {"FunctionUrlAuth": "NONE", "Warming": "DISABLED"}
    stack = local_cloud("template.yaml", parameters, any_python=True)
    finished = schemathesis(stack.outputs["InferenceUrl"], 300, "examples", "coverage", "fuzzing")
    assert finished.returncode == 0, finished.stdout + finished.stderr
