"""One wave: what it proves, when it stops, and what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fleet.pool import START, ManualClock, MemoryPool
from tests.fleet.waves import TEN, counts, wave
from warmer.aws import InvokeReply, SignedInvoke
from warmer.errors import (
    AnswerTimeout,
    ConfigurationError,
    EndpointUnreachable,
    InvokeError,
)
from warmer.fleet import DispatchSpread, Outcome, Target, WaveSettings, run_wave
from warmer.fleet.answer import Answer
from warmer.fleet.budget import UNLIMITED, ConcurrencyBudget
from warmer.fleet.dispatch import Dispatcher, Sending, Sent
from warmer.fleet.tally import Tally
from warmer.fleet.wave import Progress, Wave
from warmer.ping import Ping, Reply


def test_proves_as_many_environments_as_were_asked() -> None:
    """Ten overlapping pings meet ten environments; one of them had answered the probe."""
    pool = MemoryPool()

    report = wave(pool)

    assert report.ok
    assert (report.proven, report.new, report.rounds, report.sent) == (10, 10, 1, 11)
    assert counts(report) == {"proven": 10, "duplicate": 1}
    assert pool.started == len(set(report.environments)) == 10
    assert report.problems == ()


def test_new_counts_only_environments_that_the_wave_started() -> None:
    """A second wave meets the environments of the first, and none of them is new."""
    pool = MemoryPool()
    wave(pool)
    again = MemoryPool()
    again.idle, again.started = pool.idle, pool.started

    report = wave(again)

    assert (report.proven, report.new) == (10, 0)


def test_one_environment_takes_one_ping() -> None:
    """For one environment the probe would be the wave, so there is none, and no hold."""
    pool = MemoryPool()

    report = wave(pool, Target("digits"))

    assert report.ok
    assert [ping.release_at for ping in pool.pings] == [0.0]
    assert None is pool.requests[0].qualifier


def test_probe_goes_alone_and_is_not_held() -> None:
    """The first ping has no release time, and its answer is in before any other goes out."""
    pool = MemoryPool()
    wave(pool)

    assert (pool.pings[0].size, pool.pings[0].release_at) == (1, 0.0)


def test_an_environment_is_new_whichever_of_its_answers_says_so() -> None:
    """A ping that was sent later may have arrived first, and started it."""
    first, later = (
        Answer(Outcome.PROVEN, reply=Reply("e-1", function_version="7", new=new), version="7")
        for new in (False, True)
    )
    tally = Tally(2)

    tally.add([first, later])

    assert tally.environments == {"e-1": True}


def test_a_version_that_has_answered_gets_no_probe() -> None:
    """All of the wave's pings go out together, and prove what a probe would."""
    pool = MemoryPool()

    report = wave(pool, replace(TEN, probed=True))

    assert report.ok
    assert (report.sent, {ping.size for ping in pool.pings}) == (10, {10})


def test_a_wave_without_a_probe_is_not_repeated_where_nobody_answered() -> None:
    """One round says what is wrong; another would meet the same."""
    pool = MemoryPool(answer=lambda *_: ("Unhandled", b'{"errorMessage": "no"}'))

    report = wave(pool, replace(TEN, probed=True))

    assert (report.rounds, report.proven, counts(report)) == (1, 0, {"function_error": 10})
    assert "no" in report.problems[0]


def test_pings_of_a_round_share_one_release_time() -> None:
    """All pings of a round name the same moment, each with its own index."""
    pool = MemoryPool()
    wave(pool)

    assert len({ping.release_at for ping in pool.pings[1:]}) == 1
    assert list(range(10)) == sorted(ping.index for ping in pool.pings[1:])
    assert {10} == {ping.size for ping in pool.pings[1:]}
    assert all(request.payload == b"{}" for request in pool.requests)


def test_tops_up_with_all_pings_until_all_are_proven() -> None:
    """When four of ten overlapped, all ten go out again: fewer would meet the proven ones."""
    pool = MemoryPool(overlap=[4, 10])

    report = wave(pool)

    assert report.ok
    assert (report.rounds, report.sent, report.proven) == (2, 21, 10)


def test_gives_up_after_the_bounded_rounds_and_says_how_many_are_proven() -> None:
    """A wave that never overlaps enough ends, is not ok, and names the shortfall."""
    pool = MemoryPool(overlap=[4])

    report = wave(pool)

    assert not report.ok
    assert (report.rounds, report.sent, report.proven) == (3, 31, 4)
    assert "4 of 10 environments of digits:live are proven warm after 3 rounds" in report.problems


def test_holds_longer_after_a_round_without_overlap() -> None:
    """The next round's release time is further away."""
    pool = MemoryPool(overlap=[4, 10])
    wave(pool)
    first, second = sorted({ping.release_at for ping in pool.pings[1:]})

    assert second > first > START + pool.clock.now


def test_never_holds_longer_than_the_target_allows() -> None:
    """`max_hold_ms` bounds the release time whatever the spread asks for."""
    pool = MemoryPool(overlap=[4])
    wave(pool, replace(TEN, max_hold_ms=30))

    assert all(
        ping.release_at == pytest.approx(START + pool.clock.now + 0.03) for ping in pool.pings[1:]
    )


def test_reports_spread_and_holds() -> None:
    """`spread_ms` is from the first to the last ping sent; `held_ms` the sum of all holds."""
    report = wave(MemoryPool(dispatch_ms=2.0, held_ms=5.0))

    assert pytest.approx(report.spread_ms) == 18.0
    assert pytest.approx(report.held_ms) == 55.0


def test_a_stranger_cannot_claim_holds_that_cannot_be() -> None:
    """A reply's hold counts no longer than its answer took, and never less than nothing."""

    def lie(number: int, ping: Ping, payload: bytes) -> bytes:
        said = json.loads(payload)
        said["warmer"]["held_ms"] = 1e308 if number % 2 else -5
        return json.dumps(said).encode()

    report = wave(MemoryPool(answer=lie, init_ms=100.0))

    assert 0.0 < report.held_ms <= 1000.0


def test_learns_the_spread_for_the_next_wave() -> None:
    """A quick dispatch is held shorter the next time."""
    spread = DispatchSpread()
    pool = MemoryPool(dispatch_ms=1.0)
    before = spread.hold_ms(10)

    wave(pool)
    run_wave(TEN, pool, settings=WaveSettings(spare=0), spread=spread, clock=pool.clock)

    assert spread.hold_ms(10) < before


def test_learns_of_the_last_round_alone() -> None:
    """What delayed several rounds of one wave delays no other: it counts as one observation."""
    taken: list[int] = []

    class Counting(DispatchSpread):
        def learn(self, arrivals_ms: Sequence[float], size: int, busy_ms: float = 0.0) -> None:
            taken.append(len(arrivals_ms))
            super().learn(arrivals_ms, size, busy_ms)

    pool = MemoryPool(overlap=[10, 4, 10], dispatch_ms=1.0)
    wave(pool)
    report = run_wave(
        TEN, pool, settings=WaveSettings(spare=0), spread=Counting(), clock=pool.clock
    )

    assert (report.ok, report.rounds) == (True, 2)
    assert taken == [10]


class Timed(Dispatcher):
    """Pings arrive after 10 ms at warm environments; answers come `busy_ms` after the release."""

    def __init__(self, busy_ms: float) -> None:
        self.busy_ms = busy_ms
        budget = ConcurrencyBudget(UNLIMITED.pings)
        super().__init__(MemoryPool(), DispatchSpread(), ManualClock(), budget)

    async def send(self, sending: Sending) -> Sent:
        """See `Dispatcher.send`."""
        at = self.clock.monotonic()
        held_ms = max(sending.hold_ms - 10.0, 0.0)
        answers = [
            Answer(
                Outcome.PROVEN,
                reply=Reply(environment=f"environment-{number}", held_ms=held_ms),
                sent_at=at,
                received_at=at + (sending.hold_ms + self.busy_ms) / 1000,
            )
            for number in range(sending.size)
        ]
        return Sent(at, sending.hold_ms, answers)


@pytest.mark.parametrize(("busy_ms", "spared_ms"), [(0.0, 0.0), (4.0, 0.0), (9.0, 4.0)])
def test_what_overlaps_beyond_the_release_is_held_for_less(
    busy_ms: float, spared_ms: float
) -> None:
    """By as much as environments stay busy for longer than an answer's way back takes."""
    dispatcher = Timed(busy_ms)
    for _ in range(10):
        settings = WaveSettings(spare=0)
        asyncio.run(Wave(TEN, dispatcher, settings, inf, lambda _: None).run())

    expected = DispatchSpread(ms_per_ping=0.0, latency_ms=10.0).hold_ms(10) - spared_ms
    assert dispatcher.spread.hold_ms(10) == pytest.approx(expected)


def test_connects_for_all_before_the_probe() -> None:
    """What accepts connections is done with that when the pings come."""
    seen: list[int] = []

    def look(number: int, ping: Ping, payload: bytes) -> bytes:
        seen.append(pool.connections)
        return payload

    pool = MemoryPool(answer=look)
    wave(pool)

    assert seen[0] == 10


def test_begins_no_round_that_time_does_not_allow() -> None:
    """Rounds that do not fit before the deadline are left out, and the report says so."""
    pool = MemoryPool(overlap=[4], seconds_per_ping=1.0)

    report = wave(pool, deadline=pool.clock.now + 12)

    assert (report.rounds, report.proven) == (1, 4)
    assert "1.0 s left are too few for another round" in report.problems


def test_waits_for_an_answer_no_longer_than_the_deadline_allows() -> None:
    """Each request may take what is left, at most the setting."""
    pool = MemoryPool()
    wave(pool, deadline=pool.clock.now + 7)
    wave(unhurried := MemoryPool())

    assert all(6.9 < request.timeout_seconds <= 7.0 for request in pool.requests)
    assert {60.0} == {request.timeout_seconds for request in unhurried.requests}


def test_says_why_when_holds_are_cut_short() -> None:
    """Duplicates whose answers came before the release time have another cause than dispatch."""
    pool = MemoryPool(overlap=[4])

    report = wave(pool)

    assert any("WARMER_MAX_HOLD_MS" in problem for problem in report.problems)


@pytest.mark.parametrize(
    "values", [{"max_rounds": 0}, {"max_rounds": True}, {"answer_seconds": 0.5}, {"spare": 2}]
)
def test_settings_are_validated(values: dict[str, Any]) -> None:
    """A setting that makes no sense is refused when it is made."""
    with pytest.raises(ConfigurationError):
        WaveSettings(**values)


fates = st.sampled_from(
    ["reply", "reply", "reply", "crash", "lost", "other", "stale", "refuse", "reject", "cut off"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(fates, max_size=40), st.integers(1, 6), st.lists(st.integers(1, 6), min_size=1))
def test_every_ping_sent_has_one_outcome(
    plan: list[str], concurrency: int, overlap: list[int]
) -> None:
    """Whatever becomes of the pings, the outcomes add up, and ok is never said after a failure."""

    def answer(number: int, ping: Ping, reply: bytes) -> bytes | tuple[str, bytes]:
        fate = plan[number] if number < len(plan) else "reply"
        errors = {"lost": AnswerTimeout(""), "reject": InvokeError("")}
        errors["cut off"] = EndpointUnreachable("")
        if fate in errors:
            raise errors[fate]
        other = {"other": b"[]", "refuse": b'{"warmer": {"version": 9}}', "reply": reply}
        other["stale"] = reply.replace(ping.wave.encode(), b"another")
        return other.get(fate, ("Unhandled", b"\xff{"))

    pool = MemoryPool(answer=answer, overlap=overlap)
    # A stopped round leaves pings unsent, so groups must not wait for one another.
    pool._open = any(fate not in {"reply", "crash", "lost"} for fate in plan)

    report = wave(pool, Target("digits", None, concurrency))

    assert len(pool.requests) == report.sent == sum(report.outcomes.values())
    assert len(set(report.environments)) == report.proven == report.outcomes[Outcome.PROVEN]
    good = report.outcomes[Outcome.PROVEN] + report.outcomes[Outcome.DUPLICATE]
    assert report.ok == (report.proven >= concurrency and good == report.sent)
    assert report.ok == (not report.problems)
    assert json.loads(json.dumps(report.as_dict()))["ok"] == report.ok


def test_the_default_clock_is_the_real_one() -> None:
    """Without a clock of its own a wave takes the time of day."""
    report = run_wave(Target("digits"), MemoryPool(clock=ManualClock()))

    assert report.started_at > START
    assert report.ok


def test_replies_of_an_older_version_prove_nothing() -> None:
    """Where an alias moves after the probe, the version that most pings met is the wave's."""

    class Moving(MemoryPool):
        async def invoke(self, signed: SignedInvoke) -> InvokeReply:
            reply = await super().invoke(signed)
            return replace(reply, executed_version="6" if len(self.requests) == 1 else "7")

    report = wave(Moving())

    assert counts(report)["wrong_version"] == 1
    assert report.versions == ("6", "7")
    assert not report.ok
    assert "1 pings of digits:live were answered by version 6 instead of 7" in report.problems[0]


def test_watch_is_told_of_every_answer() -> None:
    """With what was answered and seen so far."""
    seen: list[Progress] = []
    pool = MemoryPool()

    run_wave(TEN, pool, clock=pool.clock, watch=seen.append)

    assert [progress.answered for progress in seen] == list(range(1, 13))
    assert seen[-1].environments == 10
