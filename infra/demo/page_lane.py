"""One execution environment's life as a lane of the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.cloud.ledger import EnvironmentRecord, InvocationRecord
from infra.demo.markup import Markup, element
from infra.demo.page_chart import flake, mark, rect
from infra.demo.quantity import counted, milliseconds
from infra.demo.scale import Linear
from warmer.environment import Primed

__all__ = ["THICK", "Lane", "Run", "draw", "runs"]

THICK = 9.0
# Invocations of one kind whose bars would touch are drawn as one.
_TOUCHING = 1.5
# Priming that would be narrower is drawn as wide as this.
_LEAST_PRIMING = 2.5


@dataclass(frozen=True)
class Lane:
    """An environment, its number in the drawing, what was placed on it by arrival, its priming."""

    number: int
    environment: EnvironmentRecord
    invocations: tuple[InvocationRecord, ...]
    primed: tuple[Primed, ...] = ()

    @property
    def requests(self) -> int:
        """How many were not pings."""
        return len(self.invocations) - self.pings

    @property
    def pings(self) -> int:
        """How many were pings."""
        return sum(item.ping for item in self.invocations)

    @property
    def cold(self) -> tuple[InvocationRecord, ...]:
        """Those that waited for its INIT."""
        return tuple(item for item in self.invocations if item.cold)

    @property
    def primed_ms(self) -> float:
        """How long its priming took in all."""
        return sum(item.ms for item in self.primed)


@dataclass(frozen=True)
class Run:
    """Invocations of one kind, drawn as one bar."""

    invocations: tuple[InvocationRecord, ...]

    @property
    def kind(self) -> str:
        """`ping`, or `request` for all that users and schedules send."""
        return "ping" if self.invocations[0].ping else "request"


def runs(invocations: Iterable[InvocationRecord], touching_seconds: float) -> list[Run]:
    """Successive invocations joined where bars would touch; cold and failed ones stay alone."""
    found: list[Run] = []
    for item in invocations:
        last = found[-1].invocations[-1] if found else None
        if (
            last is not None
            and _plain(last)
            and _plain(item)
            and last.ping == item.ping
            and item.started - (last.ended or last.started) < touching_seconds
        ):
            found[-1] = Run((*found[-1].invocations, item))
        else:
            found.append(Run((item,)))
    return found


def draw(lane: Lane, x: Linear, origin: float, finished: float, top: float) -> Markup:
    """The lane: alive and idle, INIT, pings and requests, cold starts, its end."""
    environment = lane.environment
    ended = finished if environment.ended_at is None else environment.ended_at
    ready = environment.ready_at
    place = _Place(x, origin, top)
    parts = []
    if ready is not None:
        parts.append(place.bar("idle", ready, max(ready, ended), 0.3))
    if environment.init_started is not None:
        init_ended = ended if ready is None else ready
        text = f"Environment {lane.number}: INIT"
        if environment.init_ms is not None:
            text += f" {milliseconds(environment.init_ms)}"
        bar = place.bar("init", environment.init_started, init_ended, 1.0, "url(#timeline-hatch)")
        parts.append(mark(f"{text}, at {_at(environment.init_started, origin)}", bar))
    parts += [_primed(item, lane, place) for item in lane.primed]
    touching = _TOUCHING * (x.highest - x.lowest) / (x.right - x.left)
    parts += [_run(run, lane, place, finished) for run in runs(lane.invocations, touching)]
    parts += [_cold(item, lane, place) for item in lane.cold]
    if environment.ended_at is not None:
        parts.append(_end(lane, place, environment.ended_at))
    return mark(_life(lane, origin), *parts, class_="lane", data_environment=environment.id)


@dataclass(frozen=True)
class _Place:
    x: Linear
    origin: float
    top: float

    def at(self, moment: float) -> float:
        return self.x(moment - self.origin)

    def bar(
        self, class_: str, began: float, ended: float, share: float, fill: str | None = None
    ) -> Markup:
        """A bar of this share of a lane's thickness, in its middle."""
        height = THICK * share
        top = self.top + (THICK - height) / 2
        return rect(class_, self.at(began), self.at(ended), top, height, fill)


def _plain(item: InvocationRecord) -> bool:
    return item.status == "success" and not item.cold


def _run(run: Run, lane: Lane, place: _Place, finished: float) -> Markup:
    first, last = run.invocations[0], run.invocations[-1]
    began = first.started
    if first.cold and lane.environment.ready_at is not None:
        began = max(began, lane.environment.ready_at)
    ended = max(began, finished if last.ended is None else last.ended)
    count = len(run.invocations)
    failed = first.status not in ("success", "running")
    text = f"{counted(count, run.kind)} to environment {lane.number}, at {_at(began, place.origin)}"
    known = [item.duration_ms for item in run.invocations if item.duration_ms is not None]
    if known:
        text += f", {milliseconds(sum(known) / count)}{' each, on average' if count > 1 else ''}"
    if first.status != "success":
        text += f": {first.status}"
    class_ = "failed" if failed else "held" if first.ping else "serving"
    return mark(
        text,
        place.bar(class_, began, ended, 0.75 if first.ping else 1.0),
        class_="run",
        data_kind=run.kind,
        data_count=count,
    )


def _primed(item: Primed, lane: Lane, place: _Place) -> Markup:
    text = f"Environment {lane.number}: priming {item.name} {milliseconds(item.ms)}"
    ended = place.at(item.started_at + item.ms / 1000)
    # Within the INIT even where it is too short to be seen: what follows INIT covers its end.
    began = min(place.at(item.started_at), ended - _LEAST_PRIMING)
    return mark(
        f"{text}, at {_at(item.started_at, place.origin)}",
        rect("priming", began, ended, place.top, THICK),
        class_="primed",
        data_ms=str(item.ms),  # as logged: a number would be rounded as coordinates are
    )


def _cold(item: InvocationRecord, lane: Lane, place: _Place) -> Markup:
    # A schedule's invoke is asynchronous: no user waits for it either.
    unseen = item.ping or item.kind == "event"
    whose = "a ping" if item.ping else "the schedule" if unseen else "a request"
    began = lane.environment.init_started or item.started
    return mark(
        f"Cold start: {whose} waited for the INIT of environment {lane.number}",
        flake(place.at(began) - 7, place.top + THICK / 2, 4.5),
        class_="cold-mark unseen" if unseen else "cold-mark",
        data_sequence=item.sequence,
    )


def _end(lane: Lane, place: _Place, ended: float) -> Markup:
    x = place.at(ended)
    path = f"M{x:.1f} {place.top - 1:.1f}v{THICK + 2:g}"
    reason = lane.environment.end_reason or "unknown"
    text = f"Environment {lane.number} ended at {_at(ended, place.origin)}: {_why(reason)}"
    return mark(text, element("path", d=path, class_="end"))


def _why(reason: str) -> str:
    return "taken back, idle for its whole idle lifetime" if reason == "idle" else reason


def _life(lane: Lane, origin: float) -> str:
    environment = lane.environment
    text = (
        f"Environment {lane.number} of {environment.function}, version {environment.version}: "
        f"made at {_at(environment.spawned_at, origin)}, {counted(lane.requests, 'request')}, "
        f"{counted(lane.pings, 'ping')}"
    )
    if environment.ended_at is None:
        return f"{text}; alive at the end"
    return f"{text}; ended at {_at(environment.ended_at, origin)} ({environment.end_reason})"


def _at(moment: float, origin: float) -> str:
    return f"{moment - origin:.2f} s"


def lanes_of(
    environments: Sequence[EnvironmentRecord],
    invocations: Sequence[InvocationRecord],
    primed: Mapping[str, tuple[Primed, ...]],
) -> list[Lane]:
    """A lane for each environment, numbered from 1 in their order; `primed` is by environment."""
    placed: dict[str, list[InvocationRecord]] = {item.id: [] for item in environments}
    for item in invocations:
        if item.environment in placed:
            placed[item.environment].append(item)
    return [
        Lane(number, item, tuple(placed[item.id]), primed.get(item.id, ()))
        for number, item in enumerate(environments, 1)
    ]
