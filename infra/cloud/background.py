"""Asynchronous invokes: queued, run, tried again as their configuration says, and recorded.

Source: AWS Lambda developer guide, "How Lambda handles errors and retries with asynchronous
invocation", "Capturing records of Lambda asynchronous invocations".
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from infra.cloud.agenda import Agenda
from infra.cloud.destinations import DeliveryFailed, Destinations, invocation_record
from infra.cloud.function import Outcome
from infra.cloud.functions import Resolved
from infra.cloud.refusal import InvokeRefused

log = logging.getLogger("warmer.cloud")

# Lambda waits one minute before the first retry of a function error and two before the second (AWS
# Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation").
_ERROR_DELAYS = (timedelta(minutes=1), timedelta(minutes=2))
# Throttles are tried again after one second, then longer, up to five minutes (the same page).
_THROTTLE_DELAY_SECONDS = (1.0, 300.0)

# With the request's id, which stays the same however often it is tried.
Run = Callable[[Resolved, bytes, str], Outcome]
Resolve = Callable[[str, str], Resolved]


class EventObserver(Protocol):
    """Is told of events; `qualifier` is the version or alias asked for, empty for none."""

    def event_received(self, function: str, qualifier: str) -> None:
        """An event was queued."""

    def event_invoked(self, function: str, qualifier: str, age_seconds: float) -> None:
        """The function was invoked with an event that had waited so long, in cloud time."""

    def event_dropped(self, function: str, qualifier: str) -> None:
        """An event was given up without a success."""

    def event_undelivered(self, function: str, qualifier: str, *, dead_letter: bool) -> None:
        """A dead-letter queue, or a destination, could not take an event."""


@dataclass(frozen=True)
class Queued:
    """One asynchronous invoke: what to run, since when it waits, and how often it was tried."""

    region: str
    target: Resolved
    payload: bytes
    accepted: datetime
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    errors: int = 0
    throttles: int = 0
    attempts: int = 0
    outcome: Outcome | None = None

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
        self,
        agenda: Agenda,
        run: Run,
        resolve: Resolve,
        observer: EventObserver | None = None,
        destinations: Destinations | None = None,
    ) -> None:
        self._agenda = agenda
        self._observer = observer
        self._destinations = destinations
        self._run = run
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(64, thread_name_prefix="event-invoke")

    def submit(self, region: str, target: Resolved, payload: bytes) -> str:
        """Take one invoke; it starts as soon as a thread is free. Returns its request id."""
        queued = Queued(region, target, payload, self._agenda.clock.now())
        if self._observer is not None:
            self._observer.event_received(*queued.named)
        self._start(queued)
        return queued.request_id

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
            outcome = self._run(target, queued.payload, queued.request_id)
        except InvokeRefused as error:
            if error.status != 429:
                self._drop(queued, str(error))
                return
            first, last = _THROTTLE_DELAY_SECONDS
            delay = timedelta(seconds=min(last, first * 2**queued.throttles))
            self._again(replace(queued, throttles=queued.throttles + 1), delay)
            return
        if self._observer is not None:
            self._observer.event_invoked(*queued.named, age)
        queued = replace(queued, outcome=outcome, attempts=queued.attempts + 1)
        if outcome.function_error is None:
            self._record(queued, "Success", config.on_success)
        elif queued.errors < config.retry_attempts:
            delay = _ERROR_DELAYS[min(queued.errors, 1)]
            self._again(replace(queued, errors=queued.errors + 1), delay)
        else:
            self._drop(queued, "RetriesExhausted")

    def _again(self, later: Queued, delay: timedelta) -> None:
        self._agenda.at(self._agenda.clock.now() + delay, lambda: self._start(later))

    def _drop(self, queued: Queued, why: str) -> None:
        log.warning("asynchronous invoke of %s dropped: %s", queued.target.invoked_arn, why)
        if self._observer is not None:
            self._observer.event_dropped(*queued.named)
        self._dead_letter(queued, why)
        known = ("RetriesExhausted", "EventAgeExceeded")
        condition = why if why in known else known[0]
        self._record(queued, condition, queued.target.event_invoke.on_failure)

    def _record(self, queued: Queued, condition: str, destination: str | None) -> None:
        if destination is None or self._destinations is None:
            return
        target = queued.target
        arn = target.invoked_arn if queued.named[1] else f"{target.invoked_arn}:$LATEST"
        context = {
            "requestId": queued.request_id,
            "functionArn": arn,
            "condition": condition,
            "approximateInvokeCount": queued.attempts,
        }
        moment = self._agenda.clock.now().astimezone(UTC).isoformat(timespec="milliseconds")
        record = invocation_record(
            context, queued.payload, _response(queued.outcome), moment.replace("+00:00", "Z")
        )
        try:
            self._destinations.deliver(destination, record, arn)
        except DeliveryFailed as error:
            self._undelivered(queued, error, dead_letter=False)

    def _dead_letter(self, queued: Queued, why: str) -> None:
        arn, outcome = queued.target.dead_letter_arn, queued.outcome
        if arn is None or self._destinations is None:
            return
        said = why if outcome is None else _error_message(outcome.payload)
        status = 200 if outcome is not None else 429 if queued.throttles else 404
        try:
            self._destinations.dead_letter(arn, queued.payload, queued.request_id, status, said)
        except DeliveryFailed as error:
            self._undelivered(queued, error, dead_letter=True)

    def _undelivered(self, queued: Queued, error: DeliveryFailed, *, dead_letter: bool) -> None:
        log.warning("asynchronous invoke of %s: %s", queued.target.invoked_arn, error)
        if self._observer is not None:
            self._observer.event_undelivered(*queued.named, dead_letter=dead_letter)


def _response(outcome: Outcome | None) -> dict[str, Any] | None:
    """What a record says of the last answer."""
    if outcome is None:
        return None
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": outcome.executed_version}
    if outcome.function_error:
        context["functionError"] = outcome.function_error
    try:
        payload = json.loads(outcome.payload or b"null")
    except ValueError:  # a runtime may answer what is no JSON
        payload = outcome.payload.decode(errors="replace")
    return {"responseContext": context, "responsePayload": payload}


def _error_message(payload: bytes) -> str:
    """What a function that failed says, as its answer has it."""
    try:
        return str(json.loads(payload)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return payload.decode(errors="replace")
