"""The learning rate rises in equal parts, then falls as a cosine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.train.schedule import WarmupCosine
from warmer.errors import ConfigurationError

schedules = st.integers(2, 500).flatmap(
    lambda total: st.builds(WarmupCosine, st.integers(0, total - 1), st.just(total))
)


@given(schedules)
def test_factor_rises_then_falls(schedule: WarmupCosine) -> None:
    """The factor never falls during warm-up, and never rises after it."""
    factors = [schedule.factor(step) for step in range(schedule.total_steps + 1)]
    rise, fall = factors[: schedule.warmup_steps], factors[schedule.warmup_steps :]

    assert sorted(rise) == rise
    assert sorted(fall, reverse=True) == fall


@given(schedules)
def test_factor_is_between_zero_and_one(schedule: WarmupCosine) -> None:
    """The peak learning rate is never exceeded, even after the end."""
    assert all(0 <= schedule.factor(step) <= 1 for step in range(schedule.total_steps * 2))


def test_warm_up_is_linear_to_the_peak() -> None:
    """Four warm-up steps are quarters of the peak."""
    schedule = WarmupCosine(warmup_steps=4, total_steps=8)

    assert [schedule.factor(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_is_half_way_at_the_middle_and_ends_at_zero() -> None:
    """After warm-up the factor is 1, then 1/2 at the middle, then 0."""
    schedule = WarmupCosine(warmup_steps=0, total_steps=10)

    assert [schedule.factor(step) for step in (0, 5, 10)] == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize(("warmup", "total"), [(-1, 10), (10, 10), (0, 0)])
def test_steps_that_make_no_schedule_are_refused(warmup: int, total: int) -> None:
    """Warm-up must leave steps for the rest."""
    with pytest.raises(ConfigurationError, match="warmup_steps"):
        WarmupCosine(warmup, total)
