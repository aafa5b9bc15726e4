"""Modules compiled ahead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.build.bytecode import compile_modules, interpreter
from tests.build.conftest import RUNNING_PYTHON
from warmer.errors import BuildError


def test_the_running_python_compiles_for_itself() -> None:
    """Byte-code belongs to one version; the running one has it."""
    assert Path(sys.executable) == interpreter(RUNNING_PYTHON)


def test_a_python_on_the_path_is_used_only_if_it_is_that_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command by that name may be another version, or a shim that fails."""
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 3.98 final\n", encoding="utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreter("3.99") is None
    shim.write_text("#!/bin/sh\necho 3.99 final\n", encoding="utf-8")
    assert interpreter("3.99") == shim


def test_byte_code_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    """It holds neither times nor this machine's folders, but the path that Lambda runs."""
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("module.py").write_text("def f():\n    return 1\n", encoding="utf-8")
        compile_modules(folder, Path(sys.executable))
        made.append(next(folder.rglob("module.*.pyc")).read_bytes())
    assert made[0] == made[1]
    assert b"/var/task/module.py" in made[0]


def test_byte_code_is_not_checked_against_its_source(tmp_path: Path) -> None:
    """PEP 552: flags 0b01 mean a hash that is not checked."""
    tmp_path.joinpath("module.py").write_text("", encoding="utf-8")
    compile_modules(tmp_path, Path(sys.executable))
    content = next(tmp_path.rglob("module.*.pyc")).read_bytes()
    assert int.from_bytes(content[4:8], "little") == 1


def test_a_module_that_is_no_python_is_an_error(tmp_path: Path) -> None:
    """The error is one line that names the file."""
    tmp_path.joinpath("broken.py").write_text("def\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"cannot be compiled: .*broken\.py") as caught:
        compile_modules(tmp_path, Path(sys.executable))
    assert "\n" not in str(caught.value)
