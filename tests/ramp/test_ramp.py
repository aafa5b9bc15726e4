"""Ramps as functions of the step."""

from __future__ import annotations

import json
import math
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.errors import ConfigurationError
from warmer.ramp import Phase, Ramp, transformer

CLIMBS = ("linear", "cosine", "polynomial", "sqrt", "staircase", "exponential")

climbs = st.builds(
    Phase,
    shape=st.sampled_from(CLIMBS),
    steps=st.integers(0, 300),
    start=st.floats(0.001, 1.0),
)
falls = st.builds(
    Phase,
    shape=st.sampled_from(CLIMBS),
    steps=st.integers(0, 300),
    end=st.floats(0.001, 1.0),
)
ramps = st.builds(lambda up, down: Ramp((up, down)), climbs, falls)


@given(ramps)
def test_it_climbs_then_falls(ramp: Ramp) -> None:
    """No step of a warm-up is below the one before it, none after it above."""
    top, end = (int(joint) for joint in ramp.joints)
    climb = [ramp(step) for step in range(top)]
    fall = [ramp(step) for step in range(top, end + 1)]
    slack = 1e-12  # what floating point may lose between two values
    assert all(b >= a - slack for a, b in pairwise(climb))
    assert all(b <= a + slack for a, b in pairwise(fall))


@given(ramps)
def test_its_ends_are_exact(ramp: Ramp) -> None:
    """The peak is 1 and the last value is the one that was asked for, to the last bit."""
    top, end = (int(joint) for joint in ramp.joints)
    assert end == top or ramp(top) == 1.0
    assert ramp(end) == ramp(end + 1000) == ramp.phases[1].end


@given(climbs.filter(lambda phase: phase.shape != "staircase" and (phase.steps or 0) > 0))
def test_it_is_continuous_at_the_joint(climb: Phase) -> None:
    """Just before the peak it is just below it."""
    ramp = Ramp((climb, Phase(shape="hold")))
    assert ramp(ramp.joints[0] * (1 - 1e-12)) == pytest.approx(1.0, abs=1e-5)


@given(ramps, st.integers(0, 700))
def test_resumed_it_equals_the_straight_run(ramp: Ramp, first: int) -> None:
    """From whatever step."""
    resumed = ramp.resumed(first)
    assert [resumed(step) for step in range(50)] == [ramp(first + step) for step in range(50)]


@given(ramps)
def test_an_array_gives_what_its_numbers_give(ramp: Ramp) -> None:
    """Vectorised over NumPy arrays of any shape, to 1e-12."""
    steps = np.arange(0, 660).reshape(2, -1)
    values = ramp(steps)
    assert values.dtype == np.float64
    assert values.shape == steps.shape
    expected = [ramp(int(step)) for step in steps.flat]
    np.testing.assert_allclose(values.reshape(-1), expected, rtol=0, atol=1e-12)


def test_a_numpy_number_is_a_number() -> None:
    """As a step may be one."""
    one: Any = np.int64(1)
    assert Ramp.parse("linear(4)")(one) == 0.25


@given(ramps)
def test_it_survives_text_json_and_pickle(ramp: Ramp) -> None:
    """Printed, serialised or copied, it is the same."""
    assert Ramp.parse(str(ramp)) == ramp
    assert Ramp.from_dict(json.loads(json.dumps(ramp.as_dict()))) == ramp
    copy = pickle.loads(pickle.dumps(ramp))
    assert copy == ramp
    assert copy(7) == ramp(7)


def test_peak_and_floor_apply() -> None:
    """The peak multiplies all; the floor holds after the warm-up, not in it."""
    ramp = Ramp.parse("linear(10) then linear(10)", peak=0.5, floor=0.4)
    assert [ramp(step) for step in (0, 5, 10, 15, 20, 99)] == [0.0, 0.25, 0.5, 0.25, 0.2, 0.2]


@pytest.mark.parametrize(
    ("text", "fields", "joints"),
    [
        ("linear(10%) then hold(70%) then sqrt(20%)", {"total": 1003}, (101, 803, 1003)),
        ("linear(3%) then cosine", {"total": 1000}, (30, 1000)),
        ("linear(500) then hold(10%) then cosine", {"total": 1000}, (500, 600, 1000)),
        ("linear(2 epochs) then cosine", {"total": 90, "steps_per_epoch": 9}, (18, 90)),
        ("linear(0.5 epochs)", {"steps_per_epoch": 9}, (4,)),
        ("linear(10) then inverse_sqrt", {}, (10, math.inf)),
    ],
)
def test_lengths_are_steps_shares_and_epochs(
    text: str, fields: dict[str, int], joints: tuple[float, ...]
) -> None:
    """Shares are rounded up, and those that follow one another add up."""
    assert Ramp.parse(text, **fields).joints == joints


def test_a_staircase_begins_with_its_first_step() -> None:
    """In four increments over eight steps; the first is taken at once after step 0."""
    ramp = Ramp.parse("staircase(8, increments=4)")
    expected = [0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1, 1]
    assert [ramp(step) for step in range(10)] == expected


def test_a_constant_warm_up_is_below_the_peak() -> None:
    """And training goes on from the peak (Goyal et al., section 2.2)."""
    ramp = Ramp.parse("hold(5, from=0.1) then linear(10)")
    assert [ramp(4), ramp(5), ramp(10)] == [0.1, 1.0, 0.5]


def test_the_transformers_schedule_is_the_papers() -> None:
    """Equation 3 of "Attention Is All You Need"."""
    ramp = transformer(512)
    for step in (1, 100, 4000, 4001, 100_000):
        expected = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
        assert ramp(step) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "fields", "named"),
    [
        ("", {}, "ramp is ''"),
        ("line(5)", {}, r"phases\[0\]: line: shape"),
        ("linear(-5)", {}, r"phases\[0\]: linear: steps is -5"),
        ("linear(5, 6)", {}, r"steps is 6; expected to be given once"),
        ("linear(5, 6%)", {}, r"ratio is 0.06; expected no length beside steps"),
        ("linear(5 minutes)", {}, r"phases\[0\]: linear is '5 minutes'"),
        ("linear(120%)", {"total": 10}, r"ratio is 1.2"),
        ("linear(5, from=nan)", {}, r"start is nan"),
        ("linear(5, from=2)", {}, r"phases\[0\]: linear: from is 2; expected at most 1"),
        ("linear(5, from=0.5, to=0.1) then hold", {}, r"from is 0.5; expected at most 0.1"),
        ("exponential(5)", {}, r"phases\[0\]: exponential: from is 0.0; expected above 0"),
        ("linear(5) then exponential(5)", {}, r"phases\[1\]: exponential: to is 0.0"),
        ("linear(600) then cosine", {"total": 500}, r"at most 500 steps: the ramp's total is 500"),
        ("linear(10%) then cosine", {}, r"total is None"),
        ("linear(5) then cosine", {}, r"phases\[1\]: cosine: steps is None"),
        ("linear(5) then hold then cosine(5)", {}, r"a length for the hold before it"),
        ("linear(2 epochs)", {}, r"steps_per_epoch is None"),
        ("linear(5)", {"total": 0}, r"total is 0"),
        ("linear(5)", {"peak": math.inf}, r"peak is inf"),
        ("linear(5)", {"floor": 2}, r"floor is 2"),
        ("linear(5, power=2)", {}, r"power is 2; expected an option of linear: none"),
        ("polynomial(5, power=-1)", {}, r"power is -1"),
        ("staircase(5, increments=2.5)", {}, r"increments is 2.5; expected a whole number"),
        ("step", {}, r"phases\[0\]: step: every is 0"),
        ("inverse_sqrt", {}, r"phases\[0\]: inverse_sqrt: timescale is 0"),
        ("hold(5, to=1)", {}, r"end is 1; expected none for hold"),
        ("linear(5) linear(6)", {}, r"phases\[0\] is 'linear\(5\) linear\(6\)'"),
    ],
)
def test_what_makes_no_ramp_is_refused(text: str, fields: dict[str, float], named: str) -> None:
    """The error names the phase and the argument."""
    with pytest.raises(ConfigurationError, match=named):
        Ramp.parse(text, **fields)


@pytest.mark.parametrize("step", [-1, math.nan, math.inf, "3", None])
def test_a_step_is_a_number_from_0(step: float) -> None:
    """Nothing else has a value."""
    with pytest.raises(ConfigurationError, match="step is"):
        Ramp.parse("linear(5)")(step)


def test_an_array_of_steps_is_checked_too() -> None:
    """One bad step refuses all."""
    with pytest.raises(ConfigurationError, match="step is"):
        Ramp.parse("linear(5)")(np.array([1.0, -1.0]))


@pytest.mark.parametrize("fields", [{}, {"ramp": 5}, {"ramp": "linear(5)", "colour": 1}])
def test_a_dictionary_of_something_else_is_refused(fields: dict[str, object]) -> None:
    """Not guessed at."""
    with pytest.raises(ConfigurationError):
        Ramp.from_dict(fields)


@given(st.text(max_size=40))
def test_any_text_is_a_ramp_or_refused(text: str) -> None:
    """By a ConfigurationError, whatever it is."""
    try:
        assert Ramp.parse(text, total=100, steps_per_epoch=10).phases
    except ConfigurationError as error:
        assert error.key


def test_resuming_and_the_papers_figures_are_checked() -> None:
    """Whole numbers only."""
    with pytest.raises(ConfigurationError, match="first_step"):
        Ramp.parse("linear(5)").resumed(-1)
    with pytest.raises(ConfigurationError, match="d_model"):
        transformer(0)
    with pytest.raises(ConfigurationError, match="warmup_steps"):
        transformer(512, 0)


def test_a_ramp_without_phases_is_refused() -> None:
    """It has no value."""
    with pytest.raises(ConfigurationError, match="phases"):
        Ramp(())
