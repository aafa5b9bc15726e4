"""Environments made ahead of requests: provisioned concurrency, and SnapStart's parked ones.

Sources: AWS Lambda developer guide, "Configuring provisioned concurrency for a function" and
"Improving startup performance with Lambda SnapStart".

What is not true of SnapStart here: there are no snapshots. Each environment runs an INIT of its
own, is parked frozen where AWS would take the snapshot, and goes on from there when a request needs
it. So what INIT made unique (a random number, a connection) is not shared by environments, as it
would be on AWS, and a restore takes no time for loading memory.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from infra.cloud.environment import Environment
from infra.cloud.failure import InitFailed
from infra.cloud.function import FunctionVersion, InitType
from infra.cloud.report import init_report_line
from warmer.errors import CloudError

__all__ = ["Provisioned", "Provisioner", "Stock"]

_log = logging.getLogger("warmer.cloud")


@dataclass(frozen=True)
class Provisioned:
    """What a version has of provisioned concurrency, or of parked environments under SnapStart.

    requested: how many it is to have. available: how many are initialised; under SnapStart those
    that wait to be restored. in_use: how many of them serve a request now.
    status, reason: as in the AWS Lambda API reference, "GetProvisionedConcurrencyConfig": "FAILED"
    when an INIT failed; no more are made then until the version is provisioned again.
    """

    requested: int
    available: int
    in_use: int
    status: Literal["IN_PROGRESS", "READY", "FAILED"]
    reason: str = ""


@dataclass(frozen=True)
class Stock:
    """What the provisioner may do with the data plane's environments.

    lock: guards them all. all: every environment. create: makes one, without processes yet.
    release: gives one back, usable or not. retire: ends idle ones now, busy ones when released.
    """

    lock: threading.Condition
    all: Callable[[], Iterable[Environment]]
    create: Callable[[FunctionVersion, InitType], Environment]
    release: Callable[[Environment, str], None]
    retire: Callable[[Callable[[Environment], bool]], None]


@dataclass
class _Order:
    """One version's wish. making: how many are ordered, and not begun. begun: those of `ids` that
    no request finds yet, whatever their state is."""

    version: FunctionVersion
    requested: int
    making: int = 0
    failure: str = ""
    ids: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)


class Provisioner:
    """Keeps as many environments of each version ready as was asked for, replacing those that end.

    As many INITs run side by side as there are processors. Thread-safe.
    """

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._orders: dict[str, _Order] = {}
        self._closed = False
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="provisioner")

    def request(self, version: FunctionVersion, count: int) -> None:
        """Have `count` environments of a version ready; returns at once. 0 takes them away."""
        with self._stock.lock:
            order = self._orders.setdefault(version.key, _Order(version, 0))
            order.requested, order.failure = count, ""
            # Those that are busy stay before others, and older ones before newer.
            held = sorted(self._held(order), key=lambda item: item.state == "busy", reverse=True)
            surplus = {item.id for item in held[count:]}
            order.ids -= surplus
            if count == 0:
                del self._orders[version.key]
        if surplus:
            self._stock.retire(lambda environment: environment.id in surplus)
        self._refill(order)

    def forget(self, concerned: Callable[[FunctionVersion], bool]) -> set[str]:
        """Make no more environments of these versions; those that are there are not ended.

        Returns the ARNs of the functions that had some.
        """
        with self._stock.lock:
            gone = {key: order for key, order in self._orders.items() if concerned(order.version)}
            for key, order in gone.items():
                order.requested = 0
                del self._orders[key]
        return {order.version.arn for order in gone.values()}

    def status(self, version: FunctionVersion) -> Provisioned | None:
        """How far a version's request has come; None when there is none."""
        with self._stock.lock:
            order = self._orders.get(version.key)
            if order is None:
                return None
            states = [item.state for item in self._held(order) if item.id not in order.begun]
            ready = sum(state in ("idle", "parked", "busy") for state in states)
            settled = ready >= order.requested
            return Provisioned(
                order.requested,
                ready,
                states.count("busy"),
                "READY" if settled else "FAILED" if order.failure else "IN_PROGRESS",
                "" if settled else order.failure,
            )

    def concurrency(self, function: str) -> int:
        """Provisioned concurrency of a function's versions together, by the function's ARN."""
        with self._stock.lock:
            return sum(
                order.requested
                for order in self._orders.values()
                if order.version.arn == function and order.version.init_type != "snap-start"
            )

    def serves(self, environment: Environment) -> bool | None:
        """Whether it is provisioned concurrency; None when its version has none."""
        if environment.key not in self._orders or environment.version.init_type == "snap-start":
            return None
        return environment.provisioned

    def left(self, environment: Environment) -> None:
        """An environment ended, or was restored: it is replaced if it was one of ours."""
        with self._stock.lock:
            order = self._orders.get(environment.key)
            if order is None or environment.id not in order.ids:
                return
            order.ids.discard(environment.id)
        self._refill(order)

    def stop(self) -> None:
        """Make no more environments from now on."""
        with self._stock.lock:
            self._closed = True
            self._orders.clear()

    def join(self) -> None:
        """Wait for the threads; they are quick once the environments have been killed."""
        self._threads.shutdown(cancel_futures=True)

    def _held(self, order: _Order) -> list[Environment]:
        return [item for item in self._stock.all() if item.id in order.ids and not item.retired]

    def _refill(self, order: _Order) -> None:
        with self._stock.lock:
            if self._closed or order.failure:
                return
            missing = order.requested - len(order.ids) - order.making
            for _ in range(missing):
                order.making += 1
                self._threads.submit(self._make, order).add_done_callback(_tell)

    def _make(self, order: _Order) -> None:
        with self._stock.lock:
            order.making -= 1
            if self._closed or len(order.ids) >= order.requested:
                return
        try:
            with self._stock.lock:
                environment = self._stock.create(order.version, _told(order.version))
                order.ids.add(environment.id)
                order.begun.add(environment.id)
            self._initialise(order, environment)
        except (CloudError, OSError) as error:
            self._fail(order, f"The environment could not be made: {error}")

    def _initialise(self, order: _Order, environment: Environment) -> None:
        reason = "failed"
        try:
            init_ms = environment.initialise()
            environment.stream.write(init_report_line(environment.version, init_ms))
            environment.freeze()
            reason = "exited"
        except InitFailed as error:
            reason = environment.end_reason
            kind = "timeout" if error.too_slow else "error"
            said = init_report_line(environment.version, error.init_ms, kind, error.error_type)
            environment.stream.write(said)
            # Before it is released: what has failed is not replaced.
            self._fail(order, f"FUNCTION_ERROR_INIT_FAILURE: {error}")
        except (CloudError, OSError) as error:
            self._fail(order, f"The environment could not be made: {error}")
        finally:
            self._stock.release(environment, reason)
            with self._stock.lock:
                order.begun.discard(environment.id)

    def _fail(self, order: _Order, reason: str) -> None:
        """Nobody waits for this thread: what went wrong is logged, and told by `status`."""
        with self._stock.lock:
            closing = self._closed
            order.failure = order.failure or reason
        if not closing:
            _log.warning("%s could not be provisioned: %s", order.version.key, reason)


def _tell(made: Future[None]) -> None:
    """Log what should not have happened; nobody asks for the result."""
    if not made.cancelled() and (error := made.exception()) is not None:
        _log.error("the provisioner failed", exc_info=error)


def _told(version: FunctionVersion) -> InitType:
    return "snap-start" if version.init_type == "snap-start" else "provisioned-concurrency"
