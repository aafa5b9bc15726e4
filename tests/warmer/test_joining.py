"""Joining with a function of one's own: real libraries inside `@warmable`, and hostile input."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import MagicMock

import pytest
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.idempotency import idempotent
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.parser import event_parser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mangum import Mangum
from pydantic import BaseModel

import warmer
from tests.handlers.http_event import http_event
from tests.warmer.invocation import context
from tests.warmer.test_ping import JSON
from warmer.environment import Environment
from warmer.errors import ConfigurationError
from warmer.ping import Ping, Refusal, Reply, parse_reply

PING = Ping(wave="w-1")
DEEP: list[Any] = []
for _ in range(10_000):
    DEEP = [DEEP]


def answered(handler: Any, invocation: object = None, event: object = None) -> Reply | Refusal:
    """What the warmer reads from the answer to a ping."""
    result = handler({} if event is None else event, invocation or context(PING))
    reply = parse_reply(json.dumps(result, allow_nan=False).encode())
    assert reply is not None
    return reply


def lambda_context(ping: Ping | None = None) -> SimpleNamespace:
    """A context with all that Powertools reads of one."""
    name = "arn:aws:lambda:eu-west-1:123456789012:function:mine"
    return SimpleNamespace(
        **vars(context(ping)),
        function_name="mine",
        function_version="1",
        memory_limit_in_mb=128,
        invoked_function_arn=name,
        aws_request_id="r-1",
        tenant_id=None,
    )


class App:
    """A tiny ASGI application that counts what reaches it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.startups = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One HTTP request, or the lifespan of one."""
        if scope["type"] == "lifespan":
            self.startups += 1
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.requests.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def event_loop_of_its_own() -> Iterator[None]:
    """What Mangum finds or makes is closed again."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("event_loop_of_its_own")
def test_mangum_serves_requests_and_never_sees_a_ping() -> None:
    """A ping is `{}` to Mangum, which could not infer what it is and would raise."""
    app = App()
    handler = warmer.warmable(Mangum(app))
    assert isinstance(answered(handler), Reply)
    assert (app.requests, app.startups) == ([], 0)
    response = handler(http_event("GET", "/hello"), lambda_context())
    assert (response["statusCode"], response["body"]) == (200, "hello")
    assert isinstance(answered(handler), Reply)
    assert (app.requests, app.startups) == (["/hello"], 1)


@pytest.mark.usefixtures("event_loop_of_its_own")
def test_an_http_body_is_no_ping() -> None:
    """Whatever a client sends, also where the function accepts events."""
    app = App()
    handler = warmer.warmable(accept_event=True)(Mangum(app))
    body = json.dumps({"warmer": {"version": 1}})
    assert handler(http_event("POST", "/", body), lambda_context())["statusCode"] == 200
    assert app.requests == ["/"]


def test_a_powertools_resolver_serves_routes_and_never_sees_a_ping() -> None:
    """Outermost, above Powertools' own decorators."""
    app = APIGatewayHttpResolver()
    logger = Logger(service="mine")
    seen = []

    app.get("/hello")(lambda: {"hello": "you"})

    def resolve(event: dict[str, Any], context: Any) -> Any:
        seen.append(event)
        return app.resolve(event, context)

    handler = warmer.warmable(logger.inject_lambda_context(resolve))
    assert isinstance(answered(handler, lambda_context(PING)), Reply)
    assert seen == []
    response = handler(http_event("GET", "/hello"), lambda_context())
    assert (response["statusCode"], json.loads(response["body"])) == (200, {"hello": "you"})


class Order(BaseModel):
    """What the user's function takes."""

    item: str


def test_a_parser_inside_never_sees_a_ping() -> None:
    """It would refuse the ping's event, `{}`."""

    def sell(event: Order, context: Any) -> str:
        return event.item

    handler = warmer.warmable(event_parser(sell, model=Order))
    assert isinstance(answered(handler, lambda_context(PING)), Reply)
    assert handler({"item": "tea"}, lambda_context()) == "tea"


class Memory(BasePersistenceLayer):  # type: ignore[misc]  # Powertools publishes no types
    """Powertools' idempotency records, in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, DataRecord] = {}

    def _get_record(self, idempotency_key: str) -> DataRecord:
        if idempotency_key not in self.records:
            raise IdempotencyItemNotFoundError
        return self.records[idempotency_key]

    def _put_record(self, data_record: DataRecord) -> None:
        if data_record.idempotency_key in self.records:
            raise IdempotencyItemAlreadyExistsError
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        del self.records[data_record.idempotency_key]


def test_idempotency_inside_stores_no_ping() -> None:
    """Outside, it would give every ping the first one's reply: one environment for all."""
    memory, runs = Memory(), []

    def sell(event: dict[str, Any], context: Any) -> int:
        runs.append(event)
        return len(runs)

    handler = warmer.warmable(idempotent(sell, persistence_store=memory))
    for _ in range(2):
        assert isinstance(answered(handler, lambda_context(PING)), Reply)
    assert memory.records == {}
    assert [handler({"order": 1}, lambda_context()) for _ in range(2)] == [1, 1]
    assert (len(runs), len(memory.records)) == (1, 1)


def test_pings_count_in_no_metric_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither as a request nor as a cold start."""
    metrics = Metrics(namespace="mine", service="mine")

    def sell(event: dict[str, Any], context: Any) -> None:
        metrics.add_metric("Orders", "Count", 1)

    handler = warmer.warmable(metrics.log_metrics(sell, capture_cold_start_metric=True))
    answered(handler, lambda_context(PING))
    assert capsys.readouterr().out == ""
    handler({}, lambda_context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["Orders"] for line in lines if "Orders" in line] == [[1.0]]


def test_pings_are_not_counted_as_user_requests(here: Environment) -> None:
    """By the environment's own counters, which our metrics are made of."""
    handler = warmer.warmable(lambda *_: None)
    answered(handler)
    handler({}, context())
    assert (here.invocations, here.pings) == (1, 1)
    assert not here.in_first_invocation


def test_a_ping_asks_for_real_work() -> None:
    """`prime` runs what INIT had no time for; without it a ping does no work."""
    work: list[int] = []
    warmer.prime(work.append, 1, budget_ms=0)
    handler = warmer.warmable(lambda *_: None)
    answered(handler, context(Ping()))
    assert work == []
    reply = answered(handler, context(Ping(prime=True)))
    assert work == [1]
    assert isinstance(reply, Reply)
    assert [report["primed"] for report in reply.functions.values()] == [True]


def _chunks(event: object, context: object) -> Iterator[bytes]:
    yield b"chunk"


async def _chunks_of_an_app(event: object, context: object) -> AsyncIterator[bytes]:
    yield b"chunk"


class Streaming:
    """An instance whose call streams."""

    def __call__(self, *_: object) -> Iterator[bytes]:
        """Yield, and return nothing."""
        yield b"chunk"


@pytest.mark.parametrize("handler", [_chunks, _chunks_of_an_app, Streaming()])
def test_a_handler_that_streams_is_refused(handler: Any) -> None:
    """At INIT: Lambda's Python runtimes would fail to serialise what it returns.

    AWS page: Lambda developer guide, "Response streaming for Lambda functions".
    """
    with pytest.raises(ConfigurationError, match=r"handler is .*runtimes do not stream"):
        warmer.warmable(handler)


def test_a_context_that_mocks_everything_carries_no_ping() -> None:
    """As in users' unit tests."""
    assert warmer.warmable(lambda *_: "user")({}, MagicMock()) == "user"


@pytest.mark.parametrize("remaining", [None, "soon", math.nan, 10**400, -1])
def test_a_remaining_time_that_is_none_holds_no_longer(remaining: Any) -> None:
    """The ping is answered by the other bounds."""
    invocation = context(Ping(release_at=1e300), remaining_ms=remaining)
    assert isinstance(answered(warmer.warmable(max_hold_ms=1)(never), invocation), Reply)


def never(event: object, context: object) -> object:
    """A handler that no ping may reach."""
    raise AssertionError("the ping reached the user's handler")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=JSON, event=JSON, accept=st.booleans(), mode=st.sampled_from(["context", "event"]))
@example(fields={"version": 1, "wave": "w" * 10**6}, event=None, accept=True, mode="context")
@example(fields={"version": 1, "release_at": math.nan}, event=None, accept=True, mode="event")
@example(fields={"version": 10**5000}, event=None, accept=False, mode="context")
def test_an_invocation_is_a_ping_or_the_users(
    fields: Any, event: Any, accept: bool, mode: Literal["context", "event"]
) -> None:
    """One of both, for any JSON at all, deep or huge; the user's are untouched."""
    handler = warmer.warmable(accept_event=accept, max_hold_ms=0)(lambda event, _: ("mine", event))
    if mode == "context":
        invocation = context(fields if fields is not None else False)
        assert isinstance(answered(handler, invocation, event), Reply | Refusal)
        return
    sent = {"warmer": fields}
    result = handler(sent, context())
    if accept and isinstance(fields, dict):
        assert parse_reply(json.dumps(result, allow_nan=False).encode()) is not None
    else:
        assert result[0] == "mine"
        assert result[1] is sent


@pytest.mark.parametrize("accept", [True, False])
def test_nesting_of_ten_thousand_levels_harms_nobody(accept: bool) -> None:
    """JSON that deep is rare and legal; it is a value like any other."""
    handler = warmer.warmable(accept_event=accept)(lambda event, _: (event,))
    assert handler(DEEP, context())[0] is DEEP
    assert handler({"warmer": DEEP}, context())[0]["warmer"] is DEEP
    for fields in (DEEP, {"version": DEEP}, {"version": 1, "wave": DEEP}):
        assert isinstance(answered(handler, context(fields)), Refusal)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON, JSON)
def test_no_event_is_a_ping_to_a_function_that_accepts_none(event: Any, value: Any) -> None:
    """However much it looks like one: `ClientContext` is what a ping comes by."""
    client = json.loads(base64.b64decode(base64.b64encode(b'{"custom": {"other": 1}}')))
    invocation = SimpleNamespace(client_context=SimpleNamespace(**client))
    for sent in (event, {"warmer": value}, {"warmer": {"version": 1}}):
        assert warmer.warmable(lambda event, _: (event,))(sent, invocation)[0] is sent


def test_what_a_ping_primed_is_logged_with_the_waves_id(capsys: pytest.CaptureFixture[str]) -> None:
    """The warmer logs the same id with its report."""
    warmer.prime(lambda: None, budget_ms=0, name="later")
    answered(warmer.warmable(never), context(Ping(wave="w-1", prime=True)))
    (line,) = [
        found
        for found in map(json.loads, capsys.readouterr().out.splitlines())
        if found["message"] == "primed" and "wave" in found
    ]
    assert (line["wave"], [item["name"] for item in line["primed"]]) == ("w-1", ["later"])
