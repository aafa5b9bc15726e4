"""Policies simulated on several processors."""

from __future__ import annotations

import numpy as np
import pytest

from warmer.errors import ConfigurationError
from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, Policy
from warmer.lab import side_by_side
from warmer.lab.placement import Placement
from warmer.lab.scenario import Scenario
from warmer.lab.side_by_side import count
from warmer.lab.trace import MinuteCounts, Service, Trace

POLICIES: dict[str, Policy] = {"auto": Auto(), "fixed": Fixed(5)}


def _trace(functions: int) -> Trace:
    random = np.random.default_rng(3)
    counts = random.poisson(0.2, (functions, 120)).astype(np.int32)
    requests = MinuteCounts(counts, 0, [Service.constant(0.1)] * functions)
    return Trace("t", [f"f{number}" for number in range(functions)], requests, 0.0, 7200.0)


def test_the_number_of_processors_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does in how many batches the functions are; each request is told of once."""
    trace, found = _trace(30), []
    for processors, batch in ((1, 10**6), (4, 50)):
        monkeypatch.setattr(side_by_side, "_processors", lambda many=processors: many)
        monkeypatch.setattr(side_by_side, "BATCH", batch)
        told: list[int] = []
        found.append(count(trace, POLICIES, Scenario(), Placement.UNIFORM, 3, told.append))
        assert sum(told) == len(POLICIES) * trace.invocations
    for name in POLICIES:
        np.testing.assert_array_equal(found[0][name].counts, found[1][name].counts)
        np.testing.assert_array_equal(found[0][name].seconds, found[1][name].seconds)


def test_what_goes_wrong_in_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were one processor."""

    def fail(*_: object, **__: object) -> None:
        raise ConfigurationError("policy", "auto", "another one")

    monkeypatch.setattr(side_by_side, "Simulation", fail)
    with pytest.raises(ConfigurationError, match="another one"):
        count(_trace(3), POLICIES, Scenario(), Placement.UNIFORM, 1)
