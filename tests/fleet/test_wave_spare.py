"""The spare of a wave: one environment that users find free while the others are held."""

from __future__ import annotations

from dataclasses import replace

from tests.fleet.pool import MemoryPool
from tests.fleet.waves import TEN
from warmer.fleet import Outcome, run_wave
from warmer.ping import Ping


def test_keeps_a_spare_that_is_not_held() -> None:
    """One more ping goes last, without a release time; its environment is told apart."""
    pool = MemoryPool()

    report = run_wave(TEN, pool, clock=pool.clock)

    held = [ping for ping in pool.pings if ping.release_at]
    assert len(held) == 10
    assert pool.pings[-1].release_at == 0.0
    assert pool.pings[-1].index == 10
    assert pool.connections == 11
    assert report.sent == 12


def test_the_spare_may_be_one_of_the_number() -> None:
    """All but one are held, and one ping less proves as many."""
    pool = MemoryPool(spare_joins=True)

    report = run_wave(replace(TEN, spare_within=True), pool, clock=pool.clock)

    held = [ping for ping in pool.pings if ping.release_at]
    assert len(held) == 9
    assert pool.pings[-1].release_at == 0.0
    assert pool.connections == 10
    assert (report.sent, report.outcomes[Outcome.DUPLICATE]) == (11, 1)  # the probe's
    assert (report.proven, report.spares, report.ok) == (10, (), True)


def test_a_spare_of_the_number_that_met_another_ping_is_topped_up() -> None:
    """It proved nothing; the next round does."""

    def same(number: int, ping: Ping, payload: bytes) -> bytes:
        late = ping.index == 9 and number < 11
        return payload.replace(b'"environment-10"', b'"environment-1"') if late else payload

    pool = MemoryPool(answer=same, spare_joins=True)

    report = run_wave(replace(TEN, spare_within=True), pool, clock=pool.clock)

    assert (report.rounds, report.proven, report.ok) == (2, 10, True)


def test_an_environment_beyond_those_asked_for_is_a_spare() -> None:
    """It is warm, and counted, but not as one of those."""

    def other(number: int, ping: Ping, payload: bytes) -> bytes:
        return payload.replace(b'"environment-', b'"other-') if ping.index == 10 else payload

    report = run_wave(TEN, pool := MemoryPool(answer=other), clock=pool.clock)

    assert (report.proven, len(report.spares)) == (10, 1)
    assert report.outcomes[Outcome.SPARE] == 1
    assert report.ok
