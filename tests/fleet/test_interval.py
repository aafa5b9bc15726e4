"""How often to ping, by what a function's own waves and others of its warmer tell of T."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from warmer.fleet import places
from warmer.fleet.auto import Auto
from warmer.fleet.economics import Economics
from warmer.fleet.interval import INTERVALS, MARGIN, interval
from warmer.fleet.run_price import RunPrice
from warmer.fleet.survival import COUNT, LIFETIMES

FIGURES = Auto("cold", 1e-4, RunPrice(functions=100).weighed(Economics.of())).figures
Counts = Mapping[float, float]


def _interval(alive: Counts, gone: Counts, others: tuple[Counts, Counts] = ({}, {})) -> float:
    """The lifetime for which it is chosen, by how often each of LIFETIMES was lived through."""
    state = [0.0] * places.STATE
    rows = {places.ALIVE: alive, places.DEAD: gone}
    rows |= {places.OTHERS: others[0], places.OTHERS + COUNT: others[1]}
    for first, counts in rows.items():
        for seconds, count in counts.items():
            state[first + LIFETIMES.index(seconds)] = count
    return INTERVALS[interval(state, FIGURES)] + MARGIN


@pytest.mark.parametrize("lifetime", [360.0, 600.0, 1500.0])
def test_what_others_saw_sets_the_interval_of_one_that_saw_nothing(lifetime: float) -> None:
    """All of theirs lived through T, and none any longer."""
    following = LIFETIMES[LIFETIMES.index(lifetime) + 1]
    assert _interval({}, {}, ({lifetime: 30.0}, {following: 10.0})) == lifetime


def test_own_evidence_prevails_over_that_of_others() -> None:
    """A function whose environments live for less than the others' goes its own way."""
    others: tuple[Counts, Counts] = ({600.0: 500.0}, {720.0: 50.0})
    assert _interval({}, {}, others) == 600.0
    assert _interval({300.0: 30.0}, {330.0: 10.0}, others) == 300.0


def test_a_lifetime_that_nobody_tried_is_not_taken_where_a_shorter_is_known() -> None:
    """Others lived through ten minutes, and no more is known."""
    assert _interval({}, {}, ({600.0: 5.0}, {})) == 600.0


def test_a_likely_lifetime_that_nobody_tried_is_tried() -> None:
    """Others have lived through five minutes, as all do that live for ten."""
    assert _interval({}, {}, ({300.0: 5.0}, {})) == 600.0


def test_pings_every_five_minutes_are_kept_up_where_none_was_gone_by_then() -> None:
    """Many are within the half minute after that: pings for six minutes would cost more."""
    seen: tuple[Counts, Counts] = ({330.0: 500.0}, {360.0: 50.0})
    assert _interval({}, {}, seen) == 330.0


def test_where_nobody_tells_anything_the_prior_decides() -> None:
    """As for a function alone."""
    assert _interval({}, {}) == 600.0


def _trial(others: tuple[Counts, Counts], trying: float = 0.0) -> tuple[float, bool]:
    """The lifetime that is chosen where so many others try a longer one; whether that is to try."""
    state = [0.0] * places.STATE
    for first, counts in zip((places.OTHERS, places.OTHERS + COUNT), others, strict=True):
        for seconds, count in counts.items():
            state[first + LIFETIMES.index(seconds)] = count
    state[places.OTHERS_TRYING] = trying
    chosen = INTERVALS[interval(state, FIGURES)] + MARGIN
    return chosen, bool(state[places.TRIAL])


def test_a_longer_lifetime_is_tried_when_it_may_save_more_than_the_inits_at_risk() -> None:
    """After many waves; not after a few."""
    assert _trial(({600.0: 20.0}, {})) == (600.0, False)
    chosen, tried = _trial(({600.0: 2000.0}, {}))
    assert chosen > 600.0
    assert tried


def test_fewer_try_it_the_more_are_trying() -> None:
    """Nobody knows yet whether those pay with an INIT."""
    assert _trial(({600.0: 2000.0}, {}), trying=3.0)[1]
    assert _trial(({600.0: 2000.0}, {}), trying=300.0) == (600.0, False)


def test_all_take_a_longer_lifetime_that_many_have_lived_through() -> None:
    """Whoever tries what; and one that is likely then, at no risk that is known of."""
    chosen, tried = _trial(({600.0: 2000.0, 900.0: 50.0}, {}), trying=300.0)
    assert chosen >= 900.0
    assert not tried


def test_a_lifetime_that_some_live_through_and_some_do_not_is_no_longer_tried() -> None:
    """T is random there, and the shorter interval is cheaper."""
    seen: tuple[Counts, Counts] = ({600.0: 2000.0, 720.0: 10.0}, {720.0: 10.0, 900.0: 10.0})
    assert _trial(seen) == (600.0, False)


def test_few_functions_rely_at_once_on_what_none_is_known_to_have_lived_through() -> None:
    """The others ping every five minutes until those few tell."""
    assert _trial(({}, {})) == (600.0, True)
    assert _trial(({}, {}), trying=2.0) == (600.0, True)
    assert _trial(({}, {}), trying=3.0) == (330.0, False)
    assert _trial(({360.0: 5.0}, {}), trying=3.0) == (360.0, False)


def test_all_rely_on_it_once_one_has_lived_through_it() -> None:
    """It is no trial any more, however many rely on it."""
    assert _trial(({600.0: 1.0}, {}), trying=300.0) == (600.0, False)


def test_a_function_alone_does_not_try_again_and_again_what_failed() -> None:
    """A hundred waves of its own lived through ten minutes, and three were gone at twelve."""
    assert _interval({600.0: 100.0}, {720.0: 3.0}) == 600.0
