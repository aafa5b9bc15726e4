"""The figures of the dashboard: what is asked for, when, and at what price."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from warmer.dashboard.page import page
from warmer.dashboard.reading import Dashboard, cloud_clock
from warmer.dashboard.server import DashboardServer
from warmer.dashboard.widgets import Names
from warmer.errors import ConfigurationError, ServiceError

NAMES = Names("Warmer", "s-warmer", "s-inference", "s-pre-traffic")
NOW = 1_764_000_100.0


class Figures:
    """A reader that has one point for each query, or fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[Mapping[str, object]], float, float]] = []
        self.failure: Exception | None = None

    def series(
        self, queries: Sequence[Mapping[str, object]], start: float, end: float
    ) -> dict[str, dict[float, float]]:
        """Remembers what was asked."""
        self.asked.append((queries, start, end))
        if self.failure:
            raise self.failure
        return {str(query["Id"]): {start: 1.5} for query in queries}


@pytest.fixture
def reader() -> Figures:
    """What stands for CloudWatch."""
    return Figures()


@pytest.fixture
def dashboard(reader: Figures) -> Dashboard:
    """Of three hours, by five minutes."""
    return Dashboard(NAMES, reader, clock=lambda: NOW)


def test_all_widgets_are_one_request(dashboard: Dashboard, reader: Figures) -> None:
    """Each line once; the period that is running is in it."""
    found: Any = dashboard.read()
    ((queries, start, end),) = reader.asked
    ids = [query["Id"] for query in queries]
    assert len(ids) == len(set(ids))
    assert (end - start, end % 300) == (3 * 3600, 0)
    assert start < NOW < end
    assert [item["key"] for item in found["widgets"]][:2] == ["cold_starts", "latency"]
    assert found["widgets"][0]["lines"][0]["points"] == [(start, 1.5)]


def test_statistics_are_paid_for_and_expressions_are_not(
    dashboard: Dashboard, reader: Figures
) -> None:
    """$0.01 for a thousand metrics (CloudWatch pricing page)."""
    dashboard.read()
    asked = [query for query in reader.asked[0][0] if "MetricStat" in query]
    assert dashboard.read_usd == pytest.approx(len(asked) * 0.00001)


def test_what_is_not_shown_returns_no_data(dashboard: Dashboard, reader: Figures) -> None:
    """It is only asked for where an expression needs it."""
    dashboard.read()
    returned = {query["Id"]: query["ReturnData"] for query in reader.asked[0][0]}
    assert (returned["cold"], returned["cold_rate"]) == (False, True)


@pytest.mark.parametrize(("hours", "period"), [(3, 90), (3, 0), (336, 60)])
def test_a_period_that_cannot_be_is_refused(hours: float, period: int) -> None:
    """Whole minutes, and no more points than a screen shows."""
    with pytest.raises(ConfigurationError, match="a multiple of 60 s, from"):
        Dashboard(NAMES, Figures(), hours=hours, period=period)


def test_the_time_is_this_machines_where_no_cloud_tells_another() -> None:
    """On AWS, and where nothing answers."""
    assert cloud_clock(None) is time.time
    assert cloud_clock("localhost") is time.time
    assert cloud_clock("http://127.0.0.1:9")() == pytest.approx(time.time(), abs=5)


@contextmanager
def served(dashboard: Dashboard, every: float = 60.0) -> Iterator[tuple[Any, DashboardServer]]:
    """A connection to a server of this dashboard."""
    with DashboardServer(dashboard, every) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        try:
            yield connection, server
        finally:
            connection.close()
            server.shutdown()
            thread.join()


def got(connection: Any, place: str) -> tuple[int, str]:
    """Status and text of an answer."""
    connection.request("GET", place)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_page_is_served_without_a_read(dashboard: Dashboard, reader: Figures) -> None:
    """Figures cost money: they are read when the page asks."""
    with served(dashboard) as (connection, _):
        status, text = got(connection, "/")
    assert (status, reader.asked) == (200, [])
    assert "<h1>s-inference</h1>" in text
    assert not [word for word in ("http://", "https://", "src=") if word in text.split("svg")[0]]


def test_browsers_share_what_was_read(dashboard: Dashboard, reader: Figures) -> None:
    """Two that ask within the interval cost as one."""
    with served(dashboard) as (connection, server):
        first, second = got(connection, "/data.json"), got(connection, "/data.json?again")
        assert server.reads == 1
    assert first == second
    assert json.loads(first[1])["now"] == NOW
    assert len(reader.asked) == 1


def test_a_failed_read_says_why_and_the_next_one_asks_again(
    dashboard: Dashboard, reader: Figures
) -> None:
    """502, so that the page can tell; nothing of it is kept."""
    with served(dashboard) as (connection, _):
        reader.failure = ServiceError("cloudwatch brought no answer")
        status, text = got(connection, "/data.json")
        assert (status, json.loads(text)) == (502, {"error": "cloudwatch brought no answer"})
        reader.failure = None
        assert got(connection, "/data.json")[0] == 200


def test_other_places_are_not_there(dashboard: Dashboard) -> None:
    """And the answer says what is."""
    with served(dashboard) as (connection, _):
        assert got(connection, "/favicon.ico") == (404, "There are / and /data.json\n")


def test_a_name_cannot_end_the_pages_script() -> None:
    """Whatever a function is called."""
    text = page({"warmer": "</script><b>", "function": None, "namespace": "<!--"})
    assert "</script><b>" not in text
    assert "<!--" not in text
    assert "&lt;/script&gt;&lt;b&gt;" in text
