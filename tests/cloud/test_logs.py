"""Log events on their way to CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from infra.cloud.clock import Clock
from infra.cloud.logs import CloudWatchLogs, install

GROUP = "/aws/lambda/sample"


@pytest.fixture
def logs() -> Iterator[Any]:
    """CloudWatch Logs with nothing in it; moto is as it was afterwards."""
    kept = logs_backends.backend
    BackendDict.reset()
    install(Clock())
    yield logs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    BackendDict.reset()
    logs_backends.backend = kept


def test_no_event_is_lost_when_the_clock_is_set_back(logs: Any) -> None:
    """Order is kept, and no moment is before the last: CloudWatch Logs refuses the whole batch."""
    now = int(Clock().now().timestamp() * 1000)
    sink = CloudWatchLogs(DEFAULT_ACCOUNT_ID, "us-east-1")
    sink.put(GROUP, "stream", [(now, "START"), (now - 2, "said"), (now + 1, "END")])
    stored = logs.groups[GROUP].streams["stream"].events
    assert [(event.timestamp - now, event.message) for event in stored] == [
        (0, "START"),
        (0, "said"),
        (1, "END"),
    ]
