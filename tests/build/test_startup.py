"""What a start loads, recorded by the build and brought in by `import warmer`: real packages."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.bench.start_process import Condition, Program, start
from infra.build.startup import BLOCK_BYTES, record_start
from infra.build.target import BuildTarget
from infra.cloud.runtime import runtime_python
from infra.cloud.sam import PROJECT
from tests.build.conftest import HERE
from tests.page_cache import is_cached
from warmer.startup import START_NAME
from warmer.telemetry import NAMESPACE_VARIABLE

PYTHON = Path(sys.executable)
HANDLER = "handlers.inference.handler"
EDITED = "raise SystemExit('this was not to be read')\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A package of a handler and two modules, compiled and recorded."""
    return _recorded(tmp_path / "package")


def _recorded(folder: Path) -> Path:
    sources = {
        "handlers/__init__.py": "",
        "handlers/inference.py": "import warmer\nimport own.part\n",
        "own/__init__.py": "NAME = __name__\n",
        "own/part.py": "def fail():\n    raise ValueError('here')\n",
    }
    for name, source in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    shutil.copytree(PROJECT / "warmer", folder / "warmer", ignore=_all_but_the_first_modules)
    subprocess.run([PYTHON, "-m", "compileall", "-q", folder], check=True)
    assert record_start(folder, HANDLER, HERE, PYTHON) == ""
    return folder


def _all_but_the_first_modules(_: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name not in {"__init__.py", "errors.py", "read_ahead.py", "startup.py"}
    }


def run(folder: Path, code: str, *paths: Path) -> str:
    """What a fresh process prints that starts in a package, with `paths` ahead of it."""
    done = subprocess.run(
        [PYTHON, "-S", "-B", "-c", f"import sys; del sys.path[0]; {code}"],
        env={"PYTHONPATH": os.pathsep.join(map(str, [*paths, folder]))},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


def header(folder: Path) -> Any:
    """The record's modules and pages."""
    content = folder.joinpath(START_NAME).read_bytes()
    return marshal.loads(content[8 : 8 + int.from_bytes(content[4:8], "little")])


def test_a_start_reads_no_file_of_the_modules_that_are_recorded(
    package: Path, tmp_path: Path
) -> None:
    """By Lambda's own runtime client: numpy, onnxruntime, Powertools, Warmer's own."""
    modules, _ = header(package)
    assert {"numpy", "onnxruntime", "aws_lambda_powertools.metrics", "warmer.model"} <= set(modules)
    copy = tmp_path / "copy"
    shutil.copytree(package, copy)
    for file, *_ in modules.values():
        for compiled in (copy / file).parent.glob(f"__pycache__/{Path(file).stem}.*.pyc"):
            compiled.unlink()
        (copy / file).write_text(EDITED, encoding="utf-8")
    runtime = PROJECT / ".tools" / "runtime"
    assert f"python{runtime_python(runtime)}" == f"python{HERE.python}"
    program = Program(
        "ours",
        copy,
        ("-m", "awslambdaric", HANDLER),
        {
            "LAMBDA_TASK_ROOT": str(copy),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            NAMESPACE_VARIABLE: "Warmer",
        },
        (),
    )
    assert start(program, runtime / "bin" / "python", Condition()).ready_ms > 0


def test_a_recorded_module_is_what_it_is_without_the_record(small: Path, tmp_path: Path) -> None:
    """Its name, file, byte-code's file, path, parent, and source."""
    code = """
import handlers.inference, own.part, inspect, json
print(json.dumps([[one.__name__, one.__file__, one.__cached__, one.__package__,
    getattr(one, '__path__', None), one.__spec__.name, one.__spec__.origin, one.__spec__.parent,
    inspect.getsource(one), one.__loader__ is one.__spec__.loader] for one in (own, own.part)]))
""".strip()
    recorded = json.loads(run(small, code))
    assert "warmer.startup" in run(
        small, "import own; import warmer, own.part; print(own.part.__loader__)"
    )
    small.joinpath(START_NAME).rename(tmp_path / "aside")
    assert json.loads(run(small, code)) == recorded


def test_a_traceback_names_the_file_and_the_line(small: Path) -> None:
    """Where the package is now, not where it was built."""
    moved = small.rename(small.with_name("moved"))
    code = (
        "import traceback, warmer, own.part\n"
        "try: own.part.fail()\n"
        "except ValueError as e: f = traceback.extract_tb(e.__traceback__)[-1]\n"
        "print(f.filename, f.lineno, f.line)"
    )
    assert run(moved, code) == f"{moved}/own/part.py 2 raise ValueError('here')"


def test_a_module_that_is_found_elsewhere_first_is_taken_from_there(
    small: Path, tmp_path: Path
) -> None:
    """As Python would: a folder ahead of the package, or a parent from somewhere else."""
    ahead = tmp_path / "ahead" / "own"
    ahead.mkdir(parents=True)
    ahead.joinpath("__init__.py").write_text("NAME = 'ahead'\n", encoding="utf-8")
    ahead.joinpath("part.py").write_text("", encoding="utf-8")
    show = f"own.NAME, own.part.__file__.startswith({str(ahead)!r})"
    assert run(small, f"import warmer, own.part; print({show})", ahead.parent) == "ahead True"
    late = (
        f"import warmer; sys.path.insert(0, {str(ahead.parent)!r}); import own.part; print({show})"
    )
    assert run(small, late) == "ahead True"
    parent = (
        f"import warmer; sys.path.insert(0, {str(ahead.parent)!r}); import own; del sys.path[0]; "
        f"import own.part; print({show})"
    )
    assert run(small, parent) == "ahead True"


def _without(folder: Path) -> None:
    folder.joinpath(START_NAME).unlink()


def _of_another_python(folder: Path) -> None:
    file = folder / START_NAME
    file.write_bytes(b"\0\0\r\n" + file.read_bytes()[4:])


@pytest.mark.parametrize("change", [_without, _of_another_python])
def test_a_package_without_a_record_for_this_python_is_imported_as_ever(
    small: Path, change: Callable[[Path], None]
) -> None:
    """A layer, a checkout, a build for a Python that was not there."""
    change(small)
    code = "import warmer, own.part; print(type(own.part.__loader__).__module__, sys.meta_path[0])"
    assert "startup" not in run(small, code)
    assert "own.part" in run(small, "import warmer, own.part; print(own.part.__name__)")


@pytest.mark.parametrize("kept", [9, 30])
def test_a_damaged_record_is_said_with_its_remedy(small: Path, kept: int) -> None:
    """It is cut off somewhere in its header."""
    file = small / START_NAME
    file.write_bytes(file.read_bytes()[:kept])
    said = run(small, "import warmer")
    assert said.startswith("warmer.errors.PackageMismatch")
    assert said.endswith("warmer-start.bin is damaged: build the package again (sam build)")


def test_pages_that_a_start_touches_are_in_the_page_cache_soon(
    package: Path, tmp_path: Path
) -> None:
    """Of onnxruntime's library, which `import warmer` alone does not load, once it was evicted."""
    _, pages = header(package)
    name, ranges = next(item for item in pages if "onnxruntime_pybind11_state" in item[0])
    copy = tmp_path / "copy"
    own = [f"warmer/{part}.py" for part in ("__init__", "errors", "read_ahead", "startup")]
    for file in (START_NAME, *own, name):
        copy.joinpath(file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / file, copy / file)
    descriptor = os.open(copy / name, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        assert run(copy, "import warmer; print('done')") == "done"
        deadline = time.monotonic() + 20
        while not all(is_cached(descriptor, offset) for offset, _ in ranges):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.close(descriptor)


def test_pages_are_whole_blocks_of_files_in_the_package_and_far_from_all_of_them(
    package: Path,
) -> None:
    """Of BLAS, which numpy links, a model's run touches a few only."""
    _, pages = header(package)
    for name, ranges in pages:
        assert package.joinpath(name).is_file()
        assert all(offset % BLOCK_BYTES == length % BLOCK_BYTES == 0 for offset, length in ranges)
    (blas,) = (item for item in pages if "openblas" in item[0])
    assert sum(length for _, length in blas[1]) < package.joinpath(blas[0]).stat().st_size / 2


def test_the_same_package_is_recorded_to_the_same_modules(tmp_path: Path) -> None:
    """So that a build that changes nothing publishes no version."""
    first, second = (_recorded(tmp_path / name) for name in ("one", "two"))
    assert header(first) == header(second)


@pytest.mark.parametrize(
    ("target", "interpreter", "why"),
    [
        (HERE, None, f"no Python {HERE.python} here"),
        (
            BuildTarget(HERE.python, "arm64" if HERE.architecture == "x86_64" else "x86_64"),
            PYTHON,
            "cannot be run here",
        ),
    ],
)
def test_what_cannot_be_run_here_is_not_recorded_and_said(
    tmp_path: Path, target: BuildTarget, interpreter: Path | None, why: str
) -> None:
    """The package works without."""
    assert why in record_start(tmp_path, HANDLER, target, interpreter)
    assert not tmp_path.joinpath(START_NAME).exists()


def test_an_init_that_fails_is_not_recorded_and_said(tmp_path: Path) -> None:
    """One that needs what is only there on Lambda, such as a model in a layer."""
    module = tmp_path / "handlers" / "inference.py"
    module.parent.mkdir()
    module.with_name("__init__.py").touch()
    module.write_text("raise ValueError('there is no model')\n", encoding="utf-8")
    why = record_start(tmp_path, HANDLER, HERE, PYTHON)
    assert why == "its INIT fails here: ValueError: there is no model"
    assert not tmp_path.joinpath(START_NAME).exists()
