"""Where log lines of functions go: CloudWatch Logs as moto has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from moto.logs import urls
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend, logs_backends

Observe = Callable[[str, Sequence[tuple[int, str]]], None]


class LocalLogs(LogsBackend):
    """CloudWatch Logs of one account and region: moto's, without what moto only seems to do."""

    @property
    def _url_module(self) -> Any:
        # moto derives it from the name of the class's module, which is ours.
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

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


def install() -> None:
    """Make moto use `LocalLogs`, for every account and region, from now on."""
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
                group, stream, [{"timestamp": at, "message": text} for at, text in events]
            )
        if self._observe is not None:
            self._observe(group, events)
