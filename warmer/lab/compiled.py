"""Numba's decorator, with types, and with one place that says how the lab compiles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from warmer.fleet import evidence, gaps, hazard, interval, lifetime, places, reading, survival

__all__ = ["borrowing", "compiled", "inlined"]

F = TypeVar("F", bound=Callable[..., Any])


def _digest() -> str:
    """Of all sources that compiled functions of other files are made of."""
    here = Path(__file__).parent
    sources = [here / name for name in ("state.py", "pool.py", "waves.py", "online.py")]
    sources += [
        Path(str(module.__file__))
        for module in (survival, gaps, places, lifetime, evidence, interval, reading, hazard)
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


DIGEST = _digest()


def compiled(function: F) -> F:
    """Compile to machine code when first called, and keep that beside the module's byte-code.

    Other threads run meanwhile: the global interpreter lock is released. Numba renews what it keeps
    when the function's own file changes, not when a constant or a function from another file does:
    so all of these files are part of the name that it is kept under.
    """
    function.__qualname__ = f"{function.__qualname__}-{DIGEST}"
    return cast(F, numba.njit(cache=True, nogil=True)(function))


def borrowing(function: F) -> F:
    """Compile as `compiled` does what makes no array or list, and keeps none.

    It counts no references to the arrays that it is given, which its caller holds. Else each look
    at a field of a named tuple of arrays costs two atomic operations: most of the time of a loop.
    """
    function.__qualname__ = f"{function.__qualname__}-{DIGEST}"
    return cast(F, numba.njit(cache=True, nogil=True, _nrt=False)(function))


def inlined(function: F) -> F:
    """Compile into each compiled function that calls this one: twice as fast for what is small."""
    return cast(F, numba.njit(inline="always")(function))
