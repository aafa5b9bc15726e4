"""One run at a time, and one for each time of a schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from warmer.aws.table import Table
from warmer.errors import ServiceError
from warmer.fleet.lease import Lease
from warmer.fleet.trigger import Shard, Trigger

NOON = 1_795_435_200.0
TEN = Trigger(time="2026-11-22T10:00:00Z")


class Conditional:
    """A table that evaluates the lease's conditions."""

    name = "memory"

    def __init__(self) -> None:
        self.items: dict[str, Mapping[str, str | float]] = {}
        self.broken = False

    def put(
        self,
        key: str,
        attributes: Mapping[str, str | float],
        expires: float,
        condition: str,
        values: Mapping[str, str | float],
    ) -> bool:
        """PutItem."""
        if self.broken:
            raise ServiceError("put_item is not allowed: the role needs dynamodb:PutItem")
        held = self.items.get(key)
        assert expires > NOON
        text = re.sub(r"attribute_not_exists\(#owner\)", "absent", condition)
        text = re.sub(r"#(\w+)", r"held['\1']", text).replace("<>", "!=").replace(" = ", " == ")
        text = re.sub(r":(\w+)", r"given[':\1']", text).replace("AND", "and").replace("OR", "or")
        known = {"absent": held is None, "held": held, "given": values}
        met = bool(eval(text, known)) if held is not None else "absent" in text
        if met:
            self.items[key] = attributes
        return met


def lease(table: Conditional | None = None) -> Lease:
    """A process's lease."""
    return Lease(cast(Table | None, table))


def test_a_second_run_waits_for_the_end_of_the_first() -> None:
    """Another process is refused as long as the run may last, and not once it has ended."""
    table = Conditional()
    first, second = lease(table), lease(table)

    assert first.take(Trigger(), NOON, NOON + 180) == ""
    assert "another run over shard 1/1 is under way" in second.take(Trigger(), NOON + 1, NOON + 99)
    first.give_back(Trigger(), NOON + 2)
    assert second.take(Trigger(), NOON + 3, NOON + 183) == ""


def test_a_run_that_was_killed_blocks_no_other_for_longer_than_it_might_have_lasted() -> None:
    """Its lease ends by itself."""
    table = Conditional()
    lease(table).take(Trigger(), NOON, NOON + 180)

    assert lease(table).take(Trigger(), NOON + 181, NOON + 300) == ""


def test_a_late_end_takes_nobody_elses_lease() -> None:
    """Only who has it gives it back."""
    table = Conditional()
    slow, other = lease(table), lease(table)
    slow.take(Trigger(), NOON, NOON + 10)
    other.take(Trigger(), NOON + 11, NOON + 100)
    slow.give_back(Trigger(), NOON + 12)

    assert lease(table).take(Trigger(), NOON + 13, NOON + 50) != ""


def test_an_event_that_is_delivered_again_starts_no_second_run() -> None:
    """Neither in another process nor, without a table, in the same one; the next time does."""
    table = Conditional()
    for first, again in ((lease(table), lease(table)), (alone := lease(), alone)):
        assert first.take(TEN, NOON, NOON + 180) == ""
        first.give_back(TEN, NOON + 5)
        assert TEN.time in again.take(TEN, NOON + 60, NOON + 240)
        later = Trigger(time="2026-11-22T10:05:00Z")
        assert again.take(later, NOON + 300, NOON + 480) == ""


def test_shards_run_side_by_side() -> None:
    """Each has a lease of its own."""
    table = Conditional()

    assert lease(table).take(Trigger(Shard(1, 2)), NOON, NOON + 180) == ""
    assert lease(table).take(Trigger(Shard(2, 2)), NOON, NOON + 180) == ""


def test_without_a_table_processes_know_nothing_of_each_other() -> None:
    """And a run without a schedule's time is never refused."""
    one = lease()

    assert [one.take(Trigger(), NOON, NOON + 180) for _ in range(2)] == ["", ""]
    assert lease().take(TEN, NOON, NOON + 180) == lease().take(TEN, NOON, NOON + 180) == ""


def test_a_table_that_fails_is_told_and_the_run_goes_on() -> None:
    """Also where it fails at the end, in the next run's report."""
    table = Conditional()
    table.broken = True
    one = lease(table)

    assert one.take(Trigger(), NOON, NOON + 180) == ""
    (problem,) = one.problems()
    assert "two runs may overlap: no lease from memory: put_item is not allowed" in problem
    one.give_back(Trigger(), NOON + 1)
    assert len(one.problems()) == 1
    assert one.problems() == []
