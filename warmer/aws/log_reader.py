"""What functions have logged, in CloudWatch Logs, read by the minute: FilterLogEvents, for nothing.

(CloudWatch pricing page: logs are paid for as they are taken in, kept, and scanned by Logs
Insights.) An account may ask five times a second in a region, which cannot be raised (AWS re:Post,
"How do I determine throttling in my CloudWatch logs?").

What a page of 4,000 events takes is the processor's time, which a small function has little of:
boto3's client makes it into objects by the service's model, member by member, for three times what
reading the JSON takes. So requests are signed and sent by botocore, and their answers read here.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from warmer.aws.client import CONNECT_TIMEOUT_SECONDS, new_client, new_session
from warmer.aws.service import ANSWER_TIMEOUT_SECONDS, no_answer, refused
from warmer.errors import ServiceError

if TYPE_CHECKING:
    from typing import Any

    from botocore.credentials import Credentials
    from botocore.httpsession import URLLib3Session

__all__ = ["Filtered", "FilteredEvent", "LogReader"]

OPERATION, PERMISSION = "filter_log_events", "logs:FilterLogEvents"
HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "Logs_20140328.FilterLogEvents",
}
"""CloudWatch Logs API reference, "FilterLogEvents"; the protocol is AWS's JSON 1.1."""


class FilteredEvent(NamedTuple):
    """A log event that matched: its id, unique in its group, Unix seconds, stream and text."""

    id: str
    at: float
    stream: str
    message: str


class Filtered(NamedTuple):
    """What was found, by time, in so many `requests`; `complete`: it is all that matches."""

    events: tuple[FilteredEvent, ...]
    complete: bool
    requests: int


class _Logs(NamedTuple):
    """Where CloudWatch Logs is, who asks, and on which connections."""

    url: str
    region: str
    credentials: Credentials
    http: URLLib3Session

    def ask(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request. Raises BotoCoreError."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("POST", self.url, dict(HEADERS), body)
        # They may have been renewed.
        SigV4Auth(self.credentials.get_frozen_credentials(), "logs", self.region).add_auth(request)
        answer: Any = self.http.send(request.prepare())
        return int(answer.status_code), bytes(answer.content)


class LogReader:
    """Reads any log group, so far as a caller has time for; refused, it asks nothing twice.

    `region` and `endpoint_url` default to what boto3 finds. Thread-safe.
    """

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._logs: _Logs | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Find service and credentials now. Raises ConfigurationError."""
        self._found()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._logs is not None:
                self._logs.http.close()
                self._logs = None

    def matching(
        self, group: str, start: float, pattern: str, *, requests: int, deadline: float
    ) -> Filtered:
        """Events since `start` (Unix seconds) that match a filter pattern: FilterLogEvents.

        It comes in pages of at most 1 MB, some of them empty, each of which takes a request: no
        more than `requests`, at least one, and none after `deadline` (monotonic seconds). Raises
        ServiceError, whose code is ThrottlingException where the account asks too often.
        """
        request: dict[str, object] = {
            "logGroupName": group,
            "startTime": max(int(start * 1000), 0),
            "filterPattern": pattern,
        }
        found: list[FilteredEvent] = []
        for asked in range(1, requests + 1):
            events, token = _page(*self._ask(json.dumps(request).encode()))
            found += events
            if not token or asked == requests or time.monotonic() >= deadline:
                break
            request["nextToken"] = token
        return Filtered(tuple(found), not token, asked)

    def _ask(self, body: bytes) -> tuple[int, bytes]:
        logs = self._found()
        from botocore.exceptions import BotoCoreError

        try:
            return logs.ask(body)
        except BotoCoreError as error:
            raise no_answer(OPERATION, "logs", error) from error

    def _found(self) -> _Logs:
        with self._lock:
            if self._logs is None:
                self._logs = _find(self._region, self._endpoint_url)
            return self._logs


def _find(region: str | None, endpoint_url: str | None) -> _Logs:
    """As boto3 finds them: a client of its own is asked. Raises ConfigurationError."""
    session: Any = new_session(region)
    from botocore.config import Config
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    client = new_client("logs", Config(), endpoint_url=endpoint_url, session=session)
    url, region_name = client.meta.endpoint_url, client.meta.region_name
    client.close()
    timeouts: Any = (CONNECT_TIMEOUT_SECONDS, ANSWER_TIMEOUT_SECONDS)
    http = URLLib3Session(
        # boto3's session hides what botocore's tells.
        verify=session._session.get_config_variable("ca_bundle") or True,
        proxies=get_environ_proxies(url),
        timeout=timeouts,
    )
    return _Logs(url, region_name, session.get_credentials(), http)


def _page(status: int, body: bytes) -> tuple[list[FilteredEvent], str]:
    """Events, and the token of the next page, "" for none. Raises ServiceError."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ServiceError(f"{OPERATION} of logs: the answer, HTTP {status}, is no JSON object")
    if status >= 300:
        code = str(said.get("__type") or f"HTTP {status}").rpartition("#")[2]
        raise refused(OPERATION, PERMISSION, code, str(said.get("message") or said.get("Message")))
    try:
        events = [
            FilteredEvent(
                event["eventId"],
                event["timestamp"] / 1000,
                event["logStreamName"],
                event["message"],
            )
            for event in said.get("events") or ()
        ]
    except (KeyError, TypeError) as error:
        raise ServiceError(f"{OPERATION} of logs: an event in the answer lacks {error}") from error
    return events, str(said.get("nextToken") or "")
