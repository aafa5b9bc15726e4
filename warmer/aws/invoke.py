"""Lambda's Invoke: requests that are signed and connected ahead of time, and sent in one write.

boto3's client would do for one invoke. Waves need a thousand in flight at once: a thread for each
is more than a function may have, and signing and connecting while others are held already is what
makes holds long. So the requests are botocore's, signed by its signer, and the connections ours.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from warmer.aws.client import ACCESS_CODES
from warmer.aws.signature import sign_invoke
from warmer.errors import (
    AccessDenied,
    AnswerTimeout,
    EndpointUnreachable,
    FunctionNotFound,
    InvokeError,
    Throttled,
)

if TYPE_CHECKING:
    from warmer.aws.connections import Connections
    from warmer.aws.endpoint import LambdaEndpoint
    from warmer.aws.http import Connection, Response

__all__ = ["InvokeReply", "InvokeRequest", "Invoker", "LambdaInvoker", "SignedInvoke"]


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """One synchronous invoke.

    `function` is a name or ARN, `qualifier` a version or alias (None: `$LATEST`).
    `client_context` is the base64 text of Invoke's ClientContext; `payload` is the event as JSON.
    `timeout_seconds` bounds the wait for the answer, from sending on.
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
    ran ("" if unknown), `request_id` how its log calls the request. `sent_at` (just before the
    request went to the connection) and `received_at` are seconds of the monotonic clock.
    """

    status: int
    function_error: str | None
    payload: bytes
    executed_version: str
    sent_at: float
    received_at: float
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class SignedInvoke:
    """A request that is ready: `wire` is what goes to the connection."""

    request: InvokeRequest
    wire: bytes = b""


class Invoker(Protocol):
    """Invokes functions, many at a time, in one event loop at a time."""

    async def connect(self, connections: int) -> None:
        """Have so many connections open; at least one invoke each. Raises EndpointUnreachable."""
        ...

    def sign(self, request: InvokeRequest) -> SignedInvoke:
        """Make a request ready; it has to be sent within five minutes."""
        ...

    async def invoke(self, signed: SignedInvoke) -> InvokeReply:
        """Invoke once, without a retry.

        Raises Throttled, FunctionNotFound, AccessDenied, EndpointUnreachable, AnswerTimeout, or
        another InvokeError for whatever else went wrong before the function ran.
        """
        ...

    async def disconnect(self) -> None:
        """Close all connections; before the event loop ends."""
        ...


class LambdaInvoker:
    """The real `Invoker`: botocore's signatures, and connections of our own, without retries.

    A retry would ping into a throttle, or reach an environment after the others were released.
    `region` and `endpoint_url` default to what boto3 finds in the environment and its files.
    Connections live no longer than a run: a function that was frozen would not notice that the
    other side has closed them, and without retries their first use would fail.
    """

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._found: LambdaEndpoint | None = None
        self._connections: Connections | None = None

    @property
    def endpoint(self) -> LambdaEndpoint:
        """Lambda's API; found when first asked for. Raises ConfigurationError as `prepare` does."""
        if self._found is None:
            from warmer.aws.endpoint import LambdaEndpoint

            self._found = LambdaEndpoint.find(self._region, self._endpoint_url)
        return self._found

    def prepare(self) -> None:
        """Do at INIT what the first wave would wait for: load boto3, find the credentials.

        Raises ConfigurationError if there is no region, no credentials or no usable endpoint.
        """
        from warmer.aws import connections

        assert connections  # loads asyncio
        assert self.endpoint.tls or not self.endpoint.is_https  # reads the certificates

    async def connect(self, connections: int) -> None:
        """See `Invoker.connect`."""
        await self._open().open(connections)

    async def disconnect(self) -> None:
        """See `Invoker.disconnect`."""
        if self._connections is not None:
            await self._connections.close()
            self._connections = None

    def sign(self, request: InvokeRequest) -> SignedInvoke:
        """See `Invoker.sign`. Raises ConfigurationError as `prepare` does."""
        wire = sign_invoke(
            self.endpoint,
            request.function,
            request.qualifier,
            request.client_context,
            request.payload,
        )
        return SignedInvoke(request, wire)

    async def invoke(self, signed: SignedInvoke) -> InvokeReply:
        """See `Invoker.invoke`."""
        connections = self._open()
        connection = await connections.take()
        sent_at = time.monotonic()
        response = None
        try:
            response = await self._exchange(connection, signed)
        finally:
            connections.give_back(connection, response is not None and response.keeps_open)
        if response.status >= 300:
            raise refusal(signed.request, response)
        return InvokeReply(
            status=response.status,
            function_error=response.headers.get("x-amz-function-error"),
            payload=response.body,
            executed_version=response.headers.get("x-amz-executed-version", ""),
            sent_at=sent_at,
            received_at=response.received_at,
            request_id=response.headers.get("x-amzn-requestid", ""),
        )

    async def _exchange(self, connection: Connection, signed: SignedInvoke) -> Response:
        import asyncio

        request = signed.request
        try:
            async with asyncio.timeout(request.timeout_seconds):
                return await connection.send(signed.wire)
        except TimeoutError as error:
            raise AnswerTimeout(
                f"{_name(request)}: no answer in {request.timeout_seconds:.0f} s"
            ) from error
        except OSError as error:
            raise EndpointUnreachable(
                f"{_name(request)}: the connection to Lambda at {self.endpoint.url} failed before"
                f" the answer was complete ({error})"
            ) from error

    def _open(self) -> Connections:
        if self._connections is None:
            from warmer.aws.connections import Connections

            self._connections = Connections(self.endpoint)
        return self._connections


def _name(request: InvokeRequest) -> str:
    return f"{request.function}:{request.qualifier}" if request.qualifier else request.function


def refusal(request: InvokeRequest, response: Response) -> InvokeError:
    """What an error answer of Lambda means; codes as in the API reference of Invoke."""
    try:
        said = json.loads(response.body)
    except (ValueError, RecursionError):
        said = None
    body = said if isinstance(said, dict) else {}
    code = response.headers.get("x-amzn-errortype", "").partition(":")[0]
    message = str(body.get("Message") or body.get("message") or f"HTTP {response.status}")
    name = _name(request)
    if response.status == 429 or code == "TooManyRequestsException":
        reason = str(body.get("Reason") or "")
        return Throttled(f"Lambda throttled {name}: {reason or message}", reason)
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
    return InvokeError(f"Lambda did not run {name}: {code or 'no error code'}: {message}")
