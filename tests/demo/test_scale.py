"""Scales and quantities of the page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.demo.quantity import counted, milliseconds, number, times
from infra.demo.scale import Linear, Logarithmic, round_up

_positive = st.floats(1e-3, 1e6)


@given(_positive)
def test_a_rounded_limit_holds_the_value_and_not_twice_it(value: float) -> None:
    """An axis is long enough, and at least half full."""
    assert value <= round_up(value) <= 2 * value * (1 + 1e-9)


@given(_positive, st.integers(2, 12))
def test_linear_ticks_are_round_even_and_few(highest: float, most: int) -> None:
    """They begin at zero, and there are no more than asked for and one."""
    ticks = Linear(0.0, highest, 0.0, 100.0).ticks(most)
    assert ticks[0] == 0.0
    assert 1 <= len(ticks) <= most + 1
    assert ticks[-1] <= highest * (1 + 1e-6)


@given(st.lists(_positive, min_size=1, max_size=9))
def test_a_logarithmic_scale_holds_all_values_in_order(values: list[float]) -> None:
    """Larger is further right, and round ends enclose all."""
    scale = Logarithmic.around(values, 10.0, 90.0)
    places = [scale(value) for value in sorted(values)]
    assert places == sorted(places)
    assert scale.lowest <= min(values) * (1 + 1e-9)
    assert max(values) <= scale.highest * (1 + 1e-9)
    assert scale.ticks()[0] == scale.lowest
    assert len(scale.ticks()) >= 2
    assert scale.ticks()[-1] <= scale.highest * (1 + 1e-9) < scale.ticks()[-1] * 10.1


def test_what_is_outside_a_scale_is_at_its_end() -> None:
    """Nothing is drawn outside the frame."""
    linear = Linear(0.0, 10.0, 20.0, 40.0)
    assert (linear(-5.0), linear(5.0), linear(50.0)) == (20.0, 30.0, 40.0)
    logarithmic = Logarithmic(1.0, 100.0, 0.0, 10.0)
    assert [logarithmic(value) for value in (0.0, 10.0, 1e9)] == [0.0, 5.0, 10.0]


def test_equal_ratios_are_equal_steps() -> None:
    """One decade is as wide as the next."""
    scale = Logarithmic.around([1.5, 901.0], 0.0, 300.0)
    assert scale.ticks() == [1.0, 10.0, 100.0, 1000.0]
    assert [round(scale(tick)) for tick in scale.ticks()] == [0, 100, 200, 300]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (milliseconds(1034.4), "1,034 ms"),
        (milliseconds(3.46), "3.5 ms"),
        (counted(1, "ping"), "1 ping"),
        (counted(1200, "ping"), "1,200 pings"),
        (times(934.0, 22.5), "42"),
        (times(12_345.0, 1.0), "12,000"),
        (times(3.0, 2.0), "1.5"),
        (times(2.0, 3.0), ""),
        (times(2.0, 0.0), ""),
        (number(0.30000000000000004), "0.3"),
        (number(1000.0), "1,000"),
        (number(0.0), "0"),
        (number(1e-3), "0.001"),
    ],
)
def test_quantities_have_units_and_few_digits(shown: str, expected: str) -> None:
    """As people read them."""
    assert shown == expected
