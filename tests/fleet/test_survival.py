"""The idle lifetime, learnt from environments that answered and those that were gone."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.fleet.survival import LIFETIMES, IdleLifetime, Survival, coarse

SURVIVALS = st.builds(Survival, st.floats(0, 7200), st.booleans())


def seen(lifetimes: list[float], pauses: list[float]) -> IdleLifetime:
    """What is learnt where an environment with each lifetime is met after each pause."""
    pairs = zip(lifetimes, pauses, strict=True)
    return IdleLifetime.learnt(Survival(pause, pause < life) for life, pause in pairs)


@pytest.mark.parametrize("lifetime", [360.0, 600.0, 1500.0])
def test_the_longest_lifetime_that_was_lived_through_is_found(lifetime: float) -> None:
    """From pings half a minute before each of the lifetimes that are told apart."""
    pauses = [seconds - 30 for seconds in LIFETIMES] * 8

    assert seen([lifetime] * len(pauses), pauses).counted_on() == lifetime


def test_a_lifetime_is_not_counted_on_before_it_was_tried() -> None:
    """Six pauses without a failure are too few for a chance of 0.8 with 90 % confidence."""
    six = IdleLifetime.learnt([Survival(870, alive=True)] * 6)
    seven = IdleLifetime.learnt([Survival(870, alive=True)] * 7)

    assert (six.counted_on(), seven.counted_on()) == (300.0, 900.0)


def test_a_default_that_is_too_long_is_given_up() -> None:
    """Where more environments were gone by then than were alive."""
    short = IdleLifetime.learnt([Survival(290, alive=False)] * 3)

    assert short.counted_on() < 290
    assert short.counted_on(default=120.0) == 120.0


def test_a_failure_among_many_does_not_undo_what_was_learnt() -> None:
    """Lambda ends environments for other reasons, too."""
    many = [Survival(570, alive=True)] * 30

    assert IdleLifetime.learnt([*many, Survival(400, alive=False)]).counted_on() == 600.0


def test_random_lifetimes_are_counted_on_as_far_as_most_of_them_last() -> None:
    """From 300 to 900 s evenly: four in five live through 420 s."""
    chance = random.Random(5)
    pauses = [chance.choice(LIFETIMES) - 30 for _ in range(4000)]
    lifetimes = [chance.uniform(300, 900) for _ in pauses]

    learnt = seen(lifetimes, pauses)

    assert learnt.counted_on() == 360.0
    assert learnt.chances[LIFETIMES.index(600.0)] == pytest.approx(0.55, abs=0.06)


@given(st.lists(SURVIVALS, max_size=60))
def test_the_chance_to_live_never_rises_with_the_pause(survivals: list[Survival]) -> None:
    """Whatever was seen."""
    chances = IdleLifetime.learnt(survivals).chances

    assert all(0 <= later <= sooner <= 1 for sooner, later in itertools.pairwise(chances))


@given(st.lists(SURVIVALS, max_size=60))
def test_something_is_always_counted_on(survivals: list[Survival]) -> None:
    """A positive number of seconds."""
    assert 0 < IdleLifetime.learnt(survivals).counted_on() <= LIFETIMES[-1]


def test_neighbours_whose_parts_rise_are_pooled() -> None:
    """Half alive after 300 s, half after 360 s, all after 480 s: five in six after each."""
    halves = [Survival(seconds, alive) for seconds in (300, 360) for alive in (True, False)]

    chances = IdleLifetime.learnt([*halves * 10, *[Survival(480, alive=True)] * 80]).chances

    assert chances[:3] == pytest.approx([100 / 120] * 3, abs=0.01)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_coarse_counts_are_few_in_order_and_nearly_what_they_were(one: int, other: int) -> None:
    """Exactly that up to 15; of more at most an eighth is left out, and never is the order."""
    assert coarse(one) == one if one < 16 else one * 7 / 8 < coarse(one) <= one
    assert coarse(coarse(one)) == coarse(one)
    assert (coarse(one) <= coarse(other)) or one > other
