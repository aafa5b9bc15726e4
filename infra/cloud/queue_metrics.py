"""AWS/SQS metrics: how many messages wait in each queue, once a minute of cloud time.

Source: Amazon SQS developer guide, "Available CloudWatch metrics for Amazon SQS". The others of
that page are not imitated.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from infra.cloud.agenda import Agenda
from infra.cloud.metrics import RESOLUTION, MetricId, MetricStore, Sample

__all__ = ["QueueMetrics"]


class QueueMetrics:
    """Samples the queues of one region for as long as the agenda runs."""

    def __init__(self, store: MetricStore, agenda: Agenda, region: str) -> None:
        self._store = store
        self._agenda = agenda
        self._region = region
        self._schedule()

    def _schedule(self) -> None:
        # In the middle of a minute, so that it is there when that minute has ended.
        now = self._agenda.clock.now()
        begin = now - timedelta(seconds=now.timestamp() % RESOLUTION)
        self._agenda.at(begin + timedelta(seconds=1.5 * RESOLUTION), self._sample)

    def _sample(self) -> None:
        try:
            backend: Any = sqs_backends[DEFAULT_ACCOUNT_ID][self._region]
            now = self._store.now()
            self._store.add(
                Sample(
                    MetricId.of(
                        "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": name}
                    ),
                    now,
                    float(queue.approximate_number_of_messages),
                    "Count",
                )
                for name, queue in list(backend.queues.items())
            )
        finally:
            self._schedule()
