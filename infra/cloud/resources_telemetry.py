"""CloudFormation resource types of CloudWatch: alarms and dashboards."""

from __future__ import annotations

import json
from typing import Any, cast

from moto.cloudformation.exceptions import ValidationError
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel

from infra.cloud.cloudwatch import LocalCloudWatch
from infra.cloud.declared import Declared, Properties
from warmer.errors import ConfigurationError


class _OfCloudWatch(Declared):
    @property
    def backend(self) -> LocalCloudWatch:
        return cast(LocalCloudWatch, cloudwatch_backends[self.account_id][self.region])


class Alarm(_OfCloudWatch, CloudFormationModel):
    """AWS::CloudWatch::Alarm."""

    TYPE = "AWS::CloudWatch::Alarm"
    NAME_PROPERTY = "AlarmName"
    REPLACED_BY = frozenset({"AlarmName"})

    def create(self) -> None:
        """PutMetricAlarm."""
        self.change(self.properties)
        arn = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:{self.name}"
        self.attributes = {"Arn": arn}

    def change(self, properties: Properties) -> None:
        """PutMetricAlarm: the alarm keeps its state."""
        try:
            self.backend.put_alarm({**properties, "AlarmName": self.name})
        except ConfigurationError as error:
            raise ValidationError(message=str(error)) from error

    def remove(self) -> None:
        """DeleteAlarms."""
        self.backend.delete_alarms([self.name])


class Dashboard(_OfCloudWatch, CloudFormationModel):
    """AWS::CloudWatch::Dashboard: kept as it is written; there is no console to show it."""

    TYPE = "AWS::CloudWatch::Dashboard"
    NAME_PROPERTY = "DashboardName"
    REPLACED_BY = frozenset({"DashboardName"})

    def __init__(self, account_id: str, region: str, name: str, properties: Properties) -> None:
        # moto asks its own class which property holds the name, and that one does not know.
        super().__init__(account_id, region, properties.get("DashboardName") or name, properties)

    def create(self) -> None:
        """PutDashboard."""
        self.change(self.properties)

    def change(self, properties: Properties) -> None:
        """PutDashboard; the body must be JSON."""
        body: Any = properties["DashboardBody"]
        try:
            json.loads(body)
        except (TypeError, ValueError) as error:
            message = f"DashboardBody of {self.name} is no JSON: {error}"
            raise ValidationError(message=message) from error
        self.backend.put_dashboard(self.name, body)

    def remove(self) -> None:
        """DeleteDashboards, which may have been done by hand."""
        if self.backend.get_dashboard(self.name) is not None:
            self.backend.delete_dashboards([self.name])
