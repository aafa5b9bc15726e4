"""Lambda's Invoke: one synchronous call at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from warmer.aws.client import ACCESS_CODES, CONNECT_TIMEOUT_SECONDS, new_client
from warmer.errors import (
    AccessDenied,
    AnswerTimeout,
    EndpointUnreachable,
    FunctionNotFound,
    InvokeError,
    Throttled,
)

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationResponseTypeDef

__all__ = ["InvokeReply", "InvokeRequest", "Invoker", "LambdaInvoker"]


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """One synchronous invoke.

    `function` is a name or ARN, `qualifier` a version or alias (None: `$LATEST`).
    `client_context` is the base64 text of Invoke's ClientContext; `payload` is the event as JSON.
    `timeout_seconds` bounds the wait for the answer, connecting included.
    """

    function: str
    qualifier: str | None
    client_context: str
    payload: bytes = b"{}"
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class InvokeReply:
    """What Lambda answered.

    `status` is the HTTP status, `function_error` Lambda's `FunctionError` (None: the function
    returned), `payload` the returned value or error as JSON, `executed_version` the version that
    ran ("" if unknown). `sent_at` (just before the request went to the connection) and
    `received_at` are seconds of the monotonic clock.
    """

    status: int
    function_error: str | None
    payload: bytes
    executed_version: str
    sent_at: float
    received_at: float


class Invoker(Protocol):
    """Invokes functions, from many threads at a time."""

    def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Invoke once, without a retry.

        Raises Throttled, FunctionNotFound, AccessDenied, EndpointUnreachable, AnswerTimeout, or
        another InvokeError for whatever else went wrong before the function ran.
        """
        ...


class LambdaInvoker:
    """The real `Invoker`: boto3's Lambda client with retries off.

    A retry would ping into a throttle, or reach an environment after the others were released.
    `region` and `endpoint_url` default to what boto3 finds in the environment and its files.
    """

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._connections = 10  # botocore's own default
        self._clients: dict[float, LambdaClient] = {}
        self._lock = threading.Lock()
        self._sent = threading.local()

    def prepare(self, connections: int, timeout_seconds: float = 60.0) -> None:
        """Make ready for `connections` invokes at a time; call it once before each run.

        Loads boto3, finds the credentials and creates the client, so that the first wave does not
        wait for that. Drops connections kept from an earlier run: a function that was frozen does
        not notice that the other side closed them, and without retries the first use would fail.
        Raises ConfigurationError if there is no region, no credentials or no usable endpoint.
        """
        with self._lock:
            if connections > self._connections:
                self._connections = connections
                self._drop(self._clients)
            for client in self._clients.values():
                client.close()
        self._client(timeout_seconds)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._drop(self._clients)

    def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Invoke once; see `Invoker.invoke`. Raises ConfigurationError as `prepare` does."""
        client = self._client(request.timeout_seconds)
        from botocore.exceptions import BotoCoreError, ClientError

        self._sent.at = time.monotonic()  # the hook gives the better value, unless it never ran
        try:
            if request.qualifier is None:
                response = client.invoke(
                    FunctionName=request.function,
                    ClientContext=request.client_context,
                    Payload=request.payload,
                )
            else:
                response = client.invoke(
                    FunctionName=request.function,
                    Qualifier=request.qualifier,
                    ClientContext=request.client_context,
                    Payload=request.payload,
                )
            return self._reply(response)
        except ClientError as error:
            raise _refusal(request, error) from error
        except BotoCoreError as error:
            raise _failure(request, error) from error

    def _reply(self, response: InvocationResponseTypeDef) -> InvokeReply:
        payload = response["Payload"].read()
        return InvokeReply(
            status=response["StatusCode"],
            function_error=response.get("FunctionError"),
            payload=payload,
            executed_version=response.get("ExecutedVersion", ""),
            sent_at=self._sent.at,
            received_at=time.monotonic(),
        )

    def _client(self, timeout_seconds: float) -> LambdaClient:
        """The client whose time-outs fit: botocore sets them for a client, not for a call."""
        bound = _whole(timeout_seconds)
        with self._lock:
            client = self._clients.get(bound)
            if client is None:
                client = self._clients[bound] = self._create(bound)
        return client

    def _create(self, timeout_seconds: float) -> LambdaClient:
        from botocore.config import Config

        config = Config(
            connect_timeout=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds / 2),
            read_timeout=max(timeout_seconds - CONNECT_TIMEOUT_SECONDS, timeout_seconds / 2),
            retries={"total_max_attempts": 1},
            max_pool_connections=self._connections,
        )
        client: LambdaClient = new_client("lambda", config, self._region, self._endpoint_url)
        client.meta.events.register("before-send.lambda.Invoke", self._note_sent)
        return client

    def _note_sent(self, **_: object) -> None:
        self._sent.at = time.monotonic()

    def _drop(self, clients: dict[float, LambdaClient]) -> None:
        for client in clients.values():
            client.close()
        clients.clear()


def _whole(seconds: float) -> float:
    """Round down, so that a run needs few clients: to 5 s from 10 s on, else to 1 s, at least 1."""
    step = 5 if seconds >= 10 else 1
    return max(float(int(seconds) // step * step), 1.0)


def _name(request: InvokeRequest) -> str:
    return f"{request.function}:{request.qualifier}" if request.qualifier else request.function


def _refusal(request: InvokeRequest, error: ClientError) -> InvokeError:
    """What an error answer of Lambda means; codes as in the API reference of Invoke."""
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    name = _name(request)
    if status == 429 or code == "TooManyRequestsException":
        reason = str(error.response.get("Reason") or "")
        return Throttled(f"Lambda throttled {name}: {reason or message or code}", reason)
    if code == "ResourceNotFoundException":
        return FunctionNotFound(
            f"{name} does not exist; check its name, its qualifier, the account and the region"
            f" ({message})"
        )
    if code in ACCESS_CODES:
        return AccessDenied(
            f"{name} may not be invoked; allow lambda:InvokeFunction on exactly that ARN, and"
            f" check the credentials ({code}: {message})"
        )
    return InvokeError(f"Lambda did not run {name}: {code}: {message}")


def _failure(request: InvokeRequest, error: BotoCoreError) -> InvokeError:
    """What went wrong without an answer from Lambda."""
    from botocore import exceptions

    name = _name(request)
    if isinstance(error, exceptions.ConnectTimeoutError):
        return EndpointUnreachable(
            f"{name}: no connection to Lambda; from a VPC this needs a NAT gateway or an interface"
            f" endpoint for Lambda ({error})"
        )
    if isinstance(error, exceptions.ReadTimeoutError):
        return AnswerTimeout(f"{name}: no answer in {request.timeout_seconds:.0f} s ({error})")
    unreachable = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
    )
    if isinstance(error, unreachable):
        return EndpointUnreachable(f"{name}: the connection to Lambda failed ({error})")
    return InvokeError(f"{name}: {error}")
