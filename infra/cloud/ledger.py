"""What happened, as the cloud itself saw it: environments and invocations.

Nothing here comes from what functions say about themselves: environments are counted by process,
cold starts by who waited for an INIT.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeVar

from infra.cloud.function import FunctionVersion, InitType, Invocation, InvocationKind

__all__ = ["KEPT_RECORDS", "EnvironmentRecord", "InvocationRecord", "Ledger", "Subscriber", "Tally"]

KEPT_RECORDS = 20_000
"""Invocations, and environments, of which a cloud keeps each one's record; of all it keeps the
numbers. Some 20 MB."""

_log = logging.getLogger("warmer.cloud")


@dataclass(frozen=True)
class EnvironmentRecord:
    """One execution environment. Times are Unix seconds; None means not (yet).

    pid: the outermost process of the environment, as this machine numbers it.
    init_started: the interpreter is about to be executed; ready_at: it asked for its first request.
    end_reason: why it ended, such as "idle", "lifetime", "retired", "timeout", "exited",
        "out-of-memory", "init-error", "init-timeout", "restore-error", "restore-timeout", "closed".
    init_type: what the function was told. restored_at, restore_ms: under SnapStart.
    """

    id: str
    function: str
    version: str
    pid: int | None = None
    spawned_at: float = 0.0
    init_started: float | None = None
    ready_at: float | None = None
    init_ms: float | None = None
    ended_at: float | None = None
    end_reason: str | None = None
    init_type: InitType = "on-demand"
    restored_at: float | None = None
    restore_ms: float | None = None


@dataclass(frozen=True)
class InvocationRecord:
    """One invocation. Times are Unix seconds, durations milliseconds; None means not (yet).

    sequence: its place among all invocations, from 0; `Ledger.mark()` is such a number.
    cold: the request waited for an INIT that it caused, or for a restore under SnapStart.
    provisioned: it was served by provisioned concurrency (True) or spilled over (False); None when
        the version has none.
    status: "running", "success", "error", "timeout", "throttled", or "failed" when the cloud
        itself could not run it.
    qualifier: the version or alias that was asked for; empty for none.
    reserved: the function has reserved concurrency.
    """

    sequence: int
    request_id: str
    function: str
    version: str
    kind: InvocationKind
    ping: bool
    started: float
    environment: str | None = None
    cold: bool = False
    init_ms: float | None = None
    ended: float | None = None
    duration_ms: float | None = None
    billed_ms: int | None = None
    status: str = "running"
    reason: str | None = None
    provisioned: bool | None = None
    qualifier: str = ""
    reserved: bool = False


@dataclass
class Tally:
    """Numbers of invocations, whether or not their records are still kept.

    invocations: all that were accepted or throttled. last_ended: Unix seconds, None: none has.
    """

    invocations: int = 0
    pings: int = 0
    cold_starts: int = 0
    throttles: int = 0
    last_ended: float | None = None


_Key = TypeVar("_Key")
_Record = TypeVar("_Record", EnvironmentRecord, InvocationRecord)
Subscriber = Callable[[EnvironmentRecord | InvocationRecord], None]


class Ledger:
    """Thread-safe record of environments and invocations.

    path: a JSON Lines file to which each change is appended, or None.
    clock: Unix seconds; only tests give another.
    keep: how many records of invocations, and of environments, are kept: the latest, and whatever
        has not ended yet; None keeps all. Tallies are of all there ever were.
    failures: how often a subscriber raised; each is logged.
    """

    def __init__(
        self,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
        keep: int | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._keep = keep
        # In the order in which they began; sequence numbers tell how many there have been.
        self._environments: dict[str, EnvironmentRecord] = {}
        self._invocations: dict[int, InvocationRecord] = {}
        self._sequence = 0
        self._of_functions: dict[str, Tally] = {}
        self._of_environments: dict[str, Tally] = {}
        self._subscribers: list[Subscriber] = []
        self.failures = 0
        self._file: TextIO | None = None
        if path is not None:
            # Line buffered: what is written survives the cloud being killed.
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        """Close the file; the records stay readable."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with each record when it is made and whenever it changes, in order.

        It is called under the ledger's lock: it must be quick and must not ask the ledger.
        """
        with self._lock:
            self._subscribers.append(subscriber)

    # What the data plane tells.

    def spawned(self, environment: str, version: FunctionVersion) -> None:
        """An environment of `version` is being created."""
        record = EnvironmentRecord(
            environment,
            version.name,
            version.version,
            spawned_at=self._clock(),
            init_type=version.init_type,
        )
        with self._lock:
            self._environments[environment] = record
            self._of_environments[environment] = Tally()
            self._append("environment", record)
            for old in self._too_many(self._environments, lambda item: item.ended_at):
                del self._environments[old], self._of_environments[old]

    def init_started(self, environment: str, pid: int) -> None:
        """The environment's interpreter is about to be executed."""
        now = self._clock()
        self._change(environment, lambda record: replace(record, pid=pid, init_started=now))

    def ready(self, environment: str, init_ms: float) -> None:
        """The environment asked for its first request."""
        now = self._clock()
        self._change(environment, lambda record: replace(record, ready_at=now, init_ms=init_ms))

    def restored(self, environment: str, restore_ms: float) -> None:
        """The environment was parked, and has asked for its first request now."""
        now = self._clock()
        self._change(
            environment, lambda record: replace(record, restored_at=now, restore_ms=restore_ms)
        )

    def ended(self, environment: str, reason: str) -> None:
        """The environment's processes are gone."""
        now = self._clock()
        self._change(environment, lambda record: replace(record, ended_at=now, end_reason=reason))

    def invoked(self, version: FunctionVersion, invocation: Invocation) -> int:
        """A request was accepted. Returns its sequence number."""
        return self._add(version, invocation)

    def throttled(self, version: FunctionVersion, invocation: Invocation, reason: str) -> None:
        """A request was refused for concurrency."""
        self._add(version, invocation, refused_for=reason)

    def placed(
        self, sequence: int, environment: str, cold: bool, provisioned: bool | None = None
    ) -> None:
        """The request was given to an environment; the rest as in `InvocationRecord`."""
        with self._lock:
            record = self._invocations[sequence]
            self._put(replace(record, environment=environment, cold=cold, provisioned=provisioned))
            self._of_functions[record.function].cold_starts += cold
            served = self._of_environments.setdefault(environment, Tally())
            served.invocations += 1
            served.pings += record.ping
            served.cold_starts += cold

    def completed(
        self,
        sequence: int,
        status: str,
        duration_ms: float | None = None,
        billed_ms: int | None = None,
        init_ms: float | None = None,
    ) -> None:
        """The request ended."""
        now = self._clock()
        with self._lock:
            record = self._invocations[sequence]
            self._of_functions[record.function].last_ended = now
            if record.environment in self._of_environments:
                self._of_environments[record.environment].last_ended = now
            self._put(
                replace(
                    record,
                    status=status,
                    ended=now,
                    duration_ms=duration_ms,
                    billed_ms=billed_ms,
                    init_ms=init_ms,
                )
            )

    # What others ask.

    def mark(self) -> int:
        """A place in the order of invocations; pass it as `since` for what begins after it."""
        with self._lock:
            return self._sequence

    def environments(self, function: str | None = None) -> tuple[EnvironmentRecord, ...]:
        """Environments, oldest first, of one function or of all, as far as they are kept."""
        with self._lock:
            records = tuple(self._environments.values())
        return tuple(item for item in records if function in (None, item.function))

    def alive(
        self, function: str | None = None, at: float | None = None
    ) -> tuple[EnvironmentRecord, ...]:
        """Environments that had finished INIT and not ended at Unix second `at` (default: now)."""
        moment = self._clock() if at is None else at
        return tuple(
            item
            for item in self.environments(function)
            if item.ready_at is not None
            and item.ready_at <= moment
            and (item.ended_at is None or item.ended_at > moment)
        )

    def invocations(
        self, function: str | None = None, since: int = 0, ping: bool | None = None
    ) -> tuple[InvocationRecord, ...]:
        """Invocations from mark `since` on, as far as they are kept; `ping` True or False leaves
        only those."""
        with self._lock:
            records = tuple(self._invocations.values())
        return tuple(
            item
            for item in records
            if item.sequence >= since
            and function in (None, item.function)
            and ping in (None, item.ping)
        )

    def cold_starts(
        self, function: str | None = None, since: int = 0, ping: bool | None = None
    ) -> int:
        """How many invocations from mark `since` on waited for an INIT."""
        return sum(item.cold for item in self.invocations(function, since, ping))

    def tally(self, function: str) -> Tally:
        """Of all invocations of a function."""
        with self._lock:
            return replace(self._of_functions.get(function, Tally()))

    def served(self, environment: str) -> Tally:
        """Of all invocations that an environment got, as long as its own record is kept."""
        with self._lock:
            return replace(self._of_environments.get(environment, Tally()))

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it: the records that are kept, `mark`, and each function's tally."""
        with self._lock:
            tallies = {name: asdict(tally) for name, tally in self._of_functions.items()}
        return {
            "environments": [vars(item) for item in self.environments()],
            "invocations": [vars(item) for item in self.invocations()],
            "mark": self.mark(),
            "tallies": tallies,
        }

    def _add(
        self, version: FunctionVersion, invocation: Invocation, refused_for: str | None = None
    ) -> int:
        with self._lock:
            record = InvocationRecord(
                sequence=self._sequence,
                request_id=invocation.request_id,
                function=version.name,
                version=version.version,
                kind=invocation.kind,
                ping=invocation.ping,
                started=self._clock(),
                qualifier=invocation.qualifier,
                reserved=invocation.reserved,
            )
            if refused_for is not None:
                record = replace(
                    record, status="throttled", reason=refused_for, ended=record.started
                )
            self._sequence += 1
            tally = self._of_functions.setdefault(record.function, Tally())
            tally.invocations += 1
            tally.pings += record.ping
            tally.throttles += refused_for is not None
            self._invocations[record.sequence] = record
            self._append("invocation", record)
            for old in self._too_many(self._invocations, lambda item: item.ended):
                del self._invocations[old]
        return record.sequence

    def _too_many(
        self, records: Mapping[_Key, _Record], ended: Callable[[_Record], float | None]
    ) -> list[_Key]:
        """The oldest that have ended, once there are a tenth more than are kept."""
        if self._keep is None or len(records) <= self._keep * 1.1:
            return []
        over = len(records) - self._keep
        return list(islice((key for key, item in records.items() if ended(item) is not None), over))

    def _change(
        self, environment: str, change: Callable[[EnvironmentRecord], EnvironmentRecord]
    ) -> None:
        with self._lock:
            record = change(self._environments[environment])
            self._environments[environment] = record
            self._append("environment", record)

    def _put(self, record: InvocationRecord) -> None:
        self._invocations[record.sequence] = record
        self._append("invocation", record)

    def _append(self, kind: str, record: EnvironmentRecord | InvocationRecord) -> None:
        if self._file is not None:
            self._file.write(json.dumps({"record": kind, **asdict(record)}) + "\n")
        for subscriber in self._subscribers:
            try:
                subscriber(record)
            except Exception:  # noqa: BLE001 - what a subscriber raises must not fail an invoke
                self.failures += 1
                _log.exception("a subscriber of the ledger failed")
