"""The policy `forecast`: as many as this hour needed on days like today, or the next beat's moment.

What it knows: the largest concurrency of each hour of the day, of workdays and weekends apart, as
CloudWatch had it on the last such days; how the last hour compares with what was forecast for it;
and the last gaps between uses, by which a caller with a beat is recognised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from warmer.errors import ConfigurationError
from warmer.fleet.places import EARLY
from warmer.fleet.policy import DEFAULT_IDLE_MINUTES, MARGIN_SECONDS, Decision, Look

__all__ = ["Forecast"]

HOUR = 3600.0
DAYS_KEPT = 6
GAPS_KEPT = 6
LEAST_GAPS = 3
"""So many equal gaps make a beat."""

EQUAL_GAPS = 0.08
"""Gaps are equal that differ from their median by no more than this part of it, or by a minute:
CloudWatch tells minutes."""

LATE_BEATS = 2.5
"""Where CloudWatch shows nobody for so many of its gaps, a beat has ended."""

LEAST_GAP = 300.0
MOST_TREND = 2.0
WAVES_KEPT = 16


@dataclass(frozen=True)
class Forecast:
    """Holds what a share `quantile` of past hours like this one did not exceed.

    minutes: the idle lifetime that is assumed; pings come half a minute sooner. CloudWatch is read
    once an hour. A caller with a beat longer than that lifetime gets one ping, a minute before.
    Before a first hour is known, none is held.
    """

    quantile: float = 0.9
    minutes: float = DEFAULT_IDLE_MINUTES
    timed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.quantile <= 1:
            expected = "a quantile, more than 0 and at most 1, such as 0.9"
            raise ConfigurationError("forecast", self.quantile, expected)

    def decide(self, look: Look) -> Decision:
        """Read an hour's minutes if it is time; hold what is forecast, or wait for a beat."""
        memory = dict(look.memory) or {"read": look.now, "ask": look.now + HOUR, "used": -inf}
        if look.now > memory["ask"] - EARLY:
            first, values = look.history.concurrency(memory["read"])
            _take_in(memory, first, values, self.quantile)
            memory["ask"] = look.now + HOUR
        interval = self.minutes * 60 - MARGIN_SECONDS
        beat = _beat(memory)
        if beat > interval and memory["read"] - memory["used"] < LATE_BEATS * beat:
            return self._before_beat(look.now, beat, memory)
        size = self._number(memory, look.now, interval)
        if not size:
            return Decision(0, _at_most(memory, _next_hour(look.now)), memory)
        due = max(memory.get("wave", -inf), memory["used"]) + interval
        if due >= look.now + EARLY and size <= memory.get("size", 0.0):
            return Decision(0, _at_most(memory, due), memory)
        _set_down(memory, look.now, size)
        return Decision(size, _at_most(memory, look.now + interval), memory)

    def _number(self, memory: Mapping[str, float], now: float, interval: float) -> int:
        """For as long as a wave of now holds: the larger of the hours that it reaches into."""
        hours = (now, now + interval)
        expected = max(_expected(memory, _slot(moment), self.quantile) for moment in hours)
        return math.ceil(expected * memory.get("trend", 1.0) - 1e-9)

    def _before_beat(self, now: float, beat: float, memory: dict[str, float]) -> Decision:
        """One ping a minute before the next use that is due."""
        beats = math.ceil((now + EARLY + 60.0 - memory["used"]) / beat)
        following = memory["used"] + beats * beat - 60.0
        last = following - beat
        due = memory.get("wave", -inf) <= last - EARLY and now < last + 60.0
        if due:
            _set_down(memory, now, 1)
        return Decision(int(due), _at_most(memory, max(following, now + 60.0)), memory)


def _at_most(memory: Mapping[str, float], moment: float) -> float:
    return min(moment, memory["ask"])


def _next_hour(now: float) -> float:
    return max((now // HOUR + 1) * HOUR - 60.0, now + 60.0)


def _slot(moment: float) -> int:
    """The hour of the day, and 24 more on Saturdays and Sundays, in UTC (the epoch's day was a
    Thursday)."""
    weekend = int(moment // 86_400 + 3) % 7 >= 5
    return int(moment // HOUR) % 24 + 24 * weekend


def _expected(memory: Mapping[str, float], slot: int, quantile: float) -> float:
    """The quantile of the peaks of such hours; of the other kind of day where none is known."""
    for kind in (slot, (slot + 24) % 48):
        peaks = sorted(_ring(memory, f"h{kind}", DAYS_KEPT))
        if peaks:
            return peaks[max(math.ceil(quantile * len(peaks)) - 1, 0)]
    return 0.0


def _take_in(
    memory: dict[str, float], first: float, values: Sequence[int], quantile: float
) -> None:
    """Minutes up to the last whole hour make peaks of hours; every minute in use, gaps."""
    peaks: dict[float, float] = {}
    for index, value in enumerate(values):
        moment = first + index * 60.0
        if moment < memory["read"]:
            continue
        users = max(value - _own(memory, moment), 0.0)
        hour = moment // HOUR * HOUR
        peaks[hour] = max(peaks.get(hour, 0.0), users)
        if users:
            gap = moment + 30.0 - memory["used"]
            if LEAST_GAP <= gap < inf:
                _push(memory, "g", gap, GAPS_KEPT)
            memory["used"] = moment + 30.0
    memory["read"] = max(memory["read"], first + 60.0 * len(values))
    for hour, peak in peaks.items():
        expected = _expected(memory, _slot(hour), quantile)
        ratio = (peak + 1.0) / (expected + 1.0)
        memory["trend"] = min(max(ratio, 1.0), MOST_TREND)
        _push(memory, f"h{_slot(hour)}", peak, DAYS_KEPT)


def _beat(memory: Mapping[str, float]) -> float:
    """The period of a caller with a beat, in seconds; 0 for none."""
    gaps = _ring(memory, "g", GAPS_KEPT)
    if len(gaps) < LEAST_GAPS:
        return 0.0
    middle = sorted(gaps)[len(gaps) // 2]
    allowed = max(60.0, EQUAL_GAPS * middle)
    if any(abs(gap - middle) > allowed for gap in gaps):
        return 0.0
    return sum(gaps) / len(gaps)


def _set_down(memory: dict[str, float], now: float, size: int) -> None:
    memory["wave"], memory["size"] = now, float(size)
    place = int(now // 60) % WAVES_KEPT
    memory[f"w{place}"], memory[f"s{place}"] = now // 60, float(size)


def _own(memory: Mapping[str, float], moment: float) -> float:
    """How many of a minute's environments may have been busy with a wave of one's own."""
    place = int(moment // 60) % WAVES_KEPT
    return memory[f"s{place}"] if memory.get(f"w{place}") == moment // 60 else 0.0


def _ring(memory: Mapping[str, float], name: str, size: int) -> list[float]:
    """The last `size` values of that name."""
    return [memory[f"{name}.{at}"] for at in range(size) if f"{name}.{at}" in memory]


def _push(memory: dict[str, float], name: str, value: float, size: int) -> None:
    """One value more, in place of the oldest."""
    at = int(memory.get(f"{name}.n", 0.0))
    memory[f"{name}.{at % size}"] = value
    memory[f"{name}.n"] = float(at + 1)
