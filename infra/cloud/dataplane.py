"""The data plane: runs function versions in execution environments of their own."""

from __future__ import annotations

import math
import resource
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from infra.cloud.environment import Environment, Host, State
from infra.cloud.execution import Status, execute
from infra.cloud.function import FunctionVersion, Invocation, Outcome
from infra.cloud.ledger import Ledger
from infra.cloud.log_stream import LogPump, LogSink, LogStream
from infra.cloud.pool import Concurrency, Pool
from infra.cloud.sandbox import Sandbox, SandboxFactory
from infra.cloud.settings import CloudSettings
from warmer.errors import CloudError, Throttled

__all__ = ["DataPlane", "EnvironmentView"]


@dataclass(frozen=True)
class EnvironmentView:
    """One environment at this moment."""

    id: str
    function: str
    version: str
    key: str
    state: State
    log_stream: str


class DataPlane:
    """Execution environments of all functions, and the rules by which requests reach them.

    A request gets the most recently used idle environment of its version, or causes a new one and
    waits for its INIT. An idle environment is ended when T has passed since its last request.
    Thread-safe. Two threads of its own: one ends idle environments, one reads their output; a third
    starts processes, which die with it.

    Each environment holds some four open files, so the process's soft limit is raised to the hard
    one. Raises CloudError when the isolation asked for is not to be had.
    """

    def __init__(self, settings: CloudSettings, ledger: Ledger, logs: LogSink) -> None:
        self._ledger = ledger
        self._factory = SandboxFactory(settings)
        _raise_open_files()
        self._changed = threading.Condition()
        self._pool: Pool[Environment] = Pool(settings)
        self._concurrency = Concurrency(settings.account_concurrency)
        self._all: dict[str, Environment] = {}
        self._running = 0
        self._closed = False
        self._reaper_wakes = math.inf
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")
        self._logs = LogPump(logs, self._output_ended)
        self._host = Host(settings, self._spawn, self._factory.task_root, ledger, self._logs)
        self._reaper = threading.Thread(target=self._reap, name="reaper", daemon=True)
        self._reaper.start()

    def invoke(
        self, version: FunctionVersion, invocation: Invocation, reserved: int | None = None
    ) -> Outcome:
        """Run one request; blocks until it is answered.

        reserved: the function's reserved concurrency, or None.
        Raises Throttled at once when a limit is reached, and CloudError when no environment can be
        made or the data plane is closing. An error of the function is an Outcome.
        """
        with self._changed:
            self._refuse_when_closed()
            try:
                self._concurrency.enter(version.arn, reserved)
            except Throttled as error:
                self._ledger.throttled(version, invocation, error.reason)
                raise
            self._running += 1
        try:
            return self._run(version, invocation)
        finally:
            with self._changed:
                self._concurrency.leave(version.arn)
                self._running -= 1
                if self._closed:
                    self._changed.notify_all()

    def retire(self, function: str, *, version: str | None = None, keep: str | None = None) -> None:
        """End a function's environments: idle ones now, busy ones after their request.

        version: only those of this version. keep: not those with this key.
        """

        def concerned(environment: Environment) -> bool:
            found = environment.version
            return found.name == function and version in (None, found.version) and found.key != keep

        with self._changed:
            idle = self._pool.remove(concerned)
            for environment in self._all.values():
                environment.retired = environment.retired or concerned(environment)
        for environment in idle:
            self._end(environment, "retired")

    def environments(self) -> tuple[EnvironmentView, ...]:
        """The environments that exist now, oldest first."""
        with self._changed:
            return tuple(
                EnvironmentView(
                    item.id,
                    item.version.name,
                    item.version.version,
                    item.key,
                    item.state,
                    item.stream.name,
                )
                for item in self._all.values()
            )

    def flush_logs(self) -> None:
        """Wait until all that was logged so far has been given to the sink."""
        self._logs.flush()

    def close(self) -> None:
        """End every environment and thread; requests that run fail. May be called again."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            idle = self._pool.remove(lambda _: True)
            for environment in self._all.values():
                environment.kill()
            self._changed.notify_all()
        for environment in idle:
            self._end(environment, "closed")
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0)
        self._reaper.join()
        self._logs.close()
        self._spawner.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, version: FunctionVersion, invocation: Invocation) -> Outcome:
        sequence = self._ledger.invoked(version, invocation)
        try:
            environment = self._obtain(version)
            self._ledger.placed(sequence, environment.id, cold=environment.state == "new")
            outcome, status = self._use(environment, invocation)
        except BaseException:
            self._ledger.completed(sequence, "failed")
            raise
        self._ledger.completed(
            sequence, status, outcome.duration_ms, outcome.billed_ms, outcome.init_ms
        )
        if status != "success":
            self._refuse_when_closed()  # it failed because its environment was ended
        return outcome

    def _use(self, environment: Environment, invocation: Invocation) -> tuple[Outcome, Status]:
        reason = "failed"
        try:
            outcome, status = execute(environment, invocation)
            reason = environment.end_reason
            self._logs.deliver(environment.stream)
            return outcome, status
        finally:
            self._release(environment, reason)

    def _obtain(self, version: FunctionVersion) -> Environment:
        """An idle environment whose process is alive, or one that has yet to be initialised."""
        while True:
            with self._changed:
                self._refuse_when_closed()
                environment = self._pool.take(version.key)
                if environment is None:
                    environment = Environment(version, self._host)
                    self._all[environment.id] = environment
                    return environment
                environment.state = "busy"
            if environment.usable:
                return environment
            self._end(environment, "exited")

    def _release(self, environment: Environment, reason: str) -> None:
        """Put an environment back among the idle, or end it."""
        usable = environment.usable
        now = time.monotonic()
        with self._changed:
            if self._closed:
                reason = "closed"
            elif usable and environment.retired:
                reason = "retired"
            elif usable and self._pool.outlived(environment, now):
                reason = "lifetime"
            elif usable:
                environment.state = "idle"
                self._pool.put(environment, now)
                if self._pool.expiry(environment) < self._reaper_wakes:
                    self._changed.notify_all()
                return
        self._end(environment, reason)

    def _end(self, environment: Environment, reason: str) -> None:
        environment.end(reason)
        with self._changed:
            del self._all[environment.id]

    def _output_ended(self, stream: LogStream) -> None:
        """An environment's processes are gone: if it was idle, nobody else will notice."""
        with self._changed:
            gone = self._pool.remove(lambda item: item.stream is stream)
        for environment in gone:
            self._end(environment, "exited")

    def _reap(self) -> None:
        """End each idle environment when its time has come."""
        while True:
            with self._changed:
                while True:
                    if self._closed:
                        return
                    now = time.monotonic()
                    self._reaper_wakes = self._pool.next_expiry()
                    if self._reaper_wakes <= now:
                        break
                    wait = self._reaper_wakes - now
                    self._changed.wait(min(wait, threading.TIMEOUT_MAX))
                expired = self._pool.remove_expired(now)
            for environment, _ in expired:
                environment.kill()
            for environment, reason in expired:
                self._end(environment, reason)

    def _spawn(
        self, environment: str, version: FunctionVersion, variables: Mapping[str, str]
    ) -> Sandbox:
        return self._spawner.submit(self._factory.spawn, environment, version, variables).result()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise CloudError("The local cloud is closing: it takes no requests")


def _raise_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
