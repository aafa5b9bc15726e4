"""The demo's page: what it must show for whatever the ledger holds."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from infra.demo.figures import Burst, Figures
from infra.demo.load import Latencies
from infra.demo.page import burst_picture, page
from infra.demo.recording import Recording
from infra.demo.table import sections
from tests.demo.recordings import environment, figures_of, recording, recordings, request

_VOID = {"meta"}


class Reader(HTMLParser):
    """A page's elements; refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The innermost element ends."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.text.append(data)

    def of_class(self, class_: str) -> list[dict[str, str | None]]:
        """Attributes of the elements with a class."""
        return [found for _, found in self.elements if class_ in (found.get("class") or "").split()]


def read(story: Recording, figures: Figures | None = None) -> Reader:
    """The page of a recording."""
    return Reader(page(figures or figures_of(story), story))


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_every_environment_has_one_lane(story: Recording) -> None:
    """Those that never started or never ended too."""
    shown = [item["data-environment"] for item in read(story).of_class("lane")]
    assert sorted(map(str, shown)) == sorted(item.id for item in story.environments)


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_every_cold_start_is_marked_once_on_the_timeline(story: Recording) -> None:
    """By its sequence number in the ledger."""
    marks = [item.get("data-sequence") for item in read(story).of_class("cold-mark")]
    shown = [int(mark) for mark in marks if mark is not None]
    assert sorted(shown) == [item.sequence for item in story.invocations if item.cold]


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_requests_and_pings_add_up_to_the_ledger(story: Recording) -> None:
    """Bars may stand for several; throttled and failed invocations are among them."""
    totals = {"request": 0, "ping": 0}
    for item in read(story).of_class("run"):
        totals[str(item["data-kind"])] += int(str(item["data-count"]))
    pings = sum(item.ping for item in story.invocations)
    assert totals == {"request": len(story.invocations) - pings, "ping": pings}


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_all_priming_is_on_the_lane_of_its_environment(story: Recording) -> None:
    """As long as it was logged to be; what is of no environment in the ledger has no lane."""
    shown = [float(str(item["data-ms"])) for item in read(story).of_class("primed")]
    known = {item.id for item in story.environments}
    expected = [item.ms for name, told in story.primed.items() if name in known for item in told]
    assert sorted(shown) == sorted(expected)


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_the_first_wave_shows_each_ping(story: Recording) -> None:
    """As many lanes as pings of the inference function in it."""
    assert len(read(story).of_class("ping")) == len(story.wave(story.first_wave))


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_bursts_show_each_request_and_the_figures_cold_starts(story: Recording) -> None:
    """Both panels together: as many lanes as requests, as many cold ones as the figures say."""
    figures = figures_of(story)
    shown = read(story, figures).of_class("request")
    expected = len(story.burst(story.with_warmer)) + len(story.burst(story.without_warmer))
    assert len(shown) == expected
    cold = sum(item["data-cold"] == "yes" for item in shown)
    assert cold == figures.with_warmer.cold_starts + figures.without_warmer.cold_starts


@settings(max_examples=40, deadline=None)
@given(recordings())
def test_drawings_are_well_formed_and_finite(story: Recording) -> None:
    """Each drawing is XML, with a title and a description, and no coordinate is NaN."""
    text = page(figures_of(story), story)
    drawings = [item for item in re.findall(r"<svg .*?</svg>", text, re.DOTALL) if "role=" in item]
    assert len(drawings) == 5
    for drawing in [*drawings, burst_picture(figures_of(story), story)]:
        root = ElementTree.fromstring(drawing)
        assert [child.tag.rpartition("}")[2] for child in root][:2] == ["title", "desc"]
        assert not re.search(r'="[^"]*\b(nan|inf)\b[^"]*"', drawing)


@settings(max_examples=20, deadline=None)
@given(recordings())
def test_the_same_run_gives_the_same_page(story: Recording) -> None:
    """Nothing of the clock, the machine or chance comes in."""
    figures = figures_of(story)
    assert page(figures, story) == page(figures, story)
    assert burst_picture(figures, story) == burst_picture(figures, story)


def test_identifiers_are_unique_and_referred_to() -> None:
    """What titles, descriptions and hatchings refer to is there, once."""
    story = recording()
    found = read(story).elements
    identifiers = [str(item["id"]) for _, item in found if "id" in item]
    assert len(identifiers) == len(set(identifiers))
    named = [str(item.get("aria-labelledby") or "") for _, item in found]
    filled = re.findall(r"url\(#([^)]*)\)", page(figures_of(story), story))
    assert {*filled, *" ".join(named).split()} <= set(identifiers)


def test_the_headline_is_the_figures() -> None:
    """How many requests, and the cold starts without and with the warmer."""
    said = " ".join("".join(read(recording()).text).split())
    assert "2 requests at once: 2 cold starts without the warmer, 0 with it" in said
    assert "900 ms → 20.0 ms" in said


def test_the_consoles_figures_are_all_on_the_page() -> None:
    """Every row of the console's table, and its dollars."""
    figures = figures_of(recording())
    text = set(read(recording(), figures).text)
    latency, bursts, waves, cost = sections(figures)
    for section in (latency, bursts, waves):
        for name, *values in section.rows:
            assert {name.strip(), *values} <= text
    assert set(cost.rows[0][1:]) <= text


def test_what_was_not_as_promised_stands_under_the_headline() -> None:
    """A run that proves nothing says so."""
    figures = replace(figures_of(recording()), with_warmer=Burst(Latencies((900.0,)), 1))
    shown = read(recording(), figures)
    assert shown.of_class("problems")
    assert "1 cold starts in spite of the warmer" in shown.text
    assert not read(recording()).of_class("problems")


def test_names_are_text_whatever_they_hold() -> None:
    """A function, a version, a reason or a chapter cannot add elements to the page."""
    hostile = "</text><script>alert('1')</script>\x00&amp;"
    story = recording(
        environments=(
            environment("warm-a", 1.0, version=hostile, end_reason=hostile, ended_at=1764000009.0),
            environment(hostile, 1.0, function=hostile),
        ),
        invocations=(request(0, 1.0, 0.0, status="throttled", reason=hostile),),
        inference=hostile,
    )
    shown = read(story)
    assert [tag for tag, _ in shown.elements].count("script") == 1
    assert [item["data-environment"] for item in shown.of_class("lane")].count("warm-a") == 1


def test_the_page_asks_for_nothing_else() -> None:
    """No address, no file, no import: it opens without a network."""
    text = page(figures_of(recording()), recording())
    assert set(re.findall(r"https?://[^\"'\s<]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href|action)=|@import|fetch\(|XMLHttpRequest", text)
    assert set(re.findall(r"url\((.)", text)) == {"#"}


def test_many_requests_make_no_large_page() -> None:
    """5,000 successive requests in one environment are a few bars."""
    many = tuple(request(n, 2.0 + n * 0.003, 0.002, environment="warm-a") for n in range(5000))
    text = page(figures_of(recording()), recording(invocations=many))
    assert len(text.encode()) < 200_000


def test_the_times_are_named_with_their_units() -> None:
    """The timeline has both axes, and says what each is for."""
    said = read(recording(clock_rate=60.0)).text
    assert "real time: INIT, requests and pings happen in it" in said
    assert "cloud time, 60 times faster: schedules and idle lifetimes follow it" in said


def test_the_picture_stands_alone_and_names_the_machine() -> None:
    """One XML document with its own style; the CPUs that the cold starts shared are named."""
    text = burst_picture(figures_of(recording()), recording())
    ElementTree.fromstring(text)
    assert "2 CPUs" in text
    assert "<style>" in text
    assert len(text.encode()) < 200_000


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "ground", "least"),
    [
        *((text, ground, 4.5) for text in ("ink", "muted") for ground in ("ground", "surface")),
        ("cold", "surface", 4.5),
        ("warm", "surface", 4.5),
        ("cold", "ground", 4.5),
        ("warm", "ground", 4.5),
        ("ink", "warm-soft", 4.5),
        ("bad", "surface", 4.5),
        ("warm-bar", "surface", 3.0),
    ],
)
def test_contrast_is_aa(scheme: int, front: str, ground: str, least: float) -> None:
    """WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for graphics (1.4.11), light and dark."""
    text = page(figures_of(recording()), recording())
    palette = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", text.split(":root {")[scheme + 1]))
    lights = sorted((_luminance(palette[front]), _luminance(palette[ground])))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= least
