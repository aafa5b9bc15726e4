"""How many execution environments to hold warm, and when to look again: pure, the past only.

A policy is asked at the moments that it chose itself, in the warmer's last run before each. It sees
the clock, the replies to its last wave, which cost nothing, and the history of concurrency, which
costs a metric's price each time it is read. It answers with the size of a wave to send now (0 for
none) and the moment of its next look. What it must remember it hands over as JSON values and gets
back, so that it works as well in a function that forgets everything between two runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

from warmer.errors import ConfigurationError
from warmer.fleet.places import EARLY

if TYPE_CHECKING:
    from warmer.fleet.uses import Uses

__all__ = [
    "Decision",
    "Fixed",
    "Heard",
    "Hearing",
    "History",
    "IdleReset",
    "Informed",
    "Look",
    "Never",
    "Policy",
    "Sharing",
    "Windows",
    "policy_from_text",
]

MINUTE_SECONDS = 60
DAY_SECONDS = 86_400
MARGIN_SECONDS = 30.0
"""How long before an environment is about to be forgotten it is pinged: a schedule fires within its
minute (EventBridge Scheduler user guide, "Schedule types": precision of 60 seconds)."""

DEFAULT_IDLE_MINUTES = 10.0
"""An assumption about the idle lifetime, which AWS does not publish."""

DEFAULT_INTERVAL_MINUTES = 5.0


class Heard(NamedTuple):
    """What one reply of a wave tells, as in `warmer.ping.Reply`; None: there was none."""

    new: bool
    idle_seconds: float | None
    age_seconds: float
    init_ms: float
    user_requests: int
    last_user_seconds_ago: float | None


class History(Protocol):
    """Concurrency so far. Each call reads a metric, and is paid for."""

    def concurrency(self, since: float) -> tuple[float, Sequence[int]]:
        """The highest concurrency in each minute from `since` (Unix seconds) on, pings included.

        Returns when the first of these minutes begins, and the values up to the last minute that
        CloudWatch has; that is some minutes ago. 0 where nothing was invoked.
        """
        ...


class Look(NamedTuple):
    """What a policy sees at `now` (Unix seconds).

    wave_at, heard: when its last wave was sent, and the replies to that; None and () for none.
    memory: what it handed over at its last look; empty at the first.
    uses: users' requests since its last look, from the logs; None where those are not read, or not
    now: then the next look that has them tells of all since the last one that had.
    """

    now: float
    wave_at: float | None
    heard: Sequence[Heard]
    memory: Mapping[str, float]
    history: History
    uses: Uses | None = None


class Decision(NamedTuple):
    """Send a wave of `hold` pings now (0: none) and look again at `look_at` (infinity: never)."""

    hold: int
    look_at: float
    memory: Mapping[str, float] = {}


class Policy(Protocol):
    """Decides how many environments to hold warm.

    `timed`: its decisions depend on the clock alone, neither on replies nor on history.
    """

    @property
    def timed(self) -> bool:
        """Whether its decisions depend on the clock alone."""
        ...

    def decide(self, look: Look) -> Decision:
        """What to do now. A `timed` policy is told the moment that it chose; another the run's, up
        to EARLY before that: its waves go then, and the next ones may be counted on from there."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """A policy that hears the replies to a wave in the run that sent it, before that ends."""

    def after(self, look: Look) -> Decision:
        """When to look again, and what to remember; `look.heard` answers the wave of `look.now`.

        `look.memory` is what `decide` has just handed over; a `hold` in the answer does not count.
        """
        ...


@runtime_checkable
class Informed(Protocol):
    """A policy that can take in users' requests, `Look.uses`: at each look a log is read for it.

    To read it costs nothing but the warmer's time. Other policies have the history, and so has this
    one for a function whose log cannot be read, or has no reports.
    """

    def informed(self) -> Policy:
        """The same policy where logs tell of users' requests; what it remembers, both can read.

        Of its looks some may lack `uses`, which are then with a later one.
        """
        ...


@runtime_checkable
class Sharing(Protocol):
    """A policy that learns of a function from others of the same warmer too."""

    def told(self, memories: Iterable[Mapping[str, float]]) -> Sequence[float]:
        """What functions tell together, by what is remembered of each: sums."""
        ...

    def among(self, others: Sequence[float]) -> Policy:
        """The same policy for a function of whose others this was `told`."""
        ...


@dataclass(frozen=True)
class Never:
    """No pings: the function as it is."""

    timed: ClassVar[bool] = True

    def decide(self, look: Look) -> Decision:
        """Nothing, and never again."""
        del look
        return Decision(0, inf)


@dataclass(frozen=True)
class Fixed:
    """`size` environments are pinged every `minutes`, whatever the function does."""

    minutes: float = DEFAULT_INTERVAL_MINUTES
    size: int = 1
    timed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_minutes("fixed", self.minutes)
        _check_size("fixed", self.size)

    def decide(self, look: Look) -> Decision:
        """A wave at each look."""
        return Decision(self.size, look.now + self.minutes * MINUTE_SECONDS)


@dataclass(frozen=True)
class Windows:
    """As `Fixed`, but from `first_hour` to `last_hour` of each day only, in UTC.

    The window goes over midnight if it ends earlier than it begins.
    """

    first_hour: float = 8.0
    last_hour: float = 18.0
    minutes: float = DEFAULT_INTERVAL_MINUTES
    size: int = 1
    timed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for hour in (self.first_hour, self.last_hour):
            if not 0 <= hour <= 24:
                raise ConfigurationError("windows", hour, "hours from 0 to 24, such as 8-18")
        if self.first_hour == self.last_hour:
            raise ConfigurationError("windows", self.first_hour, "two hours that differ")
        _check_minutes("windows", self.minutes)
        _check_size("windows", self.size)

    def decide(self, look: Look) -> Decision:
        """A wave at each look within the window; none outside, and a look when it opens."""
        opened = (look.now - self.first_hour * 3600) % DAY_SECONDS
        length = (self.last_hour - self.first_hour) * 3600 % DAY_SECONDS or DAY_SECONDS
        opens_again = look.now + DAY_SECONDS - opened
        if opened >= length:
            return Decision(0, opens_again)
        step = self.minutes * MINUTE_SECONDS
        return Decision(self.size, look.now + step if opened + step < length else opens_again)


@dataclass(frozen=True)
class IdleReset:
    """Pings only when use is about to be forgotten: when `minutes` have passed without any.

    `minutes` is what the idle lifetime is assumed to be; a look comes half a minute before its end.
    Use is a wave of one's own, or a minute in which `size` environments were busy at once, which
    each look reads from the history: dear where a wave is small.
    """

    minutes: float = DEFAULT_IDLE_MINUTES
    size: int = 1
    timed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_minutes("idle-reset", self.minutes)
        _check_size("idle-reset", self.size)

    @property
    def interval_seconds(self) -> float:
        """How long after a use to look again."""
        return self.minutes * MINUTE_SECONDS - MARGIN_SECONDS

    def decide(self, look: Look) -> Decision:
        """A wave, unless the history shows that it has time."""
        used_at = look.memory.get("used_at", -inf)
        if used_at > -inf:
            # The minute of a wave shows that wave, so only later ones count.
            after = (used_at // MINUTE_SECONDS + 1) * MINUTE_SECONDS
            first, values = look.history.concurrency(after)
            for index in range(len(values) - 1, -1, -1):
                if values[index] >= self.size:
                    used_at = first + index * MINUTE_SECONDS
                    break
        hold = 0
        if used_at + self.interval_seconds < look.now + EARLY:
            hold, used_at = self.size, look.now
        return Decision(hold, used_at + self.interval_seconds, {"used_at": used_at})


def policy_from_text(text: str) -> Policy:
    """A policy by name, with its argument behind a colon.

        none
        fixed:MINUTES[xSIZE]                fixed:5, fixed:5x3
        windows:FROM-TO[/MINUTES][xSIZE]    windows:8-18, windows:8-18/10x2
        idle-reset[:MINUTES][xSIZE]         idle-reset, idle-reset:10x2
        auto[:GOAL=NUMBER]                  auto, auto:cold=0.001, auto:budget=5, auto:rate=0.01
        break-even[:DOLLARS]                break-even:0.0001
        hybrid[:MINUTES]                    hybrid, hybrid:6
        forecast[:QUANTILE]                 forecast, forecast:0.99

    Raises ConfigurationError.
    """
    name, _, argument = text.partition(":")
    if name in ("auto", "break-even", "hybrid", "forecast"):
        return _learning_policy(text, name, argument)
    argument, cross, size_text = argument.partition("x")
    size = int(size_text) if size_text.isdecimal() else 0 if cross else 1
    if not size:
        raise ConfigurationError("policy", text, "a whole number from 1 behind x, as in fixed:5x3")
    if name == "none" and text == "none":
        return Never()
    if name == "fixed":
        return Fixed(_number(text, argument or str(DEFAULT_INTERVAL_MINUTES)), size)
    if name == "idle-reset":
        return IdleReset(_number(text, argument or str(DEFAULT_IDLE_MINUTES)), size)
    if name == "windows":
        hours, _, minutes = argument.partition("/")
        first, dash, last = (hours or "8-18").partition("-")
        if dash:
            step = _number(text, minutes or str(DEFAULT_INTERVAL_MINUTES))
            return Windows(_number(text, first), _number(text, last), step, size)
    expected = (
        "none, fixed:MINUTES, windows:FROM-TO or idle-reset:MINUTES, perhaps with xSIZE; "
        "auto, auto:cold=DOLLARS, auto:budget=DOLLARS, auto:rate=PART, break-even:DOLLARS, hybrid "
        "or forecast:QUANTILE"
    )
    raise ConfigurationError("policy", text, expected)


def _learning_policy(text: str, name: str, argument: str) -> Policy:
    # Theirs are the larger modules, and they need this one. A warmer imports the one that it asks.
    if name == "forecast":
        from warmer.fleet.seasonal import Forecast

        return Forecast(_number(text, argument)) if argument else Forecast()
    if name == "auto":
        return _auto(text, argument)
    from warmer.fleet.keep_alive import BreakEven, Hybrid

    if name == "break-even":
        return BreakEven(_number(text, argument)) if argument else BreakEven()
    minutes = _number(text, argument) if argument else DEFAULT_IDLE_MINUTES
    _check_minutes("hybrid", minutes)
    return Hybrid(minutes)


def _auto(text: str, argument: str) -> Policy:
    from warmer.fleet.auto import Auto

    goal, equals, amount = argument.partition("=")
    if not argument:
        return Auto()
    if goal not in ("cold", "budget", "rate") or not equals:
        expected = "auto:cold=DOLLARS, auto:budget=DOLLARS or auto:rate=PART, as auto:rate=0.01"
        raise ConfigurationError("policy", text, expected)
    return Auto(goal, _number(text, amount))  # type: ignore[arg-type]  # it is one of the three


def _number(text: str, part: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise ConfigurationError("policy", text, f"a number instead of {part!r}") from None


def _check_minutes(policy: str, minutes: float) -> None:
    if not 1 <= minutes <= 7 * 24 * 60:
        expected = "minutes from 1, which is as often as a schedule fires, to 10,080, a week"
        raise ConfigurationError(policy, minutes, expected)


def _check_size(policy: str, size: int) -> None:
    if not 1 <= size <= 900:
        raise ConfigurationError(f"{policy} size", size, "1 to 900 environments")
