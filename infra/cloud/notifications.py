"""SNS topics that functions are subscribed to.

Source: AWS Lambda developer guide, "Invoking Lambda functions with Amazon SNS notifications".
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from moto.sns import models
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import Subscription

from infra.cloud.refusal import InvokeRefused

__all__ = ["Invoke", "LocalSubscription", "install"]

log = logging.getLogger("warmer.cloud")

# Invokes a function of a region, by its ARN, asynchronously; InvokeRefused where there is none.
Invoke = Callable[[str, str, bytes], None]

_FUNCTION = re.compile(r"arn:[\w-]+:lambda:(?P<region>[\w-]+):\d{12}:function:[\w-]+(:[\w$-]+)?")


class LocalSubscription(Subscription):
    """A subscription: moto's, but for functions, which are invoked asynchronously in this cloud."""

    invoke: ClassVar[Invoke]

    def __init__(self, account_id: str, topic: Any, endpoint: str, protocol: str) -> None:
        if protocol == "lambda" and not _FUNCTION.fullmatch(endpoint):
            raise InvalidParameterValue(
                f"Invalid parameter: Endpoint is {endpoint}; expected the ARN of a Lambda function"
            )
        super().__init__(account_id, topic, endpoint, protocol)

    def publish(
        self,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        *args: Any,
        **more: Any,
    ) -> None:
        """Hand a message of the topic to the subscriber, if its filter policy lets it through.

        As on AWS, who publishes does not learn that a function could not be reached: the log does.
        """
        if self.protocol != "lambda":
            super().publish(message, message_id, subject, message_attributes, *args, **more)
            return
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        if more.get("message_structure") == "json":
            message = self._parse_message_structure(message, self.protocol)
        region = self.endpoint.split(":")[3]
        event = self._event(message, message_id, subject, message_attributes or {})
        try:
            type(self).invoke(region, self.endpoint, json.dumps(event).encode())
        except InvokeRefused as error:
            log.warning("%s could not be delivered: %s", self.arn, error)

    def _event(
        self, message: str, message_id: str, subject: str | None, attributes: Mapping[str, Any]
    ) -> dict[str, Any]:
        posted = self.get_post_data(message, message_id, subject)
        # These two have other names in what queues and web servers get.
        certificate, unsubscribe = posted.pop("SigningCertURL"), posted.pop("UnsubscribeURL")
        notification = {
            **posted,
            "SigningCertUrl": certificate,
            "UnsubscribeUrl": re.sub("(?<=SubscriptionArn=).*", self.arn, unsubscribe),
            "Subject": subject,
            "MessageAttributes": dict(attributes),
        }
        record = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.arn,
            "EventSource": "aws:sns",
            "Sns": notification,
        }
        return {"Records": [record]}


def install(invoke: Invoke) -> None:
    """Make moto use `LocalSubscription` from now on."""
    LocalSubscription.invoke = invoke
    vars(models)["Subscription"] = LocalSubscription
