"""One process of the session benchmark: make a session, answer requests, print what that took.

`python -m infra.bench.session_process KIND PATH REQUESTS FIRST` with KIND "default", which is
`onnxruntime.InferenceSession(PATH)` with nothing set, or "bundle", which is `warmer.load`. REQUESTS
is the file of `write_requests`; the shape numbered FIRST is asked for first. Prints a `Process` as
JSON; then, for each line with a shape's number on standard input, the median milliseconds of some
steady inferences by the session itself, without the conversion of what a user may send.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Both kinds begin with what any model costs, and with the settings that this makes for numpy.
import warmer.model  # isort: skip

import numpy as np
import onnxruntime

__all__ = ["Process", "write_requests"]

_STEADY_SECONDS = 0.15  # of steady requests of one shape, as many as fit
_BURST_SECONDS = 0.03
_LEAST_REQUESTS = 5

Feeds = Mapping[str, Any]


@dataclass
class Process:
    """What one process measured.

    `ready_ms` is the time of making the session, `primed_ms` that of priming it then (0 for the
    default), `converged` whether that found it steady, `variant` the bundle's. By shape: `first_ms`
    of the first request of it, `steady_ms` the median of those that followed. Memory in MiB, after
    them: `anonymous_mb` (Anonymous of /proc/self/smaps_rollup), `pss_mb` (Pss, which counts mapped
    files, shared ones in part), and `peak_mb` (VmHWM of /proc/self/status).
    """

    ready_ms: float
    primed_ms: float
    converged: bool
    variant: str
    first_ms: list[float]
    steady_ms: list[float]
    anonymous_mb: float
    pss_mb: float
    peak_mb: float


def write_requests(path: Path, requests: Sequence[Sequence[Feeds]]) -> None:
    """Keep requests, by shape, for the processes."""
    arrays = {
        f"{shape}|{row}|{name}": value
        for shape, rows in enumerate(requests)
        for row, feeds in enumerate(rows)
        for name, value in feeds.items()
    }
    np.savez(path, **arrays)


def _read_requests(path: str) -> list[list[dict[str, Any]]]:
    requests: list[list[dict[str, Any]]] = []
    with np.load(path) as file:
        for key in file.files:
            shape, row, name = key.split("|", 2)
            if int(shape) == len(requests):
                requests.append([])
            if int(row) == len(requests[-1]):
                requests[-1].append({})
            requests[-1][-1][name] = file[key]
    return requests


class _Measured:
    """A session of this kind; `run` answers what a user sends, `infer` what fits already."""

    def __init__(self, kind: str, path: str) -> None:
        began = time.perf_counter()
        if kind == "default":
            self.run = self.infer = _of_default(onnxruntime.InferenceSession(path))
            self.variant, self.converged = "", True
            ready = primed = time.perf_counter()
        else:
            model = warmer.load(path, budget_ms=0)
            ready = time.perf_counter()
            self.converged = model.prime(budget_seconds=60).converged
            primed = time.perf_counter()
            self.run, self.infer = model.run, model._session.run
            self.variant = str(model.report()["variant"])
        self.ready_ms = (ready - began) * 1000
        self.primed_ms = (primed - ready) * 1000

    def ask(self, requests: Sequence[Sequence[Feeds]], first: int) -> Process:
        """Ask for each shape once, beginning with `first`, then for each until it is known."""
        shapes = range(len(requests))
        first_ms = dict.fromkeys(shapes, 0.0)
        for shape in (*shapes[first:], *shapes[:first]):
            first_ms[shape] = _timed(self.run, requests[shape][0])
        return Process(
            self.ready_ms,
            self.primed_ms,
            self.converged,
            self.variant,
            [first_ms[shape] for shape in shapes],
            [_steady(self.run, requests[shape], _STEADY_SECONDS) for shape in shapes],
            *_memory(),
        )


def _of_default(session: onnxruntime.InferenceSession) -> Callable[[Feeds], Any]:
    def run(feeds: Feeds) -> Any:
        return session.run(None, feeds)

    return run


def _timed(run: Callable[[Feeds], Any], feeds: Feeds) -> float:
    began = time.perf_counter()
    run(feeds)
    return (time.perf_counter() - began) * 1000


def _steady(run: Callable[[Feeds], Any], rows: Sequence[Feeds], seconds: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _LEAST_REQUESTS or time.perf_counter() < end:
        times.append(_timed(run, rows[(1 + len(times)) % len(rows)]))
    return statistics.median(times)


def _memory() -> tuple[float, float, float]:
    def mb(file: str, field: str) -> float:
        lines = Path("/proc/self", file).read_text(encoding="ascii", errors="replace").splitlines()
        line = next(line for line in lines if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024

    return mb("smaps_rollup", "Anonymous"), mb("smaps_rollup", "Pss"), mb("status", "VmHWM")


def main() -> None:
    """Do what the arguments and the lines on standard input say."""
    kind, path, recorded, first = sys.argv[1:]
    requests = _read_requests(recorded)
    measured = _Measured(kind, path)
    _say(json.dumps(asdict(measured.ask(requests, int(first)))))
    for line in sys.stdin:
        _say(str(_steady(measured.infer, requests[int(line)], _BURST_SECONDS)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
