"""Where the milliseconds of a start go."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

from infra.bench.start_process import Program

__all__ = ["stages"]

# What a start does, in its order, with a clock between. The interpreter's own start is from exec,
# to within the kernel's clock tick of 10 ms.
_STAGES = """
import time
began = time.perf_counter()
import sys, json
marks = []
def mark(name):
    marks.append([name, (time.perf_counter() - began) * 1000])
import awslambdaric.__main__
mark("the runtime client")
import warmer
import numpy
mark("numpy")
import onnxruntime
mark("onnxruntime")
import warmer.middleware, warmer.model.bundle, warmer.inference.endpoint
mark("our modules")
import handlers.inference
mark("the session and the handler")
sys.stderr.write(json.dumps(marks))
"""


def stages(program: Program, python: Path, rounds: int) -> str:
    """The medians of what a start of our function is made of, for people."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        done = subprocess.run(
            [python, "-c", _STAGES],
            cwd=program.package,
            env=dict(program.variables),
            capture_output=True,
            text=True,
            check=True,
        )
        before = 0.0
        for name, at in json.loads(done.stderr.rpartition("\n")[2]):
            found.setdefault(name, []).append(at - before)
            before = at
    parts = [f"{name} {statistics.median(values):.0f} ms" for name, values in found.items()]
    return ", ".join(parts)
