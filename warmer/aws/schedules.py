"""A schedule of EventBridge Scheduler, which is read and moved.

Only what it fires is paid for, neither reading nor changing it (Amazon EventBridge pricing page,
Scheduler, seen on 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from warmer.aws.service import Service

__all__ = ["Schedules"]

DEFINED = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "State",
    "Target",
)
"""What a schedule is defined by, beside its start. What an update leaves out is set to the system's
default (EventBridge Scheduler API reference, "UpdateSchedule")."""


class Schedules:
    """Reads and moves schedules; `region` and `endpoint_url` default to what boto3 finds."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("scheduler", region=region, endpoint_url=endpoint_url)

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def read(self, arn: str) -> dict[str, Any]:
        """How a schedule is defined, without its start: GetSchedule. Raises ServiceError."""
        group, _, name = arn.partition(":schedule/")[2].partition("/")
        found = self._service.ask(
            "get_schedule", "scheduler:GetSchedule", GroupName=group, Name=name
        )
        return {key: found[key] for key in DEFINED if found.get(key) is not None}

    def move(self, definition: Mapping[str, Any], start: float, text: str) -> None:
        """Have a schedule fire next at `start` (Unix seconds), with `text` (JSON) as its input.

        All else stays as `read` found it: a rate counts from its start (EventBridge Scheduler user
        guide, "Schedule types"). UpdateSchedule. Raises ServiceError.
        """
        self._service.ask(
            "update_schedule",
            "scheduler:UpdateSchedule, and iam:PassRole of the schedule's role",
            **{
                **definition,
                "StartDate": datetime.fromtimestamp(int(start), UTC),
                "Target": {**definition["Target"], "Input": text},
            },
        )
