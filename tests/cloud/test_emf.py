"""Log lines that become metrics (CloudWatch user guide, "Embedded metric format")."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.emf import EmbeddedMetrics
from infra.cloud.metrics import MetricId, MetricStore
from tests.cloud.metric_clock import START, StandingClock
from warmer.telemetry import Metric, emit

MILLISECONDS = START * 1000
SPAN = range(START, START + 3600, 60)


def document(**changes: Any) -> dict[str, Any]:
    """A valid document; `changes` replace members of its one directive or of its root."""
    directive = {
        "Namespace": "Space",
        "Dimensions": [["function"]],
        "Metrics": [{"Name": "time", "Unit": "Milliseconds"}],
    }
    root = {"function": "f", "version": "7", "time": 100}
    for key, value in changes.items():
        (directive if key in directive else root)[key] = value
    return {"_aws": {"Timestamp": MILLISECONDS, "CloudWatchMetrics": [directive]}, **root}


def extract(*messages: str) -> MetricStore:
    """What log messages of the group `/aws/lambda/f` make."""
    clock = StandingClock()
    store = MetricStore(clock)
    events = [(MILLISECONDS, message) for message in messages]
    EmbeddedMetrics(store, clock).extract("/aws/lambda/f", events)
    return store


def total(store: MetricStore, name: str, dimensions: dict[str, str], space: str = "Space") -> Any:
    """(count, sum) of a metric."""
    found = store.periods(MetricId.of(space, name, dimensions), SPAN)
    return [(item.count, item.total) for item in found.values()]


def failures(store: MetricStore, kind: str) -> Any:
    """How many lines of the group were refused."""
    counted = total(store, f"EMF{kind}Errors", {"LogGroupName": "/aws/lambda/f"}, "AWS/Logs")
    return sum(count for count, _ in counted)


def test_a_line_is_a_metric_for_each_set_of_dimensions() -> None:
    """Also the empty one."""
    sets = [["function"], ["function", "version"], []]
    store = extract(json.dumps(document(Dimensions=sets)))
    known = {"function": "f", "version": "7"}
    for names in sets:
        assert total(store, "time", {name: known[name] for name in names}) == [(1, 100)]
    assert {metric.name for metric, _ in store.metrics()} == {"time"}


def test_an_array_is_as_many_measurements() -> None:
    """A target is a number or an array of numbers."""
    store = extract(json.dumps(document(time=[1, 2, 3.5])))
    assert total(store, "time", {"function": "f"}) == [(3, 6.5)]


def test_the_unit_is_kept_and_none_where_it_is_missing() -> None:
    """A MetricDefinition may have no unit."""
    metrics = [{"Name": "time", "Unit": "Seconds"}, {"Name": "size", "StorageResolution": 1}]
    store = extract(json.dumps(document(Metrics=metrics, size=5)))
    dimensions = {"function": "f"}
    assert store.units(MetricId.of("Space", "time", dimensions), SPAN) == {"Seconds"}
    assert store.units(MetricId.of("Space", "size", dimensions), SPAN) == {"None"}


def test_fields_before_the_document_are_no_hindrance() -> None:
    """Lambda may prepend a timestamp and a request id."""
    store = extract(f"2026-01-01T00:00:00Z\tid\tINFO\t{json.dumps(document())}\n")
    assert total(store, "time", {"function": "f"}) == [(1, 100)]


def test_what_our_own_functions_emit_becomes_metrics(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Powertools writes the line; it says when in its own words."""
    monkeypatch.setenv("WARMER_METRICS_NAMESPACE", "Ours")
    emit({Metric.COLD_START: 1.0, Metric.INIT_DURATION: 812.5}, {"service": "f"})
    store = extract(capsys.readouterr().out)
    assert failures(store, "Validation") == failures(store, "Parsing") == 0
    assert {(metric.namespace, metric.name) for metric, _ in store.metrics()} == {
        ("Ours", "ColdStart"),
        ("Ours", "InitDuration"),
    }


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "{}",
        json.dumps({"message": "_aws CloudWatchMetrics"}),
        json.dumps({"inner": document()}),
        json.dumps({"text": json.dumps(document())}),
    ],
)
def test_other_lines_are_no_metrics_and_no_failures(message: str) -> None:
    """EMF is at the root of the line or nowhere."""
    assert extract(message).metrics() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Namespace": ""},
        {"Namespace": 5},
        {"Dimensions": ["function"]},
        {"Dimensions": [["missing"]]},
        {"Dimensions": [[5]]},
        {"function": 5},
        {"Dimensions": [["function"] * 31]},
        {"Metrics": [{"Unit": "Count"}]},
        {"Metrics": [{"Name": "time", "Unit": "Hours"}]},
        {"Metrics": [{"Name": "time", "Unit": []}]},
        {"Metrics": [{"Name": "time"}] * 101},
        {"Metrics": ["time"]},
        {"Metrics": [{"Name": "absent"}]},
        {"time": "100"},
        {"time": True},
        {"time": 10**400},
        {"time": [1] * 101},
        {"time": [1, None]},
        {"_aws": []},
        {"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": 1e300, "CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": MILLISECONDS, "CloudWatchMetrics": {}}},
    ],
)
def test_a_malformed_document_gives_nothing_and_is_counted(
    changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """As EMFValidationErrors of AWS/Logs, and in the cloud's log."""
    text = json.dumps(
        {**document(**changes), **({"CloudWatchMetrics": 1} if "_aws" in changes else {})}
    )
    with caplog.at_level(logging.WARNING):
        store = extract(text)
    assert failures(store, "Validation") == 1
    assert total(store, "time", {"function": "f"}) == []
    assert "gives no metrics" in caplog.text


def test_a_line_that_is_no_json_is_counted() -> None:
    """As EMFParsingErrors of AWS/Logs; NaN is no JSON."""
    cut = json.dumps(document())[:-1]
    nan = json.dumps(document(time=float("nan")))
    deep = '{"_aws": {"CloudWatchMetrics": ' + "[" * 100_000
    assert failures(extract(cut, nan, deep), "Parsing") == 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Namespace", "Dimensions", "Metrics", "Name", "Unit", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(ANYTHING, ANYTHING)
def test_nothing_that_a_function_prints_raises(metadata: Any, directives: Any) -> None:
    """A malformed line never costs the log its events."""
    extract(json.dumps({"_aws": metadata, "CloudWatchMetrics": 1}))
    content = {"Timestamp": MILLISECONDS, "CloudWatchMetrics": directives}
    extract(json.dumps({"_aws": content, "x": "y"}))
