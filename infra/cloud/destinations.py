"""Where events go that are done with: queues, topics, event buses, functions.

Sources: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations" and
"Adding a dead-letter queue".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.events.models import events_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from warmer.errors import CloudError

__all__ = ["DeliveryFailed", "Destinations", "invocation_record"]

# "Adding a dead-letter queue": the first 1 KB of the error message.
_ERROR_MESSAGE_BYTES = 1024


class DeliveryFailed(CloudError):
    """A queue, topic, bus or function could not take a message."""


class Destinations:
    """Delivers to ARNs of one account.

    invoke: asynchronously, a function of a region, by its ARN, with a payload.
    """

    def __init__(self, account_id: str, invoke: Callable[[str, str, bytes], None]) -> None:
        self._account_id = account_id
        self._invoke = invoke
        self._services: dict[str, Callable[[str, str, str, Mapping[str, Any]], None]] = {
            "sqs": self._to_queue,
            "sns": self._to_topic,
        }

    def send(self, arn: str, body: str, attributes: Mapping[str, tuple[str, str]]) -> None:
        """A message to a queue or topic; attributes by name: data type and value.

        Raises DeliveryFailed.
        """
        service, region = arn.split(":")[2:4]
        if service not in self._services:
            raise DeliveryFailed(f"{arn} is no SQS queue and no SNS topic")
        named = {
            name: {"DataType": kind, "StringValue": value}
            for name, (kind, value) in attributes.items()
        }
        try:
            self._services[service](region, arn, body, named)
        except Exception as error:
            raise DeliveryFailed(f"{arn} takes no message: {_said(error)}") from error

    def deliver(self, arn: str, record: Mapping[str, Any], function_arn: str) -> None:
        """The record of an asynchronous invoke to its destination; raises DeliveryFailed."""
        service, region = arn.split(":")[2:4]
        if service in self._services:
            self.send(arn, json.dumps(record), {})
            return
        try:
            if service == "lambda":
                self._invoke(region, arn, json.dumps(record).encode())
            else:
                self._to_bus(region, arn, record, function_arn)
        except Exception as error:
            raise DeliveryFailed(f"{arn} takes no record: {_said(error)}") from error

    def dead_letter(self, arn: str, payload: bytes, request_id: str, status: int, why: str) -> None:
        """An event that was given up, as it was, to its function's dead-letter queue or topic."""
        message = why.encode()[:_ERROR_MESSAGE_BYTES].decode(errors="ignore")
        attributes = {
            "RequestID": ("String", request_id),
            "ErrorCode": ("Number", str(status)),
            "ErrorMessage": ("String", message or "Unknown"),
        }
        self.send(arn, payload.decode(), attributes)

    def _to_queue(self, region: str, arn: str, body: str, named: Mapping[str, Any]) -> None:
        backend: Any = sqs_backends[self._account_id][region]
        backend.send_message(arn.rsplit(":", 1)[-1], body, message_attributes=dict(named))

    def _to_topic(self, region: str, arn: str, body: str, named: Mapping[str, Any]) -> None:
        backend: Any = sns_backends[self._account_id][region]
        values = {
            name: {"Type": item["DataType"], "Value": item["StringValue"]}
            for name, item in named.items()
        }
        backend.publish(message=body, arn=arn, message_attributes=values)

    def _to_bus(self, region: str, arn: str, record: Mapping[str, Any], function_arn: str) -> None:
        succeeded = record["requestContext"]["condition"] == "Success"
        result = "Success" if succeeded else "Failure"
        events: Any = events_backends[self._account_id][region]
        (entry,) = events.put_events(
            [
                {
                    "Source": "lambda",
                    "DetailType": f"Lambda Function Invocation Result - {result}",
                    "Resources": [arn, function_arn],
                    "Detail": json.dumps(record),
                    "EventBusName": arn.rsplit("/", 1)[-1],
                }
            ]
        )
        if "ErrorCode" in entry:
            raise DeliveryFailed(entry["ErrorMessage"])


def invocation_record(
    context: Mapping[str, Any], payload: bytes, response: Mapping[str, Any] | None, moment: str
) -> dict[str, Any]:
    """The record that a destination gets.

    context: requestId, functionArn, condition, approximateInvokeCount. response: the context and
    the payload of the last answer; None where there was none. moment: ISO 8601.
    """
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": moment,
        "requestContext": dict(context),
        "requestPayload": json.loads(payload),
    }
    return record if response is None else {**record, **response}


def _said(error: Exception) -> str:
    return str(getattr(error, "message", None) or error or type(error).__name__)
