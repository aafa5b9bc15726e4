"""Function URLs answer over HTTP."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.cloud.deployed.conftest import Deployed


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def send(address: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One HTTP request; underscores in header names are hyphens."""
    parts = urlsplit(address)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, named)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read().decode())
    finally:
        connection.close()


@pytest.fixture
def url(deployed: Deployed) -> str:
    """Where anybody may call."""
    return deployed.outputs()["Url"]


def test_a_request_becomes_an_event_and_a_result_a_response(url: str) -> None:
    """By the path form of the address, which the stack's outputs have."""
    answer = send(f"{url}a/b?x=1&x=2", "POST", b'{"y": 1}', Content_Type="application/json")
    assert (answer.status, answer.headers["x-path"]) == (201, "/a/b")
    assert (answer.json["rawQueryString"], answer.json["body"]) == ("x=1&x=2", '{"y": 1}')
    assert answer.json["requestContext"]["http"]["method"] == "POST"


def test_the_alias_is_what_answers(deployed: Deployed, url: str) -> None:
    """SAM puts the URL on it."""
    send(url)
    assert deployed.invocations("sample-echo")[-1]["version"] == "1"
    assert deployed.invocations("sample-echo")[-1]["kind"] == "url"


def test_the_host_form_works_too(url: str) -> None:
    """As on AWS, where the id is the first part of the name; no path is special then."""
    parts = urlsplit(url)
    host = f"{parts.path.split('/')[2]}.lambda-url.us-east-1.localhost:{parts.port}"
    path = "/2015-03-31/functions/sample-echo/invocations"
    answer = send(f"http://localhost:{parts.port}{path}", Host=host)
    assert (answer.status, answer.headers["x-path"]) == (201, path)


def test_a_path_may_hold_any_character(url: str) -> None:
    """Decoded from UTF-8."""
    assert send(f"{url}caf%C3%A9").json["rawPath"] == "/café"


def test_a_function_that_fails_gives_502(url: str) -> None:
    """Without its error: that is in the log."""
    answer = send(f"{url}raise")
    assert (answer.status, answer.body) == (502, "Internal Server Error")


def test_an_unknown_address_gives_404(deployed: Deployed) -> None:
    """With a JSON body."""
    answer = send(f"{deployed.cloud.endpoint}/lambda-url/{'0' * 32}/")
    assert (answer.status, "no Function URL" in answer.json["Message"]) == (404, True)


@pytest.mark.aws(
    "Lambda developer guide: Control access to Lambda function URLs",
    "AWS_IAM wants a signed request",
)
def test_iam_wants_a_signature(deployed: Deployed) -> None:
    """403 without one; what is right about one is in test_signature.py."""
    address = deployed.outputs()["SignedUrl"]
    assert (send(address).status, send(address).json) == (403, {"Message": "Forbidden"})
    request = AWSRequest("GET", address)
    SigV4Auth(Credentials("local", "local"), "lambda", "us-east-1").add_auth(request)
    signed = {name.replace("-", "_"): str(value) for name, value in request.headers.items()}
    assert send(address, "GET", None, **signed).status == 201


@pytest.mark.aws("Lambda developer guide: Lambda quotas", "A Function URL's body ends at 6 MB")
def test_a_body_that_is_too_large_gives_413(url: str) -> None:
    """6 MB, as for an invoke."""
    assert send(url, "POST", bytes(6_400_000)).status == 413
