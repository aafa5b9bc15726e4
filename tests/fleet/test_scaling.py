"""How fast a function's environments may grow in number."""

from __future__ import annotations

import pytest

from warmer.fleet.scaling import ScalingRate


class Hands:
    """A clock that is set by hand."""

    at = 100.0

    def __call__(self) -> float:
        """The time it shows."""
        return self.at


def test_a_thousand_are_there_at_once() -> None:
    """AWS page: "Lambda scaling behavior"."""
    rate = ScalingRate(Hands())

    assert rate.take("f", 901) == 0.0
    assert rate.take("f", 901) == pytest.approx(8.02)


def test_each_function_scales_by_itself() -> None:
    """AWS page: "Lambda scaling behavior"."""
    rate = ScalingRate(Hands())
    rate.take("f", 1000)

    assert rate.take("g", 1000) == 0.0


def test_the_room_comes_back_in_ten_seconds_and_does_not_accrue() -> None:
    """AWS page: "Lambda scaling behavior"."""
    clock = Hands()
    rate = ScalingRate(clock)
    rate.take("f", 1000)
    clock.at += 5
    assert rate.take("f", 500) == 0.0
    clock.at += 3600

    assert rate.take("f", 1001) == pytest.approx(0.01)


def test_what_met_warm_environments_is_given_back() -> None:
    """Only new ones count."""
    rate = ScalingRate(Hands())
    rate.take("f", 900)
    rate.give_back("f", 890)

    assert rate.take("f", 990) == 0.0
