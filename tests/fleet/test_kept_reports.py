"""What was read of a log group, until those are asked for who have it."""

from __future__ import annotations

import pytest

from tests.fleet.situations import NOON
from tests.fleet.test_use_log import line
from warmer.aws.log_reader import FilteredEvent
from warmer.fleet import kept_reports
from warmer.fleet.kept_reports import KeptReports

ENVIRONMENT = "0a" * 16


def _event(number: int, stream: str = "digits[7]", text: str | None = None) -> FilteredEvent:
    name = f"2026/11/23/{stream}{ENVIRONMENT}"
    return FilteredEvent(str(number), NOON + number, name, line("r") if text is None else text)


def _kept(*keys: str) -> KeptReports:
    kept = KeptReports()
    for key in keys:
        function, _, version = key.partition(":")
        kept.listen(key, function, version, NOON)
    return kept


def _numbers(kept: KeptReports, key: str) -> list[int]:
    return [int(one.id) for one in kept.take(key)]


def test_each_version_has_its_own() -> None:
    """What is nobody's that was listened for, or no report, is not kept."""
    kept = _kept("digits:7", "digits:8", "other:7")
    streams = ["digits[7]", "digits[8]", "other[7]", "third[7]", "digits[9]", "nonsense"]
    kept.add([_event(at, stream) for at, stream in enumerate(streams)], NOON, NOON + 60)
    kept.add([_event(9, text="START RequestId: r")], NOON, NOON + 60)
    assert [_numbers(kept, key) for key in ("digits:7", "digits:8", "other:7")] == [[0], [1], [2]]


def test_a_report_is_kept_until_it_is_taken_and_not_found_again() -> None:
    """It may come in two readings."""
    kept = _kept("digits:7")
    kept.add([_event(1)], NOON, NOON + 60)
    kept.add([_event(1), _event(2)], NOON, NOON + 120)
    assert _numbers(kept, "digits:7") == [1, 2]
    kept.add([_event(2), _event(3)], NOON, NOON + 180)
    assert _numbers(kept, "digits:7") == [3]


def test_in_a_log_group_of_its_own_no_stream_names_the_function() -> None:
    """The version does."""
    kept = _kept("digits:7")
    kept.add([_event(1, "[7]"), _event(2, "[8]")], NOON, NOON + 60)
    assert _numbers(kept, "digits:7") == [1]


def test_what_is_before_a_stretch_that_was_not_read_is_forgotten() -> None:
    """Nobody can say what came between."""
    kept = _kept("digits:7", "other:7")
    kept.add([_event(1)], NOON, NOON + 60)
    kept.add([_event(100)], NOON + 90, NOON + 120)
    assert (kept.since("digits:7"), _numbers(kept, "digits:7")) == (NOON + 90, [100])
    assert kept.since("other:7") == NOON + 90


def test_what_was_read_ahead_beyond_such_a_stretch_is_kept() -> None:
    """It is found again, but taken in once."""
    kept = _kept("digits:7")
    kept.add([_event(1), _event(95)], NOON, NOON + 60)
    kept.add([_event(95), _event(100)], NOON + 90, NOON + 120)
    assert _numbers(kept, "digits:7") == [95, 100]


def test_names_of_streams_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read anew when there were too many."""
    monkeypatch.setattr(kept_reports, "MOST_STREAMS", 2)
    kept = _kept("digits:7")
    for number in range(5):
        kept.add([_event(number, f"digits[{number}]")], NOON, NOON + 60)
        kept.trim(NOON)
    kept.add([_event(7)], NOON, NOON + 60)
    assert _numbers(kept, "digits:7") == [7]
