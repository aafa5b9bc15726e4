"""Where the lines that an environment logs go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["LogSink"]


class LogSink(Protocol):
    """Takes log events, as CloudWatch Logs does. Called from one thread at a time."""

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Add events (Unix milliseconds, message) to a stream, created if it is new."""
