"""Asynchronous invokes: queued, run, and tried again as their configuration says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from infra.cloud.agenda import Agenda
from infra.cloud.function import Outcome
from infra.cloud.functions import Resolved
from infra.cloud.refusal import InvokeRefused

log = logging.getLogger("warmer.cloud")

# Lambda waits one minute before the first retry of a function error and two before the second
# (AWS Lambda developer guide, "Error handling for asynchronous invocations").
_ERROR_DELAYS = (timedelta(minutes=1), timedelta(minutes=2))
# Throttles are tried again after one second, then longer, up to five minutes (the same page).
_THROTTLE_DELAY_SECONDS = (1.0, 300.0)

Run = Callable[[Resolved, bytes], Outcome]
Resolve = Callable[[str, str], Resolved]


class EventObserver(Protocol):
    """Is told of events; `qualifier` is the version or alias asked for, empty for none."""

    def event_received(self, function: str, qualifier: str) -> None:
        """An event was queued."""

    def event_invoked(self, function: str, qualifier: str, age_seconds: float) -> None:
        """The function was invoked with an event that had waited so long, in cloud time."""

    def event_dropped(self, function: str, qualifier: str) -> None:
        """An event was given up without a success."""


@dataclass(frozen=True)
class Queued:
    """One asynchronous invoke: what to run, since when it waits, and how often it was tried."""

    region: str
    target: Resolved
    payload: bytes
    accepted: datetime
    errors: int = 0
    throttles: int = 0

    @property
    def named(self) -> tuple[str, str]:
        """The function's name, and the version or alias that was asked for."""
        qualified = self.target.invoked_arn.partition(":function:")[2]
        return self.target.version.name, qualified.partition(":")[2]


class EventInvokes:
    """Runs asynchronous invokes on threads of its own; delays follow cloud time.

    observer: is told of each event, in the order in which things happen to it.
    """

    def __init__(
        self, agenda: Agenda, run: Run, resolve: Resolve, observer: EventObserver | None = None
    ) -> None:
        self._agenda = agenda
        self._observer = observer
        self._run = run
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(64, thread_name_prefix="event-invoke")

    def submit(self, region: str, target: Resolved, payload: bytes) -> None:
        """Take one invoke; it starts as soon as a thread is free."""
        queued = Queued(region, target, payload, self._agenda.clock.now())
        if self._observer is not None:
            self._observer.event_received(*queued.named)
        self._start(queued)

    def close(self) -> None:
        """Drop what waits; what runs ends with its environment."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, queued: Queued) -> None:
        self._threads.submit(self._attempt, queued)

    def _attempt(self, queued: Queued) -> None:
        try:
            self._try(queued)
        except Exception:
            log.exception("asynchronous invoke of %s failed", queued.target.invoked_arn)

    def _try(self, queued: Queued) -> None:
        config = queued.target.event_invoke
        age = (self._agenda.clock.now() - queued.accepted).total_seconds()
        if age > config.maximum_age_seconds:
            self._drop(queued, "EventAgeExceeded")
            return
        try:
            # The alias may have moved since.
            target = self._resolve(queued.region, queued.target.invoked_arn)
            outcome = self._run(target, queued.payload)
        except InvokeRefused as error:
            if error.status != 429:
                self._drop(queued, str(error))
                return
            first, last = _THROTTLE_DELAY_SECONDS
            delay = timedelta(seconds=min(last, first * 2**queued.throttles))
            self._again(queued, delay, throttles=1)
            return
        if self._observer is not None:
            self._observer.event_invoked(*queued.named, age)
        if outcome.function_error is None:
            return
        if queued.errors < config.retry_attempts:
            self._again(queued, _ERROR_DELAYS[min(queued.errors, 1)], errors=1)
        else:
            self._drop(queued, "RetriesExhausted")

    def _again(
        self, queued: Queued, delay: timedelta, *, errors: int = 0, throttles: int = 0
    ) -> None:
        later = Queued(
            queued.region,
            queued.target,
            queued.payload,
            queued.accepted,
            queued.errors + errors,
            queued.throttles + throttles,
        )
        self._agenda.at(self._agenda.clock.now() + delay, lambda: self._start(later))

    def _drop(self, queued: Queued, why: str) -> None:
        log.warning("asynchronous invoke of %s dropped: %s", queued.target.invoked_arn, why)
        if self._observer is not None:
            self._observer.event_dropped(*queued.named)
