"""Shares of a version that traffic shifts to, and the environments that they need."""

from __future__ import annotations

import pytest

from infra.cloud.codedeploy import traffic
from warmer.errors import ConfigurationError
from warmer.fleet import Target
from warmer.fleet.shift import TrafficShift, environments_for

LINEAR = "Linear10PercentEvery1Minute"


@pytest.mark.parametrize(
    "name",
    [
        "Canary10Percent5Minutes",
        "Canary10Percent30Minutes",
        LINEAR,
        "Linear10PercentEvery3Minutes",
        "Linear30PercentEvery2Minutes",
        "AllAtOnce",
    ],
)
def test_a_configuration_of_codedeploy_is_the_shift_that_it_makes(name: str) -> None:
    """Its share in the middle of each of its steps is CodeDeploy's.

    AWS page: "Working with deployment configurations in CodeDeploy".
    """
    full = f"CodeDeployDefault.Lambda{name}"
    shift, minute = TrafficShift.parse(name), 0.0
    for share, minutes in traffic(full):
        assert shift.share_at(minute + max(minutes, 1) / 2) == pytest.approx(share)
        minute += minutes
    assert shift.share_at(minute + 0.5) == 1.0
    assert TrafficShift.parse(full).minutes == shift.minutes


@pytest.mark.parametrize(
    ("share", "seconds", "expected"),
    [
        (0.0, 60, 0.1),  # before the first step
        (0.1, 1, 0.2),  # the next step may be a moment away
        (0.1, 60, 0.2),
        (0.1, 61, 0.3),
        (0.9, 60, 1.0),
        (1.0, 60, 1.0),
    ],
)
def test_the_share_ahead_follows_from_the_share_of_now(
    share: float, seconds: float, expected: float
) -> None:
    """An alias tells its weights and not since when."""
    assert TrafficShift.parse(LINEAR).share_within(share, seconds) == pytest.approx(expected)


def test_a_share_that_is_not_on_the_ramp_is_never_taken_back() -> None:
    """Somebody may move the alias by hand."""
    shift = TrafficShift.parse("hold(5, from=0.1) then hold")

    assert shift.share_within(0.5, 1) == 1.0
    assert shift.share_within(0.05, 1) == pytest.approx(0.1)


def test_without_a_known_next_run_all_may_come() -> None:
    """Nobody knows how far the shift gets until then."""
    assert TrafficShift.parse(LINEAR).share_within(0.1, float("inf")) == 1.0


def test_a_ramp_of_ones_own_is_read_as_a_ramp() -> None:
    """Of minutes, with any of the shapes that rise."""
    shift = TrafficShift.parse("hold(2, from=0.05) then linear(10, from=0.05, to=1)")

    assert (shift.minutes, shift.share_at(1), shift.share_at(12)) == (12, 0.05, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "linear(10, to=0.5)",  # never gets there
        "linear(10, to=2)",  # goes above
        "linear(5) then linear(5)",  # falls again
        "linear(10%)",  # of what
        "linear(5000)",  # two days are the most
        "linear(-1)",
        "linear(nan)",
        "Linear0PercentEvery1Minute",
        "",
        3,
    ],
)
def test_what_is_no_shift_is_refused_by_name(text: object) -> None:
    """The error's key is the target's field."""
    with pytest.raises(ConfigurationError) as caught:
        Target("digits", "live", 10, ramp=text)  # type: ignore[arg-type]  # as JSON may have it

    assert caught.value.key == "ramp"


def test_a_part_of_the_pool_has_two_standard_deviations_to_spare() -> None:
    """Which of n concurrent requests meet a version is drawn."""
    assert environments_for(100, 0.5) == 60
    assert environments_for(10, 0.1) == 3
    assert environments_for(10, 1.0) == 10
    assert environments_for(2, 0.9) == 2
