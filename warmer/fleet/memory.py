"""What the warmer remembers between runs, for each version of each target.

A warm warmer has it in its process. With a DynamoDB table (optional) a new one has it too, and
neither sends waves that the last one's make pointless, nor forgets what was learnt of idle times.
Without either it works from configuration, replies and metrics: a wave too many does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable

from warmer.aws.table import Table
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet.knowledge import Knowledge, knowledge_as_text, knowledge_from_item
from warmer.fleet.survival import Survival

__all__ = ["Memory"]

KEPT_DAYS = 30
"""For how long the table keeps what is not renewed: versions that nobody pings any more."""


class Memory:
    """Knowledge by key (`function:version`), in this process and, with a table, beyond it.

    Failures of the table are collected in `problems`, and warming goes on without it.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = table
        self._known: dict[str, Knowledge] = {}
        self._asked: set[str] = set()
        self._changed: set[str] = set()
        self.problems: list[str] = []
        self.items_read = 0
        self.items_written = 0

    def prepare(self) -> None:
        """Make the client now, at INIT. Raises ConfigurationError."""
        if self._table is not None:
            self._table.prepare()

    def recall(self, keys: Iterable[str]) -> None:
        """Read from the table what this process has not asked it for yet, in one batch."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._asked]
        if self._table is None or not wanted:
            return
        try:
            items = self._table.read(wanted)
        except ServiceError as error:
            self.problems.append(f"nothing was recalled from the table {self._table.name}: {error}")
            return
        self._asked |= set(wanted)
        self.items_read += len(wanted)
        for key, item in items.items():
            try:
                self._known.setdefault(key, knowledge_from_item(self._table.name, key, item))
            except ConfigurationError as error:
                self.problems.append(f"an item is taken for absent: {error}")

    def of(self, key: str) -> Knowledge:
        """What is known of a version; nothing, at first."""
        return self._known.get(key, Knowledge())

    def survivals(self) -> list[Survival]:
        """All observations of idle environments: of every version, since T is Lambda's."""
        return [seen for known in self._known.values() for seen in known.survivals]

    def learn(self, key: str, knowledge: Knowledge) -> None:
        """Take this for known from now on."""
        self._known[key] = knowledge.bounded()
        self._changed.add(key)

    def keep(self, now: float) -> None:
        """Write to the table what has changed since the last time."""
        changed, self._changed = self._changed, set()
        if self._table is None or not changed:
            return
        texts = {key: knowledge_as_text(self._known[key]) for key in sorted(changed)}
        try:
            self._table.write(texts, now + KEPT_DAYS * 86_400)
            self.items_written += len(texts)
        except ServiceError as error:
            self._changed |= changed
            self.problems.append(f"nothing was kept in the table {self._table.name}: {error}")
