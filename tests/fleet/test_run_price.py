"""What a run costs, and what a policy weighs for it."""

from __future__ import annotations

import pytest

from warmer.fleet.economics import Economics
from warmer.fleet.memory import HANDED_SECONDS, REST_SECONDS
from warmer.fleet.price import PRICES
from warmer.fleet.run_price import ABREAST, HANDED_FUNCTIONS, KEPT_A_DAY, RunPrice


def test_a_look_is_a_run_that_moves_its_schedule() -> None:
    """The schedule, the invoke, what the policy takes and the log; no item of a table."""
    one = RunPrice(run_ms=100.0, move_ms=20.0, look_ms=5.0, memory_mb=1024)
    each = PRICES.schedule + PRICES.request + 0.125 * PRICES.gb_second + PRICES.logs(370)

    assert one.weighed(Economics.of()).look == pytest.approx(each)


def test_functions_share_a_run_and_a_log_group() -> None:
    """Which is read once for all of them."""
    alone, many = (RunPrice(functions=n).weighed(Economics.of()) for n in (1, 100))

    each = RunPrice().look()  # which each takes for itself
    assert many.look - each == pytest.approx((alone.look - each) / 100)
    assert many.log_look == pytest.approx(alone.log_look / 100)
    line = RunPrice().waves_log()  # in which a run tells of all its waves
    assert many.ping == pytest.approx(alone.ping - line * 99 / 100)


def test_log_groups_are_read_side_by_side() -> None:
    """As many at once as the warmer reads."""
    alone = RunPrice().weighed(Economics.of()).log_look
    own = RunPrice(functions=100, log_groups=100).weighed(Economics.of()).log_look
    few = RunPrice(functions=100, log_groups=ABREAST).weighed(Economics.of()).log_look
    assert own == pytest.approx(alone / ABREAST)
    assert few == pytest.approx(alone / 100)


def test_a_report_that_was_read_before_costs_less() -> None:
    """It is only found to be that."""
    price = RunPrice(log_ms=10.0, log_line_ms=0.1, log_again_ms=0.02, memory_mb=1024)
    assert price.log_reads(2, 100, 50) == pytest.approx(0.031 * PRICES.gb_second)


def test_what_finds_no_room_in_the_schedules_input_is_paid_for() -> None:
    """So many items a day for each function beyond those that do."""
    assert RunPrice(functions=HANDED_FUNCTIONS).memory_day() == 0.0
    half = RunPrice(functions=2 * HANDED_FUNCTIONS).memory_day()
    assert half == pytest.approx(KEPT_A_DAY / 2 * PRICES.table_write)


def test_prices_are_those_of_what_the_warmer_does() -> None:
    """Figures that are said in two places agree."""
    from warmer.fleet import use_log

    assert use_log.ABREAST == ABREAST
    assert KEPT_A_DAY == HANDED_SECONDS / REST_SECONDS
