"""What keeping warm costs: prices, bills, and a month of runs."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.fleet.situations import situation
from warmer.fleet import Target
from warmer.fleet.forecast import monthly_bill, runs_a_wave
from warmer.fleet.knowledge import Knowledge
from warmer.fleet.plan import Subject, make_plan
from warmer.fleet.price import PRICES, SECONDS_A_MONTH, Bill

TEN = Subject(
    Target("digits", "live", 10),
    "7",
    "live",
    known=Knowledge(init_type="on-demand", memory_mb=1769, ping_ms=40.0),
)


def test_a_look_costs_as_much_as_nine_pings() -> None:
    """Of 40 ms, at one full vCPU, duration alone. Prices: AWS Lambda, Amazon CloudWatch."""
    ping = PRICES.invokes(0, 40.0, 1769)

    assert 8 < PRICES.metric_read / ping < 9


def test_a_bill_adds_up() -> None:
    """Every item is in the total."""
    bill = Bill(pings=1, runs=2, reads=4, logs=8, metrics=16, table=32)

    assert bill.total == 63
    assert set(bill.as_dict()) == {field.name for field in fields(Bill)} | {"total"}


@pytest.mark.parametrize(
    ("period", "idle", "runs"),
    [(300, 300, 1), (300, 600, 1), (300, 660, 2), (60, 300, 4), (60, 600, 9), (3600, 300, 1)],
)
def test_a_longer_idle_lifetime_needs_fewer_waves(period: float, idle: float, runs: int) -> None:
    """A wave lasts for as many runs as fit into T, less the minute by which one may be late."""
    assert runs_a_wave(period, idle) == runs


def test_a_month_of_waves_of_ten_has_all_its_items() -> None:
    """Pings, runs, logs; metrics and the table where they are on."""
    plan = make_plan([TEN], situation(idle=300.0))

    bill = monthly_bill(plan, 300, metrics=True, table=True)

    waves = SECONDS_A_MONTH / 300
    assert bill.pings == pytest.approx(waves * PRICES.invokes(11, 400, 1769))
    assert bill.runs > waves * (PRICES.schedule + PRICES.request)
    assert bill.logs > waves * PRICES.logs(12 * 300)
    assert bill.metrics == pytest.approx(2.10)
    assert bill.table == pytest.approx(3 * waves * PRICES.table_write, rel=0.01)  # and the lease
    assert monthly_bill(plan, 300).metrics == monthly_bill(plan, 300).table == 0


def test_what_is_left_alone_costs_no_pings() -> None:
    """The runs remain."""
    known = Knowledge(init_type="snap-start")
    plan = make_plan([Subject(TEN.target, "7", "live", known=known)], situation())

    bill = monthly_bill(plan, 300)

    assert bill.pings == 0
    assert bill.runs > 0
