"""How long warming up may take before this environment must serve."""

from __future__ import annotations

import math
import os

from warmer.errors import ConfigurationError

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BUDGET_VARIABLE",
    "INIT_SECONDS",
    "LONG_INIT_SECONDS",
    "MARGIN_SECONDS",
    "RESTORE_SECONDS",
    "budget_seconds",
]

BUDGET_VARIABLE = "WARMER_PRIME_BUDGET_MS"

INIT_SECONDS = 10.0
"""How long INIT may take on demand (Lambda developer guide, "Understanding the Lambda execution
environment lifecycle")."""

LONG_INIT_SECONDS = 130.0
"""The same with SnapStart or provisioned concurrency, where it is the function's time-out if that
is longer (same page). A function is not told its time-out during INIT: who wants to use more says
so."""

RESTORE_SECONDS = 10.0
"""How long a restore from a snapshot may take, hooks included (Lambda developer guide, "Lambda
SnapStart runtime hooks for Python")."""

MARGIN_SECONDS = 1.0
"""What priming leaves of each for whatever else there is to do."""

_LONG_INIT_TYPES = frozenset({"provisioned-concurrency", "snap-start"})
_LONGEST_MS = 900_000  # no INIT may take longer: same page


def budget_seconds(
    argument_ms: float | None, init_type: str, variables: Mapping[str, str] = os.environ
) -> float:
    """The time for priming, in seconds from process start.

    `argument_ms` (milliseconds, 0 to 900,000) wins over the variable WARMER_PRIME_BUDGET_MS, which
    wins over what INIT may take with this `init_type` (AWS_LAMBDA_INITIALIZATION_TYPE) less
    MARGIN_SECONDS. Raises ConfigurationError for a budget that is no such number.
    """
    text = variables.get(BUDGET_VARIABLE)
    if argument_ms is not None:
        return _milliseconds("budget_ms", argument_ms) / 1000
    if text:
        return _milliseconds(BUDGET_VARIABLE, text) / 1000
    limit = LONG_INIT_SECONDS if init_type in _LONG_INIT_TYPES else INIT_SECONDS
    return limit - MARGIN_SECONDS


def _milliseconds(key: str, value: float | str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= _LONGEST_MS:  # false for NaN
        raise ConfigurationError(key, value, f"a number of milliseconds from 0 to {_LONGEST_MS}")
    return number
