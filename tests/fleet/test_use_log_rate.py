"""How far back a look at a log reads, by the rate at which reports came last time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fleet.situations import NOON
from tests.fleet.test_use_log import DIGITS, Logs, line, look, moments
from warmer.aws.log_reader import FilteredEvent
from warmer.fleet import use_log
from warmer.fleet.kept_reports import MOST_KEPT
from warmer.fleet.use_log import (
    FARTHEST_SECONDS,
    LEAST_SECONDS,
    MOST_REPORTS,
    OVERDUE_SECONDS,
    OVERLAP_SECONDS,
    SETTLE_SECONDS,
    UseLog,
    Wanted,
)

HOUR = 3600.0
GROUP = "shared"
OTHER = DIGITS._replace(key="other:7", function="other", group=GROUP)
SHARED = DIGITS._replace(group=GROUP)
SHARED_STREAM = "2026/11/23/digits[7][" + "0a" * 16 + "]"
OTHER_STREAM = "2026/11/23/other[7][" + "0b" * 16 + "]"


def steady(logs: Logs, first: float, last: float, rate: float) -> None:
    """So many requests a second end between two moments, in seconds from noon."""
    events = logs.groups.setdefault(DIGITS.group, [])
    for number in range(int((last - first) * rate)):
        at, name = NOON + first + number / rate, f"s{len(events)}"
        events.append(FilteredEvent(name, at, "2026/11/23/[7]" + "0a" * 16, line(name, 0.0)))


def looked_at_noon(logs: Logs, rate: float) -> UseLog:
    """So many requests a second came in all that the look at noon, which was the first, read."""
    log = UseLog(logs)
    steady(logs, -600 - OVERLAP_SECONDS, 0, rate)
    look(log, NOON)
    return log


def test_a_busy_log_is_read_from_where_its_latest_reports_begin() -> None:
    """Those of the last 400 seconds at ten a second, of an hour; of the rest nothing is said."""
    logs = Logs()
    log = looked_at_noon(logs, 10)
    steady(logs, 0, HOUR, 10)
    found = look(log, NOON + HOUR)[DIGITS.key]

    worth = pytest.approx(NOON + HOUR - MOST_REPORTS / 10, abs=1.0)
    assert logs.asked[-1][1] == worth
    assert found.uses.since == logs.asked[-1][1]
    assert found.uses.until == NOON + HOUR - SETTLE_SECONDS
    assert found.reports == pytest.approx(MOST_REPORTS, rel=0.01)
    assert len(found.uses.requests) == found.reports


def test_a_quiet_log_is_read_whole() -> None:
    """All since the last look has fewer reports than are worth reading."""
    logs = Logs()
    log = looked_at_noon(logs, 1)
    steady(logs, 0, HOUR, 1)
    uses = look(log, NOON + HOUR)[DIGITS.key].uses

    assert logs.asked[-1][1] == NOON - SETTLE_SECONDS - OVERLAP_SECONDS
    assert (uses.since, len(uses.requests)) == (NOON - SETTLE_SECONDS, HOUR)


def test_the_first_look_reads_on_although_there_is_much() -> None:
    """No rate is known then; the next look knows it by what that read."""
    logs = Logs(most=MOST_REPORTS)
    log = UseLog(logs)
    steady(logs, -FARTHEST_SECONDS, 0, 10)
    wanted = DIGITS._replace(since=float("-inf"))
    first = look(log, NOON, wanted)[DIGITS.key]

    assert logs.asked == [(DIGITS.group, NOON - FARTHEST_SECONDS - OVERLAP_SECONDS)]
    assert first.reports == MOST_REPORTS
    steady(logs, 0, 60, 10)
    look(log, NOON + 60, wanted)
    # The first minute of what was read had none: its overlap.
    assert logs.asked[-1][1] == pytest.approx(NOON + 60 - MOST_REPORTS / 10, abs=70)


def test_after_a_function_went_quiet_a_look_tells_of_all_since() -> None:
    """The rate is that of the last reading, not of the busiest."""
    logs = Logs()
    log = looked_at_noon(logs, 50)
    steady(logs, 0, 400, 50)
    look(log, NOON + 600)
    steady(logs, 700, 700 + HOUR, 0.01)
    found = look(log, NOON + 700 + HOUR)

    assert found[DIGITS.key].uses.since == NOON + 600 - SETTLE_SECONDS
    assert len(moments(found)) == 36


def test_the_last_two_minutes_are_read_however_fast_reports_come() -> None:
    """At a hundred a second 4,000 are those of 40 seconds."""
    logs = Logs()
    log = looked_at_noon(logs, 100)
    steady(logs, 0, 300, 100)
    uses = look(log, NOON + 300)[DIGITS.key].uses

    assert LEAST_SECONDS == 130.0
    assert uses.since == NOON + 300 - LEAST_SECONDS


def test_a_group_of_several_functions_is_read_by_the_rate_of_all() -> None:
    """As many for each of two are worth it; it begins at the same moment for both."""
    logs = Logs()
    log = UseLog(logs)
    for number in range(9000):
        logs.write(NOON - 900 + number / 10, line(f"o{number}"), OTHER_STREAM, GROUP)
    look(log, NOON, SHARED, OTHER)
    found = look(log, NOON + HOUR, SHARED)
    worth = NOON + HOUR - 2 * MOST_REPORTS / 10
    assert found[SHARED.key].uses.since == pytest.approx(worth, abs=1.0)
    found = look(log, NOON + HOUR + 60, SHARED, OTHER)

    assert found[SHARED.key].uses.since == NOON + HOUR - SETTLE_SECONDS
    assert found[OTHER.key].uses.since == pytest.approx(worth, abs=1.0)


def test_a_version_that_is_looked_at_often_is_told_nothing_twice_for_one_that_is_not() -> None:
    """Their group is read on from where it was, and what is the other's is kept for it."""
    logs = Logs()
    log = UseLog(logs)
    look(log, NOON, SHARED, OTHER)
    ids = "0a" * 16
    told = []
    for minute in range(60):
        at = NOON + minute * 60
        logs.write(at, line(f"m{minute}", 0.0), f"2026/11/23/digits[7][{ids}]", GROUP)
        logs.write(at, line(f"o{minute}", 0.0), OTHER_STREAM, GROUP)
        told += moments(look(log, at + 60, SHARED), SHARED.key)
    found = look(log, NOON + HOUR + 60, SHARED, OTHER)
    told += moments(found, SHARED.key)

    assert logs.asked[-1][1] == NOON + HOUR - SETTLE_SECONDS - OVERLAP_SECONDS
    assert told == [minute * 60 for minute in range(60)]
    assert moments(found, OTHER.key) == told
    assert found[OTHER.key].uses.since == NOON - SETTLE_SECONDS


def test_of_what_waits_for_a_look_the_latest_is_kept() -> None:
    """Before that, nothing is said of it."""
    logs = Logs()
    log = UseLog(logs)
    look(log, NOON, SHARED, OTHER)
    for number in range(MOST_KEPT + 100):
        logs.write(NOON + number / 10, line(f"o{number}", 0.0), OTHER_STREAM, GROUP)
    look(log, NOON + HOUR / 2, SHARED)
    found = look(log, NOON + HOUR, SHARED, OTHER)[OTHER.key]

    assert len(found.uses.requests) == MOST_KEPT
    assert found.uses.since == found.uses.requests[0].at == NOON + 10


def test_for_a_version_that_is_new_a_group_is_read_back() -> None:
    """The others are told nothing again."""
    logs = Logs()
    log = UseLog(logs)
    for number in range(60):
        logs.write(NOON - HOUR + 60 * number, line(f"s{number}", 0.0), SHARED_STREAM, GROUP)
        logs.write(NOON - HOUR + 60 * number, line(f"o{number}", 0.0), OTHER_STREAM, GROUP)
    first = look(log, NOON, SHARED._replace(since=float("-inf")))
    found = look(log, NOON + 60, SHARED, OTHER._replace(since=float("-inf")))

    assert len(moments(first, SHARED.key)) == 59
    assert len(moments(found, OTHER.key)) == 58
    assert moments(found, SHARED.key) == []


def test_pings_in_a_stretch_that_is_not_read_are_not_missed() -> None:
    """They are waited for no more; those that are read are known."""
    logs = Logs()
    log = looked_at_noon(logs, 10)
    for at, name in ((30, "unread"), (HOUR - 60, "read")):
        log.sent(DIGITS.key, [name], NOON + at)
        logs.write(NOON + at - 0.5, line(name))
    found = []
    for hour in range(3):
        steady(logs, hour * HOUR, (hour + 1) * HOUR, 10)
        found.append(look(log, NOON + (hour + 1) * HOUR)[DIGITS.key])

    assert [one.missing for one in found] == [False] * 3
    assert [one.pings for one in found] == [1, 0, 0]


def test_a_wave_that_began_before_the_reading_is_not_missed() -> None:
    """It is known by when it ended, and pings that were answered sooner are not read."""
    logs = Logs()
    log = looked_at_noon(logs, 10)
    steady(logs, 0, HOUR, 10)
    start = NOON + HOUR - MOST_REPORTS / 10
    log.sent(DIGITS.key, ["p"], start + 5)
    logs.write(start - 5, line("p"))

    assert not look(log, NOON + HOUR)[DIGITS.key].missing
    assert not look(log, NOON + HOUR + OVERDUE_SECONDS + 60)[DIGITS.key].missing


def test_pings_that_were_looked_for_where_they_should_be_are_missed_in_a_busy_log_too() -> None:
    """Although a later look leaves out a stretch."""
    logs = Logs()
    log = looked_at_noon(logs, 10)
    steady(logs, 0, HOUR, 10)
    log.sent(DIGITS.key, ["p"], NOON + HOUR - 100)
    look(log, NOON + HOUR)
    steady(logs, HOUR, 2 * HOUR, 10)

    assert look(log, NOON + 2 * HOUR)[DIGITS.key].missing


Bursts = Sequence[tuple[float, float, int, bool]]
Looks = Sequence[tuple[float, Sequence[Wanted]]]
BURST = st.tuples(st.floats(0, 7200), st.floats(1, 900), st.integers(1, 40), st.booleans())
WHOM = st.sampled_from([(SHARED,), (OTHER,), (SHARED, OTHER)])
LOOK = st.tuples(st.floats(1, 2000), WHOM)


def written(bursts: Bursts) -> Logs:
    """Two functions' requests in one group, those of each burst evenly spread."""
    logs = Logs(groups={GROUP: []})
    for begins, lasts, count, others in bursts:
        name = "other" if others else "digits"
        stream = f"2026/11/23/{name}[7][{'0a' * 16}]"
        for number in range(count):
            at = round(NOON + begins + lasts * number / count, 3)
            logs.write(at, line(f"{len(logs.groups[GROUP])}", 0.0), stream, GROUP)
    return logs


def ends(logs: Logs, one: Wanted) -> Counter[float]:
    """When requests of a version ended, and how many each time."""
    stream = f"/{one.function}["
    return Counter(event.at for event in logs.groups[GROUP] if stream in event.stream)


@settings(max_examples=150, deadline=None)
@given(
    bursts=st.lists(BURST, max_size=12),
    looks=st.lists(LOOK, min_size=1, max_size=12),
    worth=st.integers(1, 60),
    most=st.integers(5, 200),
)
def test_what_a_look_answers_for_is_told_and_once(
    bursts: Bursts, looks: Looks, worth: int, most: int
) -> None:
    """Whatever comes how fast, and whoever is looked at when: all that ended between a look's
    moments is told by that look or one before, and nothing is told twice."""
    everything, logs = written(bursts), Logs(most=most)
    told: dict[str, Counter[float]] = {SHARED.key: Counter(), OTHER.key: Counter()}
    log, now = UseLog(logs), NOON
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(use_log, "MOST_REPORTS", worth)
        for pause, wanted in looks:
            now += pause
            logs.groups[GROUP] = [e for e in everything.groups[GROUP] if e.at <= now]
            found = look(log, now, *wanted)
            for one in wanted:
                uses, ended = found[one.key].uses, ends(everything, one)
                told[one.key].update(use.at + use.seconds for use in uses.requests)
                answered = {at for at in ended if uses.since <= at < uses.until}
                assert told[one.key] <= ended
                assert all(told[one.key][at] == ended[at] for at in answered)
