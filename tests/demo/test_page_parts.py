"""Markup, runs, chapters and bursts: what the page is made of."""

from __future__ import annotations

from dataclasses import replace

from infra.demo.markup import Markup, element, escape, joined
from infra.demo.page import page
from infra.demo.page_burst import Bar, bars, described, panel_content, span_ms
from infra.demo.page_lane import runs
from infra.demo.page_timeline import chapters_shown
from infra.demo.recording import Chapter, Machine, records
from tests.demo.recordings import NOW, environment, figures_of, recording, request


def test_text_is_escaped_and_markup_is_not() -> None:
    """An element's content may be either."""
    inner = element("b", "1 < 2 & 'so'", class_="x", data_n=1.50, title=None)
    assert inner == '<b class="x" data-n="1.5">1 &lt; 2 &amp; &#x27;so&#x27;</b>'
    assert joined("<", inner) == f"&lt;{inner}"
    assert isinstance(escape(inner), Markup)


def test_characters_that_xml_forbids_are_replaced() -> None:
    """Control characters and lone surrogates become U+FFFD."""
    assert escape("a\x00b\ud800c\td") == "a\ufffdb\ufffdc\td"


def test_touching_invocations_of_one_kind_are_one_bar() -> None:
    """A cold one, a failed one, a ping and one after a gap begin another."""
    found = runs(
        [
            request(0, 0.0, 0.9, cold=True),
            request(1, 1.0, 0.01),
            request(2, 1.02, 0.01),
            request(3, 1.04, 0.01, status="error"),
            request(4, 1.06, 0.01, ping=True),
            request(5, 9.0, 0.01, ping=True),
        ],
        touching_seconds=0.1,
    )
    assert [[item.sequence for item in run.invocations] for run in found] == [
        [0],
        [1, 2],
        [3],
        [4],
        [5],
    ]
    assert [run.kind for run in found] == ["request"] * 3 + ["ping"] * 2


def test_chapters_before_the_first_request_begin_with_it() -> None:
    """The drawing begins with the first event; what comes after the end has no place."""
    story = recording(
        chapters=(
            Chapter("late", NOW + 99.0),
            Chapter("burst", NOW + 30.0),
            Chapter("early", NOW - 9.0),
        )
    )
    assert chapters_shown(story) == [Chapter("early", NOW + 1.0), Chapter("burst", NOW + 30.0)]


def _burst(first: int) -> tuple[Bar, ...]:
    """Two invocations of the small recording, from this one on."""
    return bars(recording(), recording().invocations[first : first + 2])


def test_a_bar_has_its_init_and_its_wait() -> None:
    """Milliseconds after the burst's first request."""
    first, second = _burst(4)
    assert (first.arrived, first.cold, round(first.took or 0)) == (0.0, True, 900)
    assert first.init is not None
    assert [round(moment) for moment in first.init] == [20, 800]
    assert "cold start" in second.text
    assert "INIT 780 ms (50.0 ms of it priming)" in second.text
    assert span_ms((first, second)) == 1000.0


def test_priming_is_a_part_of_the_init_that_was_waited_for() -> None:
    """On the same scale, from the moment that the environment logged."""
    (first, second), (warm, _) = _burst(4), _burst(2)
    assert [tuple(map(round, part)) for part in first.primed] == [(700, 760)]
    assert [tuple(map(round, part)) for part in second.primed] == [(700, 740), (750, 760)]
    assert warm.primed == ()


def test_a_ping_is_called_one() -> None:
    """In its tooltip and in what is read aloud."""
    pings = _burst(0)
    assert pings[0].text.startswith("Ping 1: cold start")
    assert described("wave", "the first wave", pings).title == "2 pings, the first wave"


def test_only_a_much_faster_burst_is_enlarged() -> None:
    """The slow burst fills its panel; the fast one says how much it is enlarged."""
    slow, fast = _burst(4), _burst(2)
    assert "times enlarged" in panel_content("a", fast, 1000.0, 2)
    assert "times enlarged" not in panel_content("b", slow, 1000.0, 2)
    assert "INIT of a new environment" in panel_content("b", slow, 1000.0, 2)


def test_what_has_not_ended_is_said_to_be_open() -> None:
    """An unanswered request and a throttled one are no latencies."""
    story = recording(
        environments=(environment("cold-a", 30.0, ready_at=None, init_ms=None),),
        invocations=(
            request(4, 30.0, 0.0, environment="cold-a", cold=True, ended=None, status="running"),
            request(5, 30.0, 0.0, status="throttled"),
        ),
    )
    running, throttled = bars(story, story.invocations)
    assert running.took is None
    assert "not answered" in running.text
    assert throttled.text == "Request 2: throttled at 0.0 ms"
    drawn = panel_content("a", (running, throttled), 1000.0, 2)
    assert "no answer" in drawn
    assert "throttled" in drawn


def test_a_ledger_that_came_as_json_becomes_records() -> None:
    """What `GET /_warmer/ledger` gives, field for field."""
    made, asked = environment("a", 0.0), request(0, 0.0, 0.1)
    ledger = {"environments": [vars(made)], "invocations": [vars(asked)]}
    assert records(ledger) == ((made,), (asked,))


def test_this_machine_has_cpus_and_a_name() -> None:
    """What the page names as the place of the measurement."""
    here = Machine.here()
    assert here.cpus >= 1
    assert all((here.system, here.architecture, here.python))


def test_the_legend_has_failures_only_where_there_are_any() -> None:
    """A run without them is not cluttered with their signs."""
    calm = recording()
    failed = replace(calm.invocations[2], status="error")
    refused = request(6, 5.0, 0.0, status="throttled", reason="limit")
    rough = replace(calm, invocations=(*calm.invocations, failed, refused))
    for story, expected in ((calm, 0), (rough, 1)):
        text = page(figures_of(story), story)
        assert text.count("</svg>failed</li>") == expected
        assert text.count("throttled, or without an environment") == expected
