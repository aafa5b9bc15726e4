"""What the warmer remembers between runs, for each version of each target.

A warm warmer has it in its process. With a DynamoDB table (optional) a new one has it too, and
neither sends waves that the last one's make pointless, nor forgets what was learnt of idle times.
Without either it works from configuration, replies and metrics: a wave too many does no harm.

A run that moves its schedule hands over what it knows in that schedule's input, for nothing
(`warmer.fleet.carried`). The table then has it once a day, for the case that the schedule is
replaced, and what found no room in the input several times a day: what a lost process had learnt
since is lost, but for users' requests, which are read again from the logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from warmer.aws.table import TEXT, Table
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet.carried import MOST_CHARACTERS, packed, unpacked
from warmer.fleet.knowledge import Knowledge, knowledge_as_text, knowledge_from_item
from warmer.fleet.survival import Survival

__all__ = ["Memory"]

KEPT_DAYS = 30
"""For how long the table keeps what is not renewed: versions that nobody pings any more."""

MOST_PLAIN = 1000
"""Longer texts are packed."""

HANDED_SECONDS = 86_400.0
REST_SECONDS = 6 * 3600.0
"""How often the table gets what is handed over, and what is not, where a schedule carries it."""


class Memory:
    """Knowledge by key (`function:version`), in this process and, with a table, beyond it.

    Failures of the table are collected in `problems`, and warming goes on without it.
    hands_over: whether the run under way hands over what it knows to the next one.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = table
        self._known: dict[str, Knowledge] = {}
        self._asked: set[str] = set()
        self._changed: set[str] = set()
        self._present: tuple[str, ...] = ()
        self._known_at = -inf
        self._kept_at: dict[str, float] = {}
        self._packed: dict[str, tuple[Knowledge, str]] = {}
        self.hands_over = False
        self.problems: list[str] = []
        self.items_read = 0
        self.items_written = 0

    def prepare(self) -> None:
        """Make the client now, at INIT. Raises ConfigurationError."""
        if self._table is not None:
            self._table.prepare()

    def recall(self, keys: Iterable[str]) -> None:
        """Read from the table what this process has not asked it for yet, in one batch."""
        self._present = tuple(dict.fromkeys(keys))
        wanted = [key for key in self._present if key not in self._asked]
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
                self._known.setdefault(key, _from_item(self._table.name, key, item))
            except ConfigurationError as error:
                self.problems.append(f"an item is taken for absent: {error}")

    def of(self, key: str) -> Knowledge:
        """What is known of a version; nothing, at first."""
        return self._known.get(key, Knowledge())

    def predecessor(self, key: str) -> Knowledge:
        """What is known of the same function's newest other version that a policy was asked about;
        nothing, if there is none."""
        function, _, _ = key.rpartition(":")
        others = [
            other
            for other, known in self._known.items()
            if other != key and other.rpartition(":")[0] == function and known.policy
        ]
        return self._known[max(others, key=_version)] if others else Knowledge()

    def survivals(self) -> list[Survival]:
        """All observations of idle environments: of every version, since T is Lambda's."""
        return [seen for known in self._known.values() for seen in known.survivals]

    def learn(self, key: str, knowledge: Knowledge) -> None:
        """Take this for known from now on."""
        self._known[key] = knowledge.bounded()
        self._changed.add(key)

    def take_over(self, handed: Mapping[str, object]) -> None:
        """Take for known what another process handed over, if that is later than all of this one's.

        What cannot be read is a problem, and taken for absent.
        """
        at, known = handed.get("at"), handed.get("known")
        if (
            not isinstance(at, int | float)
            or not at > self._known_at
            or not isinstance(known, dict)
        ):
            return
        self._known_at = at
        for key, text in known.items():
            try:
                self._known[key] = unpacked(f"the schedule's input, {key!r}", text)
                self._asked.add(key)
            except ConfigurationError as error:
                self.problems.append(f"what was handed over is taken for absent: {error}")

    def handed(self) -> dict[str, object]:
        """What `take_over` takes: what is known of the run's versions, as far as there is room."""
        return {"at": self._known_at, "known": self._in_hand()}

    def keep(self, now: float) -> None:
        """Write to the table what has changed since the last time, and is due there."""
        self._known_at = now
        if self._table is None:
            self._changed.clear()
            return
        due = {key for key in self._changed if now >= self._kept_at.get(key, -inf)}
        if not due:
            return
        texts = {key: self._text(key) for key in sorted(due)}
        try:
            self._table.write(texts, now + KEPT_DAYS * 86_400)
        except ServiceError as error:
            self.problems.append(f"nothing was kept in the table {self._table.name}: {error}")
            return
        self.items_written += len(texts)
        self._changed -= due
        if self.hands_over:
            carried = self._in_hand()
            for key in due:
                seconds = HANDED_SECONDS if key in carried else REST_SECONDS
                self._kept_at[key] = now + seconds

    def _text(self, key: str) -> str:
        """For the table, which is paid by the KB."""
        text = knowledge_as_text(self._known[key])
        return text if len(text) < MOST_PLAIN else self._pack(key)

    def _in_hand(self) -> dict[str, str]:
        found: dict[str, str] = {}
        room = MOST_CHARACTERS
        for key in self._present:
            if key in self._known:
                text = self._pack(key)
                room -= len(text) + len(key)
                if room < 0:
                    break
                found[key] = text
        return found

    def _pack(self, key: str) -> str:
        known = self._known[key]
        found = self._packed.get(key)
        if found is None or found[0] is not known:
            found = self._packed[key] = known, packed(known)
        return found[1]


def _version(key: str) -> int:
    """The number of a version; -1 for `$LATEST`."""
    text = key.rpartition(":")[2]
    return int(text) if text.isdecimal() else -1


def _from_item(table: str, key: str, item: Mapping[str, Any]) -> Knowledge:
    text = item.get(TEXT, {}).get("S")
    if isinstance(text, str) and text and not text.startswith(("{", "[")):
        return unpacked(f"table {table}, item {key!r}, attribute {TEXT}", text)
    return knowledge_from_item(table, key, item)
