"""What the demo says of its figures."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from infra.demo.figures import Burst, Figures, MonthlyCost, Wave
from infra.demo.load import Latencies
from infra.demo.table import results

WAVE = Wave(
    asked=10,
    proven=10,
    spares=1,
    new=11,
    rounds=1,
    distinct=11,
    pings=11,
    billed_ms=900,
    warmer_billed_ms=400,
    log_bytes=2000,
)
FIGURES = Figures(
    cold=Latencies((800.0, 900.0)),
    warm=Latencies((2.0, 3.0)),
    first_after_warm_ms=2.5,
    waves=(WAVE, replace(WAVE, new=0)),
    with_warmer=Burst(Latencies((4.0,) * 10), 0),
    without_warmer=Burst(Latencies((900.0,) * 10), 10),
    alive_after_idle=0,
    cost=MonthlyCost(0.31, 186.5, 8640),
    seconds=120.0,
)


def test_the_promised_outcome_has_no_problems() -> None:
    """All proven, no cold start with the warmer, some without, and an empty pool after T."""
    assert FIGURES.proof == []
    lost = replace(WAVE, new=1, lost={"idle": 1})
    assert replace(FIGURES, waves=(WAVE, lost)).proof == []
    no_spare = replace(WAVE, spares=0, new=10, distinct=10)
    assert replace(FIGURES, waves=(no_spare, replace(WAVE, new=1))).proof == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"waves": (replace(WAVE, proven=9, distinct=10),)}, "9 of 10 environments proven"),
        ({"waves": (replace(WAVE, distinct=8),)}, "8 by the cloud's ledger"),
        (
            {"waves": (WAVE, replace(WAVE, new=2, lost={"idle": 1}))},
            "2 of 11 environments were new, where 10 were there",
        ),
        ({"with_warmer": Burst(Latencies((4.0,)), 1)}, "1 cold starts in spite of the warmer"),
        ({"without_warmer": Burst(Latencies((4.0,)), 0)}, "no cold start without the warmer"),
        ({"alive_after_idle": 3}, "3 environments were alive"),
    ],
)
def test_whatever_is_not_as_promised_is_named(changed: dict[str, Any], problem: str) -> None:
    """Each broken promise is a sentence of its own."""
    (said,) = replace(FIGURES, **changed).proof
    assert problem in said


def test_json_has_the_documented_keys() -> None:
    """The keys that machines read."""
    printed = FIGURES.as_dict()
    assert {"cold_ms", "warm_p50_ms", "warm_p99_ms", "first_after_warm_ms"} <= printed.keys()
    assert {"asked", "proven", "rounds", "billed_ms"} <= printed["wave"].keys()
    for burst in ("with_warmer", "without_warmer"):
        assert {"requests", "cold_starts", "p50_ms", "max_ms"} == printed["burst"][burst].keys()


def test_the_table_shows_cold_beside_warm() -> None:
    """One table holds latencies, cold starts, environments and dollars."""
    text = StringIO()
    Console(width=100, file=text).print(results(FIGURES))
    for expected in ("900 ms", "10 of 10", "0 of 10", "186.50", "0.31", "environments proven"):
        assert expected in text.getvalue()
