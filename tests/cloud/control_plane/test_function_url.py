"""HTTP requests become events of payload format 2.0, and results become HTTP responses."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from infra.cloud.function_url import http_event, http_response
from infra.cloud.functions import FunctionUrl

URL = FunctionUrl("0" * 32, "sample", "live", "NONE")


def event(path: str = "/", body: bytes = b"", **options: Any) -> dict[str, Any]:
    """The event for one request."""
    builder = EnvironBuilder(path=path, data=body, **options)
    return http_event(Request(builder.get_environ()), URL, path.split("?")[0], body)


@pytest.mark.aws(
    "Lambda developer guide: Invoking Lambda function URLs",
    "A Function URL's request becomes an event, payload format 2.0",
)
def test_the_request_is_described() -> None:
    """Method, path, query and where it came to."""
    made = event("/a/b?x=1&y=2&x=3", method="PUT")
    assert (made["version"], made["rawPath"]) == ("2.0", "/a/b")
    assert made["rawQueryString"] == "x=1&y=2&x=3"
    assert made["queryStringParameters"] == {"x": "1,3", "y": "2"}
    assert made["requestContext"]["http"]["method"] == "PUT"
    assert made["requestContext"]["apiId"] == URL.id


@pytest.mark.aws(
    "Lambda developer guide: Invoking Lambda function URLs",
    "Headers are in lower case; cookies are apart",
)
def test_headers_are_in_lower_case() -> None:
    """Cookies are apart."""
    made = event(headers=[("X-Word", "a,b"), ("Cookie", "c=1; d=2")])
    assert made["headers"]["x-word"] == "a,b"
    assert (made["cookies"], "cookie" in made["headers"]) == (["c=1", "d=2"], False)


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8", None])
def test_text_is_passed_as_text(kind: str | None) -> None:
    """By its content type."""
    made = event(body='{"a": "é"}'.encode(), method="POST", content_type=kind)
    assert (made["body"], made["isBase64Encoded"]) == ('{"a": "é"}', False)


@pytest.mark.aws(
    "Lambda developer guide: Invoking Lambda function URLs", "Bytes are passed in base64"
)
@pytest.mark.parametrize(
    ("kind", "body"),
    [("image/png", b"text"), ("application/octet-stream", b"\0"), ("text/plain", b"\xff\xfe")],
)
def test_bytes_are_passed_in_base64(kind: str, body: bytes) -> None:
    """Also those that are said to be text and are not UTF-8."""
    made = event(body=body, method="POST", content_type=kind)
    assert (base64.b64decode(made["body"]), made["isBase64Encoded"]) == (body, True)


def test_no_body_is_no_field() -> None:
    """Nor is it in base64."""
    made = event(content_type="image/png")
    assert ("body" in made, made["isBase64Encoded"]) == (False, False)


def respond(result: Any) -> Response:
    """The response for a function's result."""
    return http_response(json.dumps(result).encode())


@pytest.mark.aws(
    "Lambda developer guide: Invoking Lambda function URLs",
    "A result without a status code is the body of a 200",
)
@pytest.mark.parametrize(
    ("result", "body"),
    [("text", b"text"), ({"a": 1}, b'{"a": 1}'), ([1], b"[1]"), (None, b"null"), (5, b"5")],
)
def test_a_result_without_a_status_is_the_body(result: Any, body: bytes) -> None:
    """Status 200, as JSON."""
    response = respond(result)
    assert (response.status_code, response.data) == (200, body)
    assert response.content_type == "application/json"


def test_a_result_with_a_status_is_the_response() -> None:
    """With headers and cookies."""
    response = respond(
        {
            "statusCode": "404",
            "headers": {"Content-Type": "text/plain", "X-Number": 5},
            "cookies": ["a=1", "b=2"],
            "body": "é",
        }
    )
    assert (response.status_code, response.data.decode()) == (404, "é")
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["x-number"] == "5"
    assert response.headers.getlist("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"body": "AP8=", "isBase64Encoded": True}, b"\0\xff"),
        ({"body": {"a": 1}}, b'{"a": 1}'),
        ({"body": None}, b""),
        ({}, b""),
    ],
)
def test_a_body_may_be_bytes_or_an_object_or_nothing(result: dict[str, Any], body: bytes) -> None:
    """Whatever it is, it is sent as a body can be."""
    assert respond({"statusCode": 200, **result}).data == body


def test_how_a_message_is_sent_is_not_for_the_function_to_say() -> None:
    """A wrong length would leave the client waiting."""
    headers = {"Content-Length": "5000", "Transfer-Encoding": "chunked", "Connection": "upgrade"}
    response = respond({"statusCode": 200, "headers": headers, "body": "a"})
    assert response.headers["content-length"] == "1"
    sent = {name.lower() for name, _ in response.headers}
    assert not {"transfer-encoding", "connection"} & sent


@pytest.mark.aws(
    "Lambda developer guide: Monitoring Lambda function URLs", "A malformed result gives 502"
)
@pytest.mark.parametrize(
    "malformed",
    [
        {"statusCode": None},
        {"statusCode": "many"},
        {"statusCode": 5},
        {"statusCode": 100},
        {"statusCode": 1000},
        {"statusCode": True},
        {"statusCode": 1e999},
        {"statusCode": float("nan")},
        {"headers": "text"},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b\r\nc: d"}},
        {"headers": {"a\r\nb": "c"}},
        {"headers": {"a": "\N{FIRE}"}},
        {"cookies": 5},
        {"cookies": ["\N{FIRE}"]},
        {"body": "not base64", "isBase64Encoded": True},
        {"body": "\ud800"},
    ],
    ids=str,
)
def test_a_malformed_result_gives_502(malformed: dict[str, Any]) -> None:
    """As a function that fails does."""
    response = respond({"statusCode": 200, **malformed})
    assert (response.status_code, response.data) == (502, b"Internal Server Error")


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[" * 100_000, b'"\\ud800"'])
def test_a_payload_that_is_no_json_gives_502(payload: bytes) -> None:
    """A custom runtime may answer anything."""
    assert http_response(payload).status_code == 502


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
results = json_values | st.fixed_dictionaries(
    {"statusCode": json_values | st.integers(100, 999)},
    optional={
        "headers": json_values | st.dictionaries(st.text(), st.text()),
        "cookies": json_values | st.lists(st.text()),
        "body": json_values,
        "isBase64Encoded": json_values,
    },
)


@given(results)
def test_any_result_is_a_response_that_can_be_sent(result: Any) -> None:
    """Status, headers and body are what HTTP can carry."""
    response = respond(result)
    assert 200 <= response.status_code <= 599
    head = io.StringIO(str(response.headers))
    str(response.headers).encode("latin-1")
    lines = [line for line in head.read().split("\r\n") if line]
    assert len(lines) == len(list(response.headers))
    assert isinstance(response.data, bytes)
