"""`warmer proxy`: what it signs, and what it refuses; the whole way is in tests/inference."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from warmer.aws.signing import UrlSigner
from warmer.cli.proxy import LARGEST_BODY, SigningProxy
from warmer.errors import ConfigurationError

URL = "https://abc.lambda-url.eu-west-1.on.aws/"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of nobody, and a region that is not the URL's."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@contextmanager
def _running(url: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to a proxy for `url`."""
    with SigningProxy(url) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        try:
            yield connection
        finally:
            connection.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("url", "region"), [(URL, "eu-west-1"), ("http://localhost:4599/lambda-url/abc/", "us-east-1")]
)
def test_the_region_is_the_urls_own(url: str, region: str) -> None:
    """Or that of the AWS settings, where the address tells none."""
    signed = UrlSigner(url).headers("POST", url, b"{}")
    assert f"/{region}/lambda/aws4_request" in signed["Authorization"]
    assert signed["X-Amz-Security-Token"] == "token"


def test_what_is_no_url_is_refused() -> None:
    """Before anything listens."""
    with pytest.raises(ConfigurationError, match="a Function URL"):
        SigningProxy("abc.lambda-url.eu-west-1.on.aws")


def test_an_endpoint_that_cannot_be_reached_gives_502() -> None:
    """With what happened, in the protocol's own form."""
    with _running("http://127.0.0.1:9") as connection:
        connection.request("GET", "/v2")
        response = connection.getresponse()
        said: Any = json.loads(response.read())
    assert (response.status, "cannot be reached" in said["error"]) == (502, True)


@pytest.mark.parametrize(
    "headers", [{"content-length": str(LARGEST_BODY + 1)}, {"transfer-encoding": "chunked"}]
)
def test_a_body_that_lambda_would_not_take_is_not_read(headers: dict[str, str]) -> None:
    """Larger than 6 MB, or of a length that nobody says."""
    with _running("http://127.0.0.1:9") as connection:
        connection.putrequest("POST", "/v2/models/digits/infer")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
    assert response.status == 413
