"""The scheduled warmer in a cloud whose clock is fast: deployed as a function by test_replay.

Clocks inside functions are not fast, nor are the moments of log events (DESIGN of the local cloud:
schedules and idle lifetimes are in cloud time, functions in real time). So what the warmer reads of
a clock is put into cloud time here, at its edges: its own clock, the seconds in replies, and the
moments and durations in logs. All else is the deployed warmer as it is.

    REPLAY_CLOCK   real Unix seconds, the cloud's at that moment, and how fast the cloud's clock is
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from handlers import warm
from warmer.aws.log_reader import Filtered, LogReader
from warmer.fleet.guidance import Guidance
from warmer.fleet.policy import policy_from_text
from warmer.fleet.report import WaveReport
from warmer.fleet.target import Target
from warmer.fleet.trigger import ALL, Shard
from warmer.fleet.upkeep import Upkeep, UpkeepReport
from warmer.fleet.use_log import Looked, UseLog, Wanted
from warmer.fleet.uses import Use
from warmer.fleet.versions import LiveVersions
from warmer.ping import Reply

BEGAN, BEGAN_IN_CLOUD, RATE = (float(part) for part in os.environ["REPLAY_CLOCK"].split())

STARTING_SECONDS = 0.06
"""From a cold request's arrival to its INIT, by this machine's clock: 35 to 160 ms by the ledger.
No report tells of it, and the cloud's clock makes a second of it, in which others come and go."""


def cloud_time(real: float | None = None) -> float:
    """The cloud's Unix seconds at a moment of this machine's clock; now without one."""
    return BEGAN_IN_CLOUD + ((time.time() if real is None else real) - BEGAN) * RATE


def real_time(cloud: float) -> float:
    """This machine's Unix seconds at a moment of the cloud's clock."""
    return BEGAN + (cloud - BEGAN_IN_CLOUD) / RATE


class CloudTimeReader:
    """Log events with their moments in cloud time."""

    def __init__(self) -> None:
        self._reader = LogReader()
        self._reader.prepare()

    def matching(
        self, group: str, start: float, pattern: str, *, requests: int, deadline: float
    ) -> Filtered:
        """As `LogReader.matching`."""
        found = self._reader.matching(
            group, real_time(start), pattern, requests=requests, deadline=deadline
        )
        events = tuple(event._replace(at=cloud_time(event.at)) for event in found.events)
        return found._replace(events=events)


class CloudTimeUseLog(UseLog):
    """What requests took, too, in cloud time; a report says it in real time."""

    def look(self, wanted: Sequence[Wanted], now: float) -> dict[str, Looked]:
        """As `UseLog.look`; functions are as young as the warmer: before, nobody came."""
        since = [one._replace(since=max(one.since, BEGAN_IN_CLOUD)) for one in wanted]
        found = super().look(since, now)
        return {
            key: one._replace(
                uses=replace(one.uses, requests=tuple(map(in_cloud_time, one.uses.requests)))
            )
            for key, one in found.items()
        }

    def reports(self, one: Wanted, now: float) -> list[Use] | None:
        """As `UseLog.reports`."""
        found = super().reports(one, now)
        return None if found is None else [in_cloud_time(use) for use in found]


def in_cloud_time(use: Use) -> Use:
    """A use whose end is right, and whose length is not."""
    took = use.seconds + use.init_seconds + (STARTING_SECONDS if use.cold else 0.0)
    return Use(use.at + took - took * RATE, use.seconds * RATE, use.cold, use.init_seconds * RATE)


def send(targets: Sequence[Target], deadline: float) -> list[WaveReport]:
    """The waves of the deployed warmer, reported in cloud time."""
    return [
        replace(
            report,
            started_at=cloud_time(report.started_at),
            wall_ms=report.wall_ms * RATE,
            replies=tuple(map(reply_in_cloud_time, report.replies)),
        )
        for report in warm.SENDER(targets, deadline)
    ]


def reply_in_cloud_time(reply: Reply) -> Reply:
    """Ages, and the time since something, as the cloud counts them."""
    known = reply.fields()
    for name in ("idle_seconds", "age_seconds", "last_user_seconds_ago"):
        seconds = known[name]
        known[name] = seconds * RATE if isinstance(seconds, float | int) else None
    return Reply(**known)  # type: ignore[arg-type]  # they are a reply's


class CloudTimeUpkeep(Upkeep):
    """Runs at the cloud's time."""

    def run(
        self,
        deadline: float,
        clock: object = None,
        *,
        shard: Shard = ALL,
        handed: Mapping[str, object] | None = None,
    ) -> UpkeepReport:
        """As `Upkeep.run`."""
        del clock
        return super().run(deadline, cloud_time, shard=shard, handed=handed)


warm.UPKEEP = CloudTimeUpkeep(
    warm.SOURCES,
    send,
    LiveVersions(warm.FUNCTIONS),
    memory=warm.MEMORY,
    schedule=warm.SETTINGS.schedule,
)
warm.UPKEEP.guidance = Guidance(
    warm.SETTINGS.policy,
    policy_from_text(warm.SETTINGS.policy),
    use_log=CloudTimeUseLog(CloudTimeReader()),
)
handler = warm.handler
