"""What started a run: a time of a schedule, and a shard of the targets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warmer.test_ping import JSON
from warmer.errors import ConfigurationError
from warmer.fleet import Target
from warmer.fleet.trigger import ALL, Shard, Trigger

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True), unique=True, max_size=40)


@given(NAMES, st.integers(1, 9))
def test_every_target_is_in_exactly_one_shard(names: list[str], count: int) -> None:
    """Whatever the functions are called, and however many shards there are."""
    targets = [Target(name, "live") for name in names]
    found = [target for n in range(count) for target in Shard(n + 1, count).of(targets)]

    assert sorted(map(str, found)) == sorted(map(str, targets))


def test_all_versions_of_a_function_are_in_the_same_shard() -> None:
    """However it is named: what Lambda limits is the function."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:digits"
    targets = [Target("digits", "live"), Target("digits", "7"), Target("digits"), Target(arn, "b")]

    assert {len(Shard(number, 5).of(targets)) for number in range(1, 6)} == {0, len(targets)}


def test_a_target_stays_in_its_shard() -> None:
    """Whatever the process: a run's memory and lease are of use to the next."""
    targets = [Target(name) for name in ("digits", "words", "faces", "sounds")]

    assert [target.name for target in Shard(1, 2).of(targets)] == ["digits", "words"]


def test_without_a_shard_a_run_is_for_all_targets() -> None:
    """EventBridge's own event names only the time."""
    event = {"detail-type": "Scheduled Event", "time": "2026-11-22T10:00:00Z", "detail": "{}"}

    assert Trigger.read(event) == Trigger(ALL, "2026-11-22T10:00:00Z")
    assert Trigger.read({"shard": "2/3"}) == Trigger(Shard(2, 3))
    assert ALL.of([Target("digits")]) == (Target("digits"),)


@pytest.mark.parametrize(
    "text", ["", "2", "0/2", "3/2", "1/1001", "a/b", "\u0661/\u0662", None, 2, ["1/2"]]
)
def test_what_is_no_shard_is_refused(text: Any) -> None:
    """With the form that is expected."""
    with pytest.raises(ConfigurationError, match="the second of three shards") as refusal:
        Trigger.read({"shard": text})

    assert refusal.value.key == "shard"


@given(JSON)
def test_any_other_event_runs_all_targets(event: Any) -> None:
    """The warmer may be invoked with whatever is at hand."""
    if not (isinstance(event, dict) and "shard" in event):
        assert Trigger.read(event).shard == ALL
