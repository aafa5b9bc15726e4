"""HTTP requests as a Function URL or HTTP API delivers them: payload format 2.0."""

from __future__ import annotations

import json


def http_event(
    method: str, path: str, body: object = None, *, encoded: bool = False, stage: str = "$default"
) -> dict[str, object]:
    """An event; a `body` that is no string is sent as JSON."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "domainName": "abc.lambda-url.us-east-1.on.aws",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl",
            },
            "requestId": "id",
            "stage": stage,
        },
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": encoded,
    }
