"""The Invoke API: what Lambda checks before a function sees anything, and how it answers."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import lambda_backends

from infra.cloud.background import EventInvokes
from infra.cloud.dataplane import DataPlane
from infra.cloud.failure import RestoreFailed
from infra.cloud.function import Invocation, InvocationKind, Outcome
from infra.cloud.functions import LocalLambda, Resolved
from infra.cloud.http_request import HttpRequest, HttpResponse
from infra.cloud.refusal import InvokeRefused, refusal
from warmer.errors import CloudError, Throttled

# AWS Lambda quotas page: invocation payload, request and response.
SYNCHRONOUS_LIMIT_BYTES = 6 * 1024 * 1024
ASYNCHRONOUS_LIMIT_BYTES = 1024 * 1024
CLIENT_CONTEXT_LIMIT_BYTES = 3_583

INVOKE_PATH = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations/?")


class Invoker:
    """Invokes functions of one account, by any reference, and waits for their answers."""

    def __init__(self, plane: DataPlane, account_id: str) -> None:
        self._plane = plane
        self._account_id = account_id

    def resolve(self, region: str, reference: str, qualifier: str | None = None) -> Resolved:
        """What `reference` reaches now; raises InvokeRefused (404) where it reaches nothing."""
        try:
            backend = cast(LocalLambda, lambda_backends[self._account_id][region])
        except KeyError as error:
            raise InvokeRefused(
                400, "InvalidParameterValueException", f"There is no region {region}"
            ) from error
        try:
            return backend.resolve(reference, qualifier)
        except LambdaClientError as error:
            status = 404 if error.error_type.startswith("ResourceNotFound") else 400
            raise InvokeRefused(status, error.error_type, str(error.message)) from error

    def run(
        self,
        target: Resolved,
        payload: bytes,
        kind: InvocationKind,
        client_context: str | None = None,
        request_id: str = "",
    ) -> Outcome:
        """One synchronous invoke; it gets a request id where none is given.

        Raises InvokeRefused when it is throttled (429), when SnapStart cannot restore it (408 or
        400), and when the cloud itself fails (500).
        """
        invocation = Invocation(
            request_id=request_id or str(uuid.uuid4()),
            payload=payload,
            client_context=client_context,
            invoked_arn=target.invoked_arn,
            kind=kind,
            ping=_is_ping(client_context),
            reserved=target.reserved_concurrency is not None,
        )
        try:
            return self._plane.invoke(target.version, invocation, target.reserved_concurrency)
        except Throttled as error:
            raise InvokeRefused(
                429, "TooManyRequestsException", "Rate Exceeded.", error.reason
            ) from error
        except RestoreFailed as error:
            raise InvokeRefused(error.status, error.kind, str(error)) from error
        except CloudError as error:
            raise InvokeRefused(500, "ServiceException", str(error)) from error


def _is_ping(client_context: str | None) -> bool:
    try:
        content = _json((client_context or "{}").encode())
    except ValueError:  # nested as deeply as may be: whatever it is, it is no ping
        return False
    custom = content.get("custom")
    return isinstance(custom, dict) and "warmer" in custom


class InvokeEndpoint:
    """`POST /2015-03-31/functions/NAME/invocations` (AWS Lambda API reference, Invoke)."""

    def __init__(self, invoker: Invoker, events: EventInvokes, region: str) -> None:
        self._invoker = invoker
        self._events = events
        self._region = region
        self._kinds: dict[str, Callable[[HttpRequest, Resolved], HttpResponse]] = {
            "RequestResponse": self._request_response,
            "Event": self._event,
            "DryRun": self._dry_run,
        }

    def __call__(self, request: HttpRequest, reference: str) -> HttpResponse:
        """Answer one request."""
        try:
            kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
            if kind not in self._kinds:
                raise InvokeRefused(
                    400, "InvalidParameterValueException", f"InvocationType is {kind}"
                )
            _check_size(request, kind)
            target = self._invoker.resolve(
                self._region_of(request), reference, _qualifier(request.path)
            )
            return self._kinds[kind](request, target)
        except InvokeRefused as error:
            return refusal(error)

    def _request_response(self, request: HttpRequest, target: Resolved) -> HttpResponse:
        context = client_context(request.headers.get("x-amz-client-context"))
        outcome = self._invoker.run(target, _payload(request), "request", context)
        headers = {
            "x-amzn-RequestId": outcome.request_id,
            "X-Amz-Executed-Version": outcome.executed_version,
        }
        if outcome.function_error:
            headers["X-Amz-Function-Error"] = outcome.function_error
        if request.headers.get("x-amz-log-type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(outcome.log_tail).decode()
        return HttpResponse(200, outcome.payload, headers)

    def _event(self, request: HttpRequest, target: Resolved) -> HttpResponse:
        # An asynchronous invoke does not carry its client context on.
        request_id = self._events.submit(self._region_of(request), target, _payload(request))
        return HttpResponse(202, b"", {"x-amzn-RequestId": request_id})

    def _dry_run(self, request: HttpRequest, target: Resolved) -> HttpResponse:
        del request, target
        return HttpResponse(204)

    def _region_of(self, request: HttpRequest) -> str:
        """The region that the request was signed for."""
        scope = request.headers.get("authorization", "").partition("Credential=")[2].split("/")
        return scope[2] if len(scope) > 3 else self._region


def _qualifier(path: str) -> str | None:
    query = path.partition("?")[2]
    return parse_qs(query).get("Qualifier", [None])[0] if query else None


def client_context(header: str | None) -> str | None:
    """The JSON text of a ClientContext header; raises InvokeRefused (400), in Lambda's words."""
    if header is None:
        return None
    problem = "Client context must be a valid Base64-encoded JSON object."
    if len(header) > CLIENT_CONTEXT_LIMIT_BYTES:
        problem = f"Client context must be at most {CLIENT_CONTEXT_LIMIT_BYTES} bytes"
        raise InvokeRefused(400, "InvalidRequestContentException", problem)
    try:
        content = _json(base64.b64decode(header, validate=True))
        if not isinstance(content, dict):
            raise ValueError("not an object")
        # One line of ASCII: it travels in a header of the Runtime API.
        return json.dumps(content, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise InvokeRefused(400, "InvalidRequestContentException", problem) from error


def _json(text: bytes) -> Any:
    """Parse strict JSON in UTF-8; ValueError for anything else, however it is nested."""
    try:
        return json.loads(text.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _payload(request: HttpRequest) -> bytes:
    body = request.body or b"{}"
    try:
        _json(body)
    except ValueError as error:
        raise InvokeRefused(
            400,
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        ) from error
    return body


def _check_size(request: HttpRequest, kind: str) -> None:
    limit = ASYNCHRONOUS_LIMIT_BYTES if kind == "Event" else SYNCHRONOUS_LIMIT_BYTES
    if request.body_bytes > limit:
        raise InvokeRefused(
            413,
            "RequestTooLargeException",
            f"Request must be smaller than {limit} bytes for the {kind} operation",
        )
