"""The policies that learn: what they decide, remember and refuse, look by look."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import inf

import pytest

from warmer.errors import ConfigurationError
from warmer.fleet import evidence, hazard, places
from warmer.fleet.auto import Auto
from warmer.fleet.economics import Economics
from warmer.fleet.keep_alive import BreakEven, Hybrid
from warmer.fleet.policy import Decision, Heard, Look, Policy, policy_from_text
from warmer.fleet.price import ARCHITECTURES

PRICES = Economics.of()


class Used:
    """A history in which the given minutes are in use; counts how often it is read."""

    def __init__(self, minutes: Sequence[int] = (), until: int = 0) -> None:
        self._minutes = frozenset(minutes)
        self._until = until
        self.reads = 0

    def concurrency(self, since: float) -> tuple[float, Sequence[int]]:
        """One where a minute is in use."""
        self.reads += 1
        first = int(since // 60)
        return first * 60.0, [int(m in self._minutes) for m in range(first, self._until)]


def _look(
    now: float,
    memory: Mapping[str, float],
    history: Used | None = None,
    heard: Sequence[Heard] = (),
) -> Look:
    return Look(now, now if heard else None, heard, memory, history or Used())


def _reply(**changes: object) -> Heard:
    usual = Heard(False, 500.0, 900.0, 800.0, 0, None)
    return usual._replace(**changes)  # type: ignore[arg-type]  # fields by name


def _answered(policy: Auto, memory: Mapping[str, float], now: float, reply: Heard) -> Decision:
    """A look at which a wave was sent, if any, and its answer."""
    decision = policy.decide(_look(now, memory))
    assert decision.hold == 1
    return policy.after(_look(now, decision.memory, heard=[reply]))


def test_auto_reads_nothing_at_its_first_look() -> None:
    """Nothing can be known yet, and a metric costs as much as two dozen pings."""
    history = Used()
    Auto("cold", 1e-4).decide(_look(60.0, {}, history))
    assert history.reads == 0


def test_auto_begins_with_a_ping_only_where_cold_starts_are_dear() -> None:
    """An INIT for a function of which nothing is known has to be worth it."""
    assert Auto("cold", 1e-5).decide(_look(60.0, {})).hold == 0
    assert Auto("cold", 1e-3).decide(_look(60.0, {})).hold == 1


def test_auto_looks_again_just_before_the_next_wave_is_due() -> None:
    """A user came 20 s ago; the ping keeps it warm, until half a minute before T as it is known."""
    new = _reply(new=True, idle_seconds=None, age_seconds=0.0)
    first = _answered(Auto("cold", 1e-2), {}, 0.0, new)
    used = _reply(idle_seconds=20.0, user_requests=2, last_user_seconds_ago=20.0)
    second = _answered(Auto("cold", 1e-2), first.memory, first.look_at, used)
    assert second.look_at - first.look_at == pytest.approx(570.0)


def test_auto_pings_more_often_where_environments_were_gone() -> None:
    """After 570 s it found a new one, and nobody came since: T is shorter, the interval too."""
    new = _reply(new=True, idle_seconds=None, age_seconds=0.0)
    policy = Auto("cold", 1e-2)
    first = _answered(policy, {}, 0.0, new)
    second = _answered(policy, first.memory, first.look_at, new)
    third = _answered(policy, second.memory, second.look_at, _reply())
    assert third.look_at - second.look_at < 500.0


def test_auto_does_not_take_a_busy_environment_for_a_short_lifetime() -> None:
    """A new environment answered, but so many users came that they may have had the old one."""
    new = _reply(new=True, idle_seconds=None, age_seconds=0.0)
    policy = Auto("cold", 1e-2)
    first = _answered(policy, {}, 0.0, new)
    second = _answered(policy, first.memory, first.look_at, new)
    busy = _reply(idle_seconds=1.0, user_requests=500, last_user_seconds_ago=1.0)
    third = _answered(policy, second.memory, second.look_at, busy)
    assert third.look_at - second.look_at > 500.0


def test_a_rate_makes_cold_starts_dearer_that_cloudwatch_shows() -> None:
    """A use each 20 minutes is cold each time where nobody pings: far above one in a hundred."""
    policy = Auto("rate", 0.01)
    state, figures = [0.0] * places.STATE, policy.figures
    evidence.begin(state, 0.0, figures)
    peaks = [int(minute % 20 == 5) for minute in range(240)]
    evidence.read(state, 0.0, peaks, 600.0)
    hazard.choose(state, 14_400.0, figures)
    assert (state[places.REQUESTS], state[places.COLDS]) == (12, 12)
    assert state[places.VALUE] > 10 * places.DEFAULT_VALUE


def test_what_others_tell_is_not_remembered_with_a_function() -> None:
    """Each run has it anew, from all of the warmer's functions."""
    policy = Auto("cold", 1e-2)
    layout, alive = str(places.LAYOUT), str(places.ALIVE + 3)
    remembered = [{layout: places.THIS_LAYOUT, alive: count} for count in (2.0, 1.0)]
    told = policy.told([*remembered, {layout: places.THIS_LAYOUT - 1.0, alive: 7.0}, {}])
    memories = [one.decide(_look(0.0, {})).memory for one in (policy, policy.among(told))]
    assert told[3] == sum(told) == 3.0
    alone, among = ({**memory, str(places.TRYING): 0.0} for memory in memories)
    assert alone == among


def test_a_waves_spare_is_one_of_those_that_it_is_to_reach() -> None:
    """Of five, four are held and paid for as such, for longer than one of two is; a single one is
    not held at all."""
    figures = Auto("cold", 1e-2).figures
    ping, held, each = (figures[at] for at in (places.PING, places.HELD, places.HELD_EACH))
    found = [hazard._price_of(size, figures) for size in (1, 2, 5)]
    assert found == pytest.approx([ping, ping + held + 2 * each, ping + 4 * (held + 5 * each)])


NOW = 85_200.0 + 550.0


def _used(seconds: float, value: float = 1e-4) -> list[float]:
    """What logs tell of a user who came every twenty minutes, and was busy for so long; `value` is
    what a cold start is worth."""
    figures = Auto("cold", value).figures
    state = [0.0] * places.STATE
    evidence.begin(state, 0.0, figures)
    state[places.INFORMED] = 1.0
    known = NOW - 15.0
    rows = [(at * 1200.0, seconds, 0.0) for at in range(72) if at * 1200.0 + seconds < known]
    evidence.take(state, (0.0, known), rows, [at + busy for at, busy, _ in rows], 600.0)
    state[places.TOP] = 1.0
    hazard.plan(state, NOW, figures)
    return state


def test_a_ping_that_may_meet_nobody_idle_is_weighed_with_its_init() -> None:
    """Users who are busy for minutes have the environment that a ping was for, and logs do not say
    so: they tell of what has ended. So has a wave, of some, while others are in use."""
    figures = Auto("cold", 2e-5).figures
    times, paid = (NOW, 570.0, 0.0), (True, inf)
    single = [hazard._gain(_used(busy, 2e-5), 0, times, paid, figures) for busy in (0.1, 600.0)]
    worthless = [hazard._gain(_used(busy, 1e-9), 1, times, paid, figures) for busy in (0.1, 600.0)]

    assert single[0] > 0 > single[1]
    assert worthless[0] - worthless[1] == pytest.approx(0.5 * figures[places.INIT], rel=0.2)


def test_a_gain_is_looked_for_until_it_is_enough() -> None:
    """Not the most that there is, but as much as makes the decision."""
    figures = Auto("cold", 1e-3).figures
    times = (NOW, 570.0, 0.0)
    least, most = (
        hazard._gain(_used(0.1), 0, times, (True, enough), figures) for enough in (0.0, inf)
    )

    assert 0 < least <= most


def test_autos_memory_is_json_and_small() -> None:
    """It fits beside what else an item of the table holds, and survives the way through JSON."""
    policy = Auto("cold", 1e-2)
    found = _answered(policy, {}, 1_795_000_000.0, _reply(new=True, idle_seconds=None))
    text = json.dumps(found.memory)
    assert json.loads(text) == found.memory
    assert len(text) < 2000


def test_what_remembers_for_auto_need_not_know_it() -> None:
    """The same look and memory give the same decision, whichever object decides."""
    first = Auto("cold", 1e-3).decide(_look(0.0, {}))
    looks = [Auto("cold", 1e-3).decide(_look(9000.0, dict(first.memory))) for _ in range(2)]
    assert looks[0] == looks[1]


def test_a_break_even_stops_when_a_cold_starts_worth_is_spent() -> None:
    """Three pings with their looks, and no more until users come."""
    each = PRICES.ping + PRICES.look
    policy = BreakEven(3.5 * each)
    holds, memory, now = [], {}, 0.0  # type: ignore[var-annotated]  # grows
    for _ in range(5):
        decision = policy.decide(_look(now, memory, heard=[_reply()]))
        holds.append(decision.hold)
        memory, now = dict(decision.memory), decision.look_at
    assert holds == [1, 1, 1, 0, 0]


def test_a_break_even_begins_anew_when_users_came() -> None:
    """Each use may be spent on again."""
    policy = BreakEven(1.5 * (PRICES.ping + PRICES.look))
    used = _reply(user_requests=1, last_user_seconds_ago=5.0)
    first = policy.decide(_look(0.0, {}))
    assert policy.decide(_look(570.0, first.memory)).hold == 0
    assert policy.decide(_look(570.0, first.memory, heard=[used])).hold == 1


@pytest.mark.parametrize(
    ("used_minutes_ago", "expected"),
    [
        (20, (0, 3600.0)),  # forgotten already: nothing is lost by waiting
        (5, (0, 4.5 * 60.0)),
        (9, (1, 9.5 * 60.0)),  # before the next run could
    ],
)
def test_a_break_even_that_has_stopped_begins_anew_with_users_that_the_history_shows(
    used_minutes_ago: int, expected: tuple[int, float]
) -> None:
    """Half a minute before they are forgotten, in the last run before that."""
    policy, now = BreakEven(1.5 * (PRICES.ping + PRICES.look)), 3600.0
    stopped = {"spent": policy.value, "read": 0.0}

    history = Used([60 - used_minutes_ago], until=60)
    decision = policy.decide(_look(now, stopped, history))

    assert (decision.hold, decision.look_at - now) == expected


def test_a_hybrid_pings_from_the_5th_to_the_99th_percentile_of_gaps() -> None:
    """A use each 30 minutes: no ping for nine tenths of them, then until shortly after."""
    policy = Hybrid(10)
    memory = dict(policy.decide(_look(0.0, {})).memory)
    history = Used(range(30, 271, 30), until=272)
    decision = policy.decide(_look(271 * 60.0, memory, history))
    assert decision.hold == 0
    assert decision.look_at == pytest.approx(270 * 60.0 + 0.9 * 30 * 60.0)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("auto", Auto()),
        ("auto:cold=0.001", Auto("cold", 0.001)),
        ("auto:budget=5", Auto("budget", 5.0)),
        ("auto:rate=0.01", Auto("rate", 0.01)),
        ("break-even:0.002", BreakEven(0.002)),
        ("hybrid:6", Hybrid(6.0)),
    ],
)
def test_a_learning_policy_has_a_name(text: str, policy: Policy) -> None:
    """NAME[:GOAL=NUMBER], as the command line takes it."""
    assert policy_from_text(text) == policy


@pytest.mark.parametrize(
    "text",
    ["auto:5", "auto:rate", "auto:rate=", "auto:rate=0", "auto:rate=-1", "auto:rate=1.5",
     "auto:rate=nan", "auto:budget=0", "auto:budget=inf", "auto:cold=0", "auto:cold=11",
     "auto:speed=1", "break-even:0", "break-even:x", "hybrid:0"],
)  # fmt: skip
def test_a_goal_that_nobody_can_meet_is_refused(text: str) -> None:
    """With what was found and what was expected."""
    with pytest.raises(ConfigurationError, match="expected"):
        policy_from_text(text)


def test_economics_follow_prices_and_memory() -> None:
    """A smaller function on arm64 costs less to ping; a look that many share hardly anything."""
    small = Economics.of(ARCHITECTURES["arm64"], 512, functions_a_run=1000)
    assert small.ping < PRICES.ping
    assert small.init < PRICES.init / 3
    assert small.look < PRICES.look / 4
    assert inf > small.read == PRICES.read


def test_the_policy_needs_no_numerical_library() -> None:
    """The scheduled warmer starts without numpy."""
    code = (
        "import sys; from warmer.fleet.policy import policy_from_text; policy_from_text('auto')\n"
        "print({'numba', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "set()"
