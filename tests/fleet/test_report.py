"""A wave's report: figures that contradict each other cannot be made."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.fleet.pool import START
from warmer.fleet import Outcome, Target, WaveReport


@pytest.mark.parametrize(
    "change",
    [
        {"sent": 3},
        {"outcomes": Counter({Outcome.PROVEN: 3, Outcome.DUPLICATE: -1})},
        {"environments": ("a", "a")},
        {"environments": ("a",)},
        {"new": 3},
        {"throttle_reason": "CallerRateLimitExceeded"},
        {"target": Target("digits", None, 3)},
    ],
)
def test_a_report_that_contradicts_itself_cannot_be_made(change: dict[str, object]) -> None:
    """The figures of a report are checked against each other when it is made."""
    true = WaveReport(
        target=Target("digits", None, 2), rounds=1, sent=2, outcomes={Outcome.PROVEN: 2},
        environments=("a", "b"), new=1, started_at=START, held_ms=0, spread_ms=0, wall_ms=1,
    )  # fmt: skip

    with pytest.raises(ValueError, match="contradicts itself"):
        replace(true, **change)  # type: ignore[arg-type]  # one field at a time, of any type
