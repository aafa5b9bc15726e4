"""The AWS adapter over HTTP: what it sends, and what it makes of every answer."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.fleet.endpoint import Failure, Function, Silent, serving
from warmer.aws import InvokeReply, InvokeRequest, LambdaInvoker
from warmer.errors import (
    AccessDenied,
    AnswerTimeout,
    ConfigurationError,
    EndpointUnreachable,
    FunctionNotFound,
    InvokeError,
    Throttled,
)
from warmer.ping import Ping, Reply, client_context, parse_reply


class OneByOne:
    """Invokes, each time in an event loop and on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.invoker = LambdaInvoker(endpoint_url=url)

    def invoke(self, request: InvokeRequest) -> InvokeReply:
        """See `Invoker.invoke`."""

        async def run() -> InvokeReply:
            try:
                return await self.invoker.invoke(self.invoker.sign(request))
            finally:
                await self.invoker.disconnect()

        return asyncio.run(run())


Connect = Callable[[Mapping[str, Function]], OneByOne]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes an invoker whose Lambda has the functions that are given."""
    with ExitStack() as stack:
        yield lambda functions: OneByOne(stack.enter_context(serving(functions)))


def request(
    function: str = "digits", qualifier: str | None = "live", **more: float
) -> InvokeRequest:
    """An invoke with a ping in its ClientContext."""
    context = client_context(Ping(wave="w"))
    return InvokeRequest(function, qualifier, context, timeout_seconds=more.get("timeout", 10.0))


def test_a_ping_reaches_the_function_and_its_reply_comes_back(connect: Connect) -> None:
    """ClientContext, qualifier and payload go out; payload, version and times come back."""
    invoker = connect({"digits:live": Function()})

    reply = invoker.invoke(request())

    said = parse_reply(reply.payload)
    assert isinstance(said, Reply)
    assert (said.wave, said.new) == ("w", True)
    assert (reply.status, reply.function_error, reply.executed_version) == (200, None, "7")
    assert 0 < reply.received_at - reply.sent_at < 10


def test_without_a_qualifier_the_function_itself_is_invoked(connect: Connect) -> None:
    """None as qualifier leaves it out of the request."""
    invoker = connect({"digits": Function()})

    assert invoker.invoke(request(qualifier=None)).status == 200


def test_a_function_error_is_a_reply(connect: Connect) -> None:
    """Lambda answers 200 when the function failed, and says so in a header."""
    failing = Failure(
        status=200, headers={"X-Amz-Function-Error": "Unhandled"}, body={"errorType": "KeyError"}
    )

    reply = connect({"digits:live": failing}).invoke(request())

    assert reply.function_error == "Unhandled"
    assert reply.payload == b'{"errorType": "KeyError"}'


@pytest.mark.parametrize(
    ("status", "code", "body", "expected"),
    [
        (404, "ResourceNotFoundException", {"Message": "not found"}, FunctionNotFound),
        (403, "AccessDeniedException", {"Message": "not authorized"}, AccessDenied),
        (403, "ExpiredTokenException", {"message": "expired"}, AccessDenied),
        (403, "UnrecognizedClientException", {"message": "bad token"}, AccessDenied),
        (409, "ResourceConflictException", {"Message": "Pending"}, InvokeError),
        (502, "EC2ThrottledException", {"Message": "network"}, InvokeError),
        (500, "ServiceException", {"Message": "internal"}, InvokeError),
        (503, "", {}, InvokeError),
    ],
)
def test_a_refusal_of_lambda_is_named_and_not_repeated(
    connect: Connect, status: int, code: str, body: dict[str, object], expected: type[InvokeError]
) -> None:
    """Each error of the Invoke API is an error of ours that names the function, after one try."""
    failing = Failure(status=status, headers={"x-amzn-ErrorType": code}, body=body)

    with pytest.raises(InvokeError, match="digits:live") as refusal:
        connect({"digits:live": failing}).invoke(request())

    assert type(refusal.value) is expected
    assert failing.invokes == 1


@pytest.mark.parametrize("reason", ["ReservedFunctionConcurrentInvocationLimitExceeded", None])
def test_a_throttle_tells_its_reason_and_is_not_repeated(
    connect: Connect, reason: str | None
) -> None:
    """429 is Throttled with Lambda's `Reason`, empty where Lambda gave none, after one try."""
    throttling = Failure(
        status=429,
        headers={"x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "1"},
        body={"message": "Rate Exceeded.", **({"Reason": reason} if reason else {})},
    )

    with pytest.raises(Throttled) as throttle:
        connect({"digits:live": throttling}).invoke(request())

    assert throttle.value.reason == (reason or "")
    assert throttling.invokes == 1


def test_an_answer_that_does_not_come_is_a_timeout(connect: Connect) -> None:
    """The wait ends after the request's own time-out."""
    with pytest.raises(AnswerTimeout, match="digits:live: no answer in 1 s"):
        connect({"digits:live": Silent()}).invoke(request(timeout=1.0))


def test_a_closed_port_is_unreachable() -> None:
    """A refused connection names the endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(EndpointUnreachable, match=str(port)):
        OneByOne(f"http://127.0.0.1:{port}").invoke(request())


def test_connections_end_with_the_run() -> None:
    """A thawed function's old connections are dead, so each run opens its own."""
    connections: list[socket.socket] = []
    with serving({"digits:live": Function()}, connections) as url:
        invoker = OneByOne(url)
        invoker.invoke(request())
        invoker.invoke(request())

    assert len(connections) == 2


@pytest.mark.parametrize(
    ("variables", "endpoint_url", "key"),
    [
        ({"AWS_DEFAULT_REGION": None}, None, "AWS_DEFAULT_REGION"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, None, "AWS credentials"),
        ({"AWS_PROFILE": "nobody"}, None, "AWS settings"),
        ({}, "no url", "endpoint_url"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_invoke(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str | None],
    endpoint_url: str | None,
    key: str,
) -> None:
    """`prepare` names the setting that is missing or wrong."""
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as refusal:
        LambdaInvoker(endpoint_url=endpoint_url).prepare()

    assert refusal.value.key == key


def test_boto3_is_loaded_with_the_first_client() -> None:
    """Importing the adapter does not load boto3."""
    code = "import sys, warmer.aws; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
