"""How long log events are kept in the local cloud."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import pytest
from moto.logs.models import LogGroup, LogStream

from infra.cloud.log_retention import LogRetention
from tests.cloud.metric_clock import START, StandingClock

NOW_MS = START * 1000
DAY_MS = 86_400_000


class HastyClock(StandingClock):
    """A thousand times as fast as this machine's, which shows the same at START."""

    def at(self, unix_seconds: float) -> datetime:
        """Cloud time at that moment."""
        return super().at(START + (unix_seconds - START) * 1000)


class Group:
    """A log group whose events a test puts."""

    def __init__(self, retention: LogRetention, days: int | None = None) -> None:
        # moto has methods of its base class that nothing calls: to mypy it is abstract.
        self.group = cast(Any, LogGroup)("123456789012", "us-east-1", "/aws/lambda/f")
        self.group.set_retention_policy(days)
        self._retention = retention

    def put(self, stream: str, *moments: int) -> None:
        """Events of these moments, in milliseconds, that say their number."""
        streams = self.group.streams
        streams.setdefault(stream, LogStream(self.group, stream))
        known = len(streams[stream].events)
        events = [{"timestamp": moment, "message": str(moment)} for moment in moments]
        streams[stream].put_log_events(events)
        self._retention.arrived(self.group, stream, streams[stream].events[known:])

    def left(self) -> dict[str, list[int]]:
        """The moments of the events in each stream."""
        return {
            name: [event.timestamp for event in stream.events]
            for name, stream in self.group.streams.items()
        }


@pytest.mark.aws(
    "CloudWatch Logs user guide: Working with log groups and log streams",
    "Log events are deleted when their group's retention has passed",
)
def test_events_go_when_their_groups_retention_has_passed() -> None:
    """Streams that this leaves empty go, too."""
    group = Group(LogRetention(StandingClock()), days=3)
    group.put("old", NOW_MS - 4 * DAY_MS, NOW_MS - 3 * DAY_MS - 1000)
    group.put("both", NOW_MS - 3 * DAY_MS - 1000)
    group.put("both", NOW_MS - DAY_MS)
    assert group.left() == {"both": [NOW_MS - DAY_MS]}


def test_retention_passes_in_cloud_time() -> None:
    """At a thousand times the rate, a day's retention is over after 86 seconds."""
    group = Group(LogRetention(HastyClock()), days=1)
    group.put("stream", NOW_MS - 87_000)
    group.put("stream", NOW_MS - 86_000)
    assert group.left() == {"stream": [NOW_MS - 86_000]}


def test_without_retention_events_stay() -> None:
    """Never expire, as a group that nobody configured."""
    group = Group(LogRetention(StandingClock()))
    group.put("stream", NOW_MS - 400 * DAY_MS)
    assert group.left() == {"stream": [NOW_MS - 400 * DAY_MS]}


def test_of_too_many_events_the_oldest_go() -> None:
    """A group keeps a stated number: a cloud may run for days."""
    group = Group(LogRetention(StandingClock(), keep=4))
    for number in range(6):
        group.put(f"stream {number // 3}", NOW_MS + 2 * number, NOW_MS + 2 * number + 1)
    assert group.left() == {"stream 1": [NOW_MS + 8, NOW_MS + 9, NOW_MS + 10, NOW_MS + 11]}


def test_a_group_that_was_deleted_and_made_again_is_another() -> None:
    """What came to the first counts no more."""
    retention = LogRetention(StandingClock(), keep=2)
    Group(retention).put("stream", NOW_MS, NOW_MS + 1)
    again = Group(retention)
    again.put("stream", NOW_MS + 2, NOW_MS + 3)
    assert again.left() == {"stream": [NOW_MS + 2, NOW_MS + 3]}
