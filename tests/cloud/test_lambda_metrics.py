"""AWS/Lambda metrics (AWS Lambda developer guide, "Types of metrics for Lambda functions")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.clock import Clock
from infra.cloud.function import FunctionVersion
from infra.cloud.lambda_metrics import LambdaMetrics
from infra.cloud.ledger import Ledger
from infra.cloud.metrics import MetricId, MetricStore
from infra.cloud.provisioner import Provisioned
from tests.cloud.conftest import Start
from tests.cloud.metric_clock import START, StandingClock
from tests.cloud.sample_function import deploy, request, wait_until

SPAN = range(START, START + 7200, 60)
FUNCTION = {"FunctionName": "sample"}
ALIAS = {**FUNCTION, "Resource": "sample:live"}


@dataclass
class World:
    """A ledger whose metrics are kept, and the clock of both."""

    version: FunctionVersion
    clock: StandingClock
    ledger: Ledger
    metrics: LambdaMetrics
    store: MetricStore

    def begin(self, qualifier: str = "", at: float | None = None, **changes: Any) -> int:
        """A request is accepted."""
        self.clock.seconds = self.clock.seconds if at is None else START + at
        arn = f"{self.version.arn}:{qualifier}" if qualifier else self.version.arn
        return self.ledger.invoked(self.version, request(self.version, invoked_arn=arn, **changes))

    def end(self, sequence: int, status: str = "success", at: float | None = None) -> None:
        """It is answered."""
        self.clock.seconds = self.clock.seconds if at is None else START + at
        self.ledger.completed(sequence, status, 12.5, 13)

    def of(self, name: str, dimensions: dict[str, str], stat: str = "total") -> dict[int, float]:
        """A statistic of a metric by seconds since START."""
        self.store.refresh()
        found = self.store.periods(MetricId.of("AWS/Lambda", name, dimensions), SPAN)
        return {at - START: getattr(item, stat) for at, item in found.items()}


def world_of(version: FunctionVersion) -> World:
    """A world in which nothing has happened."""
    clock = StandingClock()
    store = MetricStore(clock)
    metrics = LambdaMetrics(store, clock)
    ledger = Ledger(clock=lambda: clock.seconds)
    ledger.subscribe(metrics.record)
    return World(version, clock, ledger, metrics, store)


VERSION = FunctionVersion(
    account_id="123456789012",
    region="us-east-1",
    name="sample",
    version="7",
    handler="app.handler",
    runtime="python3.12",
    code=Path(),
    code_sha256="",
)


@pytest.fixture
def world() -> World:
    """A world in which nothing has happened."""
    return world_of(VERSION)


@pytest.mark.aws(
    "Lambda developer guide: View metrics for Lambda functions",
    "An invocation counts at the moment it began",
)
def test_an_invocation_counts_at_the_moment_it_began(world: World) -> None:
    """The same guide, "View metrics for Lambda functions": not when it ended."""
    world.end(world.begin(at=10), at=130)
    assert world.of("Invocations", FUNCTION) == {0: 1}
    assert world.of("Duration", FUNCTION) == {0: 12.5}
    assert world.of("Errors", FUNCTION) == {0: 0}


def test_an_alias_has_dimensions_of_its_own(world: World) -> None:
    """All functions, the function, the alias, and the version that the alias led to."""
    world.end(world.begin("live"))
    for dimensions in ({}, FUNCTION, ALIAS, {**ALIAS, "ExecutedVersion": "7"}):
        assert world.of("Invocations", dimensions) == {0: 1}
    assert world.of("ConcurrentExecutions", ALIAS, "maximum") == {0: 1}


@pytest.mark.parametrize("qualifier", ["7", "$LATEST"])
def test_a_version_has_no_executed_version(world: World, qualifier: str) -> None:
    """That dimension is for aliases."""
    world.end(world.begin(qualifier))
    resource = {**FUNCTION, "Resource": f"sample:{qualifier}"}
    assert world.of("Invocations", resource) == {0: 1}
    assert world.of("Invocations", {**resource, "ExecutedVersion": "7"}) == {}


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_errors_are_invocations_too(world: World, status: str) -> None:
    """Exceptions and time-outs alike; so that Errors / Invocations is the error rate."""
    world.end(world.begin(), status)
    world.end(world.begin())
    assert world.of("Errors", FUNCTION) == {0: 1}
    assert world.of("Invocations", FUNCTION) == {0: 2}


def test_throttled_requests_are_throttles_only(world: World) -> None:
    """Throttled requests count neither as invocations nor as errors."""
    refused = request(VERSION)
    world.ledger.throttled(VERSION, refused, "ConcurrentInvocationLimitExceeded")
    assert world.of("Throttles", FUNCTION) == {0: 1}
    assert world.of("Invocations", FUNCTION) == {}
    assert world.of("ConcurrentExecutions", FUNCTION) == {}


def test_a_failure_of_the_cloud_is_no_invocation(world: World) -> None:
    """Invocation errors are not recorded, but the request was in flight."""
    world.end(world.begin(), "failed")
    assert world.of("Invocations", FUNCTION) == {}
    assert world.of("ConcurrentExecutions", FUNCTION, "maximum") == {0: 1}
    assert world.of("ConcurrentExecutions", FUNCTION, "maximum") == {0: 1}


def test_a_long_request_counts_in_each_of_its_minutes(world: World) -> None:
    """Also while it still runs, and no longer than that."""
    long = world.begin(at=10)
    world.clock.seconds = START + 130
    assert world.of("ConcurrentExecutions", {}, "maximum") == {0: 1, 60: 1, 120: 1}
    world.end(long, at=190)
    world.clock.seconds = START + 400
    assert world.of("ConcurrentExecutions", {}, "maximum") == {0: 1, 60: 1, 120: 1, 180: 1}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 400)), min_size=1, max_size=12))
def test_concurrency_is_the_most_that_ran_at_once_in_a_minute(
    spans: Sequence[tuple[int, int]],
) -> None:
    """Against a count at every second."""
    world = world_of(VERSION)
    running: dict[int, int] = {}
    changes: list[tuple[float, int, int]] = [(at, 1, index) for index, (at, _) in enumerate(spans)]
    # Half a second on, so that no request ends just as a minute does.
    changes += [(at + length + 0.5, 0, index) for index, (at, length) in enumerate(spans)]
    for at, starts, index in sorted(changes):
        if starts:
            running[index] = world.begin(at=at)
        else:
            world.end(running[index], at=at)
    expected: dict[int, int] = {}
    for second in range(1400):
        busy = sum(at <= second <= at + length for at, length in spans)
        if busy:
            minute = second - second % 60
            expected[minute] = max(expected.get(minute, 0), busy)
    assert world.of("ConcurrentExecutions", FUNCTION, "maximum") == expected


def test_unreserved_concurrency_leaves_out_functions_with_a_reservation(world: World) -> None:
    """It is of a region: there are no dimensions."""
    kept = [world.begin(reserved=True), world.begin(), world.begin()]
    for sequence in kept:
        world.end(sequence)
    assert world.of("UnreservedConcurrentExecutions", {}, "maximum") == {0: 2}
    assert world.of("ConcurrentExecutions", {}, "maximum") == {0: 3}


def test_provisioned_concurrency_has_metrics_of_its_own(world: World) -> None:
    """Invocations on it, spill-over, how many at once, and their share of what is allocated."""
    provisioned = replace(VERSION, init_type="provisioned-concurrency")
    for name in ("p1", "p2"):
        world.ledger.spawned(name, provisioned)
        world.ledger.ready(name, 100.0)
    world.ledger.spawned("d1", VERSION)
    requests = [world.begin("live") for _ in range(3)]
    world.ledger.placed(requests[0], "p1", cold=False, provisioned=True)
    assert world.of("ProvisionedConcurrencyUtilization", ALIAS, "maximum") == {0: 0.5}
    world.ledger.placed(requests[1], "p2", cold=False, provisioned=True)
    world.ledger.placed(requests[2], "d1", cold=True, provisioned=False)
    for sequence in requests:
        world.end(sequence)
    assert world.of("ProvisionedConcurrencyInvocations", ALIAS) == {0: 2}
    assert world.of("ProvisionedConcurrencySpilloverInvocations", ALIAS) == {0: 1}
    assert world.of("ProvisionedConcurrentExecutions", ALIAS, "maximum") == {0: 2}
    assert world.of("ProvisionedConcurrencyUtilization", ALIAS, "maximum") == {0: 1}
    assert world.of("ConcurrentExecutions", ALIAS, "maximum") == {0: 3}


def test_provisioned_environments_are_counted_as_they_are(start: Start, tmp_path: Path) -> None:
    """Through the data plane: one of two in use is half of what is allocated."""
    running, version = start(), deploy(tmp_path, version="1")
    clock = Clock()
    store = MetricStore(clock)
    running.ledger.subscribe(LambdaMetrics(store, clock).record)
    running.plane.provision(version, 2)
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(2, 2, 0, "READY"))
    running.plane.invoke(version, request(version, invoked_arn=f"{version.arn}:live"))
    store.refresh()
    begun = math.floor(store.now() / 3600) * 3600
    span = range(begun - 3600, begun + 3600, 7200)

    def maximum(name: str) -> list[float]:
        found = store.periods(MetricId.of("AWS/Lambda", name, ALIAS), span)
        return [item.maximum for item in found.values()]

    assert maximum("ProvisionedConcurrencyUtilization") == [0.5]
    assert maximum("ProvisionedConcurrentExecutions") == [1]
    assert maximum("ProvisionedConcurrencyInvocations") == [1]
    assert maximum("ProvisionedConcurrencySpilloverInvocations") == []


def test_functions_without_provisioned_concurrency_have_none_of_its_metrics(world: World) -> None:
    """Not even zeros."""
    world.ledger.spawned("d1", VERSION)
    sequence = world.begin("live")
    world.ledger.placed(sequence, "d1", cold=True)
    world.end(sequence)
    assert not [metric for metric, _ in world.store.metrics() if "Provisioned" in metric.name]


@pytest.mark.aws(
    "Lambda developer guide: Types of metrics for Lambda functions",
    "Asynchronous events are counted with their age",
)
def test_asynchronous_events_are_counted_with_their_age(world: World) -> None:
    """The same guide, "Asynchronous invocation metrics"; the age is in milliseconds."""
    world.metrics.event_received("sample", "live")
    world.metrics.event_invoked("sample", "live", 1.5)
    world.metrics.event_dropped("sample", "live")
    for dimensions in ({}, FUNCTION, ALIAS):
        assert world.of("AsyncEventsReceived", dimensions) == {0: 1}
        assert world.of("AsyncEventAge", dimensions) == {0: 1500}
        assert world.of("AsyncEventsDropped", dimensions) == {0: 1}


def test_a_failing_subscriber_costs_no_invocation(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted."""

    def fail(record: object) -> None:
        raise OSError("no")

    world.ledger.subscribe(fail)
    world.end(world.begin())
    assert world.ledger.failures == 2
    assert "a subscriber of the ledger failed" in caplog.text
    assert world.of("Invocations", FUNCTION) == {0: 1}
