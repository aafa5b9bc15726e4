"""What the smoke run makes of answers: figures that tell one kind of cloud from another."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from infra.smoke import measures
from infra.smoke.command import main, most_usd
from infra.smoke.measures import IdleSearch
from infra.smoke.stack import SmokeStack
from warmer.fleet.report import WaveReport

STACK = SmokeStack("s", compiled=True)


class Cloud:
    """Answers as functions would: with a way of routing, a clock, CPUs, and an idle lifetime."""

    def __init__(self, routing: str = "last", ahead: float = 0.0, idle: float = 0.2) -> None:
        self._random = random.Random(7) if routing == "random" else None
        self._ahead = ahead
        self._idle = idle
        self._used: dict[str, tuple[str, float]] = {}
        self._number = itertools.count()

    def invoke(self, function: str, event: Mapping[str, float]) -> dict[str, Any]:
        """One answer."""
        plain = function.endswith("plain")
        return {
            "environment": self._environment(function, event),
            "now": time.time() + self._ahead,
            "import_seconds": 0.6 if plain else 0.2,
            "init_work_seconds": 0.05,
            "work_seconds": 0.15 if event.get("work") else None,
        }

    def _environment(self, function: str, event: Mapping[str, float]) -> str:
        if event.get("sleep"):
            return f"e{next(self._number)}"
        if "idle" not in function:
            return f"e{self._random.randrange(4)}" if self._random else "e0"
        known, at = self._used.get(function, ("", 0.0))
        now = time.monotonic()
        name = known if known and now - at < self._idle else f"i{next(self._number)}"
        self._used[function] = (name, now)
        return name

    def wave(self, function: str, size: int) -> WaveReport:
        """Not asked for here."""
        raise AssertionError((function, size))


@pytest.mark.parametrize(("kind", "least", "most"), [("last", 1.0, 1.0), ("random", 0.0, 0.6)])
def test_routing_tells_the_last_used_from_a_random_one(
    kind: str, least: float, most: float
) -> None:
    """By the share of requests that reach the environment before them."""
    figure = measures.routing(Cloud(kind), STACK)
    assert figure.measured is not None
    assert least <= figure.measured <= most


def test_cpu_is_what_init_had_more() -> None:
    """Three times as long afterwards: three times the CPU."""
    assert measures.cpu(Cloud(), STACK).measured == pytest.approx(3.0)


def test_a_clock_that_is_ahead_is_told() -> None:
    """In milliseconds, within half of a request's time."""
    assert measures.skew(Cloud(ahead=2.0), STACK).measured == pytest.approx(2000, abs=50)


def test_imports_without_bytecode_take_longer() -> None:
    """By so many times; nothing is told where no byte-code could be made."""
    assert measures.bytecode(Cloud(), STACK).measured == pytest.approx(3.0)
    assert measures.bytecode(Cloud(), SmokeStack("s", compiled=False)).measured is None


def test_the_search_brackets_the_idle_lifetime() -> None:
    """Within the time that it is given."""
    names = measures.idle_functions(STACK)
    began = time.monotonic()
    search = IdleSearch(Cloud(idle=0.2), names, (0.0, 0.8), 1.5)
    figure = search.run()
    assert time.monotonic() - began < 3
    assert figure.measured is not None
    assert search.least <= 0.2 <= search.most
    assert search.rounds >= 2


def test_a_search_without_time_says_so() -> None:
    """And waits for nothing."""
    figure = IdleSearch(Cloud(), ["s-idle-1"], (100, 200), 1).run()
    assert figure.measured is None
    assert "too short for one round" in figure.detail


def test_nothing_is_deployed_before_the_cost_is_agreed_to() -> None:
    """It is printed first; no is no."""
    run = CliRunner().invoke(main, ["--endpoint-url", "http://127.0.0.1:9"], input="n\n")
    assert run.exit_code == 1
    assert f"costs at most ${most_usd():.3f}" in run.output
    assert most_usd() < 0.02
