"""How long log events are kept: as long as their group says, and never more than a stated number.

Source: Amazon CloudWatch Logs user guide, "Working with log groups and log streams" (retention).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from moto.logs.models import LogEvent, LogGroup

from infra.cloud.clock import Clock

__all__ = ["KEPT_EVENTS", "LogRetention"]

KEPT_EVENTS = 50_000
"""Log events of a group that are kept, the latest; some 40 MB."""

_DAY_SECONDS = 86_400


@dataclass
class _Arrivals:
    """What came to a group, oldest first: stream, number of events, the latest's milliseconds."""

    batches: deque[tuple[str, int, int]] = field(default_factory=deque)
    events: int = 0


class LogRetention:
    """Deletes events whose group's retention has passed in cloud time, and the oldest of too many.

    Streams that this leaves empty go with them. Thread-safe.
    """

    def __init__(self, clock: Clock, keep: int = KEPT_EVENTS) -> None:
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()
        # By the group itself: another one may get its name.
        self._groups: WeakKeyDictionary[LogGroup, _Arrivals] = WeakKeyDictionary()

    def arrived(self, group: LogGroup, stream: str, events: Sequence[LogEvent]) -> None:
        """Events that were appended to a stream; their timestamps are this machine's."""
        if not events:
            return
        latest = max(event.timestamp for event in events)
        with self._lock:
            arrivals = self._groups.setdefault(group, _Arrivals())
            arrivals.batches.append((stream, len(events), latest))
            arrivals.events += len(events)
        self.expire(group)

    def expire(self, group: LogGroup) -> None:
        """Delete what need not be kept any more."""
        days = group.retention_in_days
        now = self._clock.now().timestamp()
        since = None if days is None else now - float(days) * _DAY_SECONDS
        with self._lock:
            arrivals = self._groups.get(group, _Arrivals())
            while arrivals.batches:
                stream, count, latest = arrivals.batches[0]
                expired = since is not None and self._clock.at(latest / 1000).timestamp() < since
                if not expired and arrivals.events <= self._keep:
                    return
                arrivals.batches.popleft()
                arrivals.events -= count
                _delete(group, stream, count)


def _delete(group: LogGroup, name: str, count: int) -> None:
    stream = group.streams.get(name)
    if stream is None:
        return  # by DeleteLogStream
    del stream.events[:count]
    if not stream.events:
        group.streams.pop(name, None)
