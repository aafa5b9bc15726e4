"""Which state follows from which data (CloudWatch user guide, "Configuring how CloudWatch alarms
treat missing data"): the two tables of that page, and what its words add.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.alarm_state import COMPARISONS, Rule, State, judge

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def states(shown: str, to_alarm: int, periods: int = 3) -> list[State | None]:
    """The state for each treatment of missing data; X breaches, 0 does not, - is missing."""
    values = {"X": 9.0, "0": 0.0, "-": None}
    points = [(60 * index, values[sign]) for index, sign in enumerate(shown.split())]
    rules = [Rule("GreaterThanThreshold", 5.0, periods, to_alarm, name) for name in TREATMENTS]
    return [judge(rule, points).state for rule in rules]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("0 - X - X", ["OK", "OK", "OK", "OK"]),
        ("0 - - - -", ["OK", "OK", "OK", "OK"]),
        ("- - - - -", ["INSUFFICIENT_DATA", None, "ALARM", "OK"]),
        ("0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("- - X - -", ["ALARM", None, "ALARM", "OK"]),
    ],
)
def test_three_out_of_three(shown: str, expected: list[State | None]) -> None:
    """The page's first table; None is "Retain current state"."""
    assert states(shown, 3) == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        ("- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        ("- - - X -", ["ALARM", None, "ALARM", "OK"]),
    ],
)
def test_two_out_of_three(shown: str, expected: list[State | None]) -> None:
    """The page's second table."""
    assert states(shown, 2) == expected


@pytest.mark.parametrize("shown", ["- - - - X", "- - - X -"])
def test_a_young_breach_makes_no_alarm_yet(shown: str) -> None:
    """The same page, "Avoiding premature transitions to alarm state"."""
    assert states(shown, 3)[:2] == [None, None]


def test_without_missing_points_only_the_latest_count() -> None:
    """The extra points farther back are not needed."""
    assert states("X X 0 0 0", 1) == ["OK"] * 4
    assert states("0 0 X X X", 3) == ["ALARM"] * 4


@settings(deadline=None)
@given(st.lists(st.sampled_from("0X-"), min_size=5, max_size=5), st.integers(1, 3))
def test_treating_missing_as_breaching_never_calms_an_alarm(signs: list[str], m: int) -> None:
    """And treating it as not breaching never raises one that the real points do not."""
    missing, _, breaching, calm = states(" ".join(signs), m)
    assert breaching == "ALARM" or calm == "OK"
    assert not (calm == "ALARM" and missing != "ALARM")


@pytest.mark.aws(
    "CloudWatch API reference: PutMetricAlarm", "Alarms compare as their operator says"
)
@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", [6.0]),
        ("GreaterThanOrEqualToThreshold", [5.0, 6.0]),
        ("LessThanThreshold", [4.0]),
        ("LessThanOrEqualToThreshold", [4.0, 5.0]),
    ],
)
def test_comparisons(comparison: str, breaching: list[float]) -> None:
    """API reference, PutMetricAlarm."""
    rule = Rule(comparison, 5.0, 1, 1)
    assert [value for value in (4.0, 5.0, 6.0) if rule.breaches(value)] == breaching
    assert comparison in COMPARISONS


def test_the_reason_names_points_and_threshold() -> None:
    """What DescribeAlarms tells as StateReason."""
    rule = Rule("GreaterThanThreshold", 5.0, 2, 1)
    said = judge(rule, [(0, None), (60, 1.0), (120, 9.0)]).reason
    assert "1 out of the last 2 datapoints [9.0 (01/01/70 00:02:00)]" in said
    assert "was greater than the threshold (5.0)" in said
    calm = judge(rule, [(60, 1.0), (120, 2.0)]).reason
    assert "was not greater than the threshold (5.0)" in calm
    unknown = Rule("GreaterThanThreshold", 5.0, 2, 1)
    assert judge(unknown, [(0, None), (60, None)]).reason.startswith("Insufficient Data: 2")
