"""Bursts on one time scale: of users without the warmer and with it, and of pings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.cloud.ledger import EnvironmentRecord, InvocationRecord
from infra.demo.markup import Markup, element, joined
from infra.demo.page_chart import Described, axis, chart, flake, label, mark, rect
from infra.demo.quantity import counted, milliseconds, times
from infra.demo.recording import Recording
from infra.demo.scale import Linear, round_up

__all__ = ["WIDTH", "Bar", "bars", "panel", "panel_content", "panel_height", "span_ms"]

WIDTH = 360.0
_LEFT, _RIGHT = 22.0, 304.0
_TOP, _PITCH, _THICK = 40.0, 17.0, 11.0
_AXIS = 24.0
# Where the enlargement begins, and how much faster a burst must be to be given one.
_INSET_LEFT = 92.0
_WORTH_ENLARGING = 5.0


@dataclass(frozen=True)
class Bar:
    """One request or ping of a burst; milliseconds after the burst's first one arrived.

    init: INIT that it waited for, from and to. primed: the parts of that INIT that were priming.
    ended: None where it had not been answered.
    """

    number: int
    arrived: float
    init: tuple[float, float] | None
    ended: float | None
    cold: bool
    status: str
    primed: tuple[tuple[float, float], ...] = ()
    ping: bool = False

    @property
    def took(self) -> float | None:
        """From arrival to answer."""
        return None if self.ended is None else self.ended - self.arrived

    @property
    def text(self) -> str:
        """All about it, for a tooltip."""
        start = "cold start" if self.cold else "warm"
        name = f"{'Ping' if self.ping else 'Request'} {self.number}"
        said = f"{name}: {start}, arrived at {milliseconds(self.arrived)}"
        if self.status == "throttled":
            return f"{name}: throttled at {milliseconds(self.arrived)}"
        if self.took is None:
            return f"{said}, not answered when the run ended"
        if self.init is not None:
            said += f", INIT {milliseconds(self.init[1] - self.init[0])}"
        if self.primed:
            primed = sum(ended - began for began, ended in self.primed)
            said += f" ({milliseconds(primed)} of it priming)"
        outcome = "answered" if self.status == "success" else f"ended ({self.status})"
        return f"{said}, {outcome} after {milliseconds(self.took)}"


def bars(recording: Recording, requests: Sequence[InvocationRecord]) -> tuple[Bar, ...]:
    """A burst's requests or pings, in order of arrival, as the ledger has them."""
    origin = min((item.started for item in requests), default=0.0)
    environments = {item.id: item for item in recording.environments}
    return tuple(
        Bar(
            number=index,
            arrived=(item.started - origin) * 1000,
            init=_init(item, environments.get(item.environment or ""), origin),
            ended=None if item.ended is None else (item.ended - origin) * 1000,
            cold=item.cold,
            status=item.status,
            primed=_primed(item, recording, origin),
            ping=item.ping,
        )
        for index, item in enumerate(requests, 1)
    )


def span_ms(*bursts: Sequence[Bar]) -> float:
    """A round number of milliseconds that is long enough for all bursts."""
    ends = [
        item.arrived if item.ended is None else item.ended for burst in bursts for item in burst
    ]
    return round_up(max(ends, default=0.0))


def panel_height(lanes: int) -> float:
    """The height of a panel with so many requests."""
    return _TOP + _PITCH * max(lanes, 1) + _AXIS


def panel(described: Described, burst: Sequence[Bar], limit: float, lanes: int) -> Markup:
    """A burst as an image of its own; `limit` and `lanes` are the same for all that compare."""
    content = panel_content(described.key, burst, limit, lanes)
    return chart(described, WIDTH, panel_height(lanes), content)


def panel_content(key: str, burst: Sequence[Bar], limit: float, lanes: int) -> Markup:
    """The drawing itself: a lane for each request on a scale from 0 to `limit` milliseconds."""
    x = Linear(0.0, limit, _LEFT, _RIGHT)
    bottom = _TOP + _PITCH * max(lanes, 1)
    enlarged = _enlargement(burst, limit)
    parts = [
        axis([(x(tick), tick) for tick in x.ticks(5)], bottom, _TOP - 4, "ms"),
        _enlarged_ground(x, enlarged, bottom, burst) if enlarged else _stages(x, burst),
    ]
    for index, bar in enumerate(burst):
        top = _TOP + _PITCH * index + (_PITCH - _THICK) / 2
        parts.append(_lane(key, bar, top, x, enlarged))
    if not burst:
        parts.append(label("note", (_LEFT + _RIGHT) / 2, bottom - 6, "no requests", "middle"))
    return joined(*parts)


def _init(
    item: InvocationRecord, environment: EnvironmentRecord | None, origin: float
) -> tuple[float, float] | None:
    if not item.cold or environment is None or environment.init_started is None:
        return None
    began = environment.init_started
    ready = environment.ready_at
    if ready is None:  # INIT failed, or had not ended
        known = [time for time in (item.ended, environment.ended_at) if time is not None]
        ready = min(known, default=began)
    if ready < item.started:  # made ahead: what the request waited for was a restore
        return None
    return (began - origin) * 1000, (max(began, ready) - origin) * 1000


def _primed(
    item: InvocationRecord, recording: Recording, origin: float
) -> tuple[tuple[float, float], ...]:
    """The priming that a cold request waited for."""
    if not item.cold or item.environment is None:
        return ()
    stretches = recording.primed.get(item.environment, ())
    began = [((stretch.started_at - origin) * 1000, stretch.ms) for stretch in stretches]
    return tuple((at, at + ms) for at, ms in began)


def _enlargement(burst: Sequence[Bar], limit: float) -> Linear | None:
    """A finer scale in the panel's empty part, where all answers came early enough for one."""
    longest = max((bar.ended or limit for bar in burst), default=limit)
    if longest * _WORTH_ENLARGING > limit:
        return None
    return Linear(0.0, round_up(longest), _INSET_LEFT, _RIGHT)


def _enlarged_ground(x: Linear, finer: Linear, bottom: float, burst: Sequence[Bar]) -> Markup:
    factor = (finer.right - finer.left) / finer.highest / ((x.right - x.left) / x.highest)
    near = x(finer.highest) + 2
    top = _TOP - 2
    wedge = f"M{near:.1f} {top:g}L{finer.left - 8:g} {top:g}V{bottom:g}H{near:.1f}Z"
    return joined(
        element("path", d=wedge, class_="wedge"),
        element(
            "rect",
            x=finer.left - 8,
            y=top,
            width=WIDTH - finer.left + 8,
            height=bottom - top,
            rx=3,
            class_="inset",
        ),
        label(
            "note", finer.left - 8, 12, f"the same {len(burst)}, {times(factor, 1)} times enlarged"
        ),
        *(
            joined(
                label("tick", finer(tick), 30, _tick(tick, finer), "middle"),
                element("path", d=f"M{finer(tick):.1f} {top:g}V{bottom:g}", class_="grid"),
            )
            for tick in finer.ticks(4)
        ),
    )


def _tick(tick: float, scale: Linear) -> str:
    return f"{tick:g} ms" if tick == scale.ticks(4)[-1] else f"{tick:g}"


def _stages(x: Linear, burst: Sequence[Bar]) -> Markup:
    """Names over where most INITs are, so that the drawing needs no legend."""
    inits = sorted(bar.init for bar in burst if bar.init is not None and bar.ended is not None)
    if not inits:
        return Markup()
    left, right = (x(moment) for moment in inits[len(inits) // 2])
    parts = []
    if right - left > 90:
        parts.append(label("note", (left + right) / 2, 30, "INIT of a new environment", "middle"))
    # Clear of the other, whose half is some 70 wide.
    parts.append(label("note", max(right, (left + right) / 2 + 76), 30, "answer"))
    return joined(*parts)


def _lane(key: str, bar: Bar, top: float, x: Linear, finer: Linear | None) -> Markup:
    middle = top + _THICK / 2
    parts = [_drawn(key, bar, top, x)]
    if finer is not None:
        parts.append(_drawn(key, bar, top, finer))
    shown = bar.arrived if bar.status == "throttled" else bar.ended
    end = (finer or x)(x.highest if shown is None else shown)
    parts.append(label("value", end + 5, middle + 3.5, _outcome(bar)))
    if bar.cold:
        seen = "cold-mark unseen" if bar.ping else "cold-mark"
        parts.append(element("g", flake(_LEFT - 11, middle), class_=seen))
    return mark(
        bar.text,
        *parts,
        class_="ping" if bar.ping else "request",
        data_cold="yes" if bar.cold else "no",
    )


def _drawn(key: str, bar: Bar, top: float, x: Linear) -> Markup:
    if bar.status == "throttled":
        return label("cross", x(bar.arrived), top + _THICK - 1, "\N{MULTIPLICATION SIGN}", "middle")
    end = x.highest if bar.ended is None else bar.ended
    if bar.init is None:
        return rect(_served(bar), x(bar.arrived), x(end), top, _THICK)
    began, ready = bar.init
    return joined(
        rect("waiting", x(bar.arrived), x(began), top + _THICK / 2 - 1, 2),
        rect("init", x(began), x(ready), top, _THICK, f"url(#{key}-hatch)"),
        *(rect("priming", x(start), x(end), top, _THICK) for start, end in bar.primed),
        rect(_served(bar), x(ready), x(max(end, ready)), top, _THICK),
    )


def _served(bar: Bar) -> str:
    return "held" if bar.ping else "serving"


def _outcome(bar: Bar) -> str:
    if bar.status == "throttled":
        return "throttled"
    if bar.took is None:
        return "no answer"
    said = f"{bar.took:,.0f} ms" if bar.took >= 10 else milliseconds(bar.took)
    return said if bar.status == "success" else f"{said}, {bar.status}"


def described(key: str, name: str, burst: Sequence[Bar]) -> Described:
    """The panel's title, and what it shows in words."""
    cold = sum(bar.cold for bar in burst)
    took = sorted(bar.took for bar in burst if bar.took is not None)
    range_ms = f" took {milliseconds(took[0])} to {milliseconds(took[-1])} each" if took else ""
    noun = "ping" if burst and burst[0].ping else "request"
    return Described(
        key,
        f"{counted(len(burst), noun)}{'' if noun == 'ping' else ' at once'}, {name}",
        f"{counted(cold, 'cold start')}; the {noun}s{range_ms}, from arrival to answer.",
    )
