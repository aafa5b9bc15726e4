"""What the benchmark of waves makes of what it measured."""

from __future__ import annotations

import pytest

from infra.bench.fleet_methods import Method
from infra.bench.fleet_result import held_ratios, missed_of_load, print_waves
from infra.bench.fleet_waves import Wave


def wave(method: Method, held_ms: float, pool: str = "warm", proven: int | None = 10) -> Wave:
    """One that reached ten environments."""
    return Wave(
        method=method.title,
        size=10,
        pool=pool,
        reached=10,
        alive=10,
        invokes=10,
        cold=0,
        throttled=0,
        held_ms=held_ms * 10,
        billed_ms=held_ms * 10,
        wall_ms=held_ms,
        spread_ms=1.0,
        proven=proven,
    )


def rounds(ours: list[float], fixed: list[float]) -> list[Wave]:
    """Ours and the fixed hold's, one after the other."""
    found = []
    for mine, theirs in zip(ours, fixed, strict=True):
        found += [wave(Method.OURS, mine), wave(Method.HELD, theirs)]
    return found


def test_the_ratio_is_that_of_the_medians() -> None:
    """One stalled wave on either side does not count."""
    (found,) = held_ratios(rounds([20, 30, 400], [80, 75, 900]))
    assert found.ratio == pytest.approx(30 / 80)
    assert found.low < found.ratio < found.high
    assert found.met


def test_a_wave_that_proved_fewer_misses_the_goal() -> None:
    """However little was held, and be it the one to a cold pool."""
    cold = wave(Method.OURS, 1.0, "cold", proven=9)
    (found,) = held_ratios([cold, *rounds([1.0], [75.0])])
    assert found.fewest == 9
    assert not found.met
    assert "MISSED" in found.line


def test_more_than_half_of_the_fixed_hold_misses_the_goal() -> None:
    """The goal is a half, and half is enough."""
    assert held_ratios(rounds([37.5], [75.0]))[0].met
    assert not held_ratios(rounds([37.6], [75.0]))[0].met


def test_the_table_has_a_row_for_each_method(capsys: pytest.CaptureFixture[str]) -> None:
    """In each pool, with the spread of what was held, and the goal below."""
    waves = [wave(method, 50.0, pool) for method in Method for pool in ("cold", "warm", "warm")]
    print_waves(waves)
    shown = capsys.readouterr().out
    assert shown.count("lambda-warmer-py 0.6.0") == 2
    assert "50 (50 to 50)" in shown
    assert "N = 10: held per environment 1.00" in shown


def test_missed_goals_of_the_other_parts_are_named() -> None:
    """Each by what was wanted; none where all are reached."""
    run = {"seconds": 40.0, "proven": 2000}
    reached = {
        "dispatch": [{"pings": 1000, "spread_ms": [300.0]}],
        "many": {"asked": 2000, "cold": run, "warm": run},
        "decorator": {"decorator_us": 1.0, "import_ms": 10.0},
    }
    assert missed_of_load({}) == missed_of_load(reached) == []
    missed = missed_of_load(
        {
            "dispatch": [{"pings": 1000, "spread_ms": [1300.0]}],
            "many": {"asked": 2000, "cold": {**run, "seconds": 61.0}, "warm": {**run, "proven": 1}},
            "decorator": {"decorator_us": 6.0, "import_ms": 16.0},
        }
    )
    assert len(missed) == 5
