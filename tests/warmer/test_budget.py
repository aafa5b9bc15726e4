"""How long priming may take."""

from __future__ import annotations

import math
from typing import Any

import pytest

from warmer.budget import budget_seconds
from warmer.errors import ConfigurationError


@pytest.mark.parametrize(
    ("init_type", "seconds"),
    [
        ("on-demand", 9.0),
        ("unknown", 9.0),
        ("snap-start", 129.0),
        ("provisioned-concurrency", 129.0),
    ],
)
def test_the_budget_is_what_init_may_take_less_a_second(init_type: str, seconds: float) -> None:
    """10 s on demand, 130 s where INIT is done ahead.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    assert budget_seconds(None, init_type, {}) == seconds


def test_the_variable_wins_over_the_default() -> None:
    """WARMER_PRIME_BUDGET_MS, in milliseconds, whatever the kind of INIT."""
    assert budget_seconds(None, "snap-start", {"WARMER_PRIME_BUDGET_MS": "1500"}) == 1.5


def test_the_argument_wins_over_the_variable() -> None:
    """What the code says holds, 0 too."""
    assert budget_seconds(0, "on-demand", {"WARMER_PRIME_BUDGET_MS": "1500"}) == 0.0


def test_an_empty_variable_is_none() -> None:
    """As templates leave it where nothing is to be set."""
    assert budget_seconds(None, "on-demand", {"WARMER_PRIME_BUDGET_MS": ""}) == 9.0


@pytest.mark.parametrize("value", [-1, 900_001, math.nan, math.inf, "soon", {}])
def test_a_budget_that_is_none_is_refused(value: Any) -> None:
    """The error names the setting and what it takes."""
    with pytest.raises(ConfigurationError, match=r"budget_ms is .* from 0 to 900000"):
        budget_seconds(value, "on-demand", {})


def test_a_bad_variable_is_named() -> None:
    """The error names the variable, not the argument."""
    with pytest.raises(ConfigurationError, match="WARMER_PRIME_BUDGET_MS is '9s'"):
        budget_seconds(None, "on-demand", {"WARMER_PRIME_BUDGET_MS": "9s"})
