"""The next run of a warmer whose policy says when that is: it moves its own schedule there.

A run costs more than the ping that it sends, so there is none without need. The schedule stays a
rate, of which the start is moved: where a run fails, and moves nothing, another follows after the
schedule's interval. Only a run that the schedule itself started moves it, so that one which was
switched off stays off.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Protocol

from warmer.errors import ServiceError
from warmer.fleet.trigger import ALL, Trigger

__all__ = ["LEAST_SECONDS", "LONGEST_SECONDS", "NextRun"]

LEAST_SECONDS = 60.0
"""From the end of one run to the start of the next."""

LONGEST_SECONDS = 86_400.0
"""Targets may have changed, and T too."""

EARLY_SECONDS = 30.0
"""How long before the moment that a policy chose its run is to start: it does so within a minute
(EventBridge Scheduler user guide, "Schedule types")."""

INVALID = "ValidationException"


class Schedules(Protocol):
    """As `warmer.aws.schedules.Schedules`."""

    def read(self, arn: str) -> dict[str, Any]:
        """How a schedule is defined, without its start. Raises ServiceError."""
        ...

    def move(self, definition: Mapping[str, Any], start: float, text: str) -> None:
        """Have it fire next at `start`, with `text` as its input. Raises ServiceError."""
        ...


class NextRun:
    """Moves the schedules that start runs.

    longest_seconds: between two runs, whatever the policy says. Failures are in `problems`, and the
    schedule then stays where it was.
    """

    def __init__(self, schedules: Schedules, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._schedules = schedules
        self._longest = max(longest_seconds, LEAST_SECONDS)
        self._definitions: dict[str, tuple[int, dict[str, Any]]] = {}
        self.problems: list[str] = []

    def set(
        self, trigger: Trigger, look_at: float, now: float, handed: Mapping[str, object]
    ) -> float | None:
        """Move the schedule of `trigger` to just before `look_at`, with `handed` for that run.

        Returns when it starts (Unix seconds), None where the schedule could not be moved.
        """
        self.problems = []
        start = min(max(look_at - EARLY_SECONDS, now + LEAST_SECONDS), now + self._longest)
        try:
            digest, definition = self._definition(trigger)
            try:
                text = _input(trigger, {**handed, "definition": digest})
                self._schedules.move(definition, start, text)
            except ServiceError as error:
                if error.code != INVALID or not handed:
                    raise
                self.problems.append(f"nothing is handed over to the next run: {error}")
                text = _input(trigger, {"definition": digest})
                self._schedules.move(definition, start, text)
        except ServiceError as error:
            del self.problems[:]
            self.problems.append(f"the next run is as {trigger.schedule} stands: {error}")
            return None
        return start

    def _definition(self, trigger: Trigger) -> tuple[int, dict[str, Any]]:
        """Read again where somebody else has set the schedule anew, such as a deploy."""
        found = self._definitions.get(trigger.schedule)
        if found is None or found[0] != trigger.handed.get("definition"):
            definition = self._schedules.read(trigger.schedule)
            found = _digest(definition), definition
            self._definitions[trigger.schedule] = found
        return found


def _digest(definition: Mapping[str, Any]) -> int:
    """Of all that a run leaves as it is."""
    target = {key: item for key, item in definition["Target"].items() if key != "Input"}
    text = json.dumps({**definition, "Target": target}, sort_keys=True, default=str)
    return zlib.crc32(text.encode())


def _input(trigger: Trigger, handed: Mapping[str, object]) -> str:
    """An event as the schedule would send by itself, so far as a run reads it, and `handed`."""
    event: dict[str, object] = {
        "time": "<aws.scheduler.scheduled-time>",
        "resources": ["<aws.scheduler.schedule-arn>"],
    }
    if trigger.shard != ALL:
        event["shard"] = str(trigger.shard)
    return json.dumps({**event, "handed": handed}, separators=(",", ":"))
