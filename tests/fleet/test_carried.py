"""What a run hands over to the next one, and what becomes of it."""

from __future__ import annotations

import base64
import json
import zlib
from math import inf
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fleet.situations import NOON
from tests.fleet.test_memory import FULL, TableInMemory, memory
from warmer.aws.table import Table
from warmer.errors import ConfigurationError
from warmer.fleet.carried import packed, unpacked
from warmer.fleet.knowledge import Knowledge
from warmer.fleet.memory import Memory

POLICY = {":look_at": NOON + 0.25, "1": inf, "2": -1e18, "3": 0.1, "44": 7.0}


def handing_over(known: Memory) -> Memory:
    """A memory in a run that hands over."""
    known.hands_over = True
    return known


def learnt(known: Memory, *keys: str, now: float = NOON) -> Memory:
    """A run that learns something of each version, and keeps it."""
    known.recall(keys)
    for key in keys:
        known.learn(key, Knowledge(policy={**POLICY, ":at": now}))
    known.keep(now)
    return known


def test_what_is_packed_is_unpacked() -> None:
    """All of it, moments to the millisecond."""
    assert unpacked("here", packed(FULL)) == FULL
    known = Knowledge(policy=POLICY)
    assert unpacked("here", packed(known)) == known


numbers = st.floats(allow_nan=False)


@given(st.dictionaries(st.text(max_size=8), numbers, max_size=20))
def test_any_numbers_of_a_policy_are_carried(policy: dict[str, float]) -> None:
    """To thirteen digits."""
    found = unpacked("here", packed(Knowledge(policy=policy))).policy

    assert found == {name: pytest.approx(value, rel=1e-12) for name, value in policy.items()}


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "%",
        "e30=",
        base64.b64encode(zlib.compress(b"[]")).decode(),
        base64.b64encode(zlib.compress(b'{"format": 2}')).decode(),
        base64.b64encode(zlib.compress(b'{"format":1,"policy":7}')).decode(),
        base64.b64encode(zlib.compress(b" " * 10**7)).decode(),
    ],
)
def test_what_no_run_wrote_is_refused(text: object) -> None:
    """With the place, and however large it would be."""
    with pytest.raises(ConfigurationError) as refusal:
        unpacked("the schedule's input, 'f:7'", text)

    assert refusal.value.key.startswith("the schedule's input, 'f:7'")
    assert len(str(refusal.value)) < 300


def test_another_process_goes_on_with_what_was_handed_over() -> None:
    """And asks the table for nothing."""
    handed = learnt(handing_over(Memory()), "f:7").handed()
    table = TableInMemory()
    new = memory(table)
    new.take_over(json.loads(json.dumps(handed)))
    new.recall(["f:7"])

    assert new.of("f:7").policy[":at"] == NOON
    assert table.reads == []


def test_what_is_older_than_what_a_process_knows_is_left() -> None:
    """As where the schedule could not be moved, and came with what it had."""
    process = learnt(handing_over(Memory()), "f:7")
    before = process.handed()
    learnt(process, "f:7", now=NOON + 60)
    process.take_over(before)

    assert process.of("f:7").policy[":at"] == NOON + 60


@pytest.mark.parametrize("handed", [{}, {"at": "noon"}, {"at": NOON}, {"at": NOON, "known": []}])
def test_an_input_without_anything_changes_nothing(handed: dict[str, object]) -> None:
    """Whatever it holds."""
    process = learnt(Memory(), "f:7", now=NOON - 60)
    process.take_over(handed)

    assert process.of("f:7").policy[":at"] == NOON - 60
    assert process.problems == []


def test_a_version_that_cannot_be_read_is_a_problem_and_the_others_are_taken() -> None:
    """Taken for absent."""
    handed = learnt(handing_over(Memory()), "f:7").handed()
    handed["known"] = {"g:1": "?", **cast(dict[str, str], handed["known"])}
    new = Memory()
    new.take_over(handed)

    assert new.of("f:7").policy and not new.of("g:1").policy
    assert new.problems[0].startswith(
        "what was handed over is taken for absent: the schedule's input, 'g:1'"
    )


def test_the_table_has_what_is_handed_over_once_a_day() -> None:
    """For a schedule that is set anew; each run would cost more than its ping."""
    table = TableInMemory()
    process = handing_over(memory(table))
    for minutes in range(0, 3 * 24 * 60, 10):
        learnt(process, "f:7", now=NOON + minutes * 60)

    assert process.items_written == 3
    new = Memory(cast(Table, table))
    new.recall(["f:7"])
    assert new.of("f:7").policy[":at"] == NOON + 2 * 86_400


def test_the_table_has_what_finds_no_room_four_times_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many versions as fit are handed over."""
    monkeypatch.setattr("warmer.fleet.memory.MOST_CHARACTERS", 200)
    table = TableInMemory()
    process = handing_over(memory(table))
    for minutes in range(0, 24 * 60, 10):
        learnt(process, "f:7", "g:1", now=NOON + minutes * 60)

    assert list(cast(dict[str, str], process.handed()["known"])) == ["f:7"]
    assert process.items_written == 1 + 4
