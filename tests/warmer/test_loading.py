"""Models that are loaded beside the rest of INIT."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import warmer
from tests.warmer import graphs
from warmer.environment import Environment
from warmer.errors import ConfigurationError, ModelCorrupt, ModelNotFound
from warmer.model import model as module
from warmer.model.model import Model


def test_it_is_the_model_that_load_gives(tmp_path: Path, here: Environment) -> None:
    """Loaded, primed, and among this environment's models."""
    path = graphs.addition(tmp_path / "addition.onnx")
    model = warmer.start_load(path, name="sums").model()
    assert model.priming.primed
    assert here.models == {"sums": model}
    assert model.run({"left": [[1, 2, 3]], "right": [[1, 1, 1]]})["sum"].tolist() == [[2, 3, 4]]


def test_it_is_no_model_of_this_environment_before_it_is_asked_for(
    tmp_path: Path, here: Environment
) -> None:
    """Nor primed: that would be measured beside other work."""
    begun = warmer.start_load(graphs.addition(tmp_path / "addition.onnx"))
    assert not here.models
    assert begun.model() is begun.model()
    assert len(here.models) == 1


def test_several_are_opened_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits, while it is being opened, for the others to be so too."""
    together = threading.Barrier(3)

    class Slow(Model):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            together.wait(timeout=30)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(module, "Model", Slow)
    begun = [
        warmer.start_load(graphs.addition(tmp_path / "addition.onnx"), name=str(number))
        for number in range(3)
    ]
    assert [one.model().name for one in begun] == ["0", "1", "2"]


def test_a_failure_is_raised_where_the_model_is_asked_for(tmp_path: Path) -> None:
    """Each time: there is no model."""
    missing, damaged = tmp_path / "missing.onnx", tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model")
    begun = warmer.start_load(missing)
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            begun.model()
    with pytest.raises(ModelCorrupt):
        warmer.start_load(damaged).model()


def test_a_setting_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    """Before any thread is started."""
    with pytest.raises(ConfigurationError, match="policy"):
        warmer.start_load(graphs.addition(tmp_path / "addition.onnx"), policy="hope")
    assert threading.active_count() == 1
