"""`sam build`, run only when its sources have changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.cloud.sam_build import build, build_environment, sources_digest
from warmer.errors import CloudError

RUNTIME_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Sample:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildMethod: makefile }}
    Properties: {{ Handler: app.handler, CodeUri: src, Runtime: {RUNTIME_PYTHON} }}
"""
MAKEFILE = "build-Sample:\n\t@cp app.py $(ARTIFACTS_DIR)\n"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template whose function is built by make."""
    source = tmp_path / "src"
    source.mkdir()
    (source / "app.py").write_text("RELEASE = 1\n")
    (source / "Makefile").write_text(MAKEFILE)
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


def test_sam_builds_again_only_what_has_changed(template: Path) -> None:
    """Unchanged sources keep the build; a changed one renews it; a failing one is not kept."""
    first = build(template, {})
    module = first.parent / "Sample" / "app.py"
    assert module.read_text() == "RELEASE = 1\n"
    assert first.is_relative_to(template.parent / "build" / "local-cloud")
    module.write_text("untouched\n")
    assert build(template, {}) == first
    assert module.read_text() == "untouched\n"
    (template.parent / "src" / "Makefile").write_text("build-Sample:\n\t@echo no luck; exit 3\n")
    for _ in range(2):
        with pytest.raises(CloudError, match=r"(?s)`sam build .*failed \(exit code 1\):.*Sample"):
            build(template, {})
    (template.parent / "src" / "Makefile").write_text(MAKEFILE)
    (template.parent / "src" / "app.py").write_text("RELEASE = 2\n")
    assert build(template, {}) == first
    assert module.read_text() == "RELEASE = 2\n"


def test_a_digest_covers_names_permissions_and_contents(tmp_path: Path) -> None:
    """Each of them changes it."""
    file = tmp_path / "app.py"
    file.write_text("1")
    seen = {sources_digest([tmp_path])}
    file.write_text("2")
    seen.add(sources_digest([tmp_path]))
    file.chmod(0o755)
    seen.add(sources_digest([tmp_path]))
    file.rename(tmp_path / "other.py")
    seen.add(sources_digest([tmp_path]))
    assert len(seen) == 4


def test_a_digest_skips_what_no_build_reads(tmp_path: Path) -> None:
    """Hidden folders, caches, virtual environments, and where builds are kept."""
    (tmp_path / "app.py").write_text("1")
    before = sources_digest([tmp_path], tmp_path / "build")
    for name in (".git", "__pycache__", "node_modules", "venv", "build"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("1")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    assert sources_digest([tmp_path], tmp_path / "build") == before


def test_any_python_builds_for_the_one_that_there_is(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the user has said for which."""
    monkeypatch.delenv("WARMER_BUILD_PYTHON", raising=False)
    assert "WARMER_BUILD_PYTHON" not in build_environment(any_python=False)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert build_environment(any_python=True, runtime=runtime)["WARMER_BUILD_PYTHON"] == python
    monkeypatch.setenv("WARMER_BUILD_PYTHON", "3.14")
    assert build_environment(any_python=True, runtime=runtime)["WARMER_BUILD_PYTHON"] == "3.14"
