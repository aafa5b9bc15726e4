"""Where AWS's Runtime Interface Emulator is known to differ from Lambda, and so from the cloud.

    python -m tests.cloud.deployed.emulator_differences

prints the list. The emulator is the one that ships with SAM; what it does was observed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["DIFFERENCES", "Difference", "Observed", "listing", "obsolete", "unexplained"]

_GUIDE = "AWS Lambda developer guide, "
_INVOKE = "AWS Lambda API reference, Invoke"
_VARIABLES = _GUIDE + '"Defined runtime environment variables"'
_CONTEXT = _GUIDE + '"Using the Lambda context object to retrieve Python function information"'
_LIFECYCLE = _GUIDE + '"Understanding the Lambda execution environment lifecycle"'
_LOGS = _GUIDE + '"Sending Lambda function logs to CloudWatch Logs"'
_TROUBLE = _GUIDE + '"Troubleshoot execution issues in Lambda"'
_METADATA = _GUIDE + '"Using the Lambda metadata endpoint"'

_ABSENT = r"\(absent\)"
_ENDED = "system exit|keyboard interrupt|exit|abort|kill"
_NO_INIT = "handler-.*|module-.*"
_REFUSED = "event: .*|client context: .*"


@dataclass(frozen=True)
class Observed:
    """One field of the answer to one request, in which the cloud and the emulator differ."""

    request: str
    field: str
    cloud: str
    emulator: str


@dataclass(frozen=True)
class Difference:
    """A known difference: regular expressions for all that it may be seen in.

    what: what the emulator does. source: where Lambda's behaviour, the cloud's, is documented.
    """

    what: str
    requests: str
    fields: str
    cloud: str
    emulator: str
    source: str

    def explains(self, observed: Observed) -> bool:
        """Whether this is what was observed."""
        return all(
            re.fullmatch(pattern, text, re.DOTALL)
            for pattern, text in (
                (self.requests, observed.request),
                (self.fields, observed.field),
                (self.cloud, observed.cloud),
                (self.emulator, observed.emulator),
            )
        )


def _variable(what: str, names: str, cloud: str, emulator: str, source: str) -> Difference:
    return Difference(what, "variables", rf"body\.({names})", cloud, emulator, source)


DIFFERENCES: Sequence[Difference] = (
    # The answer.
    Difference(
        "says plain text, what it guesses, or nothing for the content type",
        *(".*", r"header\.content-type", "application/json"),
        rf"text/plain; charset=utf-8|application/octet-stream|{_ABSENT}",
        _INVOKE,
    ),
    Difference(
        "does not say which version ran",
        *(".*", r"header\.x-amz-executed-version", r"\$LATEST", _ABSENT),
        _INVOKE,
    ),
    Difference(
        "does not say that the function failed: its caller must read the payload",
        *(".*", r"header\.x-amz-function-error", "Unhandled", _ABSENT),
        _INVOKE,
    ),
    Difference(
        "does not send the log's tail",
        *(".*", r"header\.x-amz-log-result", "<log>", _ABSENT),
        _INVOKE,
    ),
    Difference(
        "does not name the request in its answer",
        *(".*", r"header\.x-amzn-requestid", "<uuid>", _ABSENT),
        'AWS SDK for Python documentation, "Error handling" (RequestId)',
    ),
    Difference(
        "answers 502 when the runtime ended or did not start",
        *(f"{_ENDED}|{_NO_INIT}", "status", "200", "502"),
        _INVOKE + " (FunctionError: the status is 200)",
    ),
    Difference(
        "says nothing of an exit during INIT",
        "module-exits",
        r"body(\.errorType|\.errorMessage)?",
        rf"Runtime\.ExitError|RequestId: <uuid> Error: Runtime exited .*exit status 4|{_ABSENT}",
        rf"{_ABSENT}|",
        _LIFECYCLE,
    ),
    Difference(
        "answers a time-out with a sentence that is no JSON",
        "time-out",
        r"body(\.errorType|\.errorMessage)?",
        rf"Sandbox\.Timedout|RequestId: <uuid> Error: Task timed out after 1\.00 seconds|{_ABSENT}",
        rf"Task timed out after 1\.00 seconds|{_ABSENT}",
        _TROUBLE,
    ),
    # What Lambda checks before it invokes.
    Difference(
        "invokes with what is no JSON: the runtime, not the service, reports it",
        *("event: .*", "status", "400", "200"),
        _INVOKE + " (InvalidRequestContentException)",
    ),
    Difference(
        "gives a client context to the runtime that is no JSON object, or fails of itself",
        *("client context: .*", "status", "400", "200|500"),
        _INVOKE + " (ClientContext)",
    ),
    Difference(
        "has no error types of the service",
        *(_REFUSED, r"header\.x-amzn-errortype", "InvalidRequestContentException", _ABSENT),
        _INVOKE,
    ),
    Difference(
        "has no errors of the service: the runtime's are the answer",
        *(_REFUSED, r"body(\..*)?|log\..*", f"User|Client context .*|Could not .*|{_ABSENT}", ".*"),
        _INVOKE,
    ),
    Difference(
        "gives an absent payload to the runtime, which finds no JSON in it",
        *("no event", r"body(\..*)?|log\.function", rf"{{}}|{_ABSENT}"),
        rf"{_ABSENT}|.*Unable to unmarshal input: .*|Runtime\.UnmarshalError|<uuid>|\[\]",
        _INVOKE + " (Payload is not required)",
    ),
    Difference(
        "runs the function on a dry run",
        *("dry run", r"status|body|log\..*", f"204||{_ABSENT}", ".*"),
        _INVOKE + " (InvocationType)",
    ),
    # The context.
    Difference(
        "has one fixed account",
        *(".*context", r"body\.invoked_function_arn"),
        "arn:aws:lambda:us-east-1:123456789012:function:emulated-cases",
        "arn:aws:lambda:us-east-1:012345678912:function:emulated-cases",
        _CONTEXT,
    ),
    Difference(
        "has one fixed log group",
        *(".*context", r"body\.log_group_name"),
        *("/aws/lambda/emulated-cases", "/aws/lambda/Functions"),
        _CONTEXT,
    ),
    Difference(
        "has one fixed log stream",
        *(".*context", r"body\.log_stream_name"),
        *(r"<date>/\[\$LATEST\]<environment>", r"\$LATEST"),
        _CONTEXT,
    ),
    # The environment variables.
    _variable(
        "has one fixed log group and stream",
        "AWS_LAMBDA_LOG_(GROUP|STREAM)_NAME",
        r"/aws/lambda/emulated-cases|<date>/\[\$LATEST\]<environment>",
        r"/aws/lambda/Functions|\$LATEST",
        _VARIABLES,
    ),
    _variable(
        "leaves to the container image what does not change with the function",
        "LANG|TZ|LD_LIBRARY_PATH|PYTHONPATH|LAMBDA_(TASK_ROOT|RUNTIME_DIR)",
        ".+",
        _ABSENT,
        _VARIABLES,
    ),
    _variable(
        "leaves region and credentials to whoever starts it",
        "AWS_(REGION|DEFAULT_REGION|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)",
        ".+",
        f"{_ABSENT}|",
        _VARIABLES,
    ),
    _variable(
        "does not tell the initialisation type",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "on-demand",
        _ABSENT,
        _VARIABLES,
    ),
    _variable(
        "knows no X-Ray",
        "_X_AMZN_TRACE_ID|AWS_XRAY_CONTEXT_MISSING",
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0|LOG_ERROR",
        _ABSENT,
        _VARIABLES,
    ),
    _variable(
        "shows the function the variable that sets the emulator's time-out",
        "AWS_LAMBDA_FUNCTION_TIMEOUT",
        _ABSENT,
        "10",
        _VARIABLES,
    ),
    _variable(
        "has a metadata endpoint; the cloud, which has no Availability Zones, has none",
        "AWS_LAMBDA_METADATA_(API|TOKEN)",
        _ABSENT,
        "<address>|<uuid>",
        _METADATA,
    ),
    _variable(
        "is no cloud: here AWS's SDKs are told where theirs is",
        "AWS_ENDPOINT_URL",
        r"http://.+:\d+",
        _ABSENT,
        'AWS SDKs and Tools reference guide, "Service-specific endpoints"',
    ),
    # The log.
    Difference(
        "writes no END and no REPORT line when the runtime ended or did not start",
        *(f"{_ENDED}|{_NO_INIT}", r"log\.(platform|report\..*)"),
        rf".*END RequestId: <uuid>|{_ABSENT}|(?!.*RequestId: ).+",
        rf"START RequestId: <uuid> Version: \$LATEST|{_ABSENT}",
        _LOGS,
    ),
    Difference(
        "does not repeat within the invoke an INIT that failed, which then says the same again",
        *(_NO_INIT, r"log\.function", r"(.+)\n\1", ".+"),
        _LIFECYCLE,
    ),
    Difference(
        "does not write why the runtime ended",
        *(f"{_ENDED}|module-exits", r"log\.function"),
        r"(Traceback .*KeyboardInterrupt\n)?RequestId: <uuid> Error: Runtime exited .*ExitError",
        rf"Traceback .*KeyboardInterrupt|{_ABSENT}",
        _TROUBLE,
    ),
    Difference(
        "does not write that the time-out passed",
        *("time-out", r"log\.(function|report\.Status)"),
        r"<time> <uuid> Task timed out after 1\.00 seconds|timeout",
        _ABSENT,
        _TROUBLE,
    ),
    Difference(
        "does not report the INIT that follows when the runtime has ended",
        *(".*", r"log\.report\.Init Duration", "<number> ms", _ABSENT),
        _LIFECYCLE,
    ),
)


def unexplained(observed: Iterable[Observed]) -> list[Observed]:
    """What was observed and is not in the list."""
    return [item for item in observed if not any(known.explains(item) for known in DIFFERENCES)]


def obsolete(observed: Sequence[Observed]) -> list[Difference]:
    """What is in the list and was not observed."""
    return [known for known in DIFFERENCES if not any(known.explains(item) for item in observed)]


def listing() -> str:
    """The list, for people."""
    return "\n".join(f"- The emulator {item.what}.\n  {item.source}" for item in DIFFERENCES)


if __name__ == "__main__":
    sys.stdout.write(f"{listing()}\n")
