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
from warmer.errors import CloudError

__all__ = [
    "Exit",
    "Failure",
    "InitFailed",
    "RestoreFailed",
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


@dataclass(frozen=True)
class Exit:
    """How an environment's processes ended.

    status: the function's exit status; negative, or above 128, for a signal.
    out_of_memory: the kernel killed one of them at the memory limit.
    """

    status: int
    out_of_memory: bool = False

    @property
    def error_type(self) -> str:
        """What Lambda calls it."""
        return "Runtime.OutOfMemory" if self.out_of_memory else "Runtime.ExitError"


class InitFailed(Exception):
    """INIT ended without a first /next.

    init_ms: how long it lasted. error_type: as the runtime says; "" when it was too slow.
    payload: what the runtime reported, or None. exited: how it ended, when it just ended.
    """

    def __init__(
        self,
        init_ms: float,
        error_type: str = "",
        payload: bytes | None = None,
        exited: Exit | None = None,
    ) -> None:
        self.init_ms = init_ms
        self.error_type = error_type
        self.payload = payload
        self.exited = exited
        super().__init__(f"INIT failed after {init_ms:.0f} ms: {error_type or 'too slow'}")

    @property
    def too_slow(self) -> bool:
        """Whether the limit passed."""
        return self.payload is None and self.exited is None

    def as_failure(self, request_id: str, timeout_seconds: float) -> Failure:
        """What the request that waited for this INIT is told."""
        if self.payload is not None:
            return failure_reported(self.payload, self.error_type, ends_environment=True)
        if self.exited is not None:
            return exit_failure(request_id, self.exited)
        return timeout_failure(request_id, timeout_seconds)


class RestoreFailed(CloudError):
    """An environment under SnapStart could not be restored; the request is refused for it.

    kind: "SnapStartTimeoutException" (HTTP 408) or "SnapStartException" (400), as in the AWS Lambda
    API reference, "Invoke". error_type: what the runtime reported, or "". restore_ms: how long the
    attempt lasted.
    """

    def __init__(self, restore_ms: float, kind: str, error_type: str = "") -> None:
        self.restore_ms = restore_ms
        self.kind = kind
        self.error_type = error_type
        self.status = 408 if kind == "SnapStartTimeoutException" else 400
        if self.status == 408:
            message = "The snapshot could not be restored within the time limit"
        else:
            message = f"An after-restore hook failed ({error_type or 'the runtime ended'})"
        super().__init__(f"{message}: see the function's log")


def failure_reported(payload: bytes, error_type: str, ends_environment: bool) -> Failure:
    """The runtime itself reported an error: its payload is passed on."""
    return Failure("error", error_type or "Unhandled", payload, None, ends_environment)


def exit_failure(request_id: str, exited: Exit) -> Failure:
    """The runtime's process ended."""
    message = exit_message(exited.status)
    payload = _payload(exited.error_type, f"RequestId: {request_id} Error: {message}")
    return Failure("error", exited.error_type, payload, message)


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
