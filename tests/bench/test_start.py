"""The benchmark of the start: one start, its conditions, its goals."""

from __future__ import annotations

import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.bench import start_packages
from infra.bench.quota import Quotas
from infra.bench.start import CONDITIONS, SMALL, parse, plan_of
from infra.bench.start_packages import find_runtime
from infra.bench.start_process import Condition, Program, Started, start
from infra.bench.start_result import LARGE, PROGRAMS, Result, heading
from warmer.errors import BuildError, CloudError

PYTHON = Path(sys.executable)

# A runtime client at its least: it asks for an invocation, and waits.
CLIENT = """
import http.client, os, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
connection.request({method!r}, "/2018-06-01/runtime/{path}", body=b"it was refused")
time.sleep(60)
"""
READY = CLIENT.format(method="GET", path="invocation/next")


@pytest.fixture(scope="module")
def quotas() -> Iterator[Quotas]:
    """As they can be had here."""
    found = Quotas()
    yield found
    found.close()


def _program(folder: Path, source: str) -> Program:
    """A program without a package."""
    file = folder / "program.py"
    file.write_text(source, encoding="utf-8")
    return Program("client", folder, (str(file),), {}, ())


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_a_start_is_measured_until_it_asks_for_an_invocation(
    tmp_path: Path, quotas: Quotas, condition: Condition
) -> None:
    """Under every condition; the kernel tells what it used, once it has ended."""
    started = start(_program(tmp_path, READY), PYTHON, condition, quotas)
    assert started.cpu_ms > 0
    assert 0 < started.ready_ms < 30_000


def test_a_quota_needs_quotas(tmp_path: Path) -> None:
    """Rather than that all processors pass for a part of one."""
    with pytest.raises(CloudError, match=r"0\.29 vCPU needs quotas"):
        start(_program(tmp_path, READY), PYTHON, Condition(cpus=0.29))


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("raise SystemExit('no model')", "RuntimeGone no model"),
        (CLIENT.format(method="POST", path="init/error"), "it was refused"),
    ],
)
def test_a_program_that_does_not_become_ready_is_an_error(
    tmp_path: Path, source: str, fault: str
) -> None:
    """With what it said."""
    with pytest.raises(CloudError, match=f"client did not become ready: {fault}"):
        start(_program(tmp_path, source), PYTHON, Condition())


def _result(model: str, ours: float, plain: float, taught: float) -> Result:
    """Three starts of each program, the median of which takes so many milliseconds."""
    ms = dict.fromkeys(PROGRAMS, 100.0) | {"ours": ours, "plain": plain, "taught": taught}
    starts = {
        name: [Started(value * factor, 1.0, 0) for factor in (0, 1, 5)]
        for name, value in ms.items()
    }
    return Result(model, Condition(), starts)


@pytest.mark.parametrize(
    ("result", "met"),
    [
        (_result("silero-vad", 40, 100, 267), True),
        (_result("silero-vad", 41, 100, 500), False),
        (_result(LARGE, 35, 100, 500), True),
        (_result(LARGE, 36, 100, 500), False),
        (_result("silero-vad", 30, 100, 199), False),
    ],
)
def test_goals_are_met_or_missed(result: Result, met: bool) -> None:
    """Both of them, the first by the model's size; the line says so."""
    assert result.met is met
    assert result.line.endswith("  met" if met else "MISSED")
    assert f"{result.ratio('plain'):.3f} of {'0.35' if result.model == LARGE else '0.40'}" in (
        result.line
    )


def test_the_heading_has_a_column_for_each_program() -> None:
    """Above its figures."""
    line = _result("silero-vad", 30, 100, 300).line
    figures = dict.fromkeys(PROGRAMS, "  100 (50 to 300)") | {
        "ours": "   30 (15 to 90)",
        "taught": "  300 (150 to 900)",
    }
    columns = {name: line[heading().index(name) :] for name in PROGRAMS}
    assert all(column.startswith(figures[name]) for name, column in columns.items()), line


def test_every_model_and_every_condition_is_measured_by_default() -> None:
    """Each model where its files are in memory; a small and the large one under the others too."""
    plan = plan_of(parse([]))
    assert {name for name, condition in plan if condition == Condition()} == {*SMALL, LARGE}
    assert {str(condition) for name, condition in plan if name == LARGE} == set(
        map(str, CONDITIONS)
    )


def test_models_and_conditions_can_be_chosen() -> None:
    """All of these under all of those."""
    words = ["--models", "digits", "magika", "--conditions", "0.29 vCPU", "cold page cache"]
    plan = [(name, str(condition)) for name, condition in plan_of(parse(words))]
    assert len(plan) == 4
    assert ("magika", "0.29 vCPU") in plan


def test_a_condition_that_is_unknown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage says which there are."""
    with pytest.raises(SystemExit):
        parse(["--conditions", "2 vCPU"])
    assert "0.58 vCPU" in capsys.readouterr().err


def test_a_python_that_is_not_here_is_refused(tmp_path: Path) -> None:
    """The message says how to get one."""
    with pytest.raises(BuildError, match=r"no Python 3\.99 on this machine.*pyenv and uv"):
        find_runtime(tmp_path, "3.99")


def test_a_copied_runtime_does_not_compile_its_modules_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte-code that is older than its module is made anew before anything is measured."""
    monkeypatch.setattr(start_packages, "ROOT", tmp_path)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    runtime = tmp_path / f"runtime-{version}"
    module = runtime / "lib" / "client.py"
    for folder in (runtime / "bin", module.parent):
        folder.mkdir(parents=True)
    (runtime / "bin" / "python").symlink_to(PYTHON)
    (runtime / "ready").touch()
    module.write_text("ONE = 1\n", encoding="utf-8")
    compiled = Path(str(py_compile.compile(str(module), doraise=True)))
    before = compiled.read_bytes()
    os.utime(module, (1, 1))

    assert find_runtime(tmp_path, version) == (version, runtime)
    assert compiled.read_bytes() != before
