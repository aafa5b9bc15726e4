"""Warmer: cold-start warm-up for ONNX models on AWS Lambda.

    import warmer

    model = warmer.load("models/digits")   # INIT: load, verify, prime

    @warmer.warmable                        # answers pings before the handler sees them
    def handler(event, context):
        return {"label": model.run({"image": [event["image"]]})["label"].tolist()}

Importing this package loads the standard library only; numpy and ONNX Runtime come with the first
use of `warmer.load`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from warmer.errors import WarmerError as WarmerError
    from warmer.function import prime as prime
    from warmer.middleware import warmable as warmable
    from warmer.model.loading import Loading as Loading
    from warmer.model.loading import load as load
    from warmer.model.loading import start_load as start_load
    from warmer.model.model import Model as Model

# OpenBLAS, which numpy links, reads this when it is loaded. Its worker threads then spin for a
# while, which took half of the processor time of `import numpy`; inferences use ONNX Runtime's own.
# Who multiplies large matrices with numpy sets it to more, or imports numpy first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A package that `sam build` has made brings what its start loads (see `warmer.startup`).
_ROOT = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
if sys.path[:1] == [_ROOT] and os.path.exists(f"{_ROOT}/warmer-start.bin"):  # noqa: PTH110
    import_module("warmer.startup").begin(_ROOT)

__all__ = ["Loading", "Model", "WarmerError", "load", "prime", "start_load", "warmable"]

_HOMES = {
    "Loading": "warmer.model.loading",
    "Model": "warmer.model.model",
    "WarmerError": "warmer.errors",
    "load": "warmer.model.loading",
    "prime": "warmer.function",
    "start_load": "warmer.model.loading",
    "warmable": "warmer.middleware",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that nobody pays for what they do not use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
