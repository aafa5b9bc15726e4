"""Lazy imports of numpy in a function's package: the real wheels, in fresh processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from infra.build.deferral import Deferral, DoesNotFit
from infra.build.distribution_check import skip_on_linux
from infra.build.lazy_imports import DEFERRALS, LazyImports, make_imports_lazy
from infra.build.signatures import DOCUMENTING, DOCUMENTS, OVERRIDES, document_later, sign_later

PYTHON = Path(sys.executable)


def run(folder: Path, code: str) -> str:
    """What a fresh process prints that finds numpy and onnxruntime in `folder` and nowhere else."""
    done = subprocess.run(
        [PYTHON, "-S", "-B", "-c", code],
        env={"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_deferral_fits_the_wheels_that_are_locked(package: Path) -> None:
    """A new numpy that it does not fit would be shipped as it is; here it is noticed."""
    report = LazyImports.read(package)
    assert report.kept == {}
    assert set(report.deferred) == {*(one.module for one in DEFERRALS), OVERRIDES, DOCUMENTING}


def test_importing_onnxruntime_loads_nothing_that_is_deferred(package: Path) -> None:
    """Neither the modules themselves nor what only they need."""
    names = (
        "numpy.lib",
        "numpy.linalg",
        "numpy.matrixlib",
        "numpy._typing",
        *DOCUMENTS,
        "pickle",
        "ctypes",
        "inspect",
    )
    code = f"import sys, onnxruntime; print([n for n in {names} if n in sys.modules])"
    assert run(package, code) == "[]"


def test_every_name_is_there_and_what_it_was(package: Path) -> None:
    """By attribute, in `dir` and `__all__`: against numpy as this project's environment has it."""
    code = """
import json, numpy
names = sorted(set(dir(numpy)) | set(numpy.__all__))
kinds = {name: [type(getattr(numpy, name)).__qualname__,
                str(getattr(getattr(numpy, name), "__module__", None))] for name in names}
print(json.dumps([numpy.__version__, sorted(dir(numpy)), sorted(numpy.__all__), kinds]))
"""
    original = Path(numpy.__file__).parents[1]
    assert json.loads(run(package, code)) == json.loads(run(original, code))


@pytest.mark.parametrize(
    "code",
    [
        "from numpy import pad, c_, lib, linalg, matrixlib, emath; print(pad.__name__)",
        "from numpy import *; print(pad.__name__)",
        "import numpy.lib.npyio, numpy; print(numpy.lib.npyio and numpy.pad.__name__)",
        "import numpy; print(numpy.lib._arraypad_impl.pad.__name__)",
        "import numpy.lib; from numpy.lib import stride_tricks; print('pad')",
        "import numpy, inspect; print(inspect.signature(numpy.pad) and 'pad')",
        "import numpy; print(getattr(numpy, 'nothing', 'pad'))",
        "import numpy; numpy.pad = 'pad'; print(numpy.pad)",
        (
            "from unittest.mock import patch; import numpy\n"
            "with patch('numpy.pad', 'pad'): print(numpy.pad)\nassert callable(numpy.pad)"
        ),
        (
            "import threading, numpy\n"
            "found = []\n"
            "ask = lambda: found.append(numpy.pad)\n"
            "threads = [threading.Thread(target=ask) for _ in range(8)]\n"
            "[t.start() for t in threads]; [t.join() for t in threads]\n"
            "print(len(found) == 8 and len(set(map(id, found))) == 1 and 'pad')"
        ),
    ],
)
def test_each_way_to_a_deferred_name_finds_it(package: Path, code: str) -> None:
    """Whoever comes first, in a process that has used nothing deferred before."""
    assert run(package, code) == "pad"


def test_every_deferred_name_is_pickled_as_before(package: Path) -> None:
    """By name: the other side may be a process with numpy as it was."""
    code = """
import pickle, numpy
names = sorted(numpy.__deferred_imports__)
kept = [name for name in names if callable(getattr(numpy, name))]
for name in kept:
    value = getattr(numpy, name)
    assert pickle.loads(pickle.dumps(value)) is value, name
print(len(kept) > 100)
"""
    assert run(package, code) == "True"


def test_what_uses_deferred_modules_gives_what_it_gave(package: Path) -> None:
    """Each deferral once, first thing in a process; numpy's own tests are in tests/all."""
    code = """
import numpy as np
print(np.dtype("(2,3)f4, i8").descr, np.arange(3).ctypes.shape[0], np.arange(3).dumps()[:1],
      np.pad([1], 1).tolist(), np.linalg.inv([[2.0]]).tolist(), np.matrix("1 2").tolist(),
      np.dtype("P").itemsize, np.isin(1, [1]), repr(np.r_[1:3]), np.emath.sqrt(-1))
"""
    original = Path(numpy.__file__).parents[1]
    assert run(package, code) == run(original, code)


def test_signatures_are_there_for_whoever_imports_inspect(package: Path) -> None:
    """As they were, and `inspect` itself as it is without numpy."""
    code = """
import sys, onnxruntime, numpy
finders = len(sys.meta_path)
import inspect
spec = inspect.__spec__
print(inspect.signature(numpy.concatenate), type(spec.loader).__name__,
      inspect.__loader__ is spec.loader, len(sys.meta_path) == finders - 1,
      inspect.getsource(inspect.cleandoc).splitlines()[0])
"""
    assert run(package, code) == (
        "(arrays, /, axis=0, out=None, *, dtype=None, casting='same_kind') SourceFileLoader "
        "True True def cleandoc(doc):"
    )


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import inspect\n", "0 times"),
        (
            (
                "import inspect\ninspect.cleandoc(dispatcher.__doc__)\n"
                "public_api.__signature__ = inspect.signature(dispatcher)\ninspect.isclass\n"
            ),
            "elsewhere",
        ),
    ],
)
def test_signatures_are_left_where_they_are_made_otherwise(source: str, fault: str) -> None:
    """The patch is for the code that it knows, and no other."""
    with pytest.raises(DoesNotFit, match=fault):
        sign_later(source, "def cleandoc(doc):\n    return doc\n")


def test_docstrings_are_there_for_whoever_imports_inspect(package: Path) -> None:
    """Of functions, types and methods that are written in C, as numpy has them elsewhere; also
    where `inspect` came first."""
    show = "numpy.array, numpy.ndarray.sort, numpy.dtype, numpy.int8, numpy.add, numpy.concatenate"
    original = Path(numpy.__file__).parents[1]
    later = f"import numpy, inspect; print([one.__doc__ for one in ({show})])"
    first = f"import inspect, numpy; print([one.__doc__ for one in ({show})])"
    assert run(package, later) == run(package, first) == run(original, first)


def test_onnxruntime_reads_no_name_of_the_distribution(package: Path) -> None:
    """It would say nothing of it."""
    code = "import linecache, onnxruntime; print('/etc/os-release' in linecache.cache)"
    assert run(package, code) == "False"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def other():\n    pass\n", "no check_distro_info"),
        (
            "def check_distro_info():\n    s = 'linux'\n    if s == 'linux':\n        warn(s)\n",
            "more than read names",
        ),
    ],
)
def test_a_check_that_does_something_on_linux_is_left(source: str, fault: str) -> None:
    """One that warns, or that is another function by now."""
    with pytest.raises(DoesNotFit, match=fault):
        skip_on_linux(source)


def test_docstrings_are_left_where_nothing_would_set_them() -> None:
    """A numpy whose core imports them otherwise."""
    with pytest.raises(DoesNotFit, match="not deferred"):
        document_later("from . import _add_newdocs\n")


def test_the_model_runs_from_the_package(package: Path) -> None:
    """The demo's model, primed and asked."""
    code = """
import sys
sys.path.append(sys.argv[0])
import warmer
model = warmer.load("handlers/models/digits")
assert model.priming.primed
print(model.run({"image": [[[0.0] * 8] * 8]})["probabilities"].shape)
"""
    assert run(package, code).endswith("(1, 10)")


METRICS = """
import sys
sys.path.append(sys.argv[0])
from warmer import telemetry
telemetry.prepare()
telemetry.emit({telemetry.Metric.COLD_START: 1.0}, {"service": "s"})
"""


def test_metrics_load_nothing_else_of_powertools(package: Path) -> None:
    """Neither Logger and Tracer nor what only they need, also while a metric is written."""
    names = [f"aws_lambda_powertools.{name}" for name in ("logging", "tracing", "utilities")]
    names += ["inspect", "jmespath", "typing_extensions"]
    code = f"import os; os.environ['WARMER_METRICS_NAMESPACE'] = 'N'\n{METRICS}"
    code += f"print([n for n in {names} if n in sys.modules])"
    line, loaded = run(package, code).splitlines()
    assert json.loads(line)["ColdStart"] == [1.0]
    assert loaded == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "from aws_lambda_powertools import Logger, Metrics, Tracer, single_metric",
        "from aws_lambda_powertools import *; Logger, Metrics, Tracer, single_metric",
        "import aws_lambda_powertools as p; p.logging.Logger, p.metrics.Metrics, p.utilities",
        "from aws_lambda_powertools.package_logger import set_package_logger",
        "import os; os.environ['POWERTOOLS_DEBUG'] = '1'; import aws_lambda_powertools",
        (
            "from aws_lambda_powertools import Logger\n"
            "Logger(service='s').info('said')\n"
            "import logging; assert not logging.getLogger('aws_lambda_powertools').propagate"
        ),
    ],
)
def test_each_way_to_a_part_of_powertools_finds_it(package: Path, code: str) -> None:
    """Whoever comes first, in a process that has used nothing deferred before."""
    assert run(package, f"{code}\nprint('found')").endswith("found")


def wheels(folder: Path, text: str) -> Path:
    """A folder with one module, `one`."""
    folder.mkdir()
    folder.joinpath("one.py").write_text(text, encoding="utf-8")
    return folder


def test_a_module_that_is_made_otherwise_is_left_as_it_is_and_said(tmp_path: Path) -> None:
    """Another version may need the import at once."""
    text = "import colorsys\nhere = colorsys.ONE_THIRD\n"
    folder = wheels(tmp_path / "wheels", text)
    report = make_imports_lazy(folder, PYTHON, [Deferral("one", ("colorsys",), "a test")])
    assert report.kept == {"one": "line 2 uses colorsys during the import"}
    assert folder.joinpath("one.py").read_text("utf-8") == text
    assert LazyImports.read(folder) == report


def test_a_change_that_a_run_shows_to_differ_is_taken_back(tmp_path: Path) -> None:
    """What is true of the source need not be true of the run: here an import has an effect."""
    text = "import two\nimport sys\nflag = sys.modules.get('two') is not None\n"
    folder = wheels(tmp_path / "wheels", text)
    folder.joinpath("two.py").write_text("", encoding="utf-8")
    report = make_imports_lazy(folder, PYTHON, [Deferral("one", ("two",), "a test")])
    assert "one.flag was" in report.kept["one"]
    assert folder.joinpath("one.py").read_text("utf-8") == text


def test_one_package_that_does_not_fit_leaves_the_others_deferred(tmp_path: Path) -> None:
    """What a run shows of one says nothing of another."""
    folder = wheels(tmp_path / "wheels", "import two\nimport sys\nflag = 'two' in sys.modules\n")
    folder.joinpath("two.py").write_text("", encoding="utf-8")
    folder.joinpath("three.py").write_text("import colorsys\n", encoding="utf-8")
    deferrals = [Deferral("one", ("two",), "a test"), Deferral("three", ("colorsys",), "a test")]
    report = make_imports_lazy(folder, PYTHON, deferrals)
    assert report.deferred == ("three",)
    assert "one.flag was" in report.kept["one"]


def test_wheels_that_cannot_be_run_here_are_left_as_they_are(tmp_path: Path) -> None:
    """For another architecture, or a Python that this machine lacks; nor such as are broken."""
    text = "import colorsys\nraise ImportError('another machine')\n"
    folder = wheels(tmp_path / "wheels", text)
    deferrals = [Deferral("one", ("colorsys",), "a test")]
    assert "no Python for it" in make_imports_lazy(folder, None, deferrals).kept["one"]
    assert "another machine" in make_imports_lazy(folder, PYTHON, deferrals).kept["one"]
    assert folder.joinpath("one.py").read_text("utf-8") == text


def test_wheels_without_the_modules_have_nothing_to_report(tmp_path: Path) -> None:
    """The warmer's package has no numpy."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    assert make_imports_lazy(folder, PYTHON) == LazyImports((), {})
    shutil.rmtree(folder)
