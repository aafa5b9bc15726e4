"""What started a run of the warmer: which time of the schedule, and which shard of the targets.

A schedule without an input sends EventBridge's scheduled event, of which `time` is the moment that
was scheduled (EventBridge Scheduler user guide, "Adding context attributes": with an input of one's
own it is `<aws.scheduler.scheduled-time>`). EventBridge delivers at least once: the same time twice
is one event.

Where one run has not enough time for all targets, several schedules share them: each names its
shard in its input, `{"shard": "2/3", "time": "<aws.scheduler.scheduled-time>"}`.

The scheduled event names its schedule in `resources`; in an input of one's own that is
`<aws.scheduler.schedule-arn>`. A warmer with a policy moves it to when it wants to run next
(`warmer.fleet.next_run`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from warmer.errors import ConfigurationError
from warmer.fleet.target import Target

__all__ = ["ALL", "Shard", "Trigger"]

MOST_SHARDS = 1000
LONGEST_TIME = 64
_SCHEDULE = re.compile(
    r"arn:[a-z-]+:scheduler:[a-z0-9-]+:\d{12}:schedule(/[0-9A-Za-z_.-]{1,64}){2}"
)
_SHARD = re.compile(r"(\d{1,4})/(\d{1,4})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """The `number`th (from 1) of `count` parts of the targets; all of them by default.

    Every target is in exactly one of them, by its function's name: all versions and aliases of a
    function are in the same one, whose run keeps to that function's limits.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: object) -> Shard:
        """The shard that `2/3` names. Raises ConfigurationError, whose key is `shard`."""
        match = _SHARD.fullmatch(text) if isinstance(text, str) else None
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count <= MOST_SHARDS:
            expected = f'a text such as "2/3", the second of three shards, {MOST_SHARDS} at most'
            shown = text[:80] if isinstance(text, str) else type(text).__name__
            raise ConfigurationError("shard", shown, expected)
        return cls(number, count)

    def of(self, targets: Iterable[Target]) -> tuple[Target, ...]:
        """Those of the targets that are in it, in their order."""
        return tuple(
            target
            for target in targets
            if zlib.crc32(target.name.encode()) % self.count == self.number - 1
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


ALL = Shard()


@dataclass(frozen=True)
class Trigger:
    """A run's shard, and the moment that its schedule gave ("": nobody's schedule says).

    schedule: the ARN of EventBridge Scheduler's schedule that started it, "" where none did.
    handed: what the run before wrote into that schedule's input.
    """

    shard: Shard = ALL
    time: str = ""
    schedule: str = ""
    handed: Mapping[str, object] = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, event: object) -> Trigger:
        """From the event of the warmer's invocation; anything else runs all targets.

        Raises ConfigurationError for a shard that is none.
        """
        if not isinstance(event, dict):
            return cls()
        time = event.get("time")
        known = isinstance(time, str) and len(time) <= LONGEST_TIME and time.isprintable()
        shard = Shard.parse(event["shard"]) if "shard" in event else ALL
        handed = event.get("handed")
        return cls(
            shard,
            str(time) if known else "",
            _schedule(event.get("resources")),
            handed if isinstance(handed, dict) else {},
        )


def _schedule(resources: object) -> str:
    """The schedule among an event's resources, of which it has one."""
    if not isinstance(resources, list) or len(resources) != 1:
        return ""
    (arn,) = resources
    return arn if isinstance(arn, str) and _SCHEDULE.fullmatch(arn) else ""
