"""What a warmer reads of the log group that its functions share."""

from __future__ import annotations

import numpy as np
import pytest

from warmer.fleet.use_log import MOST_REPORTS
from warmer.lab.log_reads import OWN_GROUP, log_reads, own_groups


def _runs(minutes: int, *at: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    runs = np.zeros(minutes, np.bool_)
    runs[list(at)] = True
    return runs


def test_each_run_reads_what_came_since_the_last_one_and_a_minute_again() -> None:
    """One report in each of ten minutes; runs in the third, the sixth and the last."""
    ended = np.linspace(30.0, 570.0, 10)
    assert log_reads(_runs(10, 2, 5, 9), ended, 0) == (3, 9, 2)


def test_what_is_reported_after_the_last_run_is_not_read() -> None:
    """Neither is anything where the warmer never runs."""
    ended = np.array([30.0, 90.0])
    assert log_reads(_runs(3, 1), ended, 0) == (1, 1, 0)
    assert log_reads(_runs(3), ended, 0) == (0, 0, 0)


def test_pings_are_in_the_log_as_well() -> None:
    """As many again as requests."""
    ended = np.linspace(30.0, 570.0, 10)
    assert log_reads(_runs(10, 2, 5, 9), ended, 10) == (3, 18, 4)


def test_without_requests_there_is_nothing_to_read() -> None:
    """But a run asks."""
    assert log_reads(_runs(10, 2, 5), np.empty(0), 0) == (2, 0, 0)


@pytest.mark.parametrize(("before", "read"), [(10, MOST_REPORTS), (1, 12_000)])
def test_of_very_much_the_latest_is_read(before: int, read: int) -> None:
    """All of the last minutes, however much it is; of ten minutes as many as a look is worth."""
    a_minute = MOST_REPORTS // 10 if before == 10 else 12_000
    ended = np.repeat(np.arange(20 * before) * 60.0 + 30.0, a_minute)
    reads, new, _ = log_reads(_runs(20 * before, 19 * before), ended, 0)
    assert (reads, new) == (1, max(read, 3 * a_minute))


def test_of_several_functions_as_much_is_read_for_each() -> None:
    """Of four at most."""
    ended = np.repeat(np.arange(200) * 60.0 + 30.0, MOST_REPORTS // 10)
    new = [log_reads(_runs(200, 190), ended, 0, functions)[1] for functions in (2, 4, 100)]
    assert new == [2 * MOST_REPORTS, 4 * MOST_REPORTS, 4 * MOST_REPORTS]


def test_functions_of_more_requests_than_pay_in_a_shared_group_have_their_own() -> None:
    """The second and the fourth, in half an hour."""
    limit = int(OWN_GROUP / 2)
    offsets = np.cumsum([0, limit, limit + 1, 0, 5 * limit])
    assert own_groups(offsets, 1800.0).tolist() == [-1, 0, -1, 1]


def test_who_is_alone_has_nobody_to_share_a_log_group_with() -> None:
    """However busy it is: every run looks at it."""
    assert own_groups(np.array([0, 10**6]), 1800.0).tolist() == [-1]
