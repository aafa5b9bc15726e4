"""When runs are steady: on latency curves of every kind, and within bounds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warmer.inference import Inference, run_until_steady
from warmer.errors import ConfigurationError, ModelError
from warmer.runs import DEFAULT_MOST_RUNS, Runs, check_count, check_policy

STEADY = 0.010
SEEDS = range(300)


def _then_steady(slow: Sequence[float]) -> Iterator[float]:
    return itertools.chain(slow, itertools.repeat(STEADY))


def _noisy(generator: random.Random, mean: float, deviation: float) -> float:
    """A time that varies, as times do: with a deviation relative to its mean."""
    return mean * max(0.2, generator.gauss(1.0, deviation))


@given(st.floats(1e-6, 10))
def test_what_is_steady_at_once_runs_seven_times(duration: float) -> None:
    """Not ten times: each needless run is INIT that somebody waits for."""
    report = run_until_steady(itertools.repeat(duration))
    assert (report.runs, report.converged, report.primed) == (7, True, True)


def test_what_is_steady_but_for_noise_runs_less_than_ten_times() -> None:
    """With times that vary by 3 %, in at least 95 of 100 cases."""
    few = 0
    for seed in SEEDS:
        generator = random.Random(seed)
        report = run_until_steady(_noisy(generator, STEADY, 0.03) for _ in itertools.count())
        few += report.runs < 10
        assert report.converged
    assert few >= 0.95 * len(SEEDS)


def test_a_slow_first_and_second_run_cost_no_further_ones() -> None:
    """They are two of the seven; the other five agree."""
    report = run_until_steady(_then_steady([0.5, 0.02]))
    assert (report.runs, report.converged) == (7, True)
    assert (report.first_ms, report.second_ms, report.steady_ms) == (500.0, 20.0, 10.0)


@given(st.integers(0, 24), st.floats(1.5, 50), st.booleans())
def test_a_slow_start_that_fades_is_not_called_steady_early(
    slow_runs: int, factor: float, linear: bool
) -> None:
    """However many runs it takes and however it falls: what is called steady is the true time."""
    slow = [
        STEADY
        * (
            factor - (factor - 1) * run / slow_runs
            if linear
            else factor ** ((slow_runs - run) / slow_runs)
        )
        for run in range(slow_runs)
    ]
    report = run_until_steady(_then_steady(slow))
    assert report.converged
    assert report.runs <= slow_runs + 7
    assert report.steady_ms is not None
    assert report.steady_ms <= 1.1 * STEADY * 1000


def test_twenty_slow_runs_that_vary_are_not_called_steady() -> None:
    """Each between twice and six times as long as it will be, in at least 97 of 100 cases."""
    early = 0
    for seed in SEEDS:
        generator = random.Random(seed)
        slow = [STEADY * generator.uniform(2, 6) for _ in range(20)]
        report = run_until_steady(_then_steady(slow))
        early += report.runs <= 20
        assert report.converged
    assert early <= 0.03 * len(SEEDS)


def test_twenty_equal_slow_runs_that_read_from_disk_are_not_called_steady() -> None:
    """Inputs that page in other weights take the same time each time, until all pages are there."""
    report = run_until_steady(_then_steady([0.04] * 20), reads=range(20))
    assert (report.converged, report.steady_ms) == (True, 10.0)
    assert 20 < report.runs <= 27


def test_twenty_equal_slow_runs_are_run_through_by_who_knows_of_them() -> None:
    """Nothing tells them from a steady model, so `least_runs` can say it."""
    report = run_until_steady(_then_steady([0.04] * 20), least_runs=21)
    assert (report.converged, report.steady_ms) == (True, 10.0)
    assert 20 < report.runs <= 27


@pytest.mark.parametrize("each_run", [0.97, 1.03])
def test_a_drift_is_not_steady(each_run: float) -> None:
    """Times that go on falling, or rising, by 3 % with each run agree with no steady time."""
    report = run_until_steady(STEADY * each_run**run for run in itertools.count())
    assert (report.converged, report.runs) == (False, DEFAULT_MOST_RUNS)


@given(st.sets(st.integers(0, 6), max_size=2), st.floats(1, 100))
def test_two_disturbed_runs_of_seven_do_not_prolong(spikes: set[int], factor: float) -> None:
    """A busy machine makes runs slower, never faster."""
    times = (STEADY * factor if run in spikes else STEADY for run in itertools.count())
    assert run_until_steady(times).runs == 7


def test_two_alternating_times_are_not_steady() -> None:
    """There is no one time that a request will take."""
    report = run_until_steady(itertools.cycle([0.01, 0.02]))
    assert (report.converged, report.runs, report.primed) == (False, DEFAULT_MOST_RUNS, True)


def test_of_two_times_at_random_the_slow_one_is_seldom_called_steady() -> None:
    """It takes seven slow ones in a row: fewer than 8 in 100, where each time is as likely."""
    mistaken = 0
    for seed in SEEDS:
        generator = random.Random(seed)
        report = run_until_steady(generator.choice([0.01, 0.02]) for _ in itertools.count())
        mistaken += report.converged and report.steady_ms == 20.0
    assert mistaken < 0.08 * len(SEEDS)


def test_what_stays_noisy_ends_before_the_most_runs() -> None:
    """Times that vary by 15 % are as steady as they get when four groups of seven agree."""
    report = run_until_steady(itertools.cycle([0.008, 0.01, 0.012, 0.0092, 0.0108, 0.0115, 0.0085]))
    assert (report.converged, report.runs) == (True, 28)


def test_runs_end_at_the_most() -> None:
    """What never settles is primed all the same, and said not to have converged."""
    report = run_until_steady(itertools.cycle([0.01, 0.02]), most_runs=10)
    assert (report.runs, report.converged, report.primed) == (10, False, True)


def test_a_single_run_primes_where_one_is_all_that_is_asked() -> None:
    """`most_runs=1` is the user's choice."""
    assert run_until_steady([1.0], most_runs=1).primed


def test_no_run_begins_that_would_exceed_the_budget() -> None:
    """The next run is expected to take as long as the last."""
    inference = Inference([0.4, 0.3] * 50)
    runs = Runs(inference.infer, **inference.gauges)
    runs.go_on(0.9)
    assert (runs.report().runs, runs.report().seconds, runs.pending) == (2, 0.7, True)


def test_without_budget_nothing_runs() -> None:
    """What did not run is not primed."""
    inference = Inference([1.0])
    runs = Runs(inference.infer, **inference.gauges)
    runs.go_on(0.0)
    report = runs.report()
    assert (report.runs, report.primed, report.first_ms) == (0, False, None)


def test_runs_go_on_where_they_stopped() -> None:
    """A ping finishes what INIT began; the first run stays the first."""
    inference = Inference(_then_steady([2.0]))
    runs = Runs(inference.infer, **inference.gauges)
    runs.go_on(1.0)
    assert not runs.report().primed
    runs.go_on(60.0)
    report = runs.report()
    assert (report.first_ms, report.runs, report.primed, runs.pending) == (2000.0, 7, True, False)
    assert inference.made == list(range(7))


def test_a_failing_run_ends_them_and_is_reported() -> None:
    """What ran before it still counts as runs, but nothing is primed."""
    inference = Inference(itertools.repeat(1.0), fails_at=3)
    runs = Runs(inference.infer, **inference.gauges)
    assert not runs.go_on(60.0)
    report = runs.report()
    assert (report.primed, report.runs, report.error, runs.pending) == (False, 3, "no", True)


def test_a_failed_run_is_tried_again() -> None:
    """The next call makes it, and the failure is forgotten when it succeeds."""
    inference = Inference(itertools.repeat(1.0), fails_at=3)
    runs = Runs(inference.infer, **inference.gauges)
    runs.go_on(60.0)
    assert runs.go_on(60.0)
    assert (runs.report().error, runs.report().primed, runs.report().runs) == (None, True, 7)


def test_a_failure_that_no_time_is_left_for_stays_reported() -> None:
    """It is not forgotten before the run was tried again."""
    inference = Inference(itertools.repeat(1.0), fails_at=3)
    runs = Runs(inference.infer, **inference.gauges)
    runs.go_on(60.0)
    runs.go_on(inference.now)
    assert (runs.report().error, runs.report().primed) == ("no", False)


def test_an_exception_that_is_not_expected_passes() -> None:
    """Only the failures that were named end the runs."""
    inference = Inference([], fails_at=0)
    runs = Runs(inference.infer, failures=ValueError, **inference.gauges)
    with pytest.raises(ModelError):
        runs.go_on(60.0)


def test_the_memory_that_runs_take_is_reported() -> None:
    """By how much the peak of the process grew, on the real process."""
    kept: list[bytearray] = []
    runs = Runs(lambda _: kept.append(bytearray(b"x") * (64 << 20)), most_runs=2)
    runs.go_on(float("inf"))
    # The process may have used and freed some of it before.
    assert 0 <= runs.report().memory_mb < 129


@given(
    st.lists(st.floats(1e-6, 10), min_size=50, max_size=50), st.integers(1, 50), st.floats(-1, 100)
)
def test_bounds_are_kept(durations: list[float], most_runs: int, budget: float) -> None:
    """Never more runs than asked, and over the budget by the last run's surprise at most."""
    inference = Inference(durations)
    runs = Runs(inference.infer, most_runs=most_runs, **inference.gauges)
    runs.go_on(budget)
    made = runs.report().runs
    assert made <= most_runs
    assert sum(durations[: made - 1]) < budget or made == 0


@pytest.mark.parametrize("value", [0, 1.5, True, "2"])
def test_a_number_of_runs_that_is_none_is_refused(value: object) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=r"least_runs is .*; expected a whole number"):
        check_count("least_runs", value)


def test_a_policy_that_is_none_is_refused() -> None:
    """The error says which there are."""
    with pytest.raises(ConfigurationError, match='expected one of "raise", "degrade"'):
        check_policy("ignore")
