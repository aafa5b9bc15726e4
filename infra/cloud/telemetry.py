"""Telemetry of a local cloud, put together: metrics, what they come from, and alarms on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra.cloud import cloudwatch_api
from infra.cloud.agenda import Agenda
from infra.cloud.clock import Clock
from infra.cloud.cloudwatch import CloudWatchSettings
from infra.cloud.emf import EmbeddedMetrics
from infra.cloud.lambda_metrics import LambdaMetrics
from infra.cloud.ledger import Ledger
from infra.cloud.metrics import MetricStore
from infra.cloud.queue_metrics import QueueMetrics

__all__ = ["Telemetry"]


class Telemetry:
    """Metrics of one region, where functions run; other regions have what is put there.

    delay_seconds: cloud time after which a sample can be seen.
    """

    def __init__(self, clock: Clock, ledger: Ledger, region: str, delay_seconds: float) -> None:
        self._clock = clock
        self._region = region
        self.store = MetricStore(clock, delay_seconds)
        self.functions = LambdaMetrics(self.store, clock)
        self._embedded = EmbeddedMetrics(self.store, clock)
        self._settings: CloudWatchSettings | None = None
        ledger.subscribe(self.functions.record)

    def logged(self, group: str, events: Sequence[tuple[int, str]]) -> None:
        """Extract metrics from log events (Unix milliseconds, message) of a log group."""
        self._embedded.extract(group, events)

    def start(self, agenda: Agenda, flush_logs: Callable[[], None]) -> None:
        """Make CloudWatch's API answer from here.

        flush_logs: waits until all that was logged has been given to `logged`; so a query sees it.
        """
        self.store.before_read.insert(0, flush_logs)
        self._settings = CloudWatchSettings(agenda, self._store)
        cloudwatch_api.install(self._settings)
        QueueMetrics(self.store, agenda, self._region)

    def close(self) -> None:
        """Run no more alarm actions. The agenda must have ended."""
        if self._settings is not None:
            self._settings.close()

    def _store(self, region: str) -> MetricStore:
        delay = self.store.delay_seconds
        return self.store if region == self._region else MetricStore(self._clock, delay)
