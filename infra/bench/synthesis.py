"""How many models can be primed with no help: the onnx package's own backend tests.

`python -m infra.bench.synthesis` takes every model of `onnx.backend.test` (node, simple, converted)
that ONNX Runtime runs with the inputs supplied there: that is the denominator. Each of them is then
given to Warmer as a bare file, and counts as primed if inputs are found that run twice. The models
are tried in child processes; one that crashes its process, or hangs, is an outcome like any other.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
NARROW = range(16, 27)
"""The numbers of element types that numpy lacks (ONNX's TensorProto.DataType)."""

_MOST_SECONDS = 60.0  # for one model, before its process is taken to hang
_GOAL = 0.99


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    `reference` says whether ONNX Runtime runs it with the supplied inputs, `primed` whether it was
    primed; each is "ok" or what went wrong. `runs` are the search's.
    """

    name: str
    kind: str
    reference: str
    primed: str = ""
    runs: int = 0

    @property
    def counts(self) -> bool:
        """Whether it is in the denominator."""
        return self.reference == "ok"


def export(folder: Path) -> list[tuple[str, str]]:
    """Write each model and its supplied inputs to `folder`, by number; their names and kinds."""
    from onnx.backend.test.loader import load_model_tests

    names: list[tuple[str, str]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference implementation's own arithmetic
        for kind in KINDS:
            for case in sorted(load_model_tests(kind=kind), key=lambda case: str(case.name)):
                model, inputs = _contents(case)
                (folder / f"{len(names)}.onnx").write_bytes(model)
                (folder / f"{len(names)}.pickle").write_bytes(pickle.dumps(inputs))
                names.append((case.name, kind))
    return names


def _contents(case: Any) -> tuple[bytes, list[Any]]:
    """A test case's model and its first set of inputs: arrays, lists, None, or (array, type)."""
    if case.model is not None:
        supplied = case.data_sets[0][0] if case.data_sets else []
        return case.model.SerializeToString(), [_plain(value) for value in supplied]
    import onnx

    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    files = sorted(
        folder.glob("test_data_set_0/input_*.pb"), key=lambda path: int(path.stem.split("_")[1])
    )
    values = []
    for file, declared in zip(files, model.graph.input, strict=False):
        sequence = declared.type.WhichOneof("value") == "sequence_type"
        message = (onnx.SequenceProto if sequence else onnx.TensorProto)()
        message.ParseFromString(file.read_bytes())
        values.append(onnx.numpy_helper.to_list(message) if sequence else _plain(message))
    return model.SerializeToString(), values


def _plain(value: Any) -> Any:
    """A supplied input as ONNX Runtime takes it from Python; (storage, type) for narrow types."""
    import onnx

    if value is None:
        return None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    array = np.asarray(value)
    if array.dtype.kind in "US":
        return array.astype(object)
    code = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    if code in NARROW:
        return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}"), code
    return array


def work(folder: Path, numbers: Sequence[int]) -> None:
    """Try models, and print a line of JSON for each step: what a child process does."""
    for number in numbers:
        model, inputs = folder / f"{number}.onnx", folder / f"{number}.pickle"
        _say(number, "reference", partial(_run_reference, model, inputs))
        _say(number, "primed", partial(_prime, model))


def _say(number: int, step: str, action: Any) -> None:
    print(json.dumps([number, step, "began", 0]), flush=True)  # noqa: T201 - the parent reads it
    try:
        runs, result = action() or 0, "ok"
    except Exception as error:  # noqa: BLE001 - every failure is an outcome
        runs, result = 0, f"{type(error).__name__}: {error}"
    print(json.dumps([number, step, result, runs]), flush=True)  # noqa: T201 - same


def _run_reference(model: Path, inputs: Path) -> None:
    """Run a model with its supplied inputs, by ONNX Runtime alone."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    given = pickle.loads(inputs.read_bytes())
    feeds = {
        node.name: _ort_value(value) if isinstance(value, tuple) else value
        for node, value in zip(session.get_inputs(), given, strict=False)
    }
    try:
        session.run(None, feeds)
    except RuntimeError as error:
        if "No corresponding Numpy type" not in str(error):
            raise
        # The inference has run; only its output has no form in numpy.


def _ort_value(value: tuple[Any, int]) -> Any:
    import onnxruntime

    array = np.ascontiguousarray(value[0])
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array, value[1])


def _prime(model: Path) -> int:
    """Prime a model as `warmer.load` does; how many runs it took to find inputs."""
    from warmer.model.samples import Samples
    from warmer.model.session import Session

    session = Session(str(model))
    attempts: list[None] = []

    def run(feeds: Any) -> None:
        attempts.append(None)
        session.attempt(feeds)

    samples = Samples.of(session.signature, None, model_path=str(model), run=run)
    found = len(attempts)
    for feeds in samples.feeds * 2:
        session.run(feeds)
    return found


def measure(folder: Path, names: Sequence[tuple[str, str]]) -> Iterator[Outcome]:
    """Try every model in child processes, which are replaced when they crash or hang."""
    number = 0
    steps: dict[int, dict[str, tuple[str, int]]] = {index: {} for index in range(len(names))}
    while number < len(names):
        last, ending = _child(folder, number, len(names), steps)
        if last is None:
            break
        step = "primed" if "primed" in steps[last] else "reference"
        steps[last][step] = (ending, 0)
        if step == "reference":
            steps[last]["primed"] = ("", 0)
        number = last + 1
    for index, (name, kind) in enumerate(names):
        reference, _ = steps[index].get("reference", ("not tried", 0))
        primed, runs = steps[index].get("primed", ("not tried", 0))
        yield Outcome(name, kind, reference, primed, runs)


def _child(
    folder: Path, first: int, end: int, steps: dict[int, dict[str, tuple[str, int]]]
) -> tuple[int | None, str]:
    """Run one child; the model that ended it, if one did, and how."""
    command = [sys.executable, "-m", "infra.bench.synthesis", "--child", str(folder)]
    command += ["--first", str(first), "--end", str(end)]
    last = first
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        hung = threading.Event()

        def kill() -> None:
            hung.set()
            process.kill()

        timer = threading.Timer(_MOST_SECONDS, kill)
        timer.start()
        for line in process.stdout:
            last, step, result, runs = json.loads(line)
            steps[last][step] = (result, runs)
            timer.cancel()
            timer = threading.Timer(_MOST_SECONDS, kill)
            timer.start()
        timer.cancel()
        timer.join()
        code = process.wait()
    if code == 0:
        return None, ""
    return last, "it hung" if hung.is_set() else f"its process ended with {code}"


def run() -> list[Outcome]:
    """Regenerate the models and try them all."""
    with tempfile.TemporaryDirectory(prefix="warmer-synthesis-") as folder:
        return list(measure(Path(folder), export(Path(folder))))


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """The figures, and what was not primed, for people."""
    counted = [outcome for outcome in outcomes if outcome.counts]
    primed = [outcome for outcome in counted if outcome.primed == "ok"]
    runs = Counter(_range(outcome.runs) for outcome in primed)
    lines = [
        f"models in onnx.backend.test           {len(outcomes)}",
        f"that ONNX Runtime runs as supplied    {len(counted)}",
        f"primed from the graph alone           {len(primed)}, {len(primed) / len(counted):.2%}",
        "found in this many runs               "
        + ", ".join(f"{key}: {runs[key]}" for key in ("none", "1", "2 to 20", "more")),
        f"seconds                               {seconds:.1f}",
    ]
    lines += [
        f"not primed: {outcome.name} ({outcome.kind}): {outcome.primed}"
        for outcome in counted
        if outcome.primed != "ok"
    ]
    return "\n".join(lines)


def _range(runs: int) -> str:
    """How a number of runs is counted; none are needed where there is no input to find."""
    if runs < 2:
        return "1" if runs else "none"
    return "2 to 20" if runs <= 20 else "more"


def main() -> None:
    """Measure, and print the figures; exits with 1 below the goal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every model's outcome as JSON")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--end", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        work(arguments.child, range(arguments.first, arguments.end))
        return
    began = time.monotonic()
    outcomes = run()
    if arguments.json:
        click.echo(json.dumps([asdict(outcome) for outcome in outcomes]))
    else:
        click.echo(summary(outcomes, time.monotonic() - began))
    counted = [outcome for outcome in outcomes if outcome.counts]
    primed = sum(outcome.primed == "ok" for outcome in counted)
    sys.exit(0 if primed >= _GOAL * len(counted) else 1)


if __name__ == "__main__":
    main()
