"""HTTP for the inference function: payload format 2.0, of Function URLs and HTTP APIs."""

from __future__ import annotations

import binascii
import json
from typing import TYPE_CHECKING, Any, TypeGuard

from warmer import telemetry
from warmer.errors import ModelError, ModelInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Infer = Callable[[object], Mapping[str, object]]
    Event = dict[str, Any]
    Response = dict[str, object]

__all__ = ["is_request", "respond"]

METHODS: Mapping[str, str] = {"/": "POST", "/infer": "POST", "/health": "GET"}
"""The method of each path."""


class BadRequest(Exception):
    """The request cannot be read: 400."""


def is_request(event: object) -> TypeGuard[Event]:
    """Whether an event is an HTTP request in payload format 2.0."""
    try:
        http = event["requestContext"]["http"]  # type: ignore[index]  # the except clause is for it
        return isinstance(http["method"], str) and isinstance(event["rawPath"], str)  # type: ignore[index]  # same
    except (KeyError, TypeError, IndexError):
        return False


def respond(event: Event, infer: Infer) -> Response:
    """Answer an HTTP request: 200, or 4xx and 500 with `{"error": {"type", "message"}}`."""
    path, method = _path(event), event["requestContext"]["http"]["method"]
    allowed = METHODS.get(path)
    if allowed is None:
        known = ", ".join(f"{allowed} {path}" for path, allowed in METHODS.items())
        return _error(404, "NotFound", f"there is no {path[:100]!r}; there are {known}")
    if method != allowed:
        response = _error(405, "MethodNotAllowed", f"{path} takes {allowed}, not {method[:20]!r}")
        return response | {"headers": _HEADERS | {"allow": allowed}}
    if path == "/health":
        return _response(200, {"status": "ok"})
    return _infer(event, infer)


def _infer(event: Event, infer: Infer) -> Response:
    try:
        return _response(200, infer(_body(event)))
    except (BadRequest, ModelInputError) as error:
        return _error(400, type(error).__name__, str(error))
    except ModelError as error:
        telemetry.log("inference failed", {"error": str(error)}, level="ERROR")
        return _error(500, type(error).__name__, str(error))


def _path(event: Event) -> str:
    """The path without the stage that an HTTP API may put before it, and without a last slash."""
    path: str = event["rawPath"]
    stage = event["requestContext"].get("stage")
    if isinstance(stage, str) and stage != "$default" and f"{path}/".startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    return path.rstrip("/") or "/"


def _body(event: Event) -> object:
    """The JSON value in the body. Raises BadRequest."""
    body = event.get("body")
    if not isinstance(body, str) or not body:
        raise BadRequest("the body is empty; expected a JSON object with the model's inputs")
    try:
        text = binascii.a2b_base64(body, strict_mode=True) if event.get("isBase64Encoded") else body
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # binascii.Error and UnicodeDecodeError too
        raise BadRequest(f"the body is not JSON: {error}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


_HEADERS = {"content-type": "application/json"}


def _response(status: int, body: Mapping[str, object]) -> Response:
    return {"statusCode": status, "headers": _HEADERS, "body": json.dumps(body)}


def _error(status: int, kind: str, message: str) -> Response:
    return _response(status, {"error": {"type": kind, "message": message}})
