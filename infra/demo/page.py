"""The demo as one HTML page that needs nothing else, and its burst as one picture.

Pure: the same figures and recording give the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from infra.demo.figures import Burst, Figures, Wave
from infra.demo.markup import Markup, element, escape, joined
from infra.demo.page_burst import (
    WIDTH,
    Bar,
    bars,
    described,
    panel,
    panel_content,
    panel_height,
    span_ms,
)
from infra.demo.page_chart import Described, chart, flake, hatch, label
from infra.demo.page_latency import latency_chart
from infra.demo.page_table import cost_table, environment_table, latency_tables, wave_table
from infra.demo.page_timeline import chapters_shown, lanes, timeline
from infra.demo.page_words import (
    burst_words,
    how,
    latency_words,
    machine_words,
    run_words,
    wave_words,
)
from infra.demo.quantity import counted, dollars, milliseconds, times
from infra.demo.recording import Recording

__all__ = ["burst_picture", "page"]

_FOLDER = Path(__file__).parent
_WITHOUT, _WITH = "without the warmer", "with the warmer"


def page(figures: Figures, recording: Recording) -> str:
    """The whole page, in UTF-8's repertoire, ending in a newline."""
    found = lanes(recording)
    return Template(_read("page.html")).substitute(
        title=escape(f"Warmer: {_headline(figures, plain=True)}"),
        style=_read("chart.css") + _read("page.css"),
        script=_read("page.js").rstrip(),
        measured=escape(f"warmer demo, {_moment(recording)}, {machine_words(recording.machine)}"),
        headline=_headline(figures),
        problems=_problems(figures),
        facts=_facts(figures),
        burst_words=escape(burst_words(figures, recording)),
        burst=_panels(figures, recording),
        wave=_wave(recording),
        wave_words=escape(wave_words(recording)),
        run_words=escape(run_words(recording)),
        legend=_legend(recording),
        timeline=timeline(recording),
        chapters=_chapters(recording),
        environments=environment_table(found, recording.began),
        latency_words=escape(latency_words(figures, recording)),
        latency=latency_chart(figures),
        latency_table=latency_tables(figures),
        waves_table=wave_table(figures),
        cost_table=cost_table(figures),
        how=how(recording),
        footer=escape(f"Written by warmer demo; the run took {figures.seconds:.0f} s."),
    )


def burst_picture(figures: Figures, recording: Recording) -> str:
    """The two bursts beside one another, as an SVG file of its own."""
    cold, warm, limit, count = _bursts(recording)
    top, left, gap = 74.0, 12.0, 16.0
    height = top + panel_height(count) + 50
    width = 2 * WIDTH + gap + 2 * left
    columns = (
        ("cold", _WITHOUT, cold, left, figures.without_warmer),
        ("warm", _WITH, warm, left + WIDTH + gap, figures.with_warmer),
    )
    parts = [
        element("style", Markup(_read("chart.css"))),
        element("defs", *(hatch(key) for key, *_ in columns)),
        element("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=6, class_="card"),
        label("headline", left + 4, 32, _headline(figures, plain=True)),
    ]
    for key, name, burst, place, measured in columns:
        heading = label(f"panel-name {key}", 4, top - 12, f"{_capital(name)}: {_waited(measured)}")
        drawn = element(
            "g", panel_content(key, burst, limit, count), transform=f"translate(0 {top:g})"
        )
        parts.append(element("g", heading, drawn, transform=f"translate({place:g} 0)"))
    notes = (
        (
            "One lane is one request, from its arrival to its answer. ✱ cold start; hatched: INIT; "
            "solid blue: priming, a part of it."
        ),
        f"Measured by warmer demo on {machine_words(recording.machine)}.",
    )
    parts += [
        label("note", left + 4, height - 28 + 16 * row, note) for row, note in enumerate(notes)
    ]
    words = " ".join(described(key, name, burst).description for key, name, burst, *_ in columns)
    return (
        chart(Described("burst", _headline(figures, plain=True), words), width, height, *parts)
        + "\n"
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _moment(recording: Recording) -> str:
    moment = datetime.fromtimestamp(recording.finished, UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _headline(figures: Figures, plain: bool = False) -> Markup:
    """What came of both bursts; the numbers coloured unless `plain`."""
    without, with_warmer = figures.without_warmer, figures.with_warmer
    cold, warm = counted(without.cold_starts, "cold start"), f"{with_warmer.cold_starts:,}"
    requests = f"{counted(without.requests, 'request')} at once: "
    if plain:
        return joined(requests, f"{cold} without the warmer, {warm} with it")
    return joined(
        element("span", requests),
        element("span", element("b", cold, class_="cold"), " without the warmer, "),
        element("span", element("b", warm, class_="warm"), " with it"),
    )


def _problems(figures: Figures) -> Markup:
    if not figures.proof:
        return Markup()
    items = (element("li", problem) for problem in figures.proof)
    return element(
        "div", element("strong", "Not as promised:"), element("ul", *items), class_="problems"
    )


def _waited(burst: Burst) -> str:
    return f"longest wait {milliseconds(burst.latencies.longest)}"


def _outcome(burst: Burst) -> str:
    return f"{counted(burst.cold_starts, 'cold start')}, {_waited(burst)}"


def _facts(figures: Figures) -> Markup:
    slow = figures.without_warmer.latencies.longest
    fast = figures.with_warmer.latencies.longest
    ratio = times(slow, fast)
    wave = figures.waves[-1]
    cost = figures.cost
    facts = (
        (
            "Longest wait in the burst",
            joined(
                element("span", milliseconds(slow), class_="cold"),
                " → ",
                element("span", milliseconds(fast), class_="warm"),
            ),
            f"{ratio} times shorter with the warmer" if ratio else "not shorter with the warmer",
        ),
        (
            "Environments kept warm",
            f"{wave.proven} of {wave.asked}",
            _proof(wave),
        ),
        (
            "A month of that on AWS",
            f"${dollars(cost.warmer_usd)}",
            f"${dollars(cost.provisioned_usd)} as provisioned concurrency, idle",
        ),
    )
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", value, element("small", small)))
            for name, value, small in facts
        ),
        class_="facts",
    )


def _proof(wave: Wave) -> str:
    spare = f", {counted(wave.spares, 'spare')} included" if wave.spares else ""
    return f"pings reached {wave.distinct}{spare}: counted by the cloud's ledger, not by functions"


def _bursts(recording: Recording) -> tuple[Sequence[Bar], Sequence[Bar], float, int]:
    cold = bars(recording, recording.burst(recording.without_warmer))
    warm = bars(recording, recording.burst(recording.with_warmer))
    return cold, warm, span_ms(cold, warm), max(len(cold), len(warm))


def _panels(figures: Figures, recording: Recording) -> Markup:
    cold, warm, limit, count = _bursts(recording)
    columns = (
        ("cold", _WITHOUT, cold, figures.without_warmer),
        ("warm", _WITH, warm, figures.with_warmer),
    )
    return joined(
        *(
            _figure(
                element("h3", _capital(name), element("span", _outcome(measured), class_=key)),
                panel(described(f"burst-{key}", name, burst), burst, limit, count),
                f"The burst {name}; arrow keys go through its requests",
            )
            for key, name, burst, measured in columns
        )
    )


def _wave(recording: Recording) -> Markup:
    """The pings that waited for the INITs that users then did not wait for."""
    pings = bars(recording, recording.wave(recording.first_wave))
    cold = counted(sum(bar.cold for bar in pings), "cold start")
    name = "the warmer's first wave"
    return _figure(
        element("h3", _capital(name), element("span", f"{cold}, no user waited", class_="muted")),
        panel(described("wave", name, pings), pings, span_ms(pings), len(pings)),
        f"The pings of {name}; arrow keys go through them",
    )


def _figure(heading: Markup, drawing: Markup, name: str) -> Markup:
    """A card with a drawing that the arrow keys go through."""
    reached = element("div", drawing, data_chart="", tabindex=0, role="group", aria_label=name)
    return element("figure", heading, reached, class_="card")


def _legend(recording: Recording) -> Markup:
    """Each sign of the timeline with its meaning; those of failures only where there are any."""
    signs: list[tuple[Markup, str]] = [
        (_sign("init", 3, 9, "url(#timeline-hatch)"), "INIT: imports, loading the model"),
        (_sign("priming", 3, 9), "priming, the last part of INIT"),
        (_sign("serving", 3, 9), "serving requests"),
        (_sign("held", 4, 7), "answering pings"),
        (_sign("idle", 6, 2), "idle, kept by Lambda"),
        (element("path", d="M13 1v12", class_="end"), "taken back"),
        (flake(13, 7), "cold start of a request"),
        (
            element("g", flake(13, 7), class_="unseen"),
            "cold start of a ping or schedule: no user waited",
        ),
    ]
    if any(item.status not in ("success", "running") for item in recording.invocations):
        signs.append((_sign("failed", 3, 9), "failed"))
    if any(item.environment is None for item in recording.invocations):
        cross = label("cross", 13, 12, "\N{MULTIPLICATION SIGN}", "middle")
        signs.append((cross, "throttled, or without an environment"))
    return element(
        "ul",
        *(
            element("li", element("svg", sign, viewBox="0 0 26 14", aria_hidden="true"), text)
            for sign, text in signs
        ),
        class_="legend",
    )


def _sign(class_: str, top: float, height: float, fill: str | None = None) -> Markup:
    return element("rect", x=1, y=top, width=24, height=height, class_=class_, fill=fill)


def _chapters(recording: Recording) -> Markup:
    origin = recording.began
    return element(
        "ol",
        *(
            element("li", item.title, " ", element("span", f"{item.started - origin:.1f} s"))
            for item in chapters_shown(recording)
        ),
        class_="chapters",
    )
