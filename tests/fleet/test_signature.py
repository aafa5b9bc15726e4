"""Requests that are signed ahead of time are those that boto3 would send."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import botocore.auth
import pytest
from botocore.exceptions import BotoCoreError

from warmer.aws import InvokeRequest, LambdaInvoker
from warmer.aws.client import new_session

FUNCTIONS = [
    ("digits", None),
    ("digits", "live"),
    ("arn:aws:lambda:eu-west-1:123456789012:function:digits", "7"),
    ("123456789012:function:digits", "$LATEST"),
]
CONTEXT = "eyJjdXN0b20iOiB7fX0="


class NotSent(BotoCoreError):
    """Keeps boto3's request from the network."""


def sent_by_boto3(request: InvokeRequest) -> Any:
    """The request that boto3 makes of the same invoke."""
    client: Any = new_session().client("lambda")
    found: list[Any] = []

    def keep(request: Any, **_: object) -> None:
        found.append(request)
        raise NotSent

    client.meta.events.register("before-send.lambda.Invoke", keep)
    qualified = {} if request.qualifier is None else {"Qualifier": request.qualifier}
    with pytest.raises(NotSent):
        client.invoke(
            FunctionName=request.function, ClientContext=CONTEXT, Payload=b"{}", **qualified
        )
    client.close()
    return found[0]


@pytest.mark.parametrize(("function", "qualifier"), FUNCTIONS)
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_the_signature_is_boto3s(
    monkeypatch: pytest.MonkeyPatch, function: str, qualifier: str | None, token: str | None
) -> None:
    """The same path, host and signature at the same moment, for temporary credentials too."""
    if token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    moment = datetime(2026, 11, 22, 12, 0, 0)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    request = InvokeRequest(function, qualifier, CONTEXT)

    expected = sent_by_boto3(request)
    wire = LambdaInvoker().sign(request).wire.decode()

    head, _, body = wire.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == f"POST {expected.url.partition('amazonaws.com')[2]} HTTP/1.1"
    assert headers["Host"] == expected.url.split("/")[2]
    assert body == "{}"
    theirs = dict(expected.headers.items())
    signed = {name.lower(): value for name, value in headers.items()}
    for name in ("X-Amz-Date", "X-Amz-Client-Context", "X-Amz-Security-Token"):
        value = theirs.get(name)
        text = value.decode() if isinstance(value, bytes) else value
        assert signed.get(name.lower()) == text
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/20261122/")
    assert headers["Authorization"].split("Signature=")[1] == signature_of(expected)


def signature_of(request: Any) -> str:
    """The signature in boto3's request."""
    value = request.headers["Authorization"]
    text = value.decode() if isinstance(value, bytes) else value
    return str(text.split("Signature=")[1])
