"""The data plane: runs function versions in execution environments of their own."""

from __future__ import annotations

import math
import os
import resource
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from infra.cloud.acceptor import Accepted
from infra.cloud.environment import Environment, Host, State
from infra.cloud.execution import Status, execute
from infra.cloud.failure import RestoreFailed
from infra.cloud.function import FunctionVersion, InitType, Invocation, Outcome
from infra.cloud.ledger import Ledger
from infra.cloud.log_stream import LogPump, LogSink, LogStream
from infra.cloud.network import Network
from infra.cloud.pool import Concurrency, Pool, ScalingRate
from infra.cloud.provisioner import Provisioned, Provisioner, Stock
from infra.cloud.sandbox import Sandbox, SandboxFactory
from infra.cloud.settings import CloudSettings
from infra.cloud.turns import Turns
from warmer.errors import CloudError, ConfigurationError, Throttled

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
    init_type: InitType


class DataPlane:
    """Execution environments of all functions, and the rules by which requests reach them.

    A request gets a provisioned environment of its version, or the most recently used idle one, or
    causes a new one and waits for its INIT. An environment is frozen while it is idle, and ended
    when T has passed since its last request, or when it has reached its maximum lifetime.
    Thread-safe. Two threads of its own: one ends idle environments, one reads their output; a third
    starts processes, which die with it; a fourth accepts functions' connections to the cloud; a
    fifth wakes those that wait in `turns`; more while environments are provisioned.

    accepted: gets what functions connect to the port of `settings.endpoint_url` in private
    networks; without it nobody listens there.

    Each environment holds some six open files, so the process's soft limit is raised to the hard
    one. Raises CloudError when the isolation asked for is not to be had.
    """

    def __init__(
        self,
        settings: CloudSettings,
        ledger: Ledger,
        logs: LogSink,
        accepted: Accepted | None = None,
    ) -> None:
        self._ledger = ledger
        self._factory = SandboxFactory(settings, accepted)
        _raise_open_files()
        self._changed = threading.Condition()
        self._pool: Pool[Environment] = Pool(settings)
        self._concurrency = Concurrency(settings.account_concurrency)
        self._scaling = ScalingRate(settings.scaling_rate)
        self._all: dict[str, Environment] = {}
        self._running = 0
        self._closed = False
        self._reaper_wakes = math.inf
        processors = settings.processors or os.sched_getaffinity(0)
        self._spawner = ThreadPoolExecutor(
            1, "spawner", initializer=os.sched_setaffinity, initargs=(0, processors)
        )
        self._logs = LogPump(logs, self._output_ended)
        factory = self._factory
        self.turns = Turns()
        self._host = Host(
            settings,
            factory.networks.create,
            self._spawn,
            factory.task_root,
            ledger,
            self._logs,
            self.turns,
        )
        self._provisioner = Provisioner(
            Stock(self._changed, self._all.values, self._create, self._release, self._retire)
        )
        self._reaper = threading.Thread(target=self._reap, name="reaper", daemon=True)
        self._reaper.start()

    def invoke(
        self, version: FunctionVersion, invocation: Invocation, reserved: int | None = None
    ) -> Outcome:
        """Run one request; blocks until it is answered.

        reserved: the function's reserved concurrency; None for what `reserve` was told.
        Raises Throttled at once when a limit is reached, RestoreFailed under SnapStart, and
        CloudError when no environment can be made or the data plane is closing. An error of the
        function is an Outcome.
        """
        with self._changed:
            self._refuse_when_closed()
            try:
                environment = self._admit(version, reserved)
            except Throttled as error:
                self._ledger.throttled(version, invocation, error.reason)
                raise
            self._running += 1
        try:
            with self.turns:
                return self._run(version, invocation, environment)
        finally:
            with self._changed:
                self._concurrency.leave(version.arn)
                self._running -= 1
                if self._closed:
                    self._changed.notify_all()

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Set concurrency aside for a function (its ARN), so that others cannot use it; None: no.

        AWS Lambda developer guide, "Configuring reserved concurrency for a function".
        """
        with self._changed:
            self._concurrency.reserve(function, concurrency)

    def provision(self, version: FunctionVersion, count: int) -> None:
        """Have `count` environments of a version made ahead of requests; returns at once.

        They are initialised as "provisioned-concurrency", are kept beyond T, are replaced when they
        end, and get requests first; what they cannot take spills over to on-demand environments.
        Under SnapStart they are parked instead, and the first request to each restores it: one
        parked environment, always replaced, is what publishing a version gives on AWS.
        A count of 0 takes them away. Raises ConfigurationError for a count below 0.
        """
        if count < 0:
            raise ConfigurationError("provisioned concurrency", count, "0 or more")
        with self._changed:
            self._refuse_when_closed()
        self._provisioner.request(version, count)
        self._count_provisioned(version.arn)

    def provisioned(self, version: FunctionVersion) -> Provisioned | None:
        """How far a version's provisioned concurrency has come; None when it has none."""
        return self._provisioner.status(version)

    def retire(self, function: str, *, version: str | None = None, keep: str | None = None) -> None:
        """End a function's environments: idle ones now, busy ones after their request.

        Provisioned ones are not replaced. version: only those of this version. keep: not those with
        this key.
        """

        def concerned(found: FunctionVersion) -> bool:
            return found.name == function and version in (None, found.version) and found.key != keep

        for arn in self._provisioner.forget(concerned):
            self._count_provisioned(arn)
        self._retire(lambda environment: concerned(environment.version))

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
                    item.version.init_type,
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
            self._provisioner.stop()
            idle = self._pool.remove(lambda _: True)
            for environment in self._all.values():
                environment.kill()
            self._changed.notify_all()
        for environment in idle:
            self._end(environment, "closed")
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0)
        self._provisioner.join()
        self._reaper.join()
        self.turns.close()
        self._logs.close()
        self._spawner.shutdown()
        self._factory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _admit(self, version: FunctionVersion, reserved: int | None) -> Environment | None:
        """Count a request in. Returns an idle environment for it, or None: one may be made."""
        self._concurrency.enter(version.arn, reserved)
        environment = self._pool.take(version.key)
        if environment is None:
            try:
                self._scaling.take(version.arn, time.monotonic())
            except Throttled:
                self._concurrency.leave(version.arn)
                raise
        elif environment.state == "idle":
            environment.state = "busy"
        return environment

    def _run(
        self, version: FunctionVersion, invocation: Invocation, idle: Environment | None
    ) -> Outcome:
        sequence = self._ledger.invoked(version, invocation)
        try:
            environment = self._obtain(version, idle)
            served = self._provisioner.serves(environment)
            self._ledger.placed(sequence, environment.id, environment.cold, served)
            outcome, status = self._use(environment, invocation)
        except BaseException as error:
            refused = isinstance(error, RestoreFailed)
            self._ledger.completed(sequence, "error" if refused else "failed")
            raise
        self._ledger.completed(
            sequence, status, outcome.duration_ms, outcome.billed_ms, outcome.init_ms
        )
        if status != "success":
            self._refuse_when_closed()  # it failed because its environment was ended
        return outcome

    def _use(self, environment: Environment, invocation: Invocation) -> tuple[Outcome, Status]:
        reason = "failed"
        if environment.state == "parked":
            self._provisioner.left(environment)  # no longer one that waits: another is made
        try:
            outcome, status = execute(environment, invocation)
            reason = environment.end_reason
            self._logs.deliver(environment.stream)
            return outcome, status
        except RestoreFailed:
            reason = environment.end_reason
            raise
        finally:
            self._release(environment, reason)

    def _obtain(self, version: FunctionVersion, idle: Environment | None) -> Environment:
        """An idle environment whose process is alive, or one that has yet to be initialised."""
        while idle is not None:
            if idle.usable:
                return idle
            self._end(idle, "exited")
            with self._changed:
                self._refuse_when_closed()
                idle = self._pool.take(version.key)
        with self._changed:
            self._refuse_when_closed()
            return self._create(version)

    def _create(self, version: FunctionVersion, init_type: InitType | None = None) -> Environment:
        environment = Environment(version, self._host, init_type)
        self._all[environment.id] = environment
        return environment

    def _retire(self, concerned: Callable[[Environment], bool]) -> None:
        with self._changed:
            idle = self._pool.remove(concerned)
            for environment in self._all.values():
                environment.retired = environment.retired or concerned(environment)
        for environment in idle:
            self._end(environment, "retired")

    def _count_provisioned(self, function: str) -> None:
        with self._changed:
            self._concurrency.provision(function, self._provisioner.concurrency(function))

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
                if environment.state != "parked":
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
        self._provisioner.left(environment)

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
        self,
        environment: str,
        version: FunctionVersion,
        variables: Mapping[str, str],
        network: Network,
    ) -> Sandbox:
        made = self._spawner.submit(self._factory.spawn, environment, version, variables, network)
        return made.result()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise CloudError("The local cloud is closing: it takes no requests")


def _raise_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
