"""Users' requests of many versions, read from their functions' logs, with nothing told twice.

Each log group is read once a run, whoever shares it, from a little before where it was read to last
time, since lines may come late; what it has of versions that are not looked at in this run is kept
for them (`warmer.fleet.kept_reports`). Several are read side by side. Of a busy one only the latest
reports are read, as many as are worth it by the rate at which they came last time. The warmer's own
pings are in there too, and known by their request ids; those of another process of the warmer are
not, nor are pings by hand, which count as users'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

from warmer.errors import ServiceError
from warmer.fleet.kept_reports import KeptReports
from warmer.fleet.uses import Use, Uses, use_of

if TYPE_CHECKING:
    from warmer.aws.log_reader import Filtered

__all__ = ["MOST_REPORTS", "PATTERN", "Looked", "Reader", "UseLog", "Wanted"]

PATTERN = '?"REPORT RequestId" ?"platform.report"'
"""CloudWatch Logs' filter pattern for reports of either format (CloudWatch Logs user guide, "Filter
pattern syntax": terms with a question mark, of which any matches)."""

OVERLAP_SECONDS = 60.0
"""How far back to read again: lines come within seconds, rarely later."""

SETTLE_SECONDS = 10.0
"""For so long after a moment its lines may be under way."""

FARTHEST_SECONDS = 3600.0
"""How far back a look goes: at the first, and where a log has more than could be read."""

LONGEST_SECONDS = 25 * 3600.0
"""How far back another look goes: a policy may not look for a day."""

MOST_REPORTS = 4000
"""About how many reports a look at a log reads once it is known how fast they come, the latest.

Each is paid for with the warmer's time (`warmer.fleet.run_price.LOG_LINE_MS`), which for a busy
function is most of what looking costs. In the simulator (`warmer.lab`, Azure's trace of 2019) the
cold starts of `auto` are within 5 % of those with 50,000, either way, at no higher price. A page of
FilterLogEvents has about as many: 1 MB of lines of some 250 bytes (CloudWatch Logs API reference,
"FilterLogEvents")."""

MOST_VERSIONS = 4
"""For so many versions that share a log group as many reports are read, each, and no more for more:
a run reads five pages of a group at most."""

LEAST_SECONDS = SETTLE_SECONDS + 2 * OVERLAP_SECONDS
"""So much of the latest is read however fast reports come, so that a request whose line came late
is told where looks follow each other closely."""

ABREAST = 4
"""How many log groups are read at once: it is the warmer's time that costs. An account may ask five
times a second (`warmer.aws.logs`)."""

OVERDUE_SECONDS = 180.0
"""If a ping is not in the log after this, the log is not the function's, or has no reports: with
the system log level WARN it has those of failures (Lambda developer guide, "Log-level filtering").
"""

MOST_REQUESTS = 20
MOST_REQUESTS_A_GROUP = 5
MOST_SECONDS = 3.0
"""Bounds of a run's reading; what is left over is read first in the next."""

REFUSED_SECONDS = 900.0
"""For how long a log group that may not be read is left alone."""

THROTTLED = frozenset({"ThrottlingException", "LimitExceededException", "TooManyRequestsException"})
NOT_FOUND = "ResourceNotFoundException"


class Reader(Protocol):
    """As `warmer.aws.log_reader.LogReader`."""

    def matching(
        self, group: str, start: float, pattern: str, *, requests: int, deadline: float
    ) -> Filtered:
        """Events since `start` that match. Raises ServiceError."""
        ...


class Wanted(NamedTuple):
    """A version whose log is wanted from `since` (Unix seconds) on, under the name `key`."""

    key: str
    function: str
    version: str
    group: str
    since: float


class Looked(NamedTuple):
    """What was found: users' requests, how many reports in all and of pings, and whether those of
    pings are missing."""

    uses: Uses
    reports: int
    pings: int
    missing: bool


@dataclass
class _Known:
    """What this process has read of a version's log, and pings that were not in there yet.

    `until`: up to when (Unix seconds), None before it was read. `behind`: there was more.
    """

    until: float | None = None
    behind: bool = False
    events: dict[str, float] = field(default_factory=dict)
    pings: dict[str, float] = field(default_factory=dict)

    def forget_pings(self, since: float, until: float) -> None:
        """Those that were answered between these moments may be in a stretch that is not read."""
        self.pings = {ping: at for ping, at in self.pings.items() if not since < at < until}

    def read_up_to(self, until: float) -> bool:
        """All up to a moment is read; whether pings were that should have been in there by now."""
        self.until = until
        oldest = until - 2 * OVERLAP_SECONDS
        self.events = {event: at for event, at in self.events.items() if at > oldest}
        waited_for = {p: at for p, at in self.pings.items() if at >= until - OVERDUE_SECONDS}
        overdue = len(waited_for) < len(self.pings)
        self.pings = waited_for
        return overdue


class UseLog:
    """Reads logs for users' requests; what it has read in one run serves the next.

    notes: what could not be read in the run that `begin` began, and why. requests: how many were
    made of CloudWatch Logs in all.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, _Known] = {}
        self._kept: dict[str, KeptReports] = {}
        self._rates: dict[str, float] = {}
        self._strays: dict[str, float] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._halt = ""
        self._left = MOST_REQUESTS
        self.notes: list[str] = []
        self.requests = 0

    def begin(self) -> None:
        """A run begins."""
        self._halt, self._left = "", MOST_REQUESTS
        self.notes = []

    def is_refused(self, group: str) -> bool:
        """Whether it could not be read, for another reason than that too much was asked for."""
        return group in self._refused

    def sent(self, key: str | None, request_ids: Iterable[str], at: float) -> None:
        """Pings were answered at a moment: their reports are none of users'.

        key: of the version whose log has them; None where it may be another one's.
        """
        pings = self._strays if key is None else self._known.setdefault(key, _Known()).pings
        pings.update(dict.fromkeys(request_ids, at))
        self._strays = {p: t for p, t in self._strays.items() if t > at - FARTHEST_SECONDS}

    def look(self, wanted: Sequence[Wanted], now: float) -> dict[str, Looked]:
        """By key, what is new of those whose log could be read now; `notes` tells of the others."""
        groups: dict[str, list[Wanted]] = {}
        for one in wanted:
            since = self._since(one, now)
            groups.setdefault(one.group, []).append(one._replace(since=since))
        deadline = time.monotonic() + MOST_SECONDS
        found: dict[str, Looked] = {}
        oldest = sorted(groups, key=lambda group: min(one.since for one in groups[group]))
        for first in range(0, len(oldest), ABREAST):
            starts = {
                group: self._start(group, groups[group], now)
                for group in oldest[first : first + ABREAST]
            }
            for group, answer in self._read(starts, now, deadline).items():
                self._keep(group, groups[group], (starts[group], now), answer)
                for one in groups[group]:
                    found[one.key] = self._new(one)
                    self._known[one.key].behind = not answer.complete
                self._kept[group].trim(now - 2 * OVERLAP_SECONDS - SETTLE_SECONDS)
        return found

    def reports(self, one: Wanted, now: float) -> list[Use] | None:
        """All requests of a version that ended since `one.since`, pings too; None: not known."""
        deadline = time.monotonic() + MOST_SECONDS
        answer = self._read({one.group: one.since}, now, deadline).get(one.group)
        if answer is None:
            return None
        if not answer.complete:
            self.notes.append(f"the log group {one.group} has more than could be read")
            return None
        alone = KeptReports()
        alone.listen(one.key, one.function, one.version, one.since)
        alone.add(answer.events, one.since, now)
        return [use_of(seen.report, seen.ended_at) for seen in alone.take(one.key)]

    def _since(self, one: Wanted, now: float) -> float:
        known = self._known.get(one.key)
        since = one.since if known is None or known.until is None else known.until
        first = since == -inf or (known is not None and known.behind)
        return max(since, now - (FARTHEST_SECONDS if first else LONGEST_SECONDS))

    def _start(self, group: str, wanted: Sequence[Wanted], now: float) -> float:
        """From when on a group is read: on from where it was, or from where somebody wants it who
        has not been asked for before, but no more than is worth it."""
        kept = self._kept.setdefault(group, KeptReports())
        sinces = [one.since for one in wanted if one.key not in kept]
        if kept.until > -inf:
            farthest = FARTHEST_SECONDS if kept.behind else LONGEST_SECONDS
            sinces.append(max(kept.until, now - farthest))
        since = min(sinces)
        rate = self._rates.get(group, 0.0)
        versions = min(max(len(kept), len(wanted)), MOST_VERSIONS)
        worth = now - versions * MOST_REPORTS / rate if rate > 0 else -inf
        return max(since - OVERLAP_SECONDS, min(worth, now - LEAST_SECONDS))

    def _keep(
        self, group: str, wanted: Sequence[Wanted], when: tuple[float, float], answer: Filtered
    ) -> None:
        """Take in what a group has; when: from when on, and up to now."""
        start, now = when
        kept, read_to = self._kept[group], _read_to(answer, start, now)
        if read_to > start:
            self._rates[group] = len(answer.events) / (read_to - start)
        for one in wanted:
            if one.key not in kept:
                kept.listen(one.key, one.function, one.version, start)
        kept.add(answer.events, start, min(now - SETTLE_SECONDS, read_to))
        kept.behind = not answer.complete

    def _read(
        self, starts: Mapping[str, float], now: float, deadline: float
    ) -> dict[str, Filtered]:
        """What groups have since their starts, read side by side; none for what is not read."""
        wanted = [group for group in starts if self._may_read(group, now, deadline)]
        if not wanted:
            return {}
        allowed = min(max(self._left // len(wanted), 1), MOST_REQUESTS_A_GROUP)

        def ask(group: str) -> Filtered | ServiceError:
            try:
                return self._reader.matching(
                    group, starts[group], PATTERN, requests=allowed, deadline=deadline
                )
            except ServiceError as error:
                return error

        found = {}
        for group, answer in zip(wanted, _side_by_side(ask, wanted), strict=True):
            requests = 1 if isinstance(answer, ServiceError) else answer.requests
            self._left -= requests
            self.requests += requests
            if isinstance(answer, ServiceError):
                self._take_refusal(group, answer, now)
            else:
                self._refused.pop(group, None)
                found[group] = answer
        return found

    def _may_read(self, group: str, now: float, deadline: float) -> bool:
        refused_until, why = self._refused.get(group, (now, ""))
        if not self._halt and refused_until > now:
            self.notes.append(why)
            return False
        if not self._halt and (self._left <= 0 or time.monotonic() >= deadline):
            self._halt = "a run reads no more of them"
        if self._halt:
            self.notes.append(f"the log group {group} was not read: {self._halt}")
        return not self._halt

    def _take_refusal(self, group: str, error: ServiceError, now: float) -> None:
        why = f"the log group {group} was not read: {error}"
        self.notes.append(why)
        if error.code in THROTTLED:
            self._halt = "CloudWatch Logs throttled another"
        else:
            seconds = 0.0 if error.code == NOT_FOUND else REFUSED_SECONDS
            self._refused[group] = (now + seconds, why)
        if not error.code:
            self._halt = "there was no answer for another"

    def _new(self, one: Wanted) -> Looked:
        """What is this version's of all reports in a group and was not told before.

        A group that others share may have been read further back than this version needs.
        """
        known, kept = self._known.setdefault(one.key, _Known()), self._kept[one.group]
        again = known.until is not None
        start = kept.since(one.key)
        until = max(kept.until, one.since, start)
        requests: list[Use] = []
        pings = 0
        mine = kept.take(one.key)
        for seen in mine:
            if seen.id in known.events or seen.ended_at < one.since - OVERLAP_SECONDS:
                continue
            known.events[seen.id] = seen.ended_at
            ping = seen.report.request_id
            if known.pings.pop(ping, None) is not None or ping in self._strays:
                pings += 1
                continue
            # What a process finds at its first look may have been told by another one before.
            if again or seen.ended_at > one.since:
                requests.append(use_of(seen.report, seen.ended_at))
        if start > one.since - OVERLAP_SECONDS:
            # A wave is known by when it ended, and its first pings reported before that.
            known.forget_pings(one.since - OVERLAP_SECONDS, start + OVERLAP_SECONDS)
        overdue = known.read_up_to(until)
        uses = Uses(max(one.since, start), until, tuple(sorted(requests)))
        return Looked(uses, len(mine), pings, overdue and not pings)


def _side_by_side(
    ask: Callable[[str], Filtered | ServiceError], groups: Sequence[str]
) -> list[Filtered | ServiceError]:
    if len(groups) == 1:
        return [ask(groups[0])]
    with ThreadPoolExecutor(len(groups), thread_name_prefix="logs") as readers:
        return list(readers.map(ask, groups))


def _read_to(answer: Filtered, start: float, now: float) -> float:
    """Up to when there is nothing in a group, from `start` on, but what was read."""
    if answer.complete:
        return now
    return answer.events[-1].at if answer.events else start
