"""Schedule expressions fire when AWS says they do."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.fleet.expressions import Schedule, parse

MINUTE = timedelta(minutes=1)
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
UTC_ZONE = ZoneInfo("UTC")
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)

# Half-hour shifts, shifts at midnight, a day that was skipped, odd offsets, none at all.
zones = st.sampled_from(
    [
        "UTC",
        "America/New_York",
        "America/Sao_Paulo",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Pacific/Apia",
    ]
).map(ZoneInfo)
shifts = st.sampled_from(
    [
        datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia skips a day
        datetime(2018, 2, 18, 2, tzinfo=UTC),  # Sao Paulo: midnight comes twice
        datetime(2018, 11, 4, 3, tzinfo=UTC),  # Sao Paulo: there is no midnight
        datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York: spring
        datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe: autumn, by half an hour
        datetime(2026, 10, 25, 1, tzinfo=UTC),  # Berlin: autumn
        datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York: autumn
    ]
)
moments = st.one_of(
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.builds(
        lambda shift, seconds: shift + timedelta(seconds=seconds),
        shifts,
        st.integers(-8 * 3600, 2 * 3600),
    ),
)


@dataclass(frozen=True)
class Named:
    """A field's text beside the values that it must mean."""

    text: str
    values: frozenset[int]


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[Named]:
    """Lists of numbers or names, ranges, steps and stars, over a field of low..high."""
    number = st.integers(low, high)

    def spelled(value: int) -> str:
        return names[value - low] if names and value % 2 else str(value)

    def span(ends: tuple[int, int]) -> Named:
        first, last = sorted(ends)
        values = frozenset(v for v in range(low, high + 1) if first <= v <= last)
        return Named(f"{spelled(first)}-{spelled(last)}", values)

    def stepped(first: int, step: int) -> Named:
        values = frozenset(v for v in range(first, high + 1) if (v - first) % step == 0)
        return Named(f"{first}/{step}", values)

    def union(items: list[Named]) -> Named:
        values = frozenset[int]().union(*(item.values for item in items))
        return Named(",".join(item.text for item in items), values)

    single = number.map(lambda v: Named(spelled(v), frozenset({v})))
    spans = st.tuples(number, number).map(span)
    steps = st.builds(stepped, number, st.integers(1, high))
    choices = [single, spans] if high == 7 else [single, spans, steps]
    everything = st.just(Named("*", frozenset(range(low, high + 1))))
    return everything | st.lists(st.one_of(choices), min_size=1, max_size=3).map(union)


WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def next_after(expression: str, moment: datetime, zone: ZoneInfo = UTC_ZONE) -> datetime | None:
    """The next time of a Scheduler expression."""
    return parse(expression).next_after(moment, zone, anchor=ANCHOR)


def utc(text: str) -> datetime:
    """A moment of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def next_days(schedule: Schedule, first: date, count: int) -> list[str]:
    """The dates of the first firings on or after a date, in UTC."""
    found: list[str] = []
    moment = datetime(first.year, first.month, first.day, tzinfo=UTC) - MINUTE
    while len(found) < count:
        following = schedule.next_after(moment, UTC_ZONE, anchor=ANCHOR)
        if following is None:
            break
        found.append(following.date().isoformat())
        moment = following
    return found


@given(fields(0, 59), fields(0, 23), fields(1, 7, WEEKDAY_NAMES), moments, zones)
def test_cron_is_the_first_minute_that_matches(
    minutes: Named, hours: Named, weekdays: Named, moment: datetime, zone: ZoneInfo
) -> None:
    """Later than the moment; the clock shows a matching time, for the first time; none between."""
    expression = f"cron({minutes.text} {hours.text} ? * {weekdays.text} *)"

    def fires(instant: datetime) -> bool:
        local = instant.astimezone(zone)
        weekday = (local.weekday() + 1) % 7 + 1
        return (
            local.fold == 0
            and (local.minute in minutes.values and local.hour in hours.values)
            and weekday in weekdays.values
        )

    found = next_after(expression, moment, zone)

    assert found is not None
    assert found > moment
    assert found.tzinfo is UTC
    assert fires(found)
    minute = moment.replace(second=0, microsecond=0) + MINUTE
    horizon = min(found, minute + timedelta(days=2))
    while minute < horizon:
        assert not fires(minute)
        minute += MINUTE


@given(fields(1, 31), fields(1, 12), st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_cron_days_are_all_days_that_match(days: Named, months: Named, first: date) -> None:
    """Over a year, a daily time fires on every matching date and on no other."""
    schedule = parse(f"cron(0 0 {days.text} {months.text} ? *)")
    window = [first + timedelta(days=n) for n in range(366)]
    expected = [d.isoformat() for d in window if d.day in days.values and d.month in months.values]

    assert next_days(schedule, first, len(expected)) == expected


@given(st.integers(1, 31), st.integers(1990, 2100), st.integers(1, 12))
def test_w_is_the_weekday_with_the_least_distance(day: int, year: int, month: int) -> None:
    """No other Monday to Friday of that month is nearer to the day."""
    length = calendar.monthrange(year, month)[1]
    working = [n for n in range(1, length + 1) if date(year, month, n).weekday() < 5]

    found = next_days(parse(f"cron(0 0 {day}W {month} ? {year})"), date(year, month, 1), 2)

    if day > length:
        assert found == []
    else:
        assert len(found) == 1
        distance = abs(date.fromisoformat(found[0]).day - day)
        assert distance == min(abs(n - day) for n in working)


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1990, 2100), st.integers(1, 12))
def test_hash_and_l_count_weekdays_in_the_month(
    weekday: int, nth: int, year: int, month: int
) -> None:
    """`3#2` is the second of the month's Tuesdays, `3L` the last."""
    length = calendar.monthrange(year, month)[1]
    dates = [date(year, month, n) for n in range(1, length + 1)]
    those = [d.isoformat() for d in dates if (d.weekday() + 1) % 7 + 1 == weekday]

    def days(field: str) -> list[str]:
        return next_days(parse(f"cron(0 0 ? {month} {field} {year})"), dates[0], 2)

    assert days(f"{weekday}#{nth}") == those[nth - 1 : nth]
    assert days(f"{weekday}L") == those[-1:]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-11-23T10:00"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-23T08:00"),
        ("cron(15 10 ? * 6L 2026-2027)", "2026-11-27T10:15"),
        ("cron(0 9 ? * 2#1 *)", "2026-12-07T09:00"),
        ("cron(0 9 ? * MON#1 *)", "2026-12-07T09:00"),
        ("cron(0 18 L * ? *)", "2026-11-30T18:00"),
        ("cron(0 18 ? * L *)", "2026-11-28T18:00"),
        ("cron(0 8 1 jan,Jul ? *)", "2027-01-01T08:00"),
        ("cron(0 8 15W 8 ? 2027)", "2027-08-16T08:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29T00:00"),
        ("cron(1/10 * * * ? *)", "2026-11-22T10:01"),
        ("cron(0 10 * * ?)", "2026-11-23T10:00"),
        ("at(2026-11-22T10:00:30)", "2026-11-22T10:00:30"),
        ("rate(5 minutes)", "2026-11-22T10:05"),
        ("rate(1 hour)", "2026-11-22T11:00"),
        ("rate(7 days)", "2026-11-26T00:00"),
    ],
)
def test_examples(expression: str, expected: str) -> None:
    """The next firing after Sunday 2026-11-22, 10:00:00 UTC."""
    assert next_after(expression, utc("2026-11-22T10:00")) == utc(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 0 30 2 ? *)",
        "cron(0 0 1 1 ? 2020)",
        "at(2026-11-22T10:00:00)",
        "at(0001-01-01T00:00:00)",
    ],
)
def test_nothing_to_come_is_none(expression: str) -> None:
    """A date that never is, a year that is over, and the moment itself."""
    assert next_after(expression, utc("2026-11-22T10:00")) is None


def test_time_that_spring_skips_is_skipped() -> None:
    """02:30 does not exist in Los Angeles on 2026-03-08: it fires the day after."""
    found = next_after("cron(30 2 * * ? *)", utc("2026-03-08T08:00"), LOS_ANGELES)

    assert found == datetime(2026, 3, 9, 2, 30, tzinfo=LOS_ANGELES)


def test_time_that_autumn_repeats_fires_once_before_the_shift() -> None:
    """01:30 comes twice in Los Angeles on 2026-11-01: it fires the first time only."""
    first = next_after("cron(30 1 * * ? *)", utc("2026-11-01T07:00"), LOS_ANGELES)
    assert first == utc("2026-11-01T08:30")

    second = next_after("cron(30 1 * * ? *)", first, LOS_ANGELES)
    assert second == datetime(2026, 11, 2, 1, 30, tzinfo=LOS_ANGELES)


def test_day_of_a_rate_is_24_hours() -> None:
    """A rate does not follow the clock: a day that has 25 hours moves it by one."""
    anchor = datetime(2026, 10, 31, 12, tzinfo=LOS_ANGELES)

    found = parse("rate(1 days)").next_after(anchor, LOS_ANGELES, anchor=anchor)

    assert found == anchor.astimezone(UTC) + timedelta(hours=24)
    assert found == datetime(2026, 11, 1, 11, tzinfo=LOS_ANGELES)


def test_at_follows_the_clock_of_its_zone() -> None:
    """10:00 in Los Angeles is 18:00 UTC in winter."""
    found = next_after("at(2026-11-22T10:00:00)", utc("2026-01-01T00:00"), LOS_ANGELES)

    assert found == utc("2026-11-22T18:00")


def test_at_in_the_skipped_hour_fires_after_it() -> None:
    """A single firing is not lost: 02:30 is taken as the hour had not been skipped, 03:30."""
    found = next_after("at(2026-03-08T02:30:00)", utc("2026-01-01T00:00"), LOS_ANGELES)

    assert found == datetime(2026, 3, 8, 3, 30, tzinfo=LOS_ANGELES)


@given(
    st.integers(1, 10_000), st.sampled_from(["minutes", "hours", "days"]), moments, moments, zones
)
def test_rate_is_a_whole_number_of_periods_after_its_anchor(
    value: int, unit: str, anchor: datetime, moment: datetime, zone: ZoneInfo
) -> None:
    """Later than the moment, by at most a period unless the anchor is yet to come."""
    period = timedelta(**{unit: value})

    found = parse(f"rate({value} {unit})").next_after(moment, zone, anchor=anchor)

    assert found is not None
    assert found > moment
    assert (found - anchor) % period == timedelta(0)
    assert found == anchor if moment < anchor else found - period <= moment


def test_start_takes_the_place_of_a_rates_anchor() -> None:
    """With a start, the first firing is the start itself."""
    start = utc("2026-11-22T10:02:30")
    schedule = parse("rate(5 minutes)")

    first = schedule.next_after(ANCHOR, UTC_ZONE, anchor=ANCHOR, start=start)
    second = schedule.next_after(start, UTC_ZONE, anchor=ANCHOR, start=start)

    assert (first, second) == (start, start + 5 * MINUTE)


def test_cron_fires_within_its_start_and_end() -> None:
    """Start and end are included; nothing comes before or after them."""
    start, end = utc("2026-11-22T10:00"), utc("2026-11-23T10:00")
    schedule = parse("cron(0 10 * * ? *)")
    times = [ANCHOR]

    while (
        found := schedule.next_after(times[-1], UTC_ZONE, anchor=ANCHOR, start=start, end=end)
    ) is not None:
        times.append(found)

    assert times[1:] == [start, end]


def test_rate_ends_with_its_end() -> None:
    """No firing comes later than the end."""
    end = utc("2026-11-22T10:04")

    assert (
        parse("rate(5 minutes)").next_after(
            utc("2026-11-22T10:00"), UTC_ZONE, anchor=ANCHOR, end=end
        )
        is None
    )


def test_at_ignores_start_and_end() -> None:
    """A one-time schedule has its moment and nothing else."""
    found = parse("at(2026-11-22T10:00:00)").next_after(
        ANCHOR, UTC_ZONE, anchor=ANCHOR, start=utc("2027-01-01T00:00"), end=ANCHOR
    )

    assert found == utc("2026-11-22T10:00")


def test_rate_beyond_the_calendar_never_fires_again() -> None:
    """A period of a million years has one firing, its anchor."""
    schedule = parse("rate(400000000 days)")

    assert schedule.next_after(ANCHOR - MINUTE, UTC_ZONE, anchor=ANCHOR) == ANCHOR
    assert schedule.next_after(ANCHOR, UTC_ZONE, anchor=ANCHOR) is None


@given(moments, zones)
def test_repeated_asking_gives_rising_times(moment: datetime, zone: ZoneInfo) -> None:
    """Each answer, asked from, leads to a later one: nothing fires twice."""
    times = [moment]
    for _ in range(20):
        found = next_after("cron(0/20 * * * ? *)", times[-1], zone)
        assert found is not None
        times.append(found)

    assert all(earlier < later for earlier, later in pairwise(times))
