"""Cross-origin resource sharing of a Function URL that is configured to see to it.

Source: AWS Lambda developer guide, "Creating and managing Lambda function URLs" (Cross-origin
resource sharing); API reference, "Cors".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

__all__ = ["is_preflight", "preflight", "with_cors"]

_PREFIX = "access-control-"


def is_preflight(request: Request) -> bool:
    """Whether a browser asks here if it may send another request."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def preflight(request: Request, cors: Mapping[str, Any]) -> Response:
    """The answer, for which the function is not invoked; without headers the browser gives up."""
    headers = _origin_headers(request, cors)
    if headers:
        for key, name in (("AllowMethods", "Allow-Methods"), ("AllowHeaders", "Allow-Headers")):
            if cors.get(key):
                headers[f"Access-Control-{name}"] = ",".join(cors[key])
        if cors.get("MaxAge") is not None:
            headers["Access-Control-Max-Age"] = str(cors["MaxAge"])
    return Response(b"", 200, headers)


def with_cors(response: Response, request: Request, cors: Mapping[str, Any]) -> Response:
    """A function's answer with the configured headers in the place of its own."""
    for name in [name for name, _ in response.headers if name.lower().startswith(_PREFIX)]:
        response.headers.remove(name)
    response.headers.extend(_origin_headers(request, cors))
    if cors.get("ExposeHeaders"):
        response.headers["Access-Control-Expose-Headers"] = ",".join(cors["ExposeHeaders"])
    return response


def _origin_headers(request: Request, cors: Mapping[str, Any]) -> Headers:
    """What an allowed origin is told; nothing where the request has none, or another."""
    origin, allowed = request.headers.get("Origin"), cors.get("AllowOrigins") or []
    headers = Headers()
    if origin is None or not {origin, "*"} & set(allowed):
        return headers
    credentials = str(cors.get("AllowCredentials", False)).lower() == "true"
    any_origin = "*" in allowed and not credentials
    headers["Access-Control-Allow-Origin"] = "*" if any_origin else origin
    if not any_origin:
        headers["Vary"] = "Origin"
    if credentials:
        headers["Access-Control-Allow-Credentials"] = "true"
    return headers
