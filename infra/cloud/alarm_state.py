"""Which state an alarm is in, given its data points; nothing here knows clocks or stores.

Source: Amazon CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms
treat missing data", whose two tables are in the tests.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

__all__ = ["COMPARISONS", "EXTRA_POINTS", "MISSING_DATA", "Rule", "State", "Verdict", "judge"]

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

# How much further back than EvaluationPeriods an alarm looks when points are missing. CloudWatch
# publishes no figure; its two tables look at five points for three evaluation periods.
EXTRA_POINTS = 2

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
MISSING_DATA = ("breaching", "notBreaching", "ignore", "missing")


@dataclass(frozen=True)
class Rule:
    """When data points make an alarm: `to_alarm` out of `periods` that breach the threshold."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Whether one data point is beyond the threshold."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True)
class Verdict:
    """The state that follows, and why; None keeps the state that the alarm has."""

    state: State | None
    reason: str


def judge(rule: Rule, points: Sequence[tuple[int, float | None]]) -> Verdict:
    """The state that follows from data points, oldest first; a value of None is missing.

    points: (begin in seconds since the epoch, value) of the evaluation range, which is longer than
    `rule.periods` by EXTRA_POINTS.
    """
    real = [(at, value) for at, value in points if value is not None][-rule.periods :]
    filled = rule.periods - len(real)
    breaching = sum(rule.breaches(value) for _, value in real)
    if not real and rule.missing in ("ignore", "missing"):
        unknown = f"Insufficient Data: {filled} datapoints were unknown."
        return Verdict("INSUFFICIENT_DATA" if rule.missing == "missing" else None, unknown)
    if rule.missing == "breaching":
        breaching += filled
    state: State | None = "ALARM" if breaching >= rule.to_alarm else "OK"
    if state == "OK" and filled and rule.missing in ("ignore", "missing"):
        state = _with_missing(rule, points)
    return Verdict(state, _reason(rule, real, filled, state))


def _with_missing(rule: Rule, points: Sequence[tuple[int, float | None]]) -> State | None:
    """The state where too few points are there to make an alarm, and none stands for the others.

    A point within the threshold makes it OK. Where all breach and the oldest is as old as
    `to_alarm` periods, the alarm would otherwise wait for ever ("Avoiding premature transitions to
    alarm state"). Before that it keeps its state; the page says only that it is not yet ALARM.
    """
    ages = [age for age, (_, value) in enumerate(reversed(points), 1) if value is not None]
    if any(value is not None and not rule.breaches(value) for _, value in points):
        return "OK"
    return "ALARM" if max(ages) >= rule.to_alarm and rule.missing == "missing" else None


def _reason(rule: Rule, real: Sequence[tuple[int, float]], filled: int, state: State | None) -> str:
    if not real:
        return (
            f"Threshold Crossed: no datapoints were received for {filled} periods and {filled} "
            f"missing datapoints were treated as [{rule.missing}]."
        )
    breaching = [(at, value) for at, value in real if rule.breaches(value)]
    named = breaching if state == "ALARM" else [item for item in real if item not in breaching]
    listed = ", ".join(f"{value} ({_moment(at)})" for at, value in reversed(named))
    negation = "" if state == "ALARM" else "not "
    words = COMPARISONS[rule.comparison][1]
    treated = f" {filled} missing datapoints were treated as [{rule.missing}]." if filled else ""
    return (
        f"Threshold Crossed: {len(named)} out of the last {len(real)} datapoints [{listed}] "
        f"was {negation}{words} the threshold ({rule.threshold}).{treated} "
        f"{rule.to_alarm} out of {rule.periods} make an alarm."
    )


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S}"
