"""Where log lines of functions go: CloudWatch Logs as moto has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from moto.logs import urls
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogsBackend, logs_backends

from infra.cloud.clock import Clock
from infra.cloud.log_filter import Matches, matcher
from infra.cloud.log_retention import LogRetention

MOST_EVENTS = 10_000
MOST_BYTES = 1024 * 1024
"""What a page of FilterLogEvents may hold (CloudWatch Logs API reference, "FilterLogEvents")."""

Observe = Callable[[str, Sequence[tuple[int, str]]], None]


class LocalLogs(LogsBackend):
    """CloudWatch Logs of one account and region: moto's, without what moto only seems to do.

    retention: deletes what need not be kept.
    """

    retention: ClassVar[LogRetention]

    @property
    def _url_module(self) -> Any:
        # moto derives it from the name of the class's module, which is ours.
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def put_log_events(
        self, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> tuple[str, dict[str, Any]]:
        """PutLogEvents."""
        group = self.groups.get(log_group_name)
        stream = None if group is None else group.streams.get(log_stream_name)
        known = 0 if stream is None else len(stream.events)
        answer = super().put_log_events(log_group_name, log_stream_name, log_events)
        if group is not None and stream is not None:
            self.retention.arrived(group, log_stream_name, stream.events[known:])
        return answer

    def put_subscription_filter(
        self,
        log_group_name: str,
        filter_name: str,
        filter_pattern: str,
        destination_arn: str,
        role_arn: str,
    ) -> None:
        """PutSubscriptionFilter: refused for functions, which moto would send every event to."""
        if destination_arn.split(":")[2:3] == ["lambda"]:
            raise InvalidParameterException(
                f"destinationArn is {destination_arn}; the local cloud sends log events to no "
                "functions. Invoke it with an event of your own instead"
            )
        super().put_subscription_filter(
            log_group_name, filter_name, filter_pattern, destination_arn, role_arn
        )

    def filter_log_events(  # noqa: PLR0913 - moto's own
        self,
        log_group_name: str,
        log_stream_names: list[str],
        start_time: int,
        end_time: int,
        limit: int | None,
        next_token: str | None,
        filter_pattern: str,
        interleaved: bool,
    ) -> tuple[list[dict[str, Any]], str | None, list[dict[str, Any]]]:
        """FilterLogEvents: of all streams, by time, in pages; a page goes on after the last event.

        AWS takes `interleaved` for true, whatever it is (API reference).
        """
        del interleaved
        if log_group_name not in self.groups:
            raise ResourceNotFoundException()
        if limit is not None and not 1 <= limit <= MOST_EVENTS:
            constraint = f"Member must have value between 1 and {MOST_EVENTS}"
            raise InvalidParameterException(constraint=constraint, parameter="limit", value=limit)
        self.retention.expire(self.groups[log_group_name])
        streams = dict(self.groups[log_group_name].streams)
        names = [name for name in list(streams) if not log_stream_names or name in log_stream_names]
        matches = matcher(filter_pattern)
        found = [
            {**event, "logStreamName": name}
            for name in names
            for event in _matching(streams[name].events, start_time, end_time, matches)
        ]
        found.sort(key=_order)
        if next_token:
            last = _order_of(next_token)
            found = [event for event in found if _order(event) > last]
        page = _page(found, limit or MOST_EVENTS)
        token = _token(page[-1]) if len(page) < len(found) else None
        searched = [{"logStreamName": name, "searchedCompletely": token is None} for name in names]
        return page, token, searched


def _matching(
    events: Sequence[Any], start: int | None, end: int | None, matches: Matches
) -> list[dict[str, Any]]:
    return [
        event.to_filter_dict()
        for event in list(events)
        if (not start or event.timestamp >= start)
        and (not end or event.timestamp <= end)
        and matches(event.message)
    ]


def _order(event: dict[str, Any]) -> tuple[int, int]:
    return int(event["timestamp"]), int(event["eventId"])


def _token(event: dict[str, Any]) -> str:
    return f"f/{event['timestamp']}/{event['eventId']}"


def _order_of(token: str) -> tuple[int, int]:
    try:
        _, at, number = token.split("/")
        return int(at), int(number)
    except ValueError as error:
        raise InvalidParameterException("The specified nextToken is invalid.") from error


def _page(events: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    size = 0
    for place, event in enumerate(events[:limit]):
        size += len(event["message"])
        if size > MOST_BYTES and place:
            return events[:place]
    return events[:limit]


def _rising(events: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Events in their order, at no moment before that of the one ahead.

    PutLogEvents refuses others (API reference). This machine's clock may be set back, and what
    writes the log takes the time before it takes its turn.
    """
    latest = 0
    for moment, text in events:
        latest = max(latest, moment)
        yield latest, text


def install(clock: Clock) -> None:
    """Make moto use `LocalLogs`, for every account and region, from now on.

    clock: cloud time, in which retention passes.
    """
    LocalLogs.retention = LogRetention(clock)
    logs_backends.backend = LocalLogs


class CloudWatchLogs:
    """A log sink for one account and region; groups and streams come to be when first written.

    observe: called with a group and the events that were put there.
    """

    def __init__(self, account_id: str, region: str, observe: Observe | None = None) -> None:
        self._observe = observe
        self._backend = logs_backends[account_id][region]
        self._lock = threading.Lock()

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Append events (milliseconds since the epoch, message) to a stream."""
        with self._lock:
            self._backend.ensure_log_group(group)
            self._backend.ensure_log_stream(group, stream)
            self._backend.put_log_events(
                group, stream, [{"timestamp": at, "message": text} for at, text in _rising(events)]
            )
        if self._observe is not None:
            self._observe(group, events)
