"""A package as a whole: real pip, real files, a small project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.build import assembly
from infra.build.assembly import assemble
from infra.build.target import BuildTarget
from tests.build.conftest import RUNNING_PYTHON
from tests.build.wheelhouse import Wheelhouse, wheelhouse
from warmer.errors import BuildError

__all__ = ["wheelhouse"]

TARGET = BuildTarget(RUNNING_PYTHON, "x86_64")
HANDLER = "handlers.warm.handler"


@pytest.fixture(autouse=True)
def powertools(wheelhouse: Wheelhouse) -> None:
    """The wheel that the project requires."""
    wheelhouse.add("aws-lambda-powertools", "py3-none-any")


def test_a_package_holds_its_handler_its_parts_of_warmer_and_its_wheels(
    project: Path, tmp_path: Path
) -> None:
    """And nothing else: neither other handlers nor parts that it does not use."""
    assemble("WarmerFunction", HANDLER, TARGET, project, tmp_path / "package")
    files = {str(p.relative_to(tmp_path / "package")) for p in tmp_path.rglob("package/**/*.py")}
    expected = {
        "aws_lambda_powertools/__init__.py",
        "handlers/__init__.py",
        "handlers/warm.py",
        "warmer/__init__.py",
        "warmer/fleet/__init__.py",
    }
    assert expected == files


def test_a_package_says_what_it_was_built_for(project: Path, tmp_path: Path) -> None:
    """The stamp has Python, architecture, C library, function and wheels."""
    assemble("WarmerFunction", HANDLER, BuildTarget("3.14", "arm64"), project, tmp_path / "package")
    stamp = json.loads(tmp_path.joinpath("package/warmer-package.json").read_text("utf-8"))
    expected = {
        "function": "WarmerFunction",
        "python": "3.14",
        "architecture": "arm64",
        "glibc": "2.34",
        "wheels": {"aws-lambda-powertools": "1.0"},
    }
    assert expected == stamp


def test_every_module_has_byte_code_where_the_python_is_at_hand(
    project: Path, tmp_path: Path
) -> None:
    """The handler's, Warmer's and the wheels'."""
    package = assemble("WarmerFunction", HANDLER, TARGET, project, tmp_path / "package")
    modules = list(package.folder.rglob("*.py"))
    assert package.compiled
    assert len(modules) == len(list(package.folder.rglob("__pycache__/*.pyc")))


def test_the_size_counts_every_file(project: Path, tmp_path: Path) -> None:
    """Unzipped bytes are what Lambda limits."""
    package = assemble("WarmerFunction", HANDLER, TARGET, project, tmp_path / "package")
    files = (path for path in package.folder.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) == package.size_bytes


def test_a_package_over_the_limit_is_refused_and_its_largest_parts_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda would refuse it after the upload; the real limit is 262,144,000 bytes."""
    assert assembly.LIMIT_BYTES == 262_144_000
    monkeypatch.setattr(assembly, "LIMIT_BYTES", 3 * 2**20)
    project.joinpath("warmer/fleet/weights.bin").write_bytes(bytes(4 * 2**20))
    message = r"WarmerFunction is 4\.0 MB unzipped.*takes 3 MB; the largest parts are warmer 4 MB"
    with pytest.raises(BuildError, match=message):
        assemble("WarmerFunction", HANDLER, TARGET, project, tmp_path / "package")


def test_a_folder_that_holds_something_is_refused(project: Path, tmp_path: Path) -> None:
    """What is left of another build would ship."""
    with pytest.raises(BuildError, match="is not empty"):
        assemble("WarmerFunction", HANDLER, TARGET, project, project)


def test_a_missing_model_is_an_error(project: Path, tmp_path: Path, wheelhouse: Wheelhouse) -> None:
    """The inference function ships models; the error names the folder."""
    for name in ("numpy", "onnxruntime"):
        wheelhouse.add(name, "py3-none-any")
    project.joinpath("pyproject.toml").write_text(
        '[project]\ndependencies = ["aws-lambda-powertools", "numpy", "onnxruntime"]\n', "utf-8"
    )
    with pytest.raises(BuildError, match="models is missing"):
        assemble("InferenceFunction", HANDLER, TARGET, project, tmp_path / "package")
