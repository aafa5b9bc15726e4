"""What functions have logged, in CloudWatch Logs, for whoever asks now and then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from warmer.aws.service import Service
from warmer.errors import ConfigurationError, ServiceError

__all__ = ["FUNCTION_GROUPS", "FunctionLogs", "LogEvent"]

FUNCTION_GROUPS = "/aws/lambda/"
"""What the names of functions' log groups begin with, unless they are given another."""

NOT_FOUND = "ResourceNotFoundException"


class LogEvent(NamedTuple):
    """A line that a function logged: Unix seconds, and the text."""

    at: float
    message: str


class FunctionLogs:
    """Reads functions' log groups; `region` and `endpoint_url` default to what boto3 finds."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("logs", region=region, endpoint_url=endpoint_url)

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def functions(self, ending: str) -> list[str]:
        """Names of functions that have logged and end like this: DescribeLogGroups.

        Raises ServiceError.
        """
        request: dict[str, object] = {"logGroupNamePrefix": FUNCTION_GROUPS}
        found: list[str] = []
        for page in self._pages("describe_log_groups", "logs:DescribeLogGroups", request):
            names = [str(group["logGroupName"]) for group in page.get("logGroups", ())]
            found += [name.removeprefix(FUNCTION_GROUPS) for name in names if name.endswith(ending)]
        return found

    def events(self, function: str, start: float, pattern: str) -> Iterator[LogEvent]:
        """What a function has logged since `start` (Unix seconds) that matches a filter pattern.

        In no particular order. Raises ConfigurationError where it never logged, or is not here;
        ServiceError.
        """
        request: dict[str, object] = {
            "logGroupName": f"{FUNCTION_GROUPS}{function}",
            "startTime": max(int(start * 1000), 0),
            "filterPattern": pattern,
        }
        try:
            for page in self._pages("filter_log_events", "logs:FilterLogEvents", request):
                for event in page.get("events", ()):
                    yield LogEvent(event["timestamp"] / 1000, event["message"])
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise
            expected = (
                f"a function with the log group {FUNCTION_GROUPS}{function}: check the name, the"
                " account and the region; before its first run there may be none"
            )
            raise ConfigurationError("WARMER", function, expected) from error

    def _pages(
        self, operation: str, permission: str, request: dict[str, object]
    ) -> Iterator[dict[str, Any]]:
        token: object = None
        while True:
            more = {} if token is None else {"nextToken": token}
            answer = self._service.ask(operation, permission, **request, **more)
            yield answer
            token = answer.get("nextToken")
            if token is None:
                return
