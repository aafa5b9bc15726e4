"""What a caller is told when a function did not answer, in Lambda's words.

Source: AWS Lambda developer guide, "Troubleshoot execution issues in Lambda", and the payloads that
Lambda answers.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import Literal

from infra.cloud.runtime_api import MAX_RESPONSE_BYTES

__all__ = [
    "Failure",
    "exit_failure",
    "exit_message",
    "failure_reported",
    "response_too_large",
    "timeout_failure",
]


@dataclass(frozen=True)
class Failure:
    """Why an invocation failed: `payload` goes to the caller, the rest to the log.

    detail: what the platform writes to the log beside REPORT, or None.
    ends_environment: the environment cannot be used again.
    """

    status: Literal["error", "timeout"]
    error_type: str
    payload: bytes
    detail: str | None = None
    ends_environment: bool = True


def failure_reported(payload: bytes, error_type: str, ends_environment: bool) -> Failure:
    """The runtime itself reported an error: its payload is passed on."""
    return Failure("error", error_type or "Unhandled", payload, None, ends_environment)


def exit_failure(request_id: str, status: int) -> Failure:
    """The runtime's process ended with this exit status (negative: a signal)."""
    message = exit_message(status)
    return Failure(
        "error",
        "Runtime.ExitError",
        _payload("Runtime.ExitError", f"RequestId: {request_id} Error: {message}"),
        message,
    )


def exit_message(status: int) -> str:
    """How Lambda words an exit status. A shell reports a signal as 128 and its number."""
    number = -status if status < 0 else status - 128
    if status < 0 or number in set(signal.Signals):
        return f"Runtime exited with error: signal: {_signal_name(number)}"
    if status == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {status}"


def timeout_failure(request_id: str, seconds: float) -> Failure:
    """The function's time-out passed."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return Failure("timeout", "Sandbox.Timedout", _payload("Sandbox.Timedout", message))


def response_too_large(size: int) -> Failure:
    """The response is longer than Lambda passes on."""
    message = (
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size "
        f"({MAX_RESPONSE_BYTES} bytes)."
    )
    kind = "Function.ResponseSizeTooLarge"
    # Whether the runtime survives the 413 is for it to say: it asks for the next request, or ends.
    return Failure("error", kind, _payload(kind, message), ends_environment=False)


def _payload(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or str(number)).lower()
