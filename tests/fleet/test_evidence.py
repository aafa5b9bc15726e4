"""What `auto` learns of users from a function's logs."""

from __future__ import annotations

import pytest

from warmer.fleet import evidence, gaps, hazard, places, reading
from warmer.fleet.auto import Auto
from warmer.fleet.economics import Economics
from warmer.fleet.policy import Look
from warmer.fleet.price import PRICES
from warmer.fleet.survival import LIFETIMES
from warmer.fleet.uses import Use, Uses

AUTO = Auto("cold", 1e-4).informed()
IDLE = 600.0


class _NoHistory:
    def concurrency(self, since: float) -> tuple[float, list[int]]:
        """Never asked where logs tell."""
        raise AssertionError(f"metrics were read from {since}")


def _told(*uses: tuple[float, float, bool], until: float = 7200.0) -> list[float]:
    """The state once logs have told of requests: when each came, for how long, whether cold."""
    state = [0.0] * places.STATE
    evidence.begin(state, 0.0, AUTO.figures)
    state[places.INFORMED] = 1.0
    _tell(state, *uses, until=until)
    return state


def _tell(
    state: list[float], *uses: tuple[float, float, bool], until: float, since: float = 0.0
) -> None:
    rows = [(at, seconds, float(cold)) for at, seconds, cold in uses]
    ends = sorted(at + seconds for at, seconds, _ in uses)
    evidence.take(state, (since, until), rows, ends, IDLE)


def _gaps(state: list[float]) -> dict[int, float]:
    bins = state[places.GAP : places.GAP + gaps.GAPS]
    return {number: count for number, count in enumerate(bins) if count}


def test_gaps_run_from_the_end_of_a_use_to_the_next() -> None:
    """Ten minutes and again ten, in a bin that has both edges around that."""
    state = _told((100.0, 20.0, True), (720.0, 0.0, True), (1320.0, 0.0, True))
    ((number, count),) = _gaps(state).items()
    assert count == 2
    assert gaps.EDGES[number] <= 600.0 < gaps.EDGES[number + 1]


def test_a_request_beside_another_ends_no_gap() -> None:
    """It came while the first still ran."""
    assert _gaps(_told((100.0, 900.0, True), (800.0, 1.0, True))) == {}


def test_what_was_not_read_is_no_pause() -> None:
    """Users may have come there: neither a gap, nor a lifetime, nor an environment that was gone
    follows, but from the pauses after it."""
    state = _told((100.0, 1.0, True), until=200.0)
    _tell(state, (6100.0, 1.0, False), (6400.0, 1.0, False), since=6000.0, until=7000.0)
    first, last = places.ALIVE, places.DEAD + len(LIFETIMES) - 1

    ((number, count),) = _gaps(state).items()
    assert (count, gaps.EDGES[number] <= 299.0 < gaps.EDGES[number + 1]) == (1, True)
    assert sum(state[first:last]) == 1  # it lived for the pause between the last two
    assert state[places.BAND_COLD] == 0
    assert state[places.REQUESTS] == 3


def test_a_pause_longer_than_the_lifetime_after_what_was_not_read_counts() -> None:
    """Whatever users did before, an environment would have been gone."""
    state = _told((100.0, 1.0, True), until=200.0)
    _tell(state, (6000.0 + IDLE + 1, 1.0, True), since=6000.0, until=7000.0)

    assert state[places.BAND_COLD] == 1


def test_a_look_of_another_process_leaves_nothing_out() -> None:
    """It begins after the last wave, some seconds after its predecessor's last look."""
    state = _told((100.0, 1.0, True), until=200.0)
    _tell(state, (701.0, 1.0, True), since=225.0, until=900.0)

    assert sum(_gaps(state).values()) == 1
    assert sum(state[places.DEAD : places.SENT]) == 1


@pytest.mark.parametrize(
    ("cold", "place", "lifetime"),
    [(True, places.DEAD, 720.0), (False, places.ALIVE, 600.0)],
)
def test_a_users_own_wait_tells_of_the_idle_lifetime(
    cold: bool, place: int, lifetime: float
) -> None:
    """It found its environment after 600 s, or did not: no ping has to try. Who is gone then may
    have lived for the 570 s after which pings for a lifetime of 600 come."""
    state = _told((100.0, 0.0, True), (700.0, 0.1, cold))
    seen = state[place : place + len(LIFETIMES)]
    assert sum(seen) == 1
    assert LIFETIMES[seen.index(1.0)] == lifetime


def test_a_ping_between_two_uses_shortens_the_pause_that_is_learnt_from() -> None:
    """400 s after the ping, not 800 s after the use."""
    state = _told((100.0, 0.0, True))
    state[places.SENT] = 500.0
    _tell(state, (900.0, 0.1, False), until=1000.0)
    alive = state[places.ALIVE : places.ALIVE + len(LIFETIMES)]
    assert LIFETIMES[alive.index(1.0)] < 450.0


def test_a_use_that_a_reply_has_told_of_counts_once() -> None:
    """The reply is there first, the log has the gap."""
    state = _told((100.0, 0.0, True), until=110.0)
    replies = [(0.0, 5.0, 700.0, 0.8, 1.0, 5.0)]
    evidence.hear(state, 705.0, replies, 1, AUTO.figures)
    assert state[places.LAST_USE] == 700.0
    _tell(state, (700.0, 0.0, False), until=800.0)
    assert sum(_gaps(state).values()) == 1
    assert state[places.REQUESTS] == 2


def test_a_report_that_came_late_does_not_set_back_what_is_known() -> None:
    """The last use stays the later one."""
    state = _told((1000.0, 1.0, True))
    _tell(state, (400.0, 1.0, True), until=1100.0)
    assert state[places.LAST_USE] == 1001.0
    assert state[places.BAND_USE] >= 990.0


def test_bursts_count_that_found_fewer_than_they_needed() -> None:
    """Three at once, again after half an hour: two beside the first would be cold again."""
    bursts = [(1000.0 + n * 1800.0 + k * 1e-3, 1.0, True) for n in range(2) for k in range(3)]
    state = _told(*bursts)
    assert sum(state[places.BAND_COLD + 1 : places.BAND_COLD + places.BANDS]) == 4


def test_auto_takes_what_the_logs_tell_and_reads_no_metrics() -> None:
    """Whenever it looks."""
    uses = Uses(0.0, 5000.0, (Use(100.0, 0.1, True, 0.8), Use(4990.0, 0.1, True, 0.8)))
    first = AUTO.decide(Look(60.0, None, (), {}, _NoHistory()))
    second = AUTO.decide(Look(5010.0, None, (), first.memory, _NoHistory(), uses))
    third = AUTO.decide(Look(20_000.0, None, (), second.memory, _NoHistory()))
    assert second.memory[str(places.REQUESTS)] == 2
    assert third.memory[str(places.REQUESTS)] == 2


def test_a_look_costs_the_time_to_read_the_logs_too() -> None:
    """30 ms of the warmer's 1,024 MB; requests of CloudWatch Logs are free."""
    prices = Economics.of()
    assert prices.log_look == pytest.approx(0.030 * PRICES.gb_second)
    state = [0.0] * places.STATE
    evidence.begin(state, 0.0, AUTO.figures)
    hazard.choose(state, 0.0, AUTO.figures)
    without = state[places.SPENT]
    evidence.begin(state, 0.0, AUTO.figures)
    state[places.INFORMED] = 1.0
    hazard.choose(state, 0.0, AUTO.figures)
    assert state[places.SPENT] - without == pytest.approx(prices.log_look)


def _pauses(state: list[float], band: int) -> dict[int, float]:
    first = places.GAP + band * gaps.GAPS
    bins = state[first : first + gaps.GAPS]
    return {number: count for number, count in enumerate(bins) if count}


def test_the_log_is_read_while_what_was_used_since_still_lives() -> None:
    """A function that is not worth a ping yet is looked at again after six minutes, where T is."""
    state = _told(*((at, 0.1, True) for at in range(100, 7200, 1500)))
    for place in range(3):
        state[places.ALIVE + place] = 0.0
    state[places.ALIVE + LIFETIMES.index(360.0)] = 50.0
    state[places.DEAD + LIFETIMES.index(480.0)] = 50.0
    state[places.VALUE], state[places.COVERED] = 1.0, 0.0
    assert reading.until_read(state, AUTO.figures) == 360.0


def test_each_environment_has_pauses_of_its_own() -> None:
    """One request each ten minutes, a second beside it each half hour."""
    beside = [(600.0 * n + 1e-3, 1.0, False) for n in range(0, 13, 3)]
    uses = sorted([*((600.0 * n, 1.0, False) for n in range(13)), *beside])
    state = _told(*uses)
    assert _pauses(state, 0) == {gaps.bin_of(599.0): 12}
    assert _pauses(state, 1) == {gaps.bin_of(1799.0): 4}
    assert _pauses(state, 2) == {}


def test_an_environment_is_in_use_until_fewer_requests_run() -> None:
    """A second request beside a long one ends first: from then on only one is busy."""
    state = _told((0.0, 500.0, True), (100.0, 50.0, True))
    assert state[places.BAND_USE] == 500.0
    assert state[places.BAND_USE + 1] == 150.0


def test_a_band_of_several_counts_how_many_of_them_were_needed() -> None:
    """Eleven requests at once, then twelve: the band of the eleventh and twelfth."""
    bursts = [(n * 3600.0 + k * 1e-3, 1.0, True) for n in range(2) for k in range(11 + n)]
    state = _told(*bursts)
    band = places.LEVELS.index(10)
    assert places.LEVELS[band + 1] == 12
    assert (state[places.BAND_USES + band], state[places.BAND_DEPTH + band]) == (2, 3)


def test_what_another_version_remembered_is_not_misread() -> None:
    """A memory without this layout's mark is taken for none."""
    first = AUTO.decide(Look(60.0, None, (), {}, _NoHistory()))
    other = {**first.memory, str(places.LAYOUT): 1.0, "99999": 5.0}
    again = AUTO.decide(Look(60.0, None, (), other, _NoHistory()))
    assert again == first


def test_how_many_users_are_likely_to_be_busy_is_known_of_the_last_minute() -> None:
    """Two all the time, a third for half of it; of the hours before there is but the mean."""
    minute = [(7140.0, 60.0, False), (7141.0, 59.0, False), (7150.0, 30.0, False)]
    state = _told((100.0, 60.0, True), *minute)
    assert state[places.RECENT] == pytest.approx((60 + 59 + 30) / 60)
    assert hazard._busy(state) == pytest.approx(state[places.RECENT])
    _tell(state, until=7300.0)
    assert hazard._busy(state) == pytest.approx(state[places.WORKED] / (7300.0 + 3600.0))


def test_a_dear_cold_start_leaves_fewer_pings_to_users_who_may_be_busy() -> None:
    """One too few of a wave forgets an environment, one too many makes another."""
    minute = [(7140.0 + n / 1e3, 60.0, False) for n in range(4)]
    state = _told(*minute)
    found = []
    for value in (1e-5, 1e-4, 1e-2):
        state[places.VALUE] = value
        found.append(hazard._spared(state, AUTO.figures))
    assert found[0] == pytest.approx(4.0, rel=0.01)
    assert found[0] > found[1] > found[2] >= hazard._mean_busy(state)
