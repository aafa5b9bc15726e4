"""Priming with no help, over all of the onnx package's own backend tests."""

from __future__ import annotations

from infra.bench import synthesis


def test_nearly_every_backend_test_is_primed_with_no_help() -> None:
    """99 % of those that ONNX Runtime runs with the inputs supplied there."""
    outcomes = synthesis.run()
    counted = [outcome for outcome in outcomes if outcome.counts]
    primed = [outcome for outcome in counted if outcome.primed == "ok"]
    assert len(counted) > 1500
    assert len(primed) >= 0.99 * len(counted), synthesis.summary(outcomes, 0)
