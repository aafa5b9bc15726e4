"""Cloud time, and what is done when it has come."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from infra.cloud.agenda import Agenda
from infra.cloud.clock import Clock
from warmer.errors import ConfigurationError


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_a_clock_must_go_forward(rate: float) -> None:
    """The error says what a rate can be."""
    with pytest.raises(ConfigurationError, match=r"clock rate is .*a positive number"):
        Clock(rate)


def test_cloud_time_starts_with_the_wall_clock() -> None:
    """Aware, in UTC."""
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_faster_clock_makes_waits_shorter() -> None:
    """And its time goes on accordingly."""
    clock = Clock(3600)
    before = clock.now()
    threading.Event().wait(0.01)
    assert clock.real_seconds(3600) == 1
    assert clock.now() - before >= timedelta(seconds=36)


@pytest.fixture
def agenda() -> Iterator[Agenda]:
    """With a clock that makes an hour of a second."""
    made = Agenda(Clock(3600))
    yield made
    made.close()


def test_actions_run_in_the_order_of_their_moments(agenda: Agenda) -> None:
    """Not in the order in which they were entered, and what is past runs at once."""
    done: queue.Queue[int] = queue.Queue()
    now = agenda.clock.now()
    for minutes in (18, 12, 6, -5):
        agenda.at(now + timedelta(minutes=minutes), partial(done.put, minutes))
    assert [done.get(timeout=5) for _ in range(4)] == [-5, 6, 12, 18]


def test_an_action_is_not_run_early(agenda: Agenda) -> None:
    """Its moment has come when it runs."""
    ran: queue.Queue[datetime] = queue.Queue()
    due = agenda.clock.now() + timedelta(minutes=5)
    agenda.at(due, lambda: ran.put(agenda.clock.now()))
    assert ran.get(timeout=5) >= due


def test_an_action_that_fails_does_not_stop_the_others(
    agenda: Agenda, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    done = threading.Event()

    def fail() -> None:
        raise RuntimeError("no good")

    agenda.at(agenda.clock.now(), fail)
    agenda.at(agenda.clock.now(), done.set)
    assert done.wait(5)
    assert "no good" in caplog.text


def test_centuries_are_no_error(agenda: Agenda) -> None:
    """A thread cannot wait so long, so it looks again before."""
    done = threading.Event()
    agenda.at(datetime(9999, 12, 31, tzinfo=UTC), lambda: None)
    agenda.at(agenda.clock.now(), done.set)
    assert done.wait(5)


def test_closing_forgets_what_is_not_due() -> None:
    """And ends the thread."""
    agenda, ran = Agenda(Clock()), threading.Event()
    agenda.at(agenda.clock.now() + timedelta(hours=1), ran.set)
    agenda.close()
    assert not ran.is_set()
