"""Priming with no help, over the onnx package's own backend tests."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np

from infra.bench import synthesis
from infra.bench.synthesis import Outcome
from tests.warmer import graphs


class Abort:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return os.abort, ()


def test_a_sample_of_the_backend_tests_is_primed(tmp_path: Path) -> None:
    """Every twelfth model; `make test-all` tries them all."""
    names = synthesis.export(tmp_path)
    for number, index in enumerate(range(0, len(names), 12)):
        for ending in ("onnx", "pickle"):
            (tmp_path / f"{index}.{ending}").replace(tmp_path / f"{number}.{ending}")
    counted = [outcome for outcome in synthesis.measure(tmp_path, names[::12]) if outcome.counts]
    assert len(counted) > 120
    assert [outcome for outcome in counted if outcome.primed != "ok"] == []


def test_a_model_that_ends_its_process_is_an_outcome(tmp_path: Path) -> None:
    """The models after it are tried all the same."""
    supplied = [[np.ones((1, 3), np.float32)], [Abort()], [np.ones((1, 3), np.float32)]]
    for number, inputs in enumerate(supplied):
        graphs.identity(tmp_path / f"{number}.onnx")
        (tmp_path / f"{number}.pickle").write_bytes(pickle.dumps(inputs))
    names = [(name, "node") for name in ("before", "crashing", "after")]
    outcomes = list(synthesis.measure(tmp_path, names))
    assert [outcome.reference for outcome in outcomes] == ["ok", "its process ended with -6", "ok"]
    assert [outcome.primed for outcome in outcomes] == ["ok", "", "ok"]


def test_the_summary_lists_what_was_not_primed() -> None:
    """With the reason; what ONNX Runtime cannot run is not counted."""
    outcomes = [
        Outcome("good", "node", "ok", "ok", 1),
        Outcome("bad", "node", "ok", "PrimingError: no values", 0),
        Outcome("other", "node", "Fail: no kernel", "ok", 1),
    ]
    text = synthesis.summary(outcomes, 1.0)
    assert "runs as supplied    2" in text
    assert "1, 50.00%" in text
    assert "not primed: bad (node): PrimingError: no values" in text
