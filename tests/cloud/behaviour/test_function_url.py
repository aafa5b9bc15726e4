"""Function URLs made by API: of an alias, signed, with CORS.

Source: AWS Lambda developer guide, "Invoking Lambda function URLs".
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import Account

# Gives back its event; sets two cookies.
MIRROR = """
def handler(event, context):
    return {"statusCode": 200, "cookies": ["a=1", "b=2"], "body": event}
"""


def opened(account: Account, **config: Any) -> tuple[str, str]:
    """A function with a URL on its alias `live`: name and address."""
    name = account.function(MIRROR, Publish=True)
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    made = account.functions.create_function_url_config(
        FunctionName=name, Qualifier="live", **{"AuthType": "NONE", **config}
    )
    return name, made["FunctionUrl"]


def send(
    url: str, headers: dict[str, str] | None = None, body: bytes = b"", method: str = "POST"
) -> tuple[int, http.client.HTTPMessage, Any]:
    """Status, headers and body of one answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, json.loads(content) if content else None
    finally:
        connection.close()


def signature(url: str, body: bytes, *credentials: str) -> dict[str, str]:
    """The headers with which botocore signs a POST."""
    request = AWSRequest("POST", url, data=body)
    SigV4Auth(Credentials(*credentials), "lambda", "us-east-1").add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


@pytest.mark.aws(
    "Lambda developer guide: Control access to Lambda function URLs",
    "A user's signature opens an AWS_IAM URL; the function is told who it was",
)
def test_a_users_signature_opens_it(account: Account) -> None:
    """The function is told who it was; with another secret it is not asked.

    AWS page: "Control access to Lambda function URLs"; "Invoking Lambda function URLs".
    """
    _, url = opened(account, AuthType="AWS_IAM")
    iam = account.client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    address, body = f"{url}caf%C3%A9?b=2&a=1", b'{"x": 1}'
    right = signature(address, body, key["AccessKeyId"], key["SecretAccessKey"])
    status, _, event = send(address, right, body)
    assert status == 200
    caller = event["requestContext"]["authorizer"]["iam"]
    assert (caller["accessKey"], caller["userArn"]) == (
        key["AccessKeyId"],
        "arn:aws:iam::123456789012:user/reader",
    )
    wrong = signature(address, body, key["AccessKeyId"], "wrong")
    status, headers, answer = send(address, wrong, body)
    assert (status, headers["x-amzn-ErrorType"]) == (403, "InvalidSignatureException")
    assert "does not match" in answer["Message"]
    assert send(address, right, b"another body")[0] == 403
    assert send(address, {}, body)[2] == {"Message": "Forbidden"}


@pytest.mark.aws(
    "Lambda developer guide: Control access to Lambda function URLs",
    "So does that of an assumed role, with its session token",
)
def test_an_assumed_roles_signature_opens_it(account: Account) -> None:
    """With its session token.

    AWS page: "Control access to Lambda function URLs".
    """
    _, url = opened(account, AuthType="AWS_IAM")
    sts = account.client("sts")
    given = sts.assume_role(RoleArn=account.role, RoleSessionName="session")["Credentials"]
    keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert send(url, signature(url, b"", *keys))[0] == 200
    assert send(url, signature(url, b"", *keys[:2], "another"))[0] == 403


@pytest.mark.aws(
    "Lambda developer guide: Invoking Lambda function URLs",
    "Cookies come and go; the client's address is told",
)
def test_cookies_and_forwarding_are_told(account: Account) -> None:
    """Both ways; and where the request came from.

    AWS page: "Invoking Lambda function URLs" (request and response payloads).
    """
    _, url = opened(account)
    _, headers, event = send(url, {"Cookie": "c=1; d=2", "X-Forwarded-For": "10.0.0.1"})
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert event["requestContext"]["accountId"] == "anonymous"


@pytest.mark.aws(
    "Lambda developer guide: Creating and managing Lambda function URLs",
    "A CORS preflight does not invoke",
)
def test_a_preflight_does_not_invoke(account: Account) -> None:
    """It needs no signature either.

    AWS page: "Creating and managing Lambda function URLs" (CORS).
    """
    cors = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["POST"]}
    name, url = opened(account, AuthType="AWS_IAM", Cors=cors)
    question = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
    status, headers, _ = send(url, question, method="OPTIONS")
    assert (status, headers["Access-Control-Allow-Methods"]) == (200, "POST")
    assert account.invocations(name) == []


@pytest.mark.aws(
    "Lambda API reference: UpdateFunctionUrlConfig", "An update keeps a Function URL's address"
)
def test_an_update_keeps_the_address(account: Account) -> None:
    """One for each alias, listed, and gone when deleted.

    AWS page: API reference, "UpdateFunctionUrlConfig".
    """
    name, url = opened(account, AuthType="AWS_IAM")
    functions = account.functions
    updated = functions.update_function_url_config(
        FunctionName=name, Qualifier="live", AuthType="NONE"
    )
    assert (updated["FunctionUrl"], send(url)[0]) == (url, 200)
    with pytest.raises(ClientError, match="FunctionUrlConfig exists"):
        functions.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    (listed,) = functions.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert listed["FunctionArn"].endswith(f"{name}:live")
    functions.delete_function_url_config(FunctionName=name, Qualifier="live")
    assert send(url)[0] == 404


@pytest.mark.aws(
    "Lambda API reference: CreateFunctionUrlConfig", "Response streaming", how="refused"
)
def test_response_streaming_is_refused(account: Account) -> None:
    """The local cloud buffers.

    AWS page: API reference, "CreateFunctionUrlConfig" (InvokeMode).
    """
    with pytest.raises(ClientError, match="RESPONSE_STREAM; the local cloud answers BUFFERED"):
        opened(account, InvokeMode="RESPONSE_STREAM")
