"""AWS/Lambda metrics, from what the cloud itself sees.

Source: AWS Lambda developer guide, "Types of metrics for Lambda functions" and "View metrics for
Lambda functions" (dimensions, and that a timestamp is the moment of the invocation). Only the
maximum of a concurrency metric means something: how often it is sampled is our own choice.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from infra.cloud.clock import Clock
from infra.cloud.ledger import EnvironmentRecord, InvocationRecord
from infra.cloud.metrics import RESOLUTION, MetricId, MetricStore, Sample

__all__ = ["LambdaMetrics"]

_NAMESPACE = "AWS/Lambda"
_PROVISIONED = "provisioned-concurrency"
_MOST_UNCOUNTED = 10_000
_ANSWERED = ("success", "error", "timeout")

Dimensions = dict[str, str]


@dataclass
class _Level:
    """How many are at once, and the last minute since the epoch that has a sample of it."""

    now: int = 0
    minute: int = 0


@dataclass
class _Request:
    """What a request in flight counts for."""

    levels: list[MetricId]
    placed: bool = False


class LambdaMetrics:
    """Follows a ledger (`Ledger.subscribe(metrics.record)`) and asynchronous invokes. Thread-safe.

    Records are counted when metrics are read, and not while requests wait: to those of a burst,
    counting was an eighth of the cloud's work.
    Provisioned concurrency of a version is the number of its environments of that INIT type.
    """

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._uncounted: deque[EnvironmentRecord | InvocationRecord] = deque()
        self._levels: dict[MetricId, _Level] = {}
        self._requests: dict[int, _Request] = {}
        self._provisioned: dict[tuple[str, str], set[str]] = {}
        store.before_read.append(self.refresh)

    def record(self, record: EnvironmentRecord | InvocationRecord) -> None:
        """Take a record that is new or has changed."""
        self._uncounted.append(record)
        if len(self._uncounted) > _MOST_UNCOUNTED:
            with self._lock:
                self._count_all()

    def refresh(self) -> None:
        """Count what was recorded, and sample what is in flight: a request that lasts for minutes
        counts in each of them."""
        with self._lock:
            self._count_all()
            now = self._store.now()
            for metric, level in self._levels.items():
                if level.now:
                    self._store.add(_held(metric, level, now))

    def _count_all(self) -> None:
        while self._uncounted:
            self._count(self._uncounted.popleft())

    def _count(self, record: EnvironmentRecord | InvocationRecord) -> None:
        if isinstance(record, EnvironmentRecord):
            self._environment(record)
            return
        moment = self._moment(record.started)
        if record.status == "throttled":
            self._store.add(self._samples(record, moment, {"Throttles": 1.0}))
        elif record.sequence not in self._requests:
            if record.ended is None:
                self._begin(record, moment)
        elif record.ended is not None:
            self._end(record, self._moment(record.ended))
            self._store.add(self._outcome(record, moment))
        else:
            self._placed(record, moment)

    # Asynchronous invokes.

    def event_received(self, function: str, qualifier: str) -> None:
        """An event was queued."""
        self._event(function, qualifier, "AsyncEventsReceived", 1.0, "Count")

    def event_invoked(self, function: str, qualifier: str, age_seconds: float) -> None:
        """The function is invoked with an event that has waited so long, in cloud time."""
        self._event(function, qualifier, "AsyncEventAge", age_seconds * 1000, "Milliseconds")

    def event_dropped(self, function: str, qualifier: str) -> None:
        """An event was given up without a success."""
        self._event(function, qualifier, "AsyncEventsDropped", 1.0, "Count")

    def event_undelivered(self, function: str, qualifier: str, *, dead_letter: bool) -> None:
        """A dead-letter queue, or a destination, could not take an event."""
        name = "DeadLetterErrors" if dead_letter else "DestinationDeliveryFailures"
        self._event(function, qualifier, name, 1.0, "Count")

    def _event(self, function: str, qualifier: str, name: str, value: float, unit: str) -> None:
        now = self._store.now()
        self._store.add(
            Sample(MetricId.of(_NAMESPACE, name, dimensions), now, value, unit)
            for dimensions in _dimension_sets(function, qualifier)
        )

    def _moment(self, unix_seconds: float) -> float:
        return self._clock.at(unix_seconds).timestamp()

    def _environment(self, record: EnvironmentRecord) -> None:
        if record.init_type != _PROVISIONED or record.ready_at is None:
            return
        known = self._provisioned.setdefault((record.function, record.version), set())
        if record.ended_at is None:
            known.add(record.id)
        else:
            known.discard(record.id)

    def _begin(self, record: InvocationRecord, moment: float) -> None:
        levels = [
            MetricId.of(_NAMESPACE, "ConcurrentExecutions", dimensions)
            for dimensions in _dimension_sets(record.function, record.qualifier)
        ]
        if not record.reserved:
            levels.append(MetricId.of(_NAMESPACE, "UnreservedConcurrentExecutions", {}))
        self._requests[record.sequence] = _Request(levels)
        self._step(levels, 1, moment)

    def _placed(self, record: InvocationRecord, moment: float) -> None:
        request = self._requests[record.sequence]
        if request.placed or record.environment is None or record.provisioned is None:
            return
        request.placed = True
        kind = "Invocations" if record.provisioned else "SpilloverInvocations"
        self._store.add(self._samples(record, moment, {f"ProvisionedConcurrency{kind}": 1.0}))
        if record.provisioned:
            self._use_provisioned(record, request, moment)

    def _use_provisioned(self, record: InvocationRecord, request: _Request, moment: float) -> None:
        allocated = len(self._provisioned.get((record.function, record.version), ()))
        levels = [
            MetricId.of(_NAMESPACE, "ProvisionedConcurrentExecutions", dimensions)
            for dimensions in _executed_sets(record)
        ]
        request.levels += levels
        self._step(levels, 1, moment)
        self._store.add(
            Sample(
                metric._replace(name="ProvisionedConcurrencyUtilization"),
                moment,
                self._levels[metric].now / max(1, allocated),
            )
            for metric in levels
            if len(metric.dimensions) > 1  # of a version or an alias only
        )

    def _end(self, record: InvocationRecord, moment: float) -> None:
        self._step(self._requests.pop(record.sequence).levels, -1, moment)

    def _step(self, metrics: list[MetricId], change: int, moment: float) -> None:
        """One more or one less at once; each level that was held is a sample in each minute."""
        for metric in metrics:
            level = self._levels.setdefault(metric, _Level())
            if level.now:
                self._store.add(_held(metric, level, moment))
            level.now += change
            if level.now:
                level.minute = max(level.minute, math.floor(moment / RESOLUTION))
                self._store.add([Sample(metric, moment, float(level.now), "Count")])

    def _outcome(self, record: InvocationRecord, moment: float) -> Iterator[Sample]:
        if record.status not in _ANSWERED:
            return  # the cloud's own failure is no invocation
        counts = {"Invocations": 1.0, "Throttles": 0.0}
        counts["Errors"] = float(record.status != "success")
        yield from self._samples(record, moment, counts)
        if record.duration_ms is not None:
            yield from self._samples(record, moment, {"Duration": record.duration_ms})

    def _samples(
        self, record: InvocationRecord, moment: float, values: dict[str, float]
    ) -> Iterator[Sample]:
        for dimensions in _executed_sets(record):
            for name, value in values.items():
                unit = "Milliseconds" if name == "Duration" else "Count"
                yield Sample(MetricId.of(_NAMESPACE, name, dimensions), moment, value, unit)


def _held(metric: MetricId, level: _Level, until: float) -> Iterator[Sample]:
    """A sample in each minute through which the level was held, up to a moment."""
    for minute in range(level.minute + 1, math.ceil(until / RESOLUTION)):
        level.minute = minute
        yield Sample(metric, float(minute * RESOLUTION), float(level.now), "Count")


def _dimension_sets(function: str, qualifier: str) -> list[Dimensions]:
    """All functions, the function, and the version or alias that was asked for."""
    sets: list[Dimensions] = [{}, {"FunctionName": function}]
    if qualifier:
        sets.append({"FunctionName": function, "Resource": f"{function}:{qualifier}"})
    return sets


def _executed_sets(record: InvocationRecord) -> list[Dimensions]:
    """The same, and for an alias the version that it led to."""
    sets = _dimension_sets(record.function, record.qualifier)
    if record.qualifier and record.qualifier != "$LATEST" and not record.qualifier.isdecimal():
        sets.append({**sets[-1], "ExecutedVersion": record.version})
    return sets
