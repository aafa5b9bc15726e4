"""Numpy's own tests, run with the imports put off that a function's package puts off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from infra.build.lazy_imports import DEFERRALS, LazyImports, make_imports_lazy
from infra.build.signatures import DOCUMENTING, OVERRIDES


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole numpy, tests and all, made lazy."""
    installed = Path(numpy.__file__).parents[1]
    folder = tmp_path_factory.mktemp("site")
    for name in ("numpy", "numpy.libs"):
        shutil.copytree(
            installed / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    report = make_imports_lazy(folder, Path(sys.executable))
    deferred = [one.module for one in DEFERRALS if one.module.partition(".")[0] == "numpy"]
    assert report == LazyImports((*deferred, OVERRIDES, DOCUMENTING), {})
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "part",
    [
        "numpy/lib",
        "numpy/linalg",
        "numpy/matrixlib",
        "numpy/tests",
        "numpy/_core/tests/test_dtype.py",
        "numpy/_core/tests/test_umath.py",
        "numpy/_core/tests/test_overrides.py",
    ],
)
def test_numpys_own_tests_pass(site: Path, part: str) -> None:
    """What they say of numpy holds of numpy with lazy imports; each part is its own process."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(site), str(site / part)]
    done = subprocess.run(
        [*command, "-W", "ignore", "-m", "not slow"],
        env=os.environ | {"PYTHONPATH": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
