"""Filter patterns of terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cloud.log_filter import matcher

REPORT = "REPORT RequestId: 1\tDuration: 2.00 ms\t\n"


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (None, [REPORT, ""], []),
        ("", [REPORT, ""], []),
        ("Duration", [REPORT], ["duration"]),
        ("Duration REPORT", [REPORT], ["Duration", "REPORT"]),
        ('"RequestId: 1"', [REPORT], ["RequestId 1"]),
        ('?"REPORT RequestId" ?"platform.report"', [REPORT, '"platform.report"'], ["REPORT"]),
        ("?Duration REPORT", [REPORT, "REPORT"], ["Duration"]),
        ("REPORT -timeout", [REPORT], ["REPORT Status: timeout"]),
        (r'"a \"b\""', ['a "b"'], ["a b"]),
        ('{ $.message = "wave" }', [REPORT], []),
    ],
)
def test_terms_are_found_in_events(
    pattern: str | None, matching: list[str], others: list[str]
) -> None:
    """All of them; any of those with a question mark; none of those with a minus."""
    matches = matcher(pattern)
    assert [text for text in [*matching, *others] if matches(text)] == matching


@given(st.text(), st.text())
def test_any_pattern_and_text_can_be_compared(pattern: str, text: str) -> None:
    """It never fails."""
    assert matcher(pattern)(text) in (True, False)
