"""What each way to keep a function warm would have come to on a trace, and which one to take.

Every option is simulated for each function of the trace with the same requests. Latency is a
request's own time and, where it is cold, the INIT that it waits for. How long a request runs is
taken to be independent of whether it is cold. Dollars are what an option costs beside the requests
themselves: what is saved on those with provisioned concurrency, whose seconds are cheaper, counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from warmer.errors import ConfigurationError
from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, Never, Policy
from warmer.fleet.price import SECONDS_A_MONTH
from warmer.lab.comparison import compare
from warmer.lab.cost import Cost
from warmer.lab.placement import Placement, place
from warmer.lab.provisioned import HOURS, Provisioned, busy_when_reached
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted, Simulation
from warmer.lab.state import COLD_REQUESTS, Floats, Integers
from warmer.lab.trace import Arrivals, Trace

__all__ = ["Advice", "Facts", "Goal", "Option", "advise"]

AUTO_VALUES = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 3e-3)
MOST_PROVISIONED = 1000
PERCENTILES = (50.0, 99.0)
SNAP_START_RUNTIMES = ("python3.12", "python3.13", "python3.14")
SNAP_START_TMP_MB = 512


@dataclass(frozen=True)
class Goal:
    """What is wanted: `rate`, at most this part of the requests cold, for the least dollars;
    `budget`, the fewest cold starts for at most so many dollars a month; `cold`, the least of
    dollars and cold starts, one of which is worth so many dollars. Raises ConfigurationError."""

    kind: str = "rate"
    amount: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in ("rate", "budget", "cold"):
            raise ConfigurationError("--goal", self.kind, "rate=PART, budget=USD or cold=USD")
        if not 0 <= self.amount < (1 if self.kind == "rate" else 1e9):
            expected = "a part of the requests below 1" if self.kind == "rate" else "US dollars"
            raise ConfigurationError(f"--goal {self.kind}", self.amount, expected)

    @classmethod
    def parse(cls, text: str) -> Goal:
        """From `rate=0.01`. Raises ConfigurationError."""
        kind, _, amount = text.partition("=")
        try:
            return cls(kind, float(amount))
        except ValueError:
            expected = "rate=PART, budget=USD or cold=USD, such as rate=0.01"
            raise ConfigurationError("--goal", text, expected) from None

    def badness(self, option: Option) -> tuple[float, float]:
        """The smaller the better: by how much the goal is missed, then what remains to be least."""
        rate, usd = option.cold_start_rate, option.usd_per_month
        if self.kind == "rate":
            return max(rate - self.amount, 0.0), usd
        if self.kind == "budget":
            return max(usd - self.amount, 0.0), rate
        return 0.0, usd + self.amount * option.cold_starts_per_month


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What decides which options there are.

    runtime: as a template names it. image: it is a container image. efs: it mounts a file system.
    tmp_mb: its /tmp. restore_seconds: what a restore from a snapshot takes, an assumption.
    """

    runtime: str = "python3.12"
    image: bool = False
    efs: bool = False
    tmp_mb: int = 512
    restore_seconds: float = 0.3

    def no_snap_start(self) -> str:
        """Why SnapStart is impossible, or an empty text.

        Source: Lambda developer guide, "Improving startup performance with Lambda SnapStart",
        supported features and limitations.
        """
        if self.image:
            return "SnapStart takes no container images"
        if self.efs:
            return "SnapStart takes no functions with EFS"
        if self.tmp_mb > SNAP_START_TMP_MB:
            return f"SnapStart allows {SNAP_START_TMP_MB} MB of /tmp, this has {self.tmp_mb}"
        if self.runtime.startswith("python") and self.runtime not in SNAP_START_RUNTIMES:
            return f"SnapStart needs Python 3.12 or later, this is {self.runtime}"
        return ""


@dataclass(frozen=True)
class Option:
    """One way, over all functions of the trace.

    cold_starts: requests that waited for INIT, or for a restore. p50_ms, p99_ms: latency.
    impossible: why it cannot be had here. template: the lines that apply it.
    """

    name: str
    cold_starts: int
    cold_start_rate: float
    cold_starts_per_month: float
    p50_ms: float
    p99_ms: float
    usd_per_month: float
    impossible: str = ""
    template: Sequence[str] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**vars(self), "template": list(self.template)}


@dataclass(frozen=True)
class Advice:
    """All options, and the one that is recommended.

    notes: what had to be assumed, a sentence each.
    """

    goal: Goal
    options: Sequence[Option]
    notes: Sequence[str] = ()

    @property
    def recommended(self) -> Option:
        """The possible one that serves the goal best."""
        return min((one for one in self.options if not one.impossible), key=self.goal.badness)

    @property
    def met(self) -> bool:
        """Whether the recommended one meets the goal."""
        return self.goal.badness(self.recommended)[0] == 0

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "goal": {self.goal.kind: self.goal.amount},
            "options": [option.as_dict() for option in self.options],
            "recommended": self.recommended.name,
            "goal_met": self.met,
            "template": list(self.recommended.template),
            "notes": list(self.notes),
        }


def advise(trace: Trace, goal: Goal, scenario: Scenario, cost: Cost, facts: Facts) -> Advice:
    """Simulate every option. Raises ConfigurationError for a trace without requests."""
    if not trace.invocations:
        raise ConfigurationError("the trace", 0, "at least one request")
    arrivals = place(trace, Placement.UNIFORM, scenario.seed)
    study = _Study(trace, arrivals, scenario, cost, goal)
    options = [*study.pinged(), study.snap_start(facts), *study.provisioned()]
    return Advice(goal, options, [*trace.notes, *_short(trace)])


def _short(trace: Trace) -> list[str]:
    """What is assumed of a day of which the trace has a part."""
    if trace.days >= 1:
        return []
    known = f"The trace has {trace.days * 24:.3g} h of a day"
    return [f"{known}: a month is taken for many such, and schedules have none in other hours."]


class _Study:
    """A trace, and all that holds for every option."""

    def __init__(
        self, trace: Trace, arrivals: Arrivals, scenario: Scenario, cost: Cost, goal: Goal
    ) -> None:
        self.trace = trace
        self.arrivals = arrivals
        self.scenario = scenario
        self.cost = cost
        self.goal = goal
        self.month = 30 / trace.days
        self.init = float(scenario.init.draws(np.random.default_rng(0)).mean())
        self.sorted = np.sort(arrivals.services)

    def option(
        self,
        name: str,
        cold: int,
        usd: float,
        template: Sequence[str] = (),
        *,
        wait: float | None = None,
        impossible: str = "",
    ) -> Option:
        """From what was counted; `wait` is what a cold request waits for, INIT by default."""
        total = len(self.sorted)
        seconds = self.init if wait is None else wait
        p50, p99 = (latency(self.sorted, cold / total, seconds, rank) for rank in PERCENTILES)
        return Option(
            name,
            cold,
            cold / total,
            cold * self.month,
            p50 * 1000,
            p99 * 1000,
            usd,
            impossible,
            template,
        )

    def pinged(self) -> list[Option]:
        """None, fixed pings, and `auto` at the point that serves the goal best."""
        policies: dict[str, Policy] = {"none": Never(), "fixed pings, 5 minutes": Fixed(5)}
        policies |= {f"auto:cold={value:g}": Auto("cold", value) for value in AUTO_VALUES}
        rows = compare(self.trace, policies, self.scenario, self.cost, [Placement.UNIFORM]).rows()
        found = {
            row["policy"]: self.option(
                row["policy"],
                row["cold_starts"],
                row["usd_per_month"] + row["cold_init_usd_per_month"],
                _PINGED.get(row["policy"], ()),
            )
            for row in rows
        }
        autos = [found.pop(name) for name in policies if name.startswith("auto")]
        best = min(autos, key=self.goal.badness)
        lines = ("Parameters: {WarmPolicy: " + best.name + "}", *_PINGED["auto"])
        return [*found.values(), replace(best, template=lines)]

    def snap_start(self, facts: Facts) -> Option:
        """Every cold start restores a snapshot, of a version that is kept all month."""
        cold = self._cold(self.arrivals, facts.restore_seconds)
        prices, gb = self.cost.prices, self.scenario.memory_mb / 1024
        kept = len(self.trace) * gb * SECONDS_A_MONTH * prices.snap_start_cache_gb_second
        usd = kept + cold * self.month * gb * prices.snap_start_restore_gb
        wait, impossible = facts.restore_seconds, facts.no_snap_start()
        return self.option("SnapStart", cold, usd, _SNAP_START, wait=wait, impossible=impossible)

    def provisioned(self) -> list[Option]:
        """Provisioned concurrency that serves the goal best: flat, and by the hour."""
        flat = self._plans(lambda share: self._numbers(share, by_hour=False))
        hourly = self._plans(lambda share: self._numbers(share, by_hour=True))
        return [
            self._provisioned("provisioned concurrency", flat),
            self._provisioned("provisioned concurrency, scheduled", hourly),
        ]

    def _plans(
        self, numbers: Callable[[float], list[Provisioned]]
    ) -> list[tuple[int, float, list[Provisioned]]]:
        """Cold starts, dollars and numbers, for some shares of the requests that are provided."""
        return [self._counted(numbers(share)) for share in (0.9, 0.99, 0.999, 1.0)]

    def _provisioned(
        self, name: str, plans: Sequence[tuple[int, float, list[Provisioned]]]
    ) -> Option:
        options = [self.option(name, cold, usd, _lines(plan)) for cold, usd, plan in plans]
        return min(options, key=self.goal.badness)

    def _numbers(self, share: float, *, by_hour: bool) -> list[Provisioned]:
        """For each function as many as `share` of its requests need, of all day or of each hour."""
        found = []
        for function in range(len(self.arrivals)):
            requests = self.arrivals.of(function)
            busy = busy_when_reached(requests.times, requests.services, MOST_PROVISIONED)
            hours = (requests.times // 3600 % HOURS).astype(np.int64)
            numbers = np.full(HOURS, _enough(busy, share), np.int64)
            if by_hour:
                numbers[:] = [_enough(busy[hours == hour], share) for hour in range(HOURS)]
            found.append(Provisioned(numbers))
        return found

    def _counted(self, plan: list[Provisioned]) -> tuple[int, float, list[Provisioned]]:
        parts, provisioned, served = [], 0.0, 0.0
        for function, provided in enumerate(plan):
            rest, seconds = provided.overflow(self.arrivals.of(function))
            parts.append(rest)
            provisioned += provided.environment_seconds(self.trace.start, self.trace.end)
            served += seconds
        offsets = np.cumsum([0, *(len(part.times) for part in parts)])
        times = np.concatenate([part.times for part in parts])
        services = np.concatenate([part.services for part in parts])
        beyond = Arrivals(times, services, offsets.astype(np.int64))
        cold = self._cold(beyond, self.init) if len(times) else 0
        prices, gb = self.cost.prices, self.scenario.memory_mb / 1024
        idle = provisioned * self.month * gb * prices.provisioned_gb_second
        cheaper = prices.gb_second - prices.provisioned_running_gb_second
        usd = idle - served * self.month * gb * cheaper
        usd += prices.invokes(0, cold * self.month * self.init * 1000, self.scenario.memory_mb)
        return cold, usd, plan

    def _cold(self, arrivals: Arrivals, init: float) -> int:
        """Cold starts without pings, if each takes `init` seconds."""
        init_times = type(self.scenario.init)(init, init)
        scenario = replace(self.scenario, init=init_times)
        counted = Counted.empty(len(arrivals))
        run = Simulation(Never(), scenario, self.trace.start, self.trace.end)
        run.functions(arrivals, counted, 0)
        return int(counted.counts[:, COLD_REQUESTS].sum())


def _enough(busy: Integers, share: float) -> int:
    """How many environments serve so large a part of requests that find `busy` others running."""
    if not len(busy):
        return 0
    return min(int(np.sort(busy)[int(np.ceil(share * len(busy))) - 1]) + 1, MOST_PROVISIONED)


def latency(services: Floats, cold: float, wait: float, rank: float) -> float:
    """The percentile `rank` of latency, in seconds: a part `cold` of requests waits besides.

    services: how long requests run, sorted.
    """
    low, high = float(services[0]), float(services[-1]) + wait
    wanted = rank / 100 * len(services)
    for _ in range(60):
        middle = (low + high) / 2
        below = (1 - cold) * np.searchsorted(services, middle, "right")
        below += cold * np.searchsorted(services, middle - wait, "right")
        low, high = (low, middle) if below >= wanted else (middle, high)
    return high


_PINGED: Mapping[str, Sequence[str]] = {
    "none": ("Parameters: {Warming: DISABLED}",),
    "fixed pings, 5 minutes": (
        "Parameters: {Warming: ENABLED, WarmSchedule: rate(5 minutes), WarmConcurrency: 1}",
    ),
    "auto": ("Parameters: {Warming: ENABLED, WarmSchedule: rate(1 minute), Memory: ENABLED}",),
}
_SNAP_START = (
    "AutoPublishAlias: live",
    "SnapStart: {ApplyOn: PublishedVersions}",
)


def _lines(plan: Sequence[Provisioned]) -> list[str]:
    """The lines of a function's resource, those of the first where there are several."""
    numbers = plan[0].numbers
    if (numbers == numbers[0]).all():
        number = int(numbers[0])
        return [
            "AutoPublishAlias: live",
            f"ProvisionedConcurrencyConfig: {{ProvisionedConcurrentExecutions: {number}}}",
        ]
    actions = []
    for hour in range(HOURS):
        if numbers[hour] != numbers[hour - 1]:
            number = int(numbers[hour])
            actions += [
                f"  - ScheduledActionName: hour-{hour:02}",
                f"    Schedule: cron(0 {hour} * * ? *)",
                f"    ScalableTargetAction: {{MinCapacity: {number}, MaxCapacity: {number}}}",
            ]
    return [
        "Type: AWS::ApplicationAutoScaling::ScalableTarget",
        "ServiceNamespace: lambda",
        "ScalableDimension: lambda:function:ProvisionedConcurrency",
        'ResourceId: !Sub "function:${Function}:live"',
        f"MinCapacity: {int(numbers.min())}",
        f"MaxCapacity: {int(numbers.max())}",
        "ScheduledActions:",
        *actions,
    ]
