"""The project's own template, deployed to a local cloud, for the protocol's real clients."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from infra.cloud.testing import DeployedStack, LocalCloudFactory

ROOT = Path(__file__).resolve().parents[2]
SCHEMATHESIS = ROOT / ".tools" / "schemathesis" / "bin" / "schemathesis"


@pytest.fixture(scope="session")
def stack(local_cloud: LocalCloudFactory) -> DeployedStack:
    """The inference function behind a Function URL that everybody may call."""
    return local_cloud(
        "template.yaml", {"FunctionUrlAuth": "NONE", "Warming": "DISABLED"}, any_python=True
    )


def schemathesis(address: str, examples: int, *phases: str) -> subprocess.CompletedProcess[str]:
    """Requests to `address` that the OpenAPI description allows, and such as it does not."""
    command: list[str | Path] = [
        SCHEMATHESIS,
        *("--config-file", Path(__file__).parent / "schemathesis.toml"),
        *("run", ROOT / "handlers" / "openapi.yaml", "--url", address),
        *("--phases", ",".join(phases), "--max-examples", str(examples), "--seed", "1"),
        *("--suppress-health-check", "all", "--generation-database", "none"),
    ]
    # It keeps its cache where it runs.
    with tempfile.TemporaryDirectory(prefix="warmer-schemathesis-") as folder:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
