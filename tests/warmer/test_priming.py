"""Running until steady, within a budget."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from warmer.errors import ModelError
from warmer.model.priming import Priming


class Inference:
    """Inferences that take given times on a clock of their own, in seconds."""

    def __init__(self, *durations: float, fails_at: int | None = None) -> None:
        self.now = 0.0
        self.runs: list[int] = []
        self._durations: Iterator[float] = iter(durations)
        self._fails_at = fails_at

    def infer(self, run: int) -> None:
        """Take the next time, or fail."""
        if run == self._fails_at:
            raise ModelError("no")
        self.runs.append(run)
        self.now += next(self._durations)

    def priming(self, most_runs: int = 50) -> Priming:
        """A priming of these."""
        return Priming(self.infer, most_runs, clock=lambda: self.now)


def test_priming_ends_when_the_last_runs_agree() -> None:
    """Slow first runs are behind; five that agree within 10 % are enough."""
    inference = Inference(0.5, 0.02, *[0.010, 0.0101, 0.0099, 0.01, 0.0102] * 9)
    report = inference.priming().go_on(60)
    assert (report.runs, report.converged, report.primed) == (7, True, True)
    assert (report.first_ms, report.second_ms, report.steady_ms) == (500.0, 20.0, 10.0)


def test_priming_ends_at_the_most_runs() -> None:
    """A model that never settles is primed all the same, and said not to have converged."""
    report = Inference(*[0.01, 0.02] * 50).priming(most_runs=10).go_on(60)
    assert (report.runs, report.converged, report.primed) == (10, False, True)


def test_priming_does_not_begin_a_run_that_would_exceed_the_budget() -> None:
    """The next run is expected to take as long as the last."""
    report = Inference(*[0.4, 0.3] * 50).priming().go_on(0.9)
    assert (report.runs, report.seconds) == (2, 0.7)


def test_priming_without_budget_is_left_for_later() -> None:
    """Nothing runs, and the model is not primed."""
    report = Inference(1.0).priming().go_on(0.0)
    assert (report.runs, report.primed, report.first_ms) == (0, False, None)


def test_priming_goes_on_where_it_stopped() -> None:
    """A ping finishes what INIT began; the first run stays the first."""
    inference = Inference(2.0, *[0.01] * 49)
    priming = inference.priming()
    assert not priming.go_on(1.0).primed
    report = priming.go_on(60.0)
    assert (report.first_ms, report.runs, report.primed) == (2000.0, 6, True)
    assert inference.runs == [0, 1, 2, 3, 4, 5]


def test_a_failing_run_ends_priming_and_is_reported() -> None:
    """What ran before it still counts as runs, but the model is not primed."""
    report = Inference(*[1.0, 2.0] * 9, fails_at=3).priming().go_on(60)
    assert (report.primed, report.runs, report.error) == (False, 3, "no")


def test_a_single_run_primes_where_one_is_all_that_is_asked() -> None:
    """`runs=1` is the user's choice."""
    assert Inference(1.0).priming(most_runs=1).go_on(60).primed


@given(
    st.lists(st.floats(1e-6, 10), min_size=50, max_size=50), st.integers(1, 50), st.floats(-1, 100)
)
def test_priming_keeps_its_bounds(durations: list[float], most_runs: int, budget: float) -> None:
    """Never more runs than asked, and over the budget by the last run's surprise at most."""
    inference = Inference(*durations)
    report = inference.priming(most_runs).go_on(budget)
    assert report.runs <= most_runs
    assert sum(durations[: report.runs - 1]) < budget or report.runs == 0
