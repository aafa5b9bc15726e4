"""Projects and commands that the build's tests share."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.build.assembly import assemble
from infra.build.target import BuildTarget

ROOT = Path(__file__).resolve().parents[2]
RUNNING_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = BuildTarget(RUNNING_PYTHON, platform.machine().replace("aarch64", "arm64"))
"""The running Python, on this machine."""

SamBuild = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def sam_build() -> SamBuild:
    """Run the real `sam build` on this project: `sam_build(folder, *options, VARIABLE=value)`."""
    sam = ROOT / ".tools/sam/bin/sam"
    assert sam.exists(), "make setup creates the sam command line"

    def run(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", **variables}
        return subprocess.run(
            [sam, "build", "--build-dir", folder, *options],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inference function's package for the running Python and this machine."""
    folder = tmp_path_factory.mktemp("package") / "inference"
    return assemble("InferenceFunction", "handlers.inference.handler", HERE, ROOT, folder).folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one handler that needs one wheel, which is beside it and not on an index."""
    root = tmp_path / "project"
    files = {
        "pyproject.toml": '[project]\ndependencies = ["aws-lambda-powertools>=1"]\n',
        "infra/build/locks/function.txt": "aws-lambda-powertools==1.0\n",
        "handlers/__init__.py": "",
        "handlers/warm.py": "def handler(event, context):\n    return event\n",
        "handlers/unrelated.py": "",
        "warmer/__init__.py": "",
        "warmer/fleet/__init__.py": "",
        "warmer/model/__init__.py": "",
        "warmer/cli/__init__.py": "",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root
