"""One AWS service that is asked a question now and then: tags, parameters, metrics, tables."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from warmer.aws.client import ACCESS_CODES, CONNECT_TIMEOUT_SECONDS, new_client
from warmer.errors import ServiceError

if TYPE_CHECKING:
    from typing import Any

    from botocore.exceptions import BotoCoreError

__all__ = ["ANSWER_TIMEOUT_SECONDS", "Service", "no_answer", "refused"]

ANSWER_TIMEOUT_SECONDS = 5.0
"""The longest silence of a service. These are small questions: who waits longer has a problem."""

ATTEMPTS = 2


class Service:
    """A boto3 client that is made when it is first needed, and whose errors are ours.

    `name` is boto3's name of the service. `region` and `endpoint_url` default to what boto3 finds
    in the environment and its files. `attempts` (default 2) is how often a question is asked in
    all, by botocore's own rules of what may be asked again. Thread-safe.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.name = name
        self._attempts = attempts
        self._region = region
        self._endpoint_url = endpoint_url
        self._client: Any = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the client now, at INIT, where there is CPU to spare. Raises ConfigurationError."""
        from botocore.config import Config

        with self._lock:
            if self._client is None:
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=ANSWER_TIMEOUT_SECONDS,
                    retries={"total_max_attempts": self._attempts, "mode": "standard"},
                )
                self._client = new_client(self.name, config, self._region, self._endpoint_url)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def ask(self, operation: str, permission: str, **request: object) -> dict[str, Any]:
        """The answer to `operation`, a method of the boto3 client.

        `permission` is the IAM action that a caller without it is told of. Raises ServiceError for
        every other answer and for none; ConfigurationError without region or credentials.
        """
        self.prepare()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**request)
        except ClientError as error:
            said = error.response.get("Error", {})
            code, message = said.get("Code", ""), said.get("Message", "")
            raise refused(operation, permission, code, message) from error
        except BotoCoreError as error:
            raise no_answer(operation, self.name, error) from error
        return answer


def no_answer(operation: str, service: str, error: BotoCoreError) -> ServiceError:
    """The error for a service that could not be reached, or said nothing."""
    return ServiceError(
        f"{operation} of {service} brought no answer; from a VPC it needs a NAT gateway or an"
        f" interface endpoint for {service} ({error})"
    )


def refused(operation: str, permission: str, code: str, message: str) -> ServiceError:
    """The error for an answer that is one, by its code; `permission` is what it takes."""
    if code in ACCESS_CODES or code == "AccessDenied":
        return ServiceError(
            f"{operation} is not allowed: the role needs {permission} ({code}: {message})", code
        )
    return ServiceError(f"{operation} was refused: {code}: {message}", code)
