"""A function whose event names what it does: run alike by the cloud and by AWS's emulator."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = ["ACTIONS", "VALUES", "handler"]

# Variables with these names are Lambda's to define; others come from whoever starts the process.
_DEFINED = re.compile(r"_HANDLER|_X_AMZN_.*|AWS_.*|LAMBDA_.*|LANG|LD_LIBRARY_PATH|PYTHONPATH|TZ")


class CustomError(Exception):
    """An error of the function's own."""


def handler(event: Any, context: Any) -> Any:
    """Do what `event["case"]` says; an event without it is given back."""
    if not isinstance(event, dict) or "case" not in event:
        return event
    name = event["case"]
    if name == "context":
        return _context(context)
    return VALUES[name] if name in VALUES else ACTIONS[name]()


def _context(context: Any) -> dict[str, Any]:
    """All that is public in the context, as JSON."""
    found = {name: getattr(context, name) for name in dir(context) if not name.startswith("_")}
    return {
        "described": "context",
        **{name: value for name, value in found.items() if not callable(value)},
        "methods": [name for name, value in found.items() if callable(value)],
        "client_context": _slots(context.client_context),
        "identity": _slots(context.identity),
        "remaining_time": _remaining(context),
    }


def _slots(item: Any) -> Any:
    if not hasattr(item, "__slots__"):
        return item
    return {name: _slots(getattr(item, name)) for name in item.__slots__}


def _remaining(context: Any) -> str:
    first = context.get_remaining_time_in_millis()
    time.sleep(0.005)
    falls = context.get_remaining_time_in_millis() < first
    return f"{'falls' if falls else 'stands'}, from {round(first / 1000)} s"


def _variables() -> dict[str, str]:
    names = sorted(name for name in os.environ if _DEFINED.fullmatch(name))
    return {"described": "variables", **{name: os.environ[name] for name in names}}


def _raises(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error.with_traceback(None)

    return act


def _raise_key_error() -> Any:
    return VALUES["absent"]


def _raise_with_a_cause() -> Any:
    try:
        _raise_key_error()
    except KeyError as error:
        raise CustomError("with a cause") from error


def _recurse() -> Any:
    return _recurse()


def _circle() -> Any:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _print() -> str:
    sys.stdout.write("to standard output: caf\xe9\n")
    sys.stdout.flush()
    sys.stderr.write("to standard error\n")
    return "printed"


# What a function may return, and what is not JSON.
VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "integer": 2**70,
    "float": [0.1, -0.0, 1e308, 5e-324, 1.0, 1e16],
    "not a number": float("nan"),
    "infinite": [float("inf"), float("-inf")],
    "decimal": Decimal("1.10"),
    "string": '" \\ / \b \t \x00 \x7f \u2028',
    "unicode": {"caf\xe9": "\N{FIRE} \u4e2d\u6587"},
    "half a character": "\ud83d",
    "bytes": b"\x00\xff",
    "nested": {"a": [{"b": [[[], {}]]}], "": None},
    "keys": {2: "integer", 1.5: "float", None: "none", True: "boolean"},
    "tuple": (1, 2),
    "large": "\N{FIRE}x" * 250_000,
    "set": {1},
    "object": object(),
    "date": datetime(2025, 1, 1, tzinfo=UTC),
    "key that is a tuple": {(1, 2): 3},
}
# What else a function may do: raise, end its process, look around.
ACTIONS: dict[str, Callable[[], Any]] = {
    "circle": _circle,
    "built-in error": _raises(ValueError("no good")),
    "error without a message": _raises(RuntimeError()),
    "error of several parts": _raises(OSError(2, "no such file", "name")),
    "key error": _raise_key_error,
    "custom error": _raises(CustomError("of its own", 2)),
    "unicode error": _raises(ValueError("caf\xe9 \N{FIRE}\n\x00")),
    "error with a cause": _raise_with_a_cause,
    "error group": _raises(ExceptionGroup("several", [ValueError("one"), KeyError("two")])),
    "recursion": _recurse,
    "system exit": _raises(SystemExit(3)),
    "keyboard interrupt": _raises(KeyboardInterrupt()),
    "exit": lambda: os._exit(0),
    "abort": os.abort,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sleep": lambda: time.sleep(30),
    "print": _print,
    "variables": _variables,
    "folder": lambda: [str(Path.cwd()), sys.path[0]],
}
