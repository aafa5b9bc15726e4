"""CloudFormation resource types that moto has not, or not well enough for SAM.

Where moto has a class of the same type, the later one, ours, is taken.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import logs_backends
from moto.scheduler.models import scheduler_backends

from infra.cloud.declared import Declared, Properties
from infra.cloud.schedules import date


class BucketPolicy(Declared, CloudFormationModel):
    """AWS::S3::BucketPolicy: recorded; `sam deploy --resolve-s3` makes one."""

    TYPE = "AWS::S3::BucketPolicy"

    def create(self) -> None:
        """Nothing to do."""

    def remove(self) -> None:
        """Nothing to undo."""


class LogGroup(Declared, CloudFormationModel):
    """AWS::Logs::LogGroup: moto's cannot change its retention."""

    TYPE = "AWS::Logs::LogGroup"
    NAME_PROPERTY = "LogGroupName"
    REPLACED_BY = frozenset({"LogGroupName"})

    def create(self) -> None:
        """CreateLogGroup, PutRetentionPolicy."""
        tags = {tag["Key"]: tag["Value"] for tag in self.properties.get("Tags", [])}
        group = self._backend.create_log_group(self.name, tags)
        # With the suffix that CloudFormation's documentation shows for this attribute.
        self.attributes = {"Arn": f"{group.arn}:*"}
        self.change(self.properties)

    def change(self, properties: Properties) -> None:
        """PutRetentionPolicy: what was logged stays."""
        self._backend.put_retention_policy(self.name, properties.get("RetentionInDays"))

    def remove(self) -> None:
        """DeleteLogGroup, which may have been done by hand."""
        with suppress(ResourceNotFoundException):
            self._backend.delete_log_group(self.name)

    @property
    def _backend(self) -> Any:
        return logs_backends[self.account_id][self.region]


class ScheduleGroup(Declared, CloudFormationModel):
    """AWS::Scheduler::ScheduleGroup."""

    TYPE = "AWS::Scheduler::ScheduleGroup"
    NAME_PROPERTY = "Name"
    REPLACED_BY = frozenset({"Name"})

    def create(self) -> None:
        """CreateScheduleGroup."""
        group = scheduler_backends[self.account_id][self.region].create_schedule_group(
            self.name, self.properties.get("Tags", [])
        )
        self.attributes = {"Arn": group.arn}

    def remove(self) -> None:
        """DeleteScheduleGroup, with its schedules."""
        scheduler_backends[self.account_id][self.region].delete_schedule_group(self.name)


class Schedule(Declared, CloudFormationModel):
    """AWS::Scheduler::Schedule."""

    TYPE = "AWS::Scheduler::Schedule"
    NAME_PROPERTY = "Name"
    REPLACED_BY = frozenset({"GroupName", "Name"})

    def create(self) -> None:
        """CreateSchedule."""
        made = self._backend.create_schedule(
            **self._request(self.properties), action_after_completion=None
        )
        self.attributes = {"Arn": made.arn}

    def change(self, properties: Properties) -> None:
        """UpdateSchedule: it counts anew from now."""
        self._backend.update_schedule(**self._request(properties))

    def remove(self) -> None:
        """DeleteSchedule."""
        self._backend.delete_schedule(self.properties.get("GroupName"), self.name)

    @property
    def _backend(self) -> Any:
        return scheduler_backends[self.account_id][self.region]

    def _request(self, properties: Properties) -> dict[str, Any]:
        return {
            "name": self.name,
            "group_name": properties.get("GroupName"),
            "description": properties.get("Description"),
            "schedule_expression": properties["ScheduleExpression"],
            "schedule_expression_timezone": properties.get("ScheduleExpressionTimezone"),
            "flexible_time_window": properties["FlexibleTimeWindow"],
            "target": dict(properties["Target"]),
            "state": properties.get("State", "ENABLED"),
            "kms_key_arn": properties.get("KmsKeyArn"),
            "start_date": _seconds(properties.get("StartDate")),
            "end_date": _seconds(properties.get("EndDate")),
        }


def _seconds(text: Any) -> float | None:
    """A date of a template as the Scheduler's API has it: seconds since the epoch."""
    moment = date(text)
    return None if moment is None else moment.timestamp()
