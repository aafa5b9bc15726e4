"""CloudFormation resource types that moto has not, or not well enough for SAM.

Where moto has a class of the same type, the later one, ours, is taken.
"""

from __future__ import annotations

import base64
import io
import zipfile
from contextlib import suppress
from typing import Any, cast

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.core.common_models import CloudFormationModel
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import logs_backends
from moto.scheduler.models import scheduler_backends

from infra.cloud.declared import Declared, Properties
from infra.cloud.functions import EventInvokeConfig, LocalLambda, split_reference
from infra.cloud.schedules import date


class _OfLambda(Declared):
    @property
    def backend(self) -> LocalLambda:
        return cast(LocalLambda, lambda_backends[self.account_id][self.region])

    def function_name(self, key: str = "FunctionName") -> str:
        return split_reference(self.properties[key])[0]

    def function_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name()}"


class Function(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Function."""

    TYPE = "AWS::Lambda::Function"
    NAME_PROPERTY = "FunctionName"
    REPLACED_BY = frozenset({"FunctionName", "PackageType"})

    def create(self) -> None:
        """CreateFunction."""
        self.backend.create_function(_function_spec(self.name, self.properties))
        arn = f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"
        self.attributes = {"Arn": arn}

    def change(self, properties: Properties) -> None:
        """UpdateFunctionCode, then UpdateFunctionConfiguration."""
        spec = _function_spec(self.name, properties)
        function: Any = self.backend.get_function(self.name)
        self.backend.check(spec)
        if properties["Code"] != self.properties["Code"]:
            self.backend.update_function_code(self.name, cast(str, None), spec["Code"])
        function.handler = spec.get("Handler")
        function.run_time = spec.get("Runtime")
        function.role = spec["Role"]
        function.description = spec.get("Description", "")
        function.memory_size = spec.get("MemorySize", 128)
        function.timeout = spec.get("Timeout", 3)
        function.environment_vars = (spec.get("Environment") or {}).get("Variables", {})
        function.reserved_concurrency = spec.get("ReservedConcurrentExecutions")
        function.architectures = spec.get("Architectures", ["x86_64"])
        function.ephemeral_storage = (spec.get("EphemeralStorage") or {}).get("Size", 512)
        function.tags = spec.get("Tags") or {}
        function.logs_group_name = (spec.get("LoggingConfig") or {}).get(
            "LogGroup", f"/aws/lambda/{self.name}"
        )
        function.code_or_config_updated = True
        self.backend.changed(self.name)

    def remove(self) -> None:
        """DeleteFunction, with all its versions and aliases; it may have been done by hand."""
        with suppress(UnknownFunctionException):
            self.backend.delete_function(self.name)


def _function_spec(name: str, properties: Properties) -> dict[str, Any]:
    """CreateFunction's request for a resource's properties."""
    spec = {**properties, "FunctionName": name, "Code": dict(properties["Code"])}
    spec["Tags"] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    for key in ("MemorySize", "Timeout", "ReservedConcurrentExecutions"):
        if key in spec:
            spec[key] = int(spec[key])
    if "ZipFile" in spec["Code"]:
        # In a template it is the text of one module, not a zip (AWS::Lambda::Function Code).
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", spec["Code"]["ZipFile"])
        spec["Code"]["ZipFile"] = base64.b64encode(packed.getvalue()).decode()
    return spec


class Version(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Version: made once; a new one has another logical id."""

    TYPE = "AWS::Lambda::Version"
    REPLACED_BY = frozenset({"FunctionName"})

    def create(self) -> None:
        """PublishVersion."""
        published: Any = self.backend.publish_version(
            self.function_name(), self.properties.get("Description", "")
        )
        self.attributes = {"Version": str(published.version)}

    def change(self, properties: Properties) -> None:
        """Nothing of a published version changes."""

    def remove(self) -> None:
        """DeleteFunction with the version as qualifier; it may have gone with the function."""
        with suppress(UnknownFunctionException):
            self.backend.delete_function(self.function_name(), self.attributes["Version"])

    @property
    def physical_resource_id(self) -> str:
        """The version's ARN."""
        return f"{self.function_arn()}:{self.attributes['Version']}"


class Alias(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Alias."""

    TYPE = "AWS::Lambda::Alias"
    REPLACED_BY = frozenset({"FunctionName", "Name"})

    def create(self) -> None:
        """CreateAlias."""
        self.backend.create_alias(**self._request(self.properties))

    def change(self, properties: Properties) -> None:
        """UpdateAlias: from the next invoke on, the new version is reached."""
        self.backend.update_alias(**self._request(properties))

    def remove(self) -> None:
        """DeleteAlias; it may have gone with the function."""
        with suppress(UnknownFunctionException):
            self.backend.delete_alias(self.properties["Name"], self.function_name())

    @property
    def physical_resource_id(self) -> str:
        """The alias's ARN."""
        return f"{self.function_arn()}:{self.properties['Name']}"

    def _request(self, properties: Properties) -> dict[str, Any]:
        shares = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights", [])
        weights = {item["FunctionVersion"]: item["FunctionWeight"] for item in shares}
        return {
            "name": properties["Name"],
            "function_name": self.function_name(),
            "function_version": str(properties["FunctionVersion"]),
            "description": properties.get("Description", ""),
            "routing_config": {"AdditionalVersionWeights": weights} if weights else {},
        }


class Url(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Url."""

    TYPE = "AWS::Lambda::Url"
    REPLACED_BY = frozenset({"TargetFunctionArn", "Qualifier"})

    def create(self) -> None:
        """CreateFunctionUrlConfig, on the alias where one is named."""
        address = self.backend.add_url(
            self.properties["TargetFunctionArn"],
            self.properties.get("Qualifier"),
            self.properties["AuthType"],
        )
        self.attributes = {"FunctionUrl": address, "FunctionArn": self.physical_resource_id}

    def remove(self) -> None:
        """DeleteFunctionUrlConfig."""
        self.backend.remove_url(self.attributes["FunctionUrl"])

    @property
    def physical_resource_id(self) -> str:
        """The ARN of the function."""
        return str(self.properties["TargetFunctionArn"])


class Permission(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Permission: recorded; who may invoke is not checked here."""

    TYPE = "AWS::Lambda::Permission"

    def create(self) -> None:
        """Nothing to do."""

    def remove(self) -> None:
        """Nothing to undo."""


class BucketPolicy(Declared, CloudFormationModel):
    """AWS::S3::BucketPolicy: recorded; `sam deploy --resolve-s3` makes one."""

    TYPE = "AWS::S3::BucketPolicy"

    def create(self) -> None:
        """Nothing to do."""

    def remove(self) -> None:
        """Nothing to undo."""


class EventInvoke(_OfLambda, CloudFormationModel):
    """AWS::Lambda::EventInvokeConfig."""

    TYPE = "AWS::Lambda::EventInvokeConfig"
    REPLACED_BY = frozenset({"FunctionName", "Qualifier"})

    def create(self) -> None:
        """PutFunctionEventInvokeConfig."""
        given = self.properties
        default = EventInvokeConfig()
        self.backend.event_invoke[self._key()] = EventInvokeConfig(
            int(given.get("MaximumRetryAttempts", default.retry_attempts)),
            int(given.get("MaximumEventAgeInSeconds", default.maximum_age_seconds)),
        )

    def remove(self) -> None:
        """DeleteFunctionEventInvokeConfig."""
        self.backend.event_invoke.pop(self._key(), None)

    def _key(self) -> tuple[str, str]:
        return self.function_name(), self.properties["Qualifier"]


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
