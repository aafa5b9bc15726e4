"""The compiled simulator against the plain event loop, on many more random cases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.lab.test_pool import Case, assert_equal, cases


@pytest.mark.timeout(600)
@settings(max_examples=30_000, suppress_health_check=list(HealthCheck))
@given(cases())
def test_the_compiled_pool_equals_the_reference_in_thirty_thousand_cases(case: Case) -> None:
    """As tests/lab has it, further."""
    assert_equal(case)
