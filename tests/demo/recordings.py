"""Recordings for tests of the page: small ones by hand, and any that a ledger could hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from infra.cloud.ledger import EnvironmentRecord, InvocationRecord
from infra.demo.figures import Burst, Figures, MonthlyCost, Wave
from infra.demo.load import Latencies
from infra.demo.recording import Chapter, Machine, Recording, Span
from warmer.environment import Primed

NOW = 1_764_000_000.0
MACHINE = Machine(cpus=2, system="Linux", architecture="x86_64", python="3.13.1")
WAVE = Wave(
    asked=2,
    proven=2,
    spares=1,
    new=3,
    rounds=1,
    distinct=3,
    pings=3,
    billed_ms=900,
    warmer_billed_ms=400,
    log_bytes=2000,
)


def figures_of(recording: Recording) -> Figures:
    """Figures that a demo with this recording would have."""
    return Figures(
        cold=Latencies((207.5, *_latencies(recording, recording.without_warmer).values)),
        warm=Latencies((2.0, 3.0, 71.0)),
        first_after_warm_ms=2.5,
        waves=(WAVE, replace(WAVE, new=0)),
        with_warmer=_burst(recording, recording.with_warmer),
        without_warmer=_burst(recording, recording.without_warmer),
        alive_after_idle=0,
        cost=MonthlyCost(0.41, 186.58, 8640),
        seconds=74.5,
    )


def _burst(recording: Recording, span: Span) -> Burst:
    cold = sum(item.cold for item in recording.burst(span))
    return Burst(_latencies(recording, span), cold)


def _latencies(recording: Recording, span: Span) -> Latencies:
    ended = [item for item in recording.burst(span) if item.ended is not None]
    waited = tuple(((item.ended or 0.0) - item.started) * 1000 for item in ended)
    return Latencies(waited or (1.0,))


def environment(name: str, at: float, **changes: Any) -> EnvironmentRecord:
    """An inference environment, made `at` seconds after NOW and ready 0.8 s later."""
    record = EnvironmentRecord(
        id=name,
        function="inference",
        version="1",
        pid=4711,
        spawned_at=NOW + at,
        init_started=NOW + at + 0.02,
        ready_at=NOW + at + 0.8,
        init_ms=780.0,
    )
    return replace(record, **changes)


def request(sequence: int, at: float, took: float, **changes: Any) -> InvocationRecord:
    """A user's request that arrived `at` seconds after NOW and took so many seconds."""
    record = InvocationRecord(
        sequence=sequence,
        request_id=f"request-{sequence}",
        function="inference",
        version="1",
        kind="url",
        ping=False,
        started=NOW + at,
        ended=NOW + at + took,
        duration_ms=took * 1000,
        billed_ms=round(took * 1000) + 1,
        status="success",
    )
    return replace(record, **changes)


def recording(**changes: Any) -> Recording:
    """Two environments made by a burst; before that, the same burst on warm ones."""
    ended = {"ended_at": NOW + 25.0, "end_reason": "idle"}
    ping = {"kind": "request", "ping": True}
    story = Recording(
        environments=(
            environment("warm-a", 1.0, **ended),
            environment("warm-b", 1.0, **ended),
            environment("cold-a", 30.0),
            environment("cold-b", 30.0),
        ),
        invocations=(
            request(0, 1.0, 0.9, environment="warm-a", cold=True, init_ms=780.0, **ping),
            request(1, 1.0, 0.9, environment="warm-b", cold=True, init_ms=780.0, **ping),
            request(2, 5.0, 0.02, environment="warm-a"),
            request(3, 5.0, 0.02, environment="warm-b"),
            request(4, 30.0, 0.9, environment="cold-a", cold=True, init_ms=780.0),
            request(5, 30.0, 0.9, environment="cold-b", cold=True, init_ms=780.0),
        ),
        primed={
            "warm-a": (Primed("digits", NOW + 1.7, 60.0),),
            "cold-a": (Primed("digits", NOW + 30.7, 60.0),),
            "cold-b": (Primed("digits", NOW + 30.7, 40.0), Primed("connect", NOW + 30.75, 10.0)),
        },
        inference="inference",
        warmer="warmer",
        chapters=(Chapter("The schedule fires", NOW + 1.0), Chapter("The burst", NOW + 30.0)),
        schedule_on=(NOW + 1.0, NOW + 6.0),
        first_wave=Span(0, 2),
        with_warmer=Span(2, 4),
        without_warmer=Span(4, 6),
        idle_seconds=600.0,
        clock_rate=30.0,
        machine=MACHINE,
        finished=NOW + 31.0,
    )
    return replace(story, **changes)


_offsets = st.floats(0, 100, allow_nan=False)
_texts = st.text(max_size=12)


@st.composite
def _environments(draw: st.DrawFn, number: int) -> EnvironmentRecord:
    """One that was never started, never ready, never ended, or lived its whole life."""
    moments = sorted(draw(st.lists(_offsets, min_size=4, max_size=4)))
    spawned, started, ready, ended = (NOW + moment for moment in moments)
    has_started, has_ended = draw(st.booleans()), draw(st.booleans())
    has_readied = has_started and draw(st.booleans())
    return EnvironmentRecord(
        id=f"environment-{number}",
        function=draw(st.sampled_from(["inference", "warmer", "<other> & 'more'"])),
        version=draw(_texts),
        spawned_at=spawned,
        init_started=started if has_started else None,
        ready_at=ready if has_readied else None,
        init_ms=(ready - started) * 1000 if has_readied else None,
        ended_at=ended if has_ended else None,
        end_reason=draw(st.sampled_from(["idle", "timeout", "<closed>"])) if has_ended else None,
    )


@st.composite
def _invocations(draw: st.DrawFn, number: int, homes: list[str]) -> InvocationRecord:
    """One that runs, ended well or badly, was throttled, or never got an environment."""
    status = draw(st.sampled_from(["running", "success", "error", "throttled", "failed"]))
    started = NOW + draw(_offsets)
    home = draw(st.sampled_from(homes)) if homes and status != "throttled" else None
    ended = None if status == "running" else started + draw(st.floats(0, 20))
    return InvocationRecord(
        sequence=number,
        request_id=f"request-{number}",
        function=draw(st.sampled_from(["inference", "warmer"])),
        version="1",
        kind=draw(st.sampled_from(["request", "event", "url"])),
        ping=draw(st.booleans()),
        started=started,
        environment=home,
        cold=home is not None and draw(st.booleans()),
        ended=started if status == "throttled" else ended,
        duration_ms=None if ended is None else (ended - started) * 1000,
        status=status,
        reason=draw(_texts) if status == "throttled" else None,
    )


@st.composite
def _stretches(draw: st.DrawFn) -> Primed:
    """Priming at any moment, of anything, as long as you like."""
    return Primed(draw(_texts), NOW + draw(_offsets), draw(st.floats(0, 20_000)))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Any recording, empty ones included."""
    environments = tuple(draw(_environments(index)) for index in range(draw(st.integers(0, 5))))
    homes = [item.id for item in environments]
    count = draw(st.integers(0, 12))
    invocations = tuple(draw(_invocations(index, homes)) for index in range(count))
    edges = sorted(draw(st.lists(st.integers(0, count), min_size=6, max_size=6)))
    named = st.sampled_from([*homes, "unknown"])
    primed = draw(st.dictionaries(named, st.lists(_stretches(), max_size=3).map(tuple)))
    return recording(
        environments=environments,
        invocations=invocations,
        chapters=tuple(
            Chapter(draw(_texts), NOW + draw(_offsets)) for _ in range(draw(st.integers(0, 4)))
        ),
        primed=primed,
        first_wave=Span(edges[4], edges[5]),
        schedule_on=draw(st.sampled_from([None, (NOW + 1.0, NOW + 6.0)])),
        with_warmer=Span(edges[0], edges[1]),
        without_warmer=Span(edges[2], edges[3]),
        clock_rate=draw(st.sampled_from([1.0, 30.0, 1000.0])),
        finished=NOW + draw(_offsets),
    )
