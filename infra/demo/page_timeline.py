"""The whole run: a lane for each execution environment, on real seconds and cloud minutes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from infra.cloud.ledger import EnvironmentRecord, InvocationRecord
from infra.demo.markup import Markup, element, joined
from infra.demo.page_chart import Described, axis, chart, label, mark
from infra.demo.page_lane import THICK, Lane, draw, lanes_of
from infra.demo.quantity import counted
from infra.demo.recording import Chapter, Recording
from infra.demo.scale import Linear

__all__ = ["chapters_shown", "lanes", "timeline"]

WIDTH = 1040.0
_LEFT, _RIGHT = 40.0, 1010.0
_PITCH, _GROUP = 14.0, 22.0
_CHAPTER_ROW, _CHAPTER_APART = 22.0, 21.0
_STRIP, _AXES = 20.0, 74.0


def lanes(recording: Recording) -> list[Lane]:
    """Every environment: those of the inference function first, the warmer's next."""
    order = {recording.inference: 0, recording.warmer: 1}

    def place(item: EnvironmentRecord) -> tuple[int, str, float, str]:
        return order.get(item.function, 2), item.function, item.spawned_at, item.id

    found = sorted(recording.environments, key=place)
    return lanes_of(found, recording.invocations, recording.primed)


def chapters_shown(recording: Recording) -> list[Chapter]:
    """The chapters that have a place in the drawing, in order."""
    first, last = recording.began, _finished(recording)
    found = sorted(recording.chapters, key=lambda item: item.started)
    return [Chapter(item.title, max(item.started, first)) for item in found if item.started <= last]


def timeline(recording: Recording) -> Markup:
    """The drawing; its numbers of chapters are those of `chapters_shown`."""
    found = lanes(recording)
    origin, finished = recording.began, _finished(recording)
    x = Linear(0.0, max(finished - origin, 0.001), _LEFT, _RIGHT)
    markers, top = _chapters(chapters_shown(recording), x, origin)
    content, bottom = _groups(found, x, recording, top)
    unplaced = [item for item in recording.invocations if item.environment is None]
    if unplaced:
        content.append(_unplaced(unplaced, x, origin, bottom))
        bottom += _GROUP + _PITCH
    return chart(
        _described(recording, found),
        WIDTH,
        bottom + _STRIP + _AXES,
        _schedule(recording, x, top, bottom),
        _rules(chapters_shown(recording), x, origin, top, bottom),
        _axes(recording, x, top, bottom + _STRIP),
        *content,
        markers,
    )


def _finished(recording: Recording) -> float:
    """The end of the run, or of the last thing that the ledger knows."""
    times = [recording.finished]
    times += [item.ended or item.started for item in recording.invocations]
    for item in recording.environments:
        known = (item.spawned_at, item.init_started, item.ready_at, item.ended_at)
        times += [time for time in known if time is not None]
    return max(times)


def _described(recording: Recording, found: Sequence[Lane]) -> Described:
    cold = sum(item.cold for item in recording.invocations)
    pings = sum(item.ping for item in recording.invocations)
    others = len(recording.invocations) - pings
    seconds = _finished(recording) - recording.began
    return Described(
        "timeline",
        "Every execution environment over the whole run",
        f"{counted(len(found), 'environment')} over {seconds:.1f} s of real time, with "
        f"{counted(others, 'request')}, {counted(pings, 'ping')} and "
        f"{counted(cold, 'cold start')}. A table with the same follows the drawing.",
    )


def _chapters(chapters: Sequence[Chapter], x: Linear, origin: float) -> tuple[Markup, float]:
    """Numbered signs in as many rows as keep them apart, and where the rows end."""
    ends: list[float] = []
    parts = []
    for index, chapter in enumerate(chapters, 1):
        place = x(chapter.started - origin)
        row = next(
            (row for row, end in enumerate(ends) if end <= place - _CHAPTER_APART), len(ends)
        )
        if row == len(ends):
            ends.append(place)
        ends[row] = place
        y = 12 + _CHAPTER_ROW * row
        parts.append(
            mark(
                f"{index}. {chapter.title}, at {chapter.started - origin:.1f} s",
                element("circle", cx=place, cy=y, r=9, class_="chapter"),
                label("chapter-number", place, y + 3.6, str(index), "middle"),
            )
        )
    return joined(*parts), _CHAPTER_ROW * len(ends) + 6


def _rules(
    chapters: Sequence[Chapter], x: Linear, origin: float, top: float, bottom: float
) -> Markup:
    places = [x(item.started - origin) for item in chapters]
    return joined(
        *(element("path", d=f"M{at:.1f} {top - 4:g}V{bottom:g}", class_="rule") for at in places)
    )


def _groups(
    found: Sequence[Lane], x: Linear, recording: Recording, top: float
) -> tuple[list[Markup], float]:
    parts = []
    for function, group in groupby(found, key=lambda lane: lane.environment.function):
        members = list(group)
        title = f"{function}: {counted(len(members), 'environment')}"
        parts.append(label("group", 4, top + 13, title))
        top += _GROUP
        for lane in members:
            y = top + (_PITCH - THICK) / 2
            parts.append(label("lane-number", 22, y + 8, str(lane.number), "end"))
            parts.append(draw(lane, x, recording.began, _finished(recording), y))
            top += _PITCH
    if not found:
        parts.append(label("group", 4, top + 13, "no execution environment"))
        top += _GROUP
    return parts, top


def _unplaced(
    invocations: Sequence[InvocationRecord], x: Linear, origin: float, top: float
) -> Markup:
    """Invocations that no environment got: throttled ones, and failures before one was made."""
    y = top + _GROUP + THICK
    return joined(
        label("group", 4, top + 13, f"without an environment: {len(invocations):,}"),
        *(
            mark(
                f"{'Ping' if item.ping else 'Request'} at {item.started - origin:.2f} s: "
                f"{item.status}{f' ({item.reason})' if item.reason else ''}",
                label("cross", x(item.started - origin), y, "\N{MULTIPLICATION SIGN}", "middle"),
                class_="run",
                data_kind="ping" if item.ping else "request",
                data_count=1,
            )
            for item in invocations
        ),
    )


def _schedule(recording: Recording, x: Linear, top: float, bottom: float) -> Markup:
    """The ground of the time in which the warmer ran."""
    if recording.schedule_on is None:
        return Markup()
    left, right = (x(moment - recording.began) for moment in recording.schedule_on)
    middle = (left + right) / 2
    return joined(
        element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="warmed"),
        element("path", d=f"M{left:.1f} {bottom + 3:g}H{right:.1f}", class_="warmed-line"),
        label("warmed-name", middle, bottom + 16, "the warmer's schedule is on", "middle"),
    )


def _axes(recording: Recording, x: Linear, top: float, bottom: float) -> Markup:
    """Real seconds, and the same stretch in cloud minutes."""
    minutes = Linear(0.0, x.highest * recording.clock_rate / 60, x.left, x.right)
    rate = f"{recording.clock_rate:g}"
    return joined(
        axis([(x(tick), tick) for tick in x.ticks(10)], bottom, top, "s"),
        label("axis-name", _LEFT, bottom + 30, "real time: INIT, requests and pings happen in it"),
        element("path", d=f"M{_LEFT:g} {bottom + 42:g}H{_RIGHT:g}", class_="base"),
        axis(
            [(minutes(tick), tick) for tick in minutes.ticks(10)], bottom + 42, bottom + 42, "min"
        ),
        label(
            "axis-name",
            _LEFT,
            bottom + 70,
            f"cloud time, {rate} times faster: schedules and idle lifetimes follow it",
        ),
    )
