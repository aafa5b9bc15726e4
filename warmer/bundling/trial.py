"""Trials of a model in a process of its own, which may crash or hang without harm.

`python -m warmer.bundling.trial` reads one pickled task from its standard input and writes the
pickled result to the file that the task names. Both come from, and stay in, the folder of the
process that asks.
"""

from __future__ import annotations

import pickle
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmer.errors import WarmerError
from warmer.model.session import Session, Threads, runtime, session_options

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "Answer", "Failed", "Form", "Trials"]

DEFAULT_TIMEOUT_SECONDS = 300.0

_COMPARING_SECONDS = 1.5
_LEAST_PAIRS = 15


@dataclass(frozen=True)
class Form:
    """One form of a model: its ONNX file, and whether its graph is optimised already."""

    graph: Path
    optimised: bool = False


@dataclass(frozen=True)
class Answer:
    """What one process did: made a session and ran each of the feeds.

    `ready_ms` is the time of making the session, with onnxruntime imported, `cpu_ms` the processor
    time of that, `peak_mb` the most memory that the process held. `outputs` has each run's outputs
    by name.
    """

    ready_ms: float
    cpu_ms: float
    peak_mb: float
    outputs: Sequence[Mapping[str, Any]]


class Failed(Exception):
    """The process crashed, hung, or an error of ours ended its task; the message says which."""


class Trials:
    """Runs tasks in child processes, each for at most `timeout_seconds`.

    `folder` is where they leave their results.
    """

    def __init__(self, folder: Path, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._folder = folder
        self._timeout_seconds = timeout_seconds

    def run(self, form: Form, feeds: Sequence[Mapping[str, Any]]) -> Answer:
        """Make a session and run it once with each of the feeds. Raises Failed."""
        answer: Answer = self._child(_run, form, feeds)
        return answer

    def steady_ratio(
        self, original: Form, other: Form, feeds: Sequence[Mapping[str, Any]]
    ) -> float:
        """How long an inference of `other` takes, in units of one of `original`. Raises Failed.

        Both run in one process, in turn and on one thread: what else the machine does meanwhile
        meets both alike, and the kernels are those of any number of threads.
        """
        ratio: float = self._child(_compare, original, other, feeds)
        return ratio

    def optimise(self, task: Optimisation, feeds: Sequence[Mapping[str, Any]]) -> Answer:
        """Write an optimised form of a model, and run it with each of the feeds. Raises Failed."""
        answer: Answer = self._child(_optimise, task, feeds)
        return answer

    def _child(self, function: Any, *arguments: object) -> Any:
        result = self._folder / "result.pickle"
        result.unlink(missing_ok=True)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "warmer.bundling.trial"],
                input=pickle.dumps((function.__name__, arguments, result)),
                capture_output=True,
                timeout=self._timeout_seconds,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"it gave no answer within {self._timeout_seconds:g} s") from None
        if done.returncode < 0:
            raise Failed(f"it crashed the process with {signal.Signals(-done.returncode).name}")
        if done.returncode or not result.exists():
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise Failed(last or f"its process ended with {done.returncode}")
        answer, error = pickle.loads(result.read_bytes())
        if error is not None:
            raise Failed(error)
        return answer


@dataclass(frozen=True)
class Optimisation:
    """What ONNX Runtime is to write: `model` optimised to `level`, to `graph` beside `weights`.

    `level` is "all" or "extended", `packed` whether packed matrices are stored too.
    """

    model: Path
    graph: Path
    weights: str
    level: str
    packed: bool
    least_bytes: int


def _run(form: Form, feeds: Sequence[Mapping[str, Any]]) -> Answer:
    runtime()
    began, began_cpu = time.perf_counter(), time.process_time()
    # Threads that spin take the processor from the one that makes the session, now and then.
    threads = Threads(intra_op=Threads.here().intra_op, spin=False)
    session = Session(str(form.graph), threads, optimised=form.optimised)
    ready_ms = (time.perf_counter() - began) * 1000
    cpu_ms = (time.process_time() - began_cpu) * 1000
    outputs = [session.run(one) for one in feeds]
    return Answer(ready_ms, cpu_ms, _peak_mb(), outputs)


def _compare(original: Form, other: Form, feeds: Sequence[Mapping[str, Any]]) -> float:
    threads = Threads(intra_op=1, spin=False)
    sessions = [
        Session(str(form.graph), threads, optimised=form.optimised) for form in (original, other)
    ]
    for session in sessions:
        for _ in range(3):
            session.run(feeds[0])
    ratios: list[float] = []
    end = time.perf_counter() + _COMPARING_SECONDS
    while time.perf_counter() < end or len(ratios) < _LEAST_PAIRS:
        # Whoever comes second finds the caches as the first left them: they take turns at it.
        order = sessions if len(ratios) % 2 else sessions[::-1]
        times = {
            id(session): _seconds(session, feeds[len(ratios) % len(feeds)]) for session in order
        }
        ratios.append(times[id(sessions[1])] / times[id(sessions[0])])
    return statistics.median(ratios)


def _seconds(session: Session, feeds: Mapping[str, Any]) -> float:
    began = time.perf_counter()
    session.run(feeds)
    return time.perf_counter() - began


def _optimise(task: Optimisation, feeds: Sequence[Mapping[str, Any]]) -> Answer:
    onnxruntime = runtime()
    options = session_options(Threads.here())
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if task.level == "all" else levels.ORT_ENABLE_EXTENDED
    )
    options.optimized_model_filepath = str(task.graph)
    for key, value in {
        "optimized_model_external_initializers_file_name": task.weights,
        "optimized_model_external_initializers_min_size_in_bytes": str(task.least_bytes),
        "save_external_prepacked_constant_initializers": str(int(task.packed)),
    }.items():
        options.add_session_config_entry(f"session.{key}", value)
    onnxruntime.InferenceSession(str(task.model), options, ["CPUExecutionProvider"])
    return _run(Form(task.graph, optimised=task.level == "all"), feeds)


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(peak.split()[1]) / 1024


_TASKS: Mapping[str, Any] = {
    function.__name__: function for function in (_run, _compare, _optimise)
}


def main() -> None:
    """Do the task on standard input."""
    name, arguments, result = pickle.load(sys.stdin.buffer)
    try:
        answer: object = _TASKS[name](*arguments)
        fault = None
    except WarmerError as error:
        answer, fault = None, str(error)
    result.write_bytes(pickle.dumps((answer, fault)))


if __name__ == "__main__":
    # By its own name, so that the process that asks knows the classes of what comes back.
    from warmer.bundling import trial

    trial.main()
