"""How asynchronous invokes of one version or alias are retried, and where their records go.

Source: AWS Lambda API reference, "PutFunctionEventInvokeConfig".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError

__all__ = ["EventInvokeConfig", "EventInvokeConfigNotFound", "describe", "merged"]

# SQS, SNS, Lambda and EventBridge. Lambda knows S3 too, for failures.
_DESTINATION = re.compile(r"arn:[\w-]+:(sqs|sns|lambda|events):[\w-]+:\d{12}:.+")
_LIMITS = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21_600)}


@dataclass(frozen=True)
class EventInvokeConfig:
    """Defaults are Lambda's. Destinations are ARNs, or None for none."""

    retry_attempts: int = 2
    maximum_age_seconds: int = 21_600
    on_success: str | None = None
    on_failure: str | None = None
    modified: datetime | None = field(default=None, compare=False)


class EventInvokeConfigNotFound(LambdaClientError):
    """The version or alias has no configuration of its own."""

    code = 404

    def __init__(self, arn: str) -> None:
        super().__init__(
            "ResourceNotFoundException", f"The function {arn} doesn't have an EventInvokeConfig"
        )


def merged(config: EventInvokeConfig, request: Mapping[str, Any]) -> EventInvokeConfig:
    """`config` with what a request (or a template) says; refuses values that Lambda has not."""
    for key, (least, most) in _LIMITS.items():
        value = request.get(key)
        if value is not None and not least <= int(value) <= most:
            raise InvalidParameterValueException(f"{key} is {value}; expected {least} to {most}")
    changes: dict[str, Any] = {"modified": datetime.now(UTC)}
    if request.get("MaximumRetryAttempts") is not None:
        changes["retry_attempts"] = int(request["MaximumRetryAttempts"])
    if request.get("MaximumEventAgeInSeconds") is not None:
        changes["maximum_age_seconds"] = int(request["MaximumEventAgeInSeconds"])
    destinations = request.get("DestinationConfig") or {}
    for key, name in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
        if key in destinations:
            changes[name] = _destination(key, (destinations[key] or {}).get("Destination"))
    return replace(config, **changes)


def describe(config: EventInvokeConfig, arn: str) -> dict[str, Any]:
    """As GetFunctionEventInvokeConfig answers."""
    destinations = {
        key: {"Destination": target}
        for key, target in (("OnSuccess", config.on_success), ("OnFailure", config.on_failure))
        if target
    }
    return {
        "FunctionArn": arn,
        "LastModified": (config.modified or datetime.now(UTC)).timestamp(),
        "MaximumRetryAttempts": config.retry_attempts,
        "MaximumEventAgeInSeconds": config.maximum_age_seconds,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}, **destinations},
    }


def _destination(key: str, arn: str | None) -> str | None:
    if arn and not _DESTINATION.fullmatch(arn):
        raise InvalidParameterValueException(
            f"{key}'s Destination is {arn}; the local cloud delivers to the ARN of an SQS queue, "
            "an SNS topic, a Lambda function or an EventBridge event bus"
        )
    return arn or None
