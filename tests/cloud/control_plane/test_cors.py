"""CORS that a Function URL is configured with.

Source: AWS Lambda developer guide, "Creating and managing Lambda function URLs" (CORS).
"""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from infra.cloud.cors import is_preflight, preflight, with_cors

ORIGIN = "https://example.com"
CONFIG: dict[str, Any] = {
    "AllowOrigins": [ORIGIN],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["content-type"],
    "ExposeHeaders": ["x-word"],
    "MaxAge": 300,
}


def request(method: str = "GET", **headers: str) -> Request:
    """One from a browser; underscores in header names are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(EnvironBuilder(method=method, headers=list(named.items())).get_environ())


def asked(origin: str = ORIGIN) -> Request:
    """A browser's question whether it may POST."""
    return request("OPTIONS", Origin=origin, Access_Control_Request_Method="POST")


@pytest.mark.aws(
    "Lambda API reference: Cors", "A preflight says which methods and headers are allowed"
)
def test_a_preflight_says_what_is_allowed() -> None:
    """Methods, headers, and for how long that holds.

    AWS page: API reference, "Cors".
    """
    assert is_preflight(asked())
    headers = preflight(asked(), CONFIG).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Methods"] == "GET,POST"
    assert headers["Access-Control-Allow-Headers"] == "content-type"
    assert headers["Access-Control-Max-Age"] == "300"


def test_an_options_request_of_another_kind_is_for_the_function() -> None:
    """A preflight names the method that it asks about."""
    assert not is_preflight(request("OPTIONS", Origin=ORIGIN))
    assert not is_preflight(request("GET", Access_Control_Request_Method="POST"))


@pytest.mark.parametrize("origin", ["https://other.example", ""])
def test_another_origin_is_told_nothing(origin: str) -> None:
    """So the browser does not go on."""
    answer = preflight(asked(origin), CONFIG)
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.aws(
    "Lambda API reference: Cors", "Every origin may be allowed; with credentials it is named"
)
def test_every_origin_may_be_allowed() -> None:
    """But with credentials the browser wants to see its own.

    AWS page: API reference, "Cors" (AllowCredentials, AllowOrigins).
    """
    everyone = {"AllowOrigins": ["*"]}
    assert preflight(asked(), everyone).headers["Access-Control-Allow-Origin"] == "*"
    headers = preflight(asked(), {**everyone, "AllowCredentials": True}).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert (headers["Access-Control-Allow-Credentials"], headers["Vary"]) == ("true", "Origin")


@pytest.mark.aws(
    "Lambda developer guide: Creating and managing Lambda function URLs",
    "Configured CORS headers replace the function's own",
)
def test_an_answer_has_the_configured_headers() -> None:
    """In the place of the function's own.

    AWS page: "Creating and managing Lambda function URLs" (CORS).
    """
    own = Response(b"", 200, {"Access-Control-Allow-Origin": "*", "X-Word": "a"})
    headers = with_cors(own, request(Origin=ORIGIN), CONFIG).headers
    assert headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
    assert headers["Access-Control-Expose-Headers"] == "x-word"
    assert headers["X-Word"] == "a"
