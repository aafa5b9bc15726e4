"""What FilterLogEvents answers of functions' logs.

Source: CloudWatch Logs API reference, "FilterLogEvents"; Lambda developer guide, "Configuring
CloudWatch log groups".
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import Account, wait_for
from warmer.aws.log_reader import FilteredEvent, LogReader
from warmer.errors import ServiceError
from warmer.fleet.use_log import PATTERN
from warmer.fleet.uses import Report, report_from_line, source_of_stream


@pytest.fixture
def shared(account: Account) -> tuple[str, list[str], list[str]]:
    """A log group of two functions, three requests to each, and these requests' ids."""
    group = f"shared-{uuid.uuid4().hex[:8]}"
    names = [account.function(LoggingConfig={"LogGroup": group}) for _ in range(2)]
    ids = [
        str(account.invoke(name)["ResponseMetadata"]["RequestId"])
        for _ in range(3)
        for name in names
    ]
    wait_for(lambda: len(reports(account, group)) == 6, "six reports")
    return group, names, ids


def pages(account: Account, group: str, **request: Any) -> list[list[dict[str, Any]]]:
    """The events of each page."""
    paginator = account.client("logs").get_paginator("filter_log_events")
    return [page["events"] for page in paginator.paginate(logGroupName=group, **request)]


def reports(account: Account, group: str, **request: Any) -> list[dict[str, Any]]:
    """All reports of requests."""
    if group not in _groups(account):
        return []
    found = pages(account, group, filterPattern=PATTERN, **request)
    return [event for page in found for event in page]


def _groups(account: Account) -> set[str]:
    answer = account.client("logs").describe_log_groups()
    return {group["logGroupName"] for group in answer["logGroups"]}


@pytest.mark.aws(
    "CloudWatch Logs user guide: Filter pattern syntax",
    "Events match by terms, by any of those with a question mark, by none with a minus",
)
def test_a_pattern_of_terms_leaves_the_events_that_match(
    account: Account, shared: tuple[str, list[str], list[str]]
) -> None:
    """Reports of requests, of all that is logged.

    AWS page: "Filter pattern syntax".
    """
    group, _, ids = shared
    found = [report_from_line(event["message"]) for event in reports(account, group)]
    assert [report.request_id for report in found if report] == ids
    (others,) = pages(account, group, filterPattern="-REPORT")
    assert {event["message"].split()[0] for event in others} == {"INIT_START", "START", "END"}


@pytest.mark.aws(
    "CloudWatch Logs API reference: FilterLogEvents",
    "Events of all streams come by time, in pages that go on where one ended",
)
def test_events_of_all_streams_come_by_time_in_pages(
    account: Account, shared: tuple[str, list[str], list[str]]
) -> None:
    """Each event once, also of those with the same millisecond.

    AWS page: "FilterLogEvents" (limit, nextToken).
    """
    group, _, _ = shared
    (whole,) = pages(account, group)
    parts = pages(account, group, limit=4)
    assert [len(part) for part in parts[:-1]] == [4] * (len(parts) - 1)
    assert [event["eventId"] for part in parts for event in part] == [e["eventId"] for e in whole]
    moments = [event["timestamp"] for event in whole]
    assert moments == sorted(moments)
    assert len({event["logStreamName"] for event in whole}) == 2


@pytest.mark.aws(
    "CloudWatch Logs API reference: FilterLogEvents",
    "startTime and endTime bound what is found, both included",
)
def test_the_time_range_bounds_what_is_found(
    account: Account, shared: tuple[str, list[str], list[str]]
) -> None:
    """To the millisecond.

    AWS page: "FilterLogEvents" (startTime, endTime).
    """
    group, _, _ = shared
    moments = [event["timestamp"] for event in reports(account, group)]
    assert [e["timestamp"] for e in reports(account, group, startTime=moments[2])] == moments[2:]
    assert [e["timestamp"] for e in reports(account, group, endTime=moments[2])] == moments[:3]


@pytest.mark.aws(
    "CloudWatch Logs API reference: FilterLogEvents",
    "A log group that is not there, and a limit above 10,000, are refused",
)
def test_what_cannot_be_answered_is_refused(
    account: Account, shared: tuple[str, list[str], list[str]]
) -> None:
    """With the API's codes.

    AWS page: "FilterLogEvents" (Errors).
    """
    client = account.client("logs")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.filter_log_events(logGroupName="absent")
    for wrong in ({"limit": 10_001}, {"nextToken": "x"}):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            client.filter_log_events(logGroupName=shared[0], **wrong)


@pytest.mark.aws(
    "Lambda developer guide: Configuring CloudWatch log groups",
    "Functions may share a log group, in which streams have the functions' names",
)
def test_streams_of_a_shared_group_name_the_function(
    account: Account, shared: tuple[str, list[str], list[str]]
) -> None:
    """And the version, and the environment; in a function's own group no name is needed.

    AWS page: "Configuring CloudWatch log groups".
    """
    group, names, _ = shared
    streams = {event["logStreamName"] for event in reports(account, group)}
    pattern = r"\d{4}/\d\d/\d\d/(f-\w+)\[\$LATEST\]\[[0-9a-f]{32}\]"
    assert {found[1] for name in streams if (found := re.fullmatch(pattern, name))} == set(names)
    sources = [source_of_stream(name) for name in streams]
    assert {source.function for source in sources if source} == set(names)


def test_the_reader_reads_reports_with_their_source(
    account: Account,
    shared: tuple[str, list[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cold and two warm requests of each function, from the moment that is asked for."""
    group, _, ids = shared
    for name, value in account.cloud.environment({}).items():
        monkeypatch.setenv(name, value)
    reader = LogReader()
    found = reader.matching(group, 0.0, PATTERN, requests=5, deadline=time.monotonic() + 60)
    assert (found.complete, found.requests) == (True, 1)
    read = [_report(event) for event in found.events]
    assert [report.request_id for report in read] == ids
    assert [report.init_ms is None for report in read] == [False, False, True, True, True, True]
    later = reader.matching(
        group, found.events[3].at, PATTERN, requests=1, deadline=time.monotonic() + 60
    )
    assert set(later.events) <= set(found.events)
    assert later.events[-1] == found.events[-1]
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        reader.matching("absent", 0.0, PATTERN, requests=1, deadline=0.0)
    reader.close()


def _report(event: FilteredEvent) -> Report:
    found = report_from_line(event.message)
    assert found is not None
    return found
