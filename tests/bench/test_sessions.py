"""The benchmark of sessions and first requests."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from infra.bench.models import ROOT, BenchModel, bench_models
from infra.bench.quiet import Quiet
from infra.bench.session_process import Process, write_requests
from infra.bench.session_result import KINDS, Result
from warmer.bundling.build import build_bundle
from warmer.bundling.plan import Plan
from warmer.errors import ConfigurationError
from warmer.model.manifest import Manifest


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> BenchModel:
    """The only one of the models that needs no installation."""
    return bench_models(work=tmp_path_factory.mktemp("work"), names=["digits"])[0]


@pytest.fixture(scope="module")
def bundle(digits: BenchModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Its bundle, as the benchmark makes it but for the measurements, and its manifest."""
    folder = tmp_path_factory.mktemp("bench")
    model = digits.write_folder(folder / "model")
    return folder / "bundle", build_bundle(Plan(model, folder / "bundle", rounds=0))


def test_requests_are_none_that_the_warm_up_has_seen(digits: BenchModel) -> None:
    """Eight of each shape, the first of which is the recorded one."""
    recorded = {row.tobytes() for row in digits.recorded["image"]}
    assert [len(rows) for rows in digits.requests] == [8, 8]
    for shape, rows in zip([(1, 8, 8), (8, 8, 8)], digits.requests, strict=True):
        for feeds in rows:
            assert feeds["image"].shape == shape
            assert not recorded & {image.tobytes() for image in feeds["image"]}


@pytest.mark.parametrize("kind", ["default", "bundle"])
def test_a_process_measures_each_shape(
    digits: BenchModel, bundle: tuple[Path, Manifest], tmp_path: Path, kind: str
) -> None:
    """In an order that begins anywhere; and then steady inferences of the shapes asked for."""
    requests = tmp_path / "requests.npz"
    write_requests(requests, digits.requests)
    path = digits.file if kind == "default" else bundle[0]
    command = ["infra.bench.session_process", kind, str(path), str(requests), "1"]
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        input="0\n1\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    measured, *bursts = done.stdout.splitlines()
    process = Process(**json.loads(measured))
    assert process.variant == ("" if kind == "default" else bundle[1].variants[0].name)
    assert len(process.first_ms) == len(process.steady_ms) == len(bursts) == 2
    figures = [process.ready_ms, *process.first_ms, *process.steady_ms, *map(float, bursts)]
    assert min(*figures, process.anonymous_mb, process.pss_mb, process.peak_mb) > 0


def test_an_unknown_model_is_refused() -> None:
    """The error says which there are."""
    with pytest.raises(ConfigurationError, match=r"models is 'gpt'; expected names among digits"):
        bench_models(names=["gpt"])


def test_a_model_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    """The error says how to install it."""
    with pytest.raises(ConfigurationError, match=r"make \.tools/bench/ready"):
        bench_models(tools=tmp_path, work=tmp_path, names=["magika"])


DEFAULT = Process(
    ready_ms=100.0,
    primed_ms=0.0,
    converged=True,
    variant="",
    first_ms=[30.0, 60.0],
    steady_ms=[10.0, 20.0],
    anonymous_mb=50.0,
    pss_mb=60.0,
    peak_mb=80.0,
)
BUNDLE = dataclasses.replace(DEFAULT, ready_ms=50.0, first_ms=[10.5, 21.0], variant="native")


def _missed(
    digits: BenchModel, manifest: Manifest, steady: float = 1.0, **change: object
) -> set[str]:
    """Which goals are missed where a bundle's processes measure this."""
    ours = dataclasses.replace(BUNDLE, **change)  # type: ignore[arg-type]  # fields by name
    measured = {kind: [DEFAULT if kind == "default" else ours] * 2 for kind in KINDS}
    model = dataclasses.replace(digits, goal=0.7)
    result = Result(model, manifest, measured, [[steady, steady]] * 2)
    assert result.text().count("FAIL") == sum(not goal.met for goal in result.goals())
    return {goal.what for goal in result.goals() if not goal.met}


def test_goals_are_met_or_missed(digits: BenchModel, bundle: tuple[Path, Manifest]) -> None:
    """Session, first requests, steady inferences, memory: each has a line with its verdict."""
    manifest = bundle[1]
    assert _missed(digits, manifest) == set()
    assert _missed(digits, manifest, ready_ms=71.0) == {"session ready"}
    assert _missed(digits, manifest, first_ms=[11.5, 21.0]) == {
        "first request, 1x8x8",
        "first request, 1x8x8, cold",
    }
    assert _missed(digits, manifest, steady=1.04) == {"steady, 1x8x8", "steady, 8x8x8"}
    assert _missed(digits, manifest, pss_mb=61.0) == {"memory, proportional (PSS)"}


def test_fast_models_may_take_a_fraction_more(
    digits: BenchModel, bundle: tuple[Path, Manifest]
) -> None:
    """0.3 ms, where an inference takes less than 3."""
    steady_ms = [1.0, 2.9]
    assert _missed(digits, bundle[1], first_ms=[1.29, 3.19], steady_ms=steady_ms) == set()
    assert len(_missed(digits, bundle[1], first_ms=[1.31, 3.21], steady_ms=steady_ms)) == 4


def _work(seconds: float) -> None:
    """Use one processor for that long."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        np.ones(1000).sum()


def test_what_this_process_does_disturbs_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what others do counts, which the kernel's counters tell by difference."""
    monkeypatch.setattr("infra.bench.quiet.MOST_OTHERS", 1e6)
    quiet = Quiet()
    quiet.run(lambda: _work(0.1))
    assert (quiet.again, quiet.disturbed) == (0, 0)


def test_what_others_disturb_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times at most; the last is kept, and counted."""
    monkeypatch.setattr("infra.bench.quiet.MOST_OTHERS", -1e6)
    quiet = Quiet()
    numbers = iter(range(10))
    assert quiet.run(lambda: next(numbers)) == 3
    assert (quiet.again, quiet.disturbed) == (4, 1)
    assert "4 repeated" in str(quiet)
