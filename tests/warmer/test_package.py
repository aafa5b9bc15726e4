"""The package stamp."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from warmer.errors import PackageMismatch
from warmer.package import STAMP_NAME, check_package, package_root

HERE = {
    "python": ".".join(platform.python_version_tuple()[:2]),
    "architecture": platform.machine(),
}


def _stamp(folder: Path, content: object) -> str:
    (folder / STAMP_NAME).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


def test_a_package_without_a_stamp_is_not_checked(tmp_path: Path) -> None:
    """Packages that another tool built run as ever."""
    check_package(str(tmp_path))


def test_a_package_for_this_interpreter_passes(tmp_path: Path) -> None:
    """Fields that are not compared may be there."""
    check_package(_stamp(tmp_path, HERE | {"glibc": "2.34", "wheels": {"numpy": "2.4.6"}}))


def test_lambdas_name_of_the_architecture_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda says arm64 where Linux says aarch64."""
    machine = type("Machine", (), {"machine": "aarch64"})
    monkeypatch.setattr("os.uname", machine)
    check_package(_stamp(tmp_path, HERE | {"architecture": "arm64"}))


@pytest.mark.parametrize("other", [{"python": "3.9"}, {"architecture": "riscv"}, {"python": None}])
def test_a_mismatch_names_both_sides_and_the_remedy(tmp_path: Path, other: object) -> None:
    """The message is enough to act on."""
    assert isinstance(other, dict)
    built = HERE | other
    message = (
        f"built for Python {built['python']} on {built['architecture']} "
        f"but runs on Python {HERE['python']} on {HERE['architecture']}: build it again"
    )
    with pytest.raises(PackageMismatch, match=message):
        check_package(_stamp(tmp_path, built))


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000])
def test_a_stamp_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    """A damaged package is not run on trust."""
    with pytest.raises(PackageMismatch, match="build the package again"):
        check_package(_stamp(tmp_path, content))


def test_the_package_is_where_lambda_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAMBDA_TASK_ROOT holds the function's code."""
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    assert package_root() == "/var/task"


def test_outside_lambda_the_package_is_around_this_one() -> None:
    """The folder that holds `warmer/`."""
    assert (Path(package_root()) / "warmer" / "package.py").is_file()
