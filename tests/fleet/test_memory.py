"""What the warmer remembers, with a table and without, and what a malformed item meets."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fleet.situations import NOON
from warmer.aws.table import Table
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet.demand import Busy
from warmer.fleet.knowledge import (
    Knowledge,
    LastWave,
    knowledge_as_text,
    knowledge_from_item,
)
from warmer.fleet.memory import Memory
from warmer.fleet.survival import Survival

FULL = Knowledge(
    window=tuple(Busy(NOON + i, 900 - i, by_users=True) for i in range(30)),
    init_type="provisioned-concurrency",
    memory_mb=10_240,
    ping_ms=1234.5,
    pointless=(True,) * 30,
    fault="digits:live returned no Warmer reply",
    fault_at=NOON,
    doubtful=True,
    waves=tuple(LastWave(NOON + i, 900, 900, 900) for i in range(30)),
    survivals=tuple(Survival(3600.5, alive=True) for _ in range(90)),
    spent=123.456789,
).bounded()


class TableInMemory:
    """A table that a test can break."""

    name = "stack-warmer"

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.broken = False
        self.reads: list[list[str]] = []

    def read(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """The items that there are."""
        self.reads.append(list(keys))
        if self.broken:
            raise ServiceError(
                "batch_get_item is not allowed: the role needs dynamodb:BatchGetItem"
            )
        return {key: self.items[key] for key in keys if key in self.items}

    def write(self, texts: dict[str, str], expires: float) -> None:
        """Put items."""
        if self.broken:
            raise ServiceError("batch_write_item is not allowed")
        for key, text in texts.items():
            self.items[key] = {"text": {"S": text}, "expires": {"N": str(int(expires))}}


def memory(table: TableInMemory) -> Memory:
    """A memory with this table."""
    return Memory(cast(Table, table))


def test_without_a_table_a_process_remembers_for_itself() -> None:
    """And writes nothing."""
    known = Memory()
    known.recall(["f:7"])
    known.learn("f:7", FULL)
    known.keep(NOON)

    assert known.of("f:7") == FULL
    assert known.of("f:8") == Knowledge()
    assert (known.items_read, known.items_written, known.problems) == (0, 0, [])


def test_a_new_process_recalls_what_the_last_one_kept() -> None:
    """All of it, for thirty days."""
    table = TableInMemory()
    last = memory(table)
    last.learn("f:7", FULL)
    last.keep(NOON)

    new = memory(table)
    new.recall(["f:7", "f:8"])

    assert new.of("f:7") == FULL
    assert table.items["f:7"]["expires"] == {"N": str(int(NOON) + 30 * 86_400)}


def test_the_table_is_asked_once_for_each_version_and_told_only_what_changed() -> None:
    """A warm warmer reads nothing any more."""
    table = TableInMemory()
    known = memory(table)
    for _ in range(2):
        known.recall(["f:7", "g:1"])
        known.keep(NOON)
    known.learn("g:1", FULL)
    known.keep(NOON)
    known.keep(NOON)

    assert table.reads == [["f:7", "g:1"]]
    assert (known.items_read, known.items_written) == (2, 1)


def test_a_table_that_fails_is_reported_and_warming_goes_on() -> None:
    """What could not be written is written the next time."""
    table = TableInMemory()
    table.broken = True
    known = memory(table)
    known.recall(["f:7"])
    known.learn("f:7", FULL)
    known.keep(NOON)

    assert "dynamodb:BatchGetItem" in known.problems[0]
    assert known.problems[1].startswith("nothing was kept in the table stack-warmer")
    table.broken = False
    known.keep(NOON)
    assert set(table.items) == {"f:7"}


def test_an_item_fits_into_one_write_unit() -> None:
    """However much is known of a version: a unit is 1 KB.

    AWS page: DynamoDB developer guide, "DynamoDB read and write operations".
    """
    name = "arn:aws:lambda:eu-central-1:123456789012:function:" + "n" * 64 + ":12345"
    attributes = len("key" + name + "text" + "expires") + 21

    assert len(knowledge_as_text(FULL)) + attributes <= 1024


@pytest.mark.parametrize(
    ("item", "key", "expected"),
    [
        ({}, "attribute text", "JSON that a warmer wrote"),
        ({"text": {"N": "7"}}, "attribute text", "JSON that a warmer wrote"),
        ({"text": {"S": "{"}}, "attribute text", "JSON that a warmer wrote"),
        ({"text": {"S": "[" * 100_000}}, "attribute text", "JSON that a warmer wrote"),
        ({"text": {"S": "[]"}}, "attribute text", "an object with format 1"),
        ({"text": {"S": '{"format": 2}'}}, "attribute text", "an object with format 1"),
    ],
)
def test_an_item_that_no_warmer_wrote_is_named(
    item: dict[str, Any], key: str, expected: str
) -> None:
    """Table, item and attribute, and what is expected."""
    with pytest.raises(ConfigurationError) as refusal:
        knowledge_from_item("stack-warmer", "f:7", item)

    assert refusal.value.key == f"table stack-warmer, item 'f:7', {key}"
    assert expected in refusal.value.expected
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("window", 7, "a list of [Unix seconds, number, true or false]"),
        ("window", [[NOON, 3]], "a list of [Unix"),
        ("window", [[NOON, 3.5, True]], "a list of [Unix"),
        ("window", [["noon", 3, True]], "a list of [Unix"),
        ("window", [[float("nan"), 3, True]], "a list of [Unix"),
        ("init_type", None, "a text"),
        ("memory_mb", -1, "a whole number of MB"),
        ("ping_ms", True, "a number of milliseconds"),
        ("pointless", [1], "a list of true and false"),
        ("fault", 7, "a text"),
        ("fault_at", "noon", "Unix seconds"),
        ("doubtful", 1, "true or false"),
        ("waves", [{"at": 1}], "a list of [Unix seconds, asked, proven, new]"),
        ("survivals", [[1.0, "yes"]], "a list of [seconds, true or false]"),
        ("spent", float("inf"), "a number of dollars"),
    ],
)
def test_a_field_that_cannot_be_is_named(field: str, value: object, expected: str) -> None:
    """With its value and the expected form."""
    text = json.dumps({"format": 1, field: value})

    with pytest.raises(ConfigurationError) as refusal:
        knowledge_from_item("stack-warmer", "f:7", {"text": {"S": text}})

    assert refusal.value.key.endswith(f"item 'f:7', attribute text, field {field}")
    assert expected in refusal.value.expected


def test_a_malformed_item_is_reported_and_taken_for_absent() -> None:
    """The next wave writes it anew."""
    table = TableInMemory()
    table.items["f:7"] = {"text": {"S": "{}"}}
    known = memory(table)

    known.recall(["f:7"])

    assert known.of("f:7") == Knowledge()
    assert known.problems[0].startswith("an item is taken for absent: table stack-warmer")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
fields = st.dictionaries(st.sampled_from(list(FULL.__dataclass_fields__)), json_values)


@given(fields)
def test_any_item_is_knowledge_or_a_clear_refusal(found: dict[str, object]) -> None:
    """Nothing else is raised."""
    text = json.dumps({"format": 1, **found})
    try:
        knowledge_from_item("t", "f:7", {"text": {"S": text}})
    except ConfigurationError as refusal:
        assert refusal.key.startswith("table t, item 'f:7'")
