"""Inference requests as tests write them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.handlers.http_event import http_event

JsonObject = dict[str, Any]


def tensor(name: str, data: Any, datatype: str = "FP32", shape: Any = None) -> JsonObject:
    """An input with its data in JSON; without a shape it is flat."""
    size = [len(data)] if shape is None else shape
    return {"name": name, "shape": size, "datatype": datatype, "data": data}


def binary(name: str, size: int, datatype: str = "FP32", shape: Any = None) -> JsonObject:
    """An input whose bytes follow the JSON."""
    parameters = {"binary_data_size": size}
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters}


def infer(*inputs: JsonObject, **members: Any) -> JsonObject:
    """An inference request."""
    return {"inputs": list(inputs), **members}


def infer_event(
    model: str, request: object, content: Sequence[bytes] | None = None, path: str = ""
) -> dict[str, Any]:
    """The event of an inference over HTTP; with `content`, a binary body as Lambda delivers it."""
    place = f"/v2/models/{model}{path}/infer"
    if content is None:
        return http_event("POST", place, request)
    header = json.dumps(request).encode()
    body = base64.b64encode(b"".join([header, *content])).decode()
    event = http_event("POST", place, body, encoded=True)
    event["headers"] = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(header)),
    }
    return event


def answer(response: Mapping[str, Any]) -> tuple[JsonObject, bytes]:
    """The JSON of a response, and the bytes after it."""
    if not response.get("isBase64Encoded"):
        assert response["headers"]["content-type"] == "application/json"
        return json.loads(response["body"]), b""
    assert response["headers"]["content-type"] == "application/octet-stream"
    content = base64.b64decode(response["body"], validate=True)
    length = int(response["headers"]["inference-header-content-length"])
    return json.loads(content[:length]), content[length:]
