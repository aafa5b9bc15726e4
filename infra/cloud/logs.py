"""Where log lines of functions go: CloudWatch Logs as moto has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from moto.logs.models import logs_backends

Observe = Callable[[str, Sequence[tuple[int, str]]], None]


class CloudWatchLogs:
    """A log sink for one account and region; groups and streams come to be when first written.

    observe: called with a group and the events that were put there.
    """

    def __init__(self, account_id: str, region: str, observe: Observe | None = None) -> None:
        self._observe = observe
        self._backend = logs_backends[account_id][region]
        self._lock = threading.Lock()

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Append events (milliseconds since the epoch, message) to a stream."""
        with self._lock:
            self._backend.ensure_log_group(group)
            self._backend.ensure_log_stream(group, stream)
            self._backend.put_log_events(
                group, stream, [{"timestamp": at, "message": text} for at, text in events]
            )
        if self._observe is not None:
            self._observe(group, events)
