"""The planner against a pool that is simulated event by event, for any traffic."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fleet.brute_pool import BrutePool
from tests.fleet.situations import NOON, report
from warmer.fleet import Target
from warmer.fleet.knowledge import Knowledge
from warmer.fleet.learning import after_look, after_wave
from warmer.fleet.plan import Action, Situation, Subject, make_plan

LATEST_SECONDS = 60.0  # EventBridge Scheduler is precise to a minute


@dataclass(frozen=True)
class Scenario:
    """A target, its runs, and its users' requests as (moment, seconds), the moments rising."""

    number: int
    period: int
    idle: int
    delays: list[float]
    requests: list[tuple[float, float]]
    look: bool


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """T is long enough for a wave to last until the next run, however late that is."""
    period = draw(st.sampled_from([60, 120, 300]))
    delays = draw(st.lists(st.floats(0, 59.9), min_size=4, max_size=14))
    length = len(delays) * period
    bursts = draw(
        st.lists(
            st.tuples(
                st.floats(0, length), st.integers(1, 7), st.floats(0.05, 200), st.floats(0, 2)
            ),
            max_size=25,
        )
    )
    requests = [
        (NOON + at + gap * index, seconds)
        for at, count, seconds, gap in bursts
        for index in range(count)
    ]
    idle = draw(st.integers(period + 60, 4 * period + 60))
    number = draw(st.integers(1, 6))
    return Scenario(number, period, idle, delays, sorted(requests), draw(st.booleans()))


@dataclass
class Story:
    """One scenario as it happens."""

    scenario: Scenario
    known: Knowledge = field(default_factory=Knowledge)
    began: bool = False
    least: int = 10**6
    told: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pool = BrutePool(self.scenario.idle)
        self.ahead = list(self.scenario.requests)

    def run(self) -> None:
        """Users' requests and the warmer's runs, in their order."""
        for index, delay in enumerate(self.scenario.delays):
            now = NOON + index * self.scenario.period + delay
            self.live_until(now)
            self.run_warmer(now)

    def live_until(self, now: float) -> None:
        """Let users' requests come, and see how small the pool becomes."""
        while self.ahead and self.ahead[0][0] < now:
            at, seconds = self.ahead.pop(0)
            self.observe(at)
            self.pool.request(at, seconds)
        self.observe(now)

    def observe(self, now: float) -> None:
        """The pool's size now, and at each moment before at which environments have ended."""
        if self.began:
            ends = [end for end in self.pool.expiries() if end <= now]
            self.least = min([self.least, *(self.pool.size(at) for at in (now, *ends))])

    def run_warmer(self, now: float) -> None:
        """Plan, look, probe and ping, as a run of the warmer does."""
        run = Situation(now, now + self.scenario.period, self.scenario.idle, self.scenario.look)
        looked = probed = False
        target = Target("digits", "live", self.scenario.number)
        while True:
            subject = Subject(target, "7", "live", known=self.known, looked=looked, probed=probed)
            (decision,) = make_plan([subject], run).decisions
            if decision.action is Action.LOOK:
                looked = True
                self.told += [(at, n) for at, n in self.pool.maxima.items() if at <= now]
                seen = {at: float(n) for at, n in self.pool.maxima.items()}
                self.known = after_look(self.known, seen, decision.number, run)
            elif decision.action is Action.PROBE:
                probed = True
                self.ping(now, 1, run, probe=decision.number > 1)
            else:
                break
        if decision.action is Action.PING:
            self.check_need(now, decision.number)
            self.ping(now, decision.number, run)
        self.began = True

    def ping(self, now: float, number: int, run: Situation, *, probe: bool = False) -> None:
        """Send a wave, and learn from it."""
        self.known = after_wave(
            self.known, report(self.pool.wave(now, number), at=now), run, probe=probe
        )
        self.told.append((round(now, 1), number))  # as precisely as it is remembered

    def check_need(self, now: float, number: int) -> None:
        """What was told of the last T does not keep `number` warm until after the next run."""
        enough = [at for at, count in self.told if count >= number]
        latest = now + self.scenario.period + LATEST_SECONDS
        # What is forgotten at that very moment does not serve it.
        assert all(at + self.scenario.idle <= latest for at in enough), "a wave without need"
        dear = self.known.ping_ms > 10_000  # known to be, so that looking pays whatever the odds
        if dear and self.scenario.look and now + self.scenario.idle >= latest:
            busy = [at for at, count in self.pool.maxima.items() if count >= number]
            assert all(at + self.scenario.idle < latest for at in busy), "traffic had kept it warm"


@settings(max_examples=600)
@given(scenarios())
def test_no_wave_without_need_and_never_too_few_environments(scenario: Scenario) -> None:
    """From its first run on, the pool never falls below the number while T is as it is known; and
    no wave is sent that the window shows to be unneeded."""
    story = Story(scenario)

    story.run()

    assert story.least >= scenario.number
