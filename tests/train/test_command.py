"""`python -m infra.train` explains itself, and its errors say what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.train.__main__ import main

ROOT = Path(__file__).parents[2]


def test_help_needs_no_torch() -> None:
    """The options can be read before anything is installed, and quickly."""
    check = (
        "import runpy, sys\n"
        "sys.argv = ['train', '--help']\n"
        "try:\n"
        "    runpy.run_module('infra.train', run_name='__main__')\n"
        "finally:\n"
        "    assert not {'torch', 'sklearn', 'onnxruntime'} & set(sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    for option in ("--seed", "--epochs", "--output"):
        assert option in done.stdout


@pytest.mark.parametrize("package", ["torch", "onnx"])
def test_missing_package_is_named_with_the_remedy(
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a package that training needs, one line says how to get it."""
    for module in ("export", "training", "network"):
        monkeypatch.delitem(sys.modules, f"infra.train.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)

    assert main(["--output", str(tmp_path)]) == 1
    assert (
        f"Error: {package} is None; expected {package} installed; run `make train`\n"
        == capsys.readouterr().err
    )


def test_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage ends with exit code 2 and names the option."""
    with pytest.raises(SystemExit) as stopped:
        main(["--epoch-count", "3"])

    assert stopped.value.code == 2
    assert "--epoch-count" in capsys.readouterr().err
