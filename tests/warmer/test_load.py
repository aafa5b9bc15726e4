"""Loading and running models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import warmer
from tests.warmer import graphs
from warmer import environment
from warmer.environment import Environment
from warmer.errors import (
    ConfigurationError,
    ModelCorrupt,
    ModelInputError,
    ModelNotFound,
    PrimingError,
)
from warmer.model.store import locate

DIGITS = Path("handlers/models/digits").resolve()


def test_the_digits_model_classifies_its_samples(here: Environment) -> None:
    """The model that ships is loaded, primed, and right about images that it was not trained on."""
    model = warmer.load(DIGITS)
    with np.load(DIGITS / "samples.npz") as samples:
        outputs = model.run({"image": samples["image"]})
    assert outputs["label"].tolist() == list(range(10))
    assert outputs["probabilities"].shape == (10, 10)
    assert here.models["digits"] is model
    assert model.priming.primed


def test_a_report_is_json() -> None:
    """Ping replies carry it."""
    report = json.loads(json.dumps(warmer.load(DIGITS).report()))
    assert report["primed"] is True
    assert report["first_ms"] > 0


def test_a_batch_is_one_run(tmp_path: Path) -> None:
    """Rows go in and come out together."""
    model = warmer.load(graphs.addition(tmp_path / "sum.onnx"))
    outputs = model.run({"left": [[1, 2, 3], [4, 5, 6]], "right": np.ones((2, 3))})
    assert outputs["sum"].tolist() == [[2, 3, 4], [5, 6, 7]]


def test_a_request_that_does_not_fit_is_an_input_error(tmp_path: Path) -> None:
    """`run` validates before ONNX Runtime sees anything."""
    with pytest.raises(ModelInputError, match="'right' is missing"):
        warmer.load(graphs.addition(tmp_path / "sum.onnx")).run({"left": [[1, 2, 3]]})


@pytest.mark.parametrize(
    ("file", "name"), [("digits/model.onnx", "digits"), ("digits/small.onnx", "small")]
)
def test_a_model_is_named_for_its_folder_or_file(tmp_path: Path, file: str, name: str) -> None:
    """`model.onnx` says nothing, so its folder does."""
    assert warmer.load(graphs.identity(tmp_path / file)).name == name


def test_a_model_can_be_given_a_name(tmp_path: Path, here: Environment) -> None:
    """Reports call it that."""
    warmer.load(graphs.identity(tmp_path / "model.onnx"), name="mine")
    assert list(here.models) == ["mine"]


def test_a_relative_path_is_looked_up_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda's working directory need not be where the code is."""
    path = graphs.identity(tmp_path / "task" / "models" / "x" / "model.onnx")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path / "task"))
    assert locate("models/x").model == str(path)


def test_a_missing_model_names_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where it was looked for, and what."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    with pytest.raises(ModelNotFound) as raised:
        warmer.load("models/none")
    places = f"{tmp_path}/models/none and /var/task/models/none and /opt/models/none"
    assert places in str(raised.value)


def test_a_relative_path_is_looked_up_in_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the package, so that a function can have its own.

    AWS page: "Accessing layer content in your function".
    """
    monkeypatch.setattr("warmer.model.store._LAYERS", str(tmp_path / "opt"))
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path / "task"))
    layered = graphs.identity(tmp_path / "opt" / "models" / "x" / "model.onnx")
    assert locate("models/x").model == str(layered)
    own = graphs.identity(tmp_path / "task" / "models" / "x" / "model.onnx")
    assert locate("models/x").model == str(own)


def test_a_folder_without_a_model_is_not_found(tmp_path: Path) -> None:
    """A folder is looked into for model.onnx."""
    with pytest.raises(ModelNotFound, match=r"a folder that holds model\.onnx"):
        warmer.load(tmp_path)


def _truncated(path: Path) -> None:
    content = graphs.lookup(path, rows=1000).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _unsupported(path: Path) -> None:
    model = onnx.load(graphs.identity(path))
    model.opset_import[0].version = 99
    onnx.save(model, path)


def _text(path: Path) -> None:
    path.write_text("<html>404</html>")


@pytest.mark.parametrize("make", [_truncated, _unsupported, _text, Path.touch])
def test_what_is_no_model_is_not_served(
    tmp_path: Path, here: Environment, make: Callable[[Path], object]
) -> None:
    """It fails INIT with an error that names file and remedy, and is not among the models."""
    make(tmp_path / "model.onnx")
    refused = rf"{tmp_path}/model\.onnx .*export or copy the model again"
    with pytest.raises(ModelCorrupt, match=refused):
        warmer.load(tmp_path)
    assert not here.models


def _model_with_bad_samples(folder: Path) -> Path:
    graphs.identity(folder / "model.onnx")
    np.savez(folder / "samples.npz", x=np.zeros((1, 99)))
    return folder


def test_failing_priming_fails_init(tmp_path: Path) -> None:
    """By default nothing is served that could not be tried."""
    with pytest.raises(PrimingError, match='policy="degrade"'):
        warmer.load(_model_with_bad_samples(tmp_path))


def test_failing_priming_can_degrade(tmp_path: Path) -> None:
    """The model serves, and says that it is not primed and why."""
    model = warmer.load(_model_with_bad_samples(tmp_path), policy="degrade")
    assert not model.priming.primed
    assert "(1, 99)" in str(model.priming.error)
    assert model.run({"x": [[1, 2, 3]]})["y"].tolist() == [[1, 2, 3]]


def test_the_variable_sets_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WARMER_PRIME_BUDGET_MS, where no argument does."""
    monkeypatch.setenv("WARMER_PRIME_BUDGET_MS", "0")
    monkeypatch.setattr(environment, "_current", Environment())
    path = graphs.identity(tmp_path / "model.onnx")
    assert not warmer.load(path).priming.primed
    assert warmer.load(path, budget_ms=5000).priming.primed


def test_a_model_runs_as_often_as_is_said(tmp_path: Path) -> None:
    """`runs` is the most and `least_runs` the least for each shape of its inputs."""
    path = graphs.identity(tmp_path / "model.onnx")
    assert warmer.load(path, runs=1).priming.runs == 1
    assert 20 <= warmer.load(path, least_runs=20).priming.runs <= 50


def test_without_budget_the_model_is_served_unprimed(tmp_path: Path) -> None:
    """What does not fit into INIT is left to a ping."""
    model = warmer.load(graphs.identity(tmp_path / "model.onnx"), budget_ms=0)
    assert not model.priming.primed
    model.prime(5.0)
    assert model.priming.primed


@pytest.mark.parametrize(("age_seconds", "primed"), [(1.0, True), (9.5, False)])
def test_on_lambda_the_budget_counts_from_process_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_seconds: float, primed: bool
) -> None:
    """Imports have used some of INIT's 10 seconds already."""
    here = Environment(age_seconds=age_seconds, variables={"AWS_LAMBDA_FUNCTION_NAME": "digits"})
    monkeypatch.setattr(environment, "_current", here)
    assert warmer.load(graphs.identity(tmp_path / "model.onnx")).priming.primed is primed


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"policy": "ignore"}, "policy is 'ignore'; expected one of"),
        ({"budget_ms": -1}, "budget_ms is -1"),
        ({"runs": 0}, "runs is 0; expected a whole number of 1 or more"),
        ({"least_runs": 0}, "least_runs is 0; expected a whole number of 1 or more"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(setting: dict[str, object], message: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(ConfigurationError, match=message):
        warmer.load(DIGITS, **setting)  # type: ignore[arg-type]  # bad input


def test_a_package_for_another_architecture_is_refused(tmp_path: Path) -> None:
    """Before numpy's import could fail without naming the reason."""
    (tmp_path / "warmer-package.json").write_text('{"architecture": "s390x"}')
    (tmp_path / "numpy.py").write_text("raise ImportError('wrong ELF class')")
    result = subprocess.run(
        [sys.executable, "-c", "import warmer; warmer.load('models/digits')"],
        env={"LAMBDA_TASK_ROOT": str(tmp_path), "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "PackageMismatch: the package was built for" in result.stderr
    assert "on s390x but runs on" in result.stderr
