"""Warming every shape of a model, within one budget."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.warmer.inference import Inference
from warmer.errors import ModelCorrupt
from warmer.model.priming import Priming, buckets_of

SMALL = {"x": np.zeros((1, 2))}
SMALL_TOO = {"x": np.ones((1, 2))}
LARGE = {"x": np.zeros((8, 2))}


def _priming(inference: Inference, feeds: Iterable[dict[str, Any]]) -> Priming:
    return Priming(lambda: feeds, inference.infer, **inference.gauges)


def _shapes_made(inference: Inference) -> list[int]:
    """The first dimension of every inference's input, in order."""
    return [made["x"].shape[0] for made in inference.made if isinstance(made, dict)]


def test_feeds_of_the_same_shapes_are_one_bucket() -> None:
    """In the order in which the shapes first come: the most important one is first."""
    first, second = buckets_of([LARGE, SMALL, SMALL_TOO])
    assert (first.shapes, list(first.feeds)) == ({"x": [8, 2]}, [LARGE])
    assert (second.shapes, list(second.feeds)) == ({"x": [1, 2]}, [SMALL, SMALL_TOO])


def test_sequences_and_absent_inputs_have_shapes_too() -> None:
    """A sequence has one for each tensor, an optional input that is left out has none."""
    (bucket,) = buckets_of([{"many": [np.zeros(2), np.zeros((3, 1))], "optional": None, "one": 1}])
    assert bucket.shapes == {"many": [[2], [3, 1]], "optional": None, "one": []}


def test_every_bucket_is_warmed_twice_before_any_is_proven_steady() -> None:
    """A budget that ends too soon then leaves out the proof, not the warmth of a shape."""
    inference = Inference(itertools.repeat(0.01))
    report = _priming(inference, [SMALL, LARGE]).go_on(60.0)
    assert _shapes_made(inference)[:4] == [1, 1, 8, 8]
    assert (report.primed, report.converged, report.runs) == (True, True, 14)


def test_the_most_important_bucket_comes_first() -> None:
    """What did not fit into the budget is the rest, and the model is not called primed."""
    inference = Inference(itertools.repeat(1.0))
    priming = _priming(inference, [LARGE, SMALL])
    report = priming.go_on(2.5)
    assert _shapes_made(inference) == [8, 8, 1]
    assert [bucket.report.primed for bucket in report.buckets] == [True, False]
    assert (report.primed, priming.pending) == (False, True)


def test_no_bucket_begins_where_there_was_no_time_for_the_one_before() -> None:
    """A second run that would not fit is not left out for the first of another shape."""
    inference = Inference(itertools.repeat(1.0))
    _priming(inference, [LARGE, SMALL]).go_on(1.5)
    assert _shapes_made(inference) == [8]


def test_what_did_not_fit_is_done_later() -> None:
    """The next call goes on with the buckets that are left."""
    inference = Inference(itertools.repeat(1.0))
    priming = _priming(inference, [LARGE, SMALL])
    priming.go_on(2.5)
    report = priming.go_on(60.0)
    assert (report.primed, report.runs, priming.pending) == (True, 14, False)


def test_the_feeds_of_a_bucket_are_taken_in_turn() -> None:
    """Different rows touch different weights."""
    inference = Inference(itertools.repeat(0.01))
    _priming(inference, [SMALL, SMALL_TOO]).go_on(60.0)
    assert inference.made[:3] == [SMALL, SMALL_TOO, SMALL]


def test_the_report_sums_up_its_buckets() -> None:
    """First, second and steady are the most important bucket's; runs and seconds are of all."""
    inference = Inference([0.5, 0.2, 0.4, 0.1, *[0.01] * 10])
    report = _priming(inference, [SMALL, LARGE]).go_on(60.0)
    assert (report.first_ms, report.second_ms, report.steady_ms) == (500.0, 200.0, 10.0)
    assert report.buckets[1].report.first_ms == 400.0
    assert (report.runs, report.seconds) == (14, 1.3)
    assert report.as_dict()["buckets"] == [
        {"shapes": {"x": [1, 2]}, **report.buckets[0].report.fields()},
        {"shapes": {"x": [8, 2]}, **report.buckets[1].report.fields()},
    ]


def test_a_bucket_that_fails_does_not_keep_others_cold() -> None:
    """The others are warmed; the report says that not all is primed, and why."""
    inference = Inference(itertools.repeat(0.01), fails_at=0)
    report = _priming(inference, [SMALL, LARGE]).go_on(60.0)
    assert [bucket.report.primed for bucket in report.buckets] == [False, True]
    assert (report.primed, report.error) == (False, "no")


def test_feeds_that_cannot_be_had_are_reported() -> None:
    """Recorded inputs that are damaged, say; the next call asks again."""

    def damaged() -> list[dict[str, Any]]:
        raise ModelCorrupt("samples.npz cannot be read")

    priming = Priming(damaged, lambda _: None)
    report = priming.go_on(60.0)
    assert (report.primed, report.error) == (False, "samples.npz cannot be read")
    assert priming.pending


def test_without_budget_nothing_is_prepared() -> None:
    """Not even the feeds, whose making takes time as well."""
    asked: list[int] = []
    priming = Priming(lambda: asked.append(1) or [], lambda _: None)  # type: ignore[func-returns-value]  # to count
    assert not priming.go_on(0.0).primed
    assert asked == []
