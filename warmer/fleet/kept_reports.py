"""What was read of a log group, and not yet told to those who have it: reports by version.

Functions may share a log group, and a policy looks at some of them often, at others rarely. So what
a reading brings of all that were ever asked for is kept until they are: the group is read on from
where it was, and nothing in it twice for their sake.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from warmer.fleet.uses import Report, report_from_line, source_of_stream

if TYPE_CHECKING:
    from warmer.aws.log_reader import FilteredEvent

__all__ = ["KeptReports", "Reported"]

MOST_KEPT = 4000
"""Reports of a version that wait to be asked for: of more, the latest. As many as a look at a log
of its own reads (`warmer.fleet.use_log`)."""

MOST_STREAMS = 10_000
"""Names of log streams of which it is remembered whose they are; each environment has one."""


class Reported(NamedTuple):
    """A report in a log: its event's id, when the request ended (Unix seconds), what it says."""

    id: str
    ended_at: float
    report: Report


class KeptReports:
    """Those of one log group.

    until: up to when (Unix seconds) it has been read; -inf before that. behind: there was more.
    """

    def __init__(self) -> None:
        self.until = -inf
        self.behind = False
        self._since: dict[str, float] = {}
        self._reports: dict[str, dict[str, Reported]] = {}
        self._versions: dict[tuple[str, str], list[str]] = {}
        self._streams: dict[str, tuple[dict[str, Reported], ...]] = {}
        self._recent: dict[str, float] = {}

    def __contains__(self, key: str) -> bool:
        """Whether what a version reports is kept."""
        return key in self._reports

    def __len__(self) -> int:
        """Of how many versions what they report is kept."""
        return len(self._reports)

    def since(self, key: str) -> float:
        """From when on all that a version reported, up to `until`, was read and is kept or told."""
        return self._since[key]

    def listen(self, key: str, function: str, version: str, start: float) -> None:
        """Keep what a version reports from now on; the next reading begins at `start`.

        In a log group that is one function's own, no stream names the function.
        """
        self._reports[key], self._since[key] = {}, start
        for name in ("", function):
            self._versions.setdefault((name, version), []).append(key)
        self._streams.clear()
        self._recent.clear()  # what was read before was not kept for this one

    def add(self, events: Iterable[FilteredEvent], start: float, until: float) -> None:
        """Take in what was found from `start` on, which is all up to `until`, and some beyond.

        Where that begins later than what was read before ends, what is between is not known.
        """
        if start > self.until:
            for key, since in self._since.items():
                if since < start:
                    self._since[key] = start
                    self._forget(key, start)
        streams, recent = self._streams, self._recent
        for event in events:
            if event.id in recent:
                continue
            recent[event.id] = event.at
            into = streams.get(event.stream)
            if into is None:
                into = self._whose(event.stream)
            report = report_from_line(event.message) if into else None
            if report is not None:
                for reports in into:
                    reports[event.id] = Reported(event.id, event.at, report)
        self.until = until

    def _forget(self, key: str, before: float) -> None:
        """What ended since then was read ahead, and is not taken in again."""
        reports = self._reports[key]
        for event in [one.id for one in reports.values() if one.ended_at < before]:
            del reports[event]

    def take(self, key: str) -> list[Reported]:
        """What a version reported since it was asked for; it is told then, and kept no more."""
        found = list(self._reports[key].values())
        self._reports[key].clear()
        return found

    def trim(self, recent_since: float) -> None:
        """Forget what is too much, and which events were found before a moment."""
        self._recent = {event: at for event, at in self._recent.items() if at > recent_since}
        if len(self._streams) > MOST_STREAMS:
            self._streams.clear()
        for key, reports in self._reports.items():
            if len(reports) > MOST_KEPT:
                latest = sorted(reports.values(), key=_ended_at)[-MOST_KEPT:]
                reports.clear()
                reports.update({one.id: one for one in latest})
                self._since[key] = max(self._since[key], latest[0].ended_at)

    def _whose(self, stream: str) -> tuple[dict[str, Reported], ...]:
        """Of whom a stream's reports are kept; none where it is nobody's."""
        source = source_of_stream(stream)
        keys = self._versions.get((source.function, source.version), ()) if source else ()
        found = tuple(self._reports[key] for key in keys)
        self._streams[stream] = found
        return found


def _ended_at(one: Reported) -> float:
    return one.ended_at
