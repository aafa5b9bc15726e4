"""What several looks at logs tell of users' requests, with a log that this file writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fleet.situations import NOON
from warmer.aws.log_reader import Filtered, FilteredEvent
from warmer.errors import ServiceError
from warmer.fleet.use_log import (
    ABREAST,
    FARTHEST_SECONDS,
    MOST_REQUESTS,
    OVERDUE_SECONDS,
    REFUSED_SECONDS,
    SETTLE_SECONDS,
    Looked,
    UseLog,
    Wanted,
)

STREAM = "2026/11/23/[7]" + "0a" * 16
DIGITS = Wanted("digits:7", "digits", "7", "/aws/lambda/digits", NOON - 600)


def line(request_id: str, ms: float = 100.0, init_ms: float | None = None) -> str:
    """A REPORT line."""
    init = "" if init_ms is None else f"\tInit Duration: {init_ms:.2f} ms"
    return f"REPORT RequestId: {request_id}\tDuration: {ms:.2f} ms\tBilled Duration: 1 ms{init}\t\n"


@dataclass
class Logs:
    """Log groups; `most` events are found in one reading."""

    groups: dict[str, list[FilteredEvent]] = field(default_factory=dict)
    errors: dict[str, ServiceError] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)
    most: int = 10**6

    def write(self, at: float, text: str, stream: str = STREAM, group: str = DIGITS.group) -> None:
        """One more event; another one may have come before that is later."""
        events = self.groups.setdefault(group, [])
        number = sum(len(found) for found in self.groups.values())
        events.append(FilteredEvent(str(number), at, stream, text))

    def matching(
        self, group: str, start: float, pattern: str, *, requests: int, deadline: float
    ) -> Filtered:
        """FilterLogEvents, of which one request reads all."""
        del pattern, requests, deadline
        self.asked.append((group, start))
        if group in self.errors:
            raise self.errors[group]
        found = sorted(e for e in self.groups.get(group, []) if e.at >= start)
        found.sort(key=lambda event: event.at)
        return Filtered(tuple(found[: self.most]), len(found) <= self.most, 1)


class Abreast(Logs):
    """Logs that answer only once so many are asked for at once."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.together = Barrier(count)

    def matching(
        self, group: str, start: float, pattern: str, *, requests: int, deadline: float
    ) -> Filtered:
        """FilterLogEvents."""
        self.together.wait(10.0)
        return super().matching(group, start, pattern, requests=requests, deadline=deadline)


def look(log: UseLog, now: float, *wanted: Wanted) -> dict[str, Looked]:
    """What a run finds."""
    log.begin()
    return log.look(wanted or (DIGITS,), now)


def moments(found: dict[str, Looked], key: str = DIGITS.key) -> list[float]:
    """When users' requests arrived, in seconds from noon, to the millisecond."""
    return [round(use.at - NOON, 3) for use in found[key].uses.requests]


def test_a_look_after_hours_tells_of_all_of_them() -> None:
    """A policy may not look for a day; also where the last look was another process's."""
    logs = Logs()
    log = UseLog(logs)
    look(log, NOON)
    for hour in range(20):
        logs.write(NOON + hour * 3600, line(f"h{hour}"))
    later = NOON + 20 * 3600

    assert len(look(log, later)[DIGITS.key].uses.requests) == 20
    assert len(look(UseLog(logs), later)[DIGITS.key].uses.requests) == 20


def test_a_log_with_more_than_can_be_read_is_taken_up_an_hour_ago() -> None:
    """What was before is left: it would be told ever later."""
    logs = Logs(most=2)
    log = UseLog(logs)
    look(log, NOON)
    for minute in range(600):
        logs.write(NOON + minute * 60, line(f"m{minute}"))
    look(log, NOON + 36_000)

    assert look(log, NOON + 36_060)[DIGITS.key].uses.requests[0].at >= NOON + 36_060 - 3700


def test_log_groups_are_read_side_by_side() -> None:
    """Four at once: each waits here until the others are asked for, too."""
    logs = Abreast(ABREAST)
    wanted = [DIGITS._replace(key=f"{n}", group=f"/aws/lambda/{n}") for n in range(2 * ABREAST)]

    assert len(look(UseLog(logs), NOON, *wanted)) == 2 * ABREAST


def test_a_look_tells_of_requests_since_the_last_one() -> None:
    """Each once, by its arrival, with what it ran and waited for."""
    logs = Logs()
    log = UseLog(logs)
    logs.write(NOON - 5, line("a", 500.0, 2000.0))
    first = look(log, NOON)[DIGITS.key].uses
    logs.write(NOON + 30, line("b"))
    second = look(log, NOON + 60)

    (use,) = first.requests
    assert (use.at, use.seconds, use.cold, use.init_seconds) == (NOON - 7.5, 0.5, True, 2.0)
    assert (first.since, first.until) == (NOON - 600, NOON - SETTLE_SECONDS)
    assert moments(second) == [29.9]
    assert second[DIGITS.key].uses.since == first.until
    assert moments(look(log, NOON + 120)) == []


def test_a_line_that_comes_late_is_told_of_at_the_next_look() -> None:
    """Although its moment is before the last look."""
    logs = Logs()
    log = UseLog(logs)
    logs.write(NOON - 1, line("a"))
    look(log, NOON)
    logs.write(NOON - 40, line("b"))

    assert moments(look(log, NOON + 60)) == [-40.1]


def test_own_pings_are_no_users() -> None:
    """They are known by their request ids; all of them are reports."""
    logs = Logs()
    log = UseLog(logs)
    log.sent(DIGITS.key, ["p", "q"], NOON)
    for request_id in ("p", "u", "q"):
        logs.write(NOON + 1, line(request_id))
    found = look(log, NOON + 60)

    assert len(found[DIGITS.key].uses.requests) == 1
    assert (found[DIGITS.key].reports, found[DIGITS.key].missing) == (3, False)


def test_pings_that_any_of_several_versions_answered_are_no_users_of_any() -> None:
    """An alias was moved while a wave ran."""
    logs = Logs()
    log = UseLog(logs)
    log.sent(None, ["p"], NOON)
    logs.write(NOON + 1, line("p"))

    found = look(log, NOON + OVERDUE_SECONDS + 60)

    assert (moments(found), found[DIGITS.key].missing) == ([], False)


def test_pings_that_never_come_to_the_log_are_missed() -> None:
    """Once: the log is another one, or has no reports."""
    logs = Logs(groups={DIGITS.group: []})
    log = UseLog(logs)
    log.sent(DIGITS.key, ["p"], NOON)
    said = [look(log, NOON + at)[DIGITS.key].missing for at in (60, OVERDUE_SECONDS + 60, 300)]

    assert said == [False, True, False]


def test_a_group_is_read_once_for_all_its_functions_and_versions() -> None:
    """Streams say whose a report is."""
    logs = Logs()
    group = "shared"
    ids = "0a" * 16
    for at, (function, version) in enumerate([("digits", "7"), ("digits", "8"), ("other", "7")]):
        logs.write(NOON - 50 + at, line("x"), f"2026/11/23/{function}[{version}][{ids}]", group)
    log = UseLog(logs)
    wanted = [
        Wanted("digits:7", "digits", "7", group, NOON - 600),
        Wanted("digits:8", "digits", "8", group, NOON - 60),
        Wanted("other:7", "other", "7", group, NOON - 600),
    ]
    found = look(log, NOON, *wanted)

    assert [moments(found, one.key) for one in wanted] == [[-50.1], [-49.1], [-48.1]]
    assert len(logs.asked) == 1


def test_another_process_goes_on_where_the_last_one_was() -> None:
    """What that told is not told again, as far as it says."""
    logs = Logs()
    logs.write(NOON - 30, line("a"))
    logs.write(NOON - 5, line("b"))

    assert moments(look(UseLog(logs), NOON, DIGITS._replace(since=NOON - 20))) == [-5.1]


def test_a_look_goes_back_an_hour_at_most() -> None:
    """Also at the very first."""
    logs = Logs()
    found = look(UseLog(logs), NOON, DIGITS._replace(since=float("-inf")))
    assert found[DIGITS.key].uses.since == NOON - FARTHEST_SECONDS


def test_a_log_with_more_than_can_be_read_is_read_on_at_the_next_look() -> None:
    """Up to the last event that was read, nothing is known of what is later."""
    logs = Logs(most=2)
    log = UseLog(logs)
    for at in range(4):
        logs.write(NOON - 400 + 100 * at, line(str(at)))
    first = look(log, NOON)
    logs.most = 10

    assert moments(first) == [-400.1, -300.1]
    assert first[DIGITS.key].uses.until == NOON - 300
    assert moments(look(log, NOON + 60)) == [-200.1, -100.1]


def test_a_group_that_may_not_be_read_is_left_alone_for_a_while() -> None:
    """The reason is said each time."""
    refusal = ServiceError("filter_log_events is not allowed", "AccessDeniedException")
    logs = Logs(errors={DIGITS.group: refusal})
    log = UseLog(logs)
    for at in (0.0, 60.0, REFUSED_SECONDS + 60):
        assert look(log, NOON + at) == {}
        assert "filter_log_events is not allowed" in log.notes[0]
    assert len(logs.asked) == 2


@pytest.mark.parametrize("code", ["ThrottlingException", ""])
def test_after_a_throttle_or_no_answer_a_run_reads_nothing_more(code: str) -> None:
    """But what it asked for beside it; the next asks again, but not whom it could not reach."""
    groups = [f"g{number}" for number in range(ABREAST + 1)]
    logs = Logs(errors={"g0": ServiceError("Rate exceeded", code)})
    log = UseLog(logs)
    wanted = [
        DIGITS._replace(key=group, group=group, since=NOON - 700 + number)
        for number, group in enumerate(groups)
    ]

    assert list(look(log, NOON, *wanted)) == groups[1:-1]
    assert {group for group, _ in logs.asked} == set(groups[:-1])
    assert len(log.notes) == 2
    logs.asked.clear()
    look(log, NOON + 60, *wanted)
    assert ("g0" in dict(logs.asked)) == bool(code)


def test_a_run_makes_a_bounded_number_of_requests() -> None:
    """Those that were left out come first in the next run."""
    logs = Logs()
    log = UseLog(logs)
    wanted = [DIGITS._replace(key=f"f{n}:7", group=f"g{n}") for n in range(MOST_REQUESTS + 5)]

    first = look(log, NOON, *wanted)
    second = look(log, NOON + 60, *wanted)

    assert (len(first), len(second)) == (MOST_REQUESTS, MOST_REQUESTS)
    assert len(first.keys() | second.keys()) == MOST_REQUESTS + 5
    assert log.requests == 2 * MOST_REQUESTS
    assert any("reads no more" in note for note in log.notes)


def test_a_group_that_is_not_there_yet_is_asked_for_again() -> None:
    """A function that was never invoked has none."""
    missing = ServiceError("refused: ResourceNotFoundException", "ResourceNotFoundException")
    logs = Logs(errors={DIGITS.group: missing})
    log = UseLog(logs)
    look(log, NOON)
    logs.errors.clear()

    assert DIGITS.key in look(log, NOON + 60)


@given(
    st.lists(st.tuples(st.floats(0, 900), st.floats(0, 55), st.booleans()), max_size=30),
    st.lists(st.floats(1, 200), max_size=12),
)
def test_every_request_is_told_once_whenever_it_is_looked_for(
    written: list[tuple[float, float, bool]], pauses: list[float]
) -> None:
    """Lines come up to 55 seconds late, looks are at any moments; pings are never told."""
    logs = Logs()
    log = UseLog(logs)
    lines = sorted((at + late, at, ping) for at, late, ping in written)
    told: list[float] = []
    now = 0.0
    for pause in [*pauses, *[120.0] * 10]:
        now += pause
        while lines and lines[0][0] <= now:
            _, at, ping = lines.pop(0)
            name = f"{len(lines)}"
            if ping:
                log.sent(DIGITS.key, [name], NOON + at)
            logs.write(NOON + at, line(name, 0.0))
        told += moments(look(log, NOON + now))
    assert sorted(told) == sorted(round(at, 3) for at, _, ping in written if not ping)
