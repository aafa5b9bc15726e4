"""How Lambda says no before a function sees anything."""

from __future__ import annotations

import json
from typing import Any

from infra.cloud.http_request import HttpResponse


class InvokeRefused(Exception):
    """An invoke that Lambda refuses: HTTP status, error type, and the body's fields."""

    def __init__(self, status: int, kind: str, message: str, reason: str = "") -> None:
        self.status = status
        self.kind = kind
        self.reason = reason
        super().__init__(message)


def refusal(error: InvokeRefused) -> HttpResponse:
    """The answer that Lambda gives for a refused invoke."""
    body: dict[str, Any] = {"Type": "User", "message": str(error), "Message": str(error)}
    if error.reason:
        body["Reason"] = error.reason
    return HttpResponse(error.status, json.dumps(body).encode(), {"x-amzn-ErrorType": error.kind})
