"""One run at a time over the same targets, and one for each time of a schedule.

With the memory table, a run takes a lease: a conditional write, which DynamoDB grants to one of any
number that ask at once, and another when it ends. It is good for as long as the run may last, so
that a run which was killed blocks no other for longer. Two written items a run: a cent a month with
a run every five minutes.

Without the table nothing tells two processes of each other. What holds then: an execution
environment runs one request at a time, and remembers which times of the schedule it has served;
a schedule whose runs are further apart than the warmer's time-out, without retries, starts none
while another runs. Two deliveries of one event at the same moment both send waves.
"""

from __future__ import annotations

import os
from collections import deque

from warmer.aws.table import Table
from warmer.errors import ServiceError
from warmer.fleet.trigger import Shard, Trigger

__all__ = ["ITEMS_A_RUN", "Lease"]

ITEMS_A_RUN = 2
"""Items written for a run: the lease, and its end."""

TIMES_KEPT = 100
EXPIRY_SECONDS = 86_400.0

FREE = "attribute_not_exists(#owner) OR #until < :now"
FREE_AND_NEW = "attribute_not_exists(#owner) OR (#until < :now AND #time <> :time)"
MINE = "#owner = :owner"


class Lease:
    """The right to run, of this process."""

    def __init__(self, table: Table | None = None) -> None:
        self._table = table
        self._owner = ""
        self._served: deque[Trigger] = deque(maxlen=TIMES_KEPT)
        self._problems: list[str] = []

    def take(self, trigger: Trigger, now: float, until: float) -> str:
        """Take it from `now` to `until` (Unix seconds); returns why it is not to be had, or "".

        Where the table cannot be written the run goes on, and `problems` says so: two waves do less
        harm than none.
        """
        if trigger.time and trigger in self._served:
            return _served(trigger)
        if self._table is not None:
            self._owner = os.urandom(16).hex()
            known: dict[str, str | float] = {":now": now}
            if trigger.time:
                known[":time"] = trigger.time
            condition = FREE_AND_NEW if trigger.time else FREE
            if not self._write(self._table, trigger, until, condition, known, now):
                return (
                    f"another run over shard {trigger.shard} is under way, or has served"
                    f" {trigger.time or 'it'} already"
                )
        if trigger.time:
            self._served.append(trigger)
        return ""

    def give_back(self, trigger: Trigger, now: float) -> None:
        """The run has ended: the next may begin."""
        if self._table is not None:
            self._write(self._table, trigger, now, MINE, {":owner": self._owner}, now)

    def problems(self) -> list[str]:
        """Where the table failed since this was asked last: also at the end of the run before."""
        problems, self._problems = self._problems, []
        return problems

    def _write(
        self,
        table: Table,
        trigger: Trigger,
        until: float,
        condition: str,
        values: dict[str, str | float],
        now: float,
    ) -> bool:
        item: dict[str, str | float] = {"owner": self._owner, "until": until}
        item["time"] = trigger.time
        try:
            return table.put(_key(trigger.shard), item, now + EXPIRY_SECONDS, condition, values)
        except ServiceError as error:
            self._problems.append(f"two runs may overlap: no lease from {table.name}: {error}")
            return True


def _key(shard: Shard) -> str:
    """No function has a slash in its name, as knowledge's keys begin."""
    return f"/run/{shard}"


def _served(trigger: Trigger) -> str:
    return f"the schedule's event of {trigger.time} for shard {trigger.shard} was served already"
