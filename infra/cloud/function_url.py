"""Function URLs: an HTTP request becomes an event, a result becomes an HTTP response.

Payload format 2.0 (AWS Lambda developer guide, "Invoking Lambda function URLs").
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from infra.cloud.cors import is_preflight, preflight, with_cors
from infra.cloud.function_urls import FunctionUrl
from infra.cloud.invoke import SYNCHRONOUS_LIMIT_BYTES, Invoker
from infra.cloud.refusal import InvokeRefused
from infra.cloud.signature import Caller, SignatureRefused, verify

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_JSON = "application/json"
# What a header's name is made of (RFC 9110, section 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# These say how a message is sent, which is not for a function to say.
_OF_THE_CONNECTION = ("connection", "content-length", "keep-alive", "transfer-encoding", "upgrade")


class FunctionUrlEndpoint:
    """Answers requests to Function URLs of one account."""

    def __init__(self, invoker: Invoker, region: str, account_id: str) -> None:
        self._invoker = invoker
        self._region = region
        self._account_id = account_id

    def __call__(self, request: Request, url: FunctionUrl, path: str) -> Response:
        """Invoke the function behind `url` with `request`, whose path there is `path`."""
        if url.cors is None:
            return self._answer(request, url, path)
        if is_preflight(request):
            return preflight(request, url.cors)
        return with_cors(self._answer(request, url, path), request, url.cors)

    def _answer(self, request: Request, url: FunctionUrl, path: str) -> Response:
        body = request.get_data()
        if len(body) > SYNCHRONOUS_LIMIT_BYTES:
            return _message(413, "Request Too Long")
        caller = None
        if url.auth_type == "AWS_IAM":
            try:
                caller = verify(request, body, self._region, self._account_id)
            except SignatureRefused as error:
                refused = _message(403, str(error))
                refused.headers["x-amzn-ErrorType"] = error.kind
                return refused
        event = http_event(request, url, path, body, caller)
        try:
            target = self._invoker.resolve(self._region, url.function, url.qualifier)
            outcome = self._invoker.run(target, json.dumps(event).encode(), "url")
        except InvokeRefused as error:
            return _message(429, "Too Many Requests") if error.status == 429 else _not_found(error)
        if outcome.function_error:
            return _plain(502, "Internal Server Error")
        return http_response(outcome.payload)


def http_event(
    request: Request, url: FunctionUrl, path: str, body: bytes, caller: Caller | None = None
) -> dict[str, Any]:
    """The event that a function gets for a request; `caller` signed it, or None."""
    now = time.time()
    text = _text_of(body, request.content_type or "")
    headers = {
        name.lower(): ",".join(request.headers.getlist(name))
        for name in request.headers.keys()  # noqa: SIM118 - pairs otherwise
        if name.lower() != "cookie"
    }
    headers |= _of_the_way_here(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": headers,
        "requestContext": {
            "accountId": caller.account_id if caller else "anonymous",
            "apiId": url.id,
            "domainName": request.host,
            "domainPrefix": url.id,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": str(request.environ.get("SERVER_PROTOCOL", "HTTP/1.1")),
                "sourceIp": request.remote_addr or "127.0.0.1",
                "userAgent": request.headers.get("User-Agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": text is None,
    }
    if caller is not None:
        event["requestContext"] |= {"authentication": None, "authorizer": {"iam": _iam(caller)}}
    if request.headers.get("Cookie"):
        event["cookies"] = [item.strip() for item in request.headers["Cookie"].split(";")]
    if request.args:
        event["queryStringParameters"] = {
            key: ",".join(values) for key, values in request.args.lists()
        }
    if body:
        event["body"] = base64.b64encode(body).decode() if text is None else text
    return event


def _of_the_way_here(request: Request) -> dict[str, str]:
    """What Lambda's own front adds; an X-Forwarded-For of the client's is kept before it."""
    client = request.remote_addr or "127.0.0.1"
    before = request.headers.get("X-Forwarded-For")
    return {
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
        "x-forwarded-for": f"{before}, {client}" if before else client,
        "x-forwarded-port": request.host.partition(":")[2] or "80",
        "x-forwarded-proto": "http",
    }


def _iam(caller: Caller) -> dict[str, Any]:
    return {
        "accessKey": caller.access_key,
        "accountId": caller.account_id,
        "callerId": caller.access_key,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.access_key,
    }


def http_response(payload: bytes) -> Response:
    """The response for a function's result; anything without a statusCode is the body itself.

    A result that no HTTP response can be made of gives 502, as a function that failed does.
    """
    try:
        result = json.loads(payload or b"null")
        if not isinstance(result, dict) or "statusCode" not in result:
            text = result if isinstance(result, str) else json.dumps(result)
            return Response(text.encode(), 200, content_type=_JSON)
        return Response(_content(result), _status(result["statusCode"]), _headers(result))
    except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
        return _plain(502, "Internal Server Error")


def _status(value: Any) -> int:
    status = int(value)
    # Below is no final answer: a client would wait for another.
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode is {value}")
    return status


def _content(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    return base64.b64decode(text) if result.get("isBase64Encoded") else text.encode()


def _headers(result: dict[str, Any]) -> Headers:
    headers = Headers({"content-type": _JSON})
    for name, value in (result.get("headers") or {}).items():
        if name.lower() not in _OF_THE_CONNECTION:
            headers[_header_name(name)] = _header_value(value)
    for cookie in result.get("cookies") or []:
        headers.add("Set-Cookie", _header_value(cookie))
    return headers


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no header name")
    return name


def _header_value(value: Any) -> str:
    text = str(value)
    text.encode("latin-1")  # raises ValueError for what no header can hold
    if any(character < " " and character != "\t" for character in text):
        raise ValueError(f"{text!r} is no header value")
    return text


def _text_of(body: bytes, content_type: str) -> str | None:
    """A body as text, or None where it is not said to be text, or is not UTF-8."""
    if body and content_type and not content_type.lower().startswith(_TEXT):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _message(status: int, text: str) -> Response:
    return Response(json.dumps({"Message": text}), status, content_type=_JSON)


def _not_found(error: InvokeRefused) -> Response:
    return _message(error.status, str(error))


def _plain(status: int, text: str) -> Response:
    return Response(text, status, content_type="text/plain")
