"""One execution environment: a sandbox, its Runtime API and its log, and what happens to them."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from infra.cloud import report
from infra.cloud.failure import (
    Exit,
    Failure,
    InitFailed,
    RestoreFailed,
    exit_failure,
    failure_reported,
    response_too_large,
    timeout_failure,
)
from infra.cloud.function import FunctionVersion, InitType, Invocation
from infra.cloud.ledger import Ledger
from infra.cloud.log_stream import LogPump, LogStream
from infra.cloud.network import Network
from infra.cloud.runtime_api import MAX_RESPONSE_BYTES, Call, RuntimeApi, RuntimeGone
from infra.cloud.sandbox import Sandbox
from infra.cloud.settings import CloudSettings
from infra.cloud.turns import Turns
from infra.cloud.variables import function_variables

__all__ = ["Environment", "Host", "State"]

State = Literal["new", "initialising", "parked", "restoring", "busy", "idle", "ended"]
# AWS Lambda developer guide: INIT under provisioned concurrency and SnapStart may take
# max(130 s, function time-out).
_PREPARED_INIT_SECONDS = 130.0


@dataclass(frozen=True)
class Host:
    """What environments run on.

    network: makes a network for one sandbox.
    spawn: makes a sandbox, from the one thread that lives as long as the cloud.
    task_root: where a version's package is, as the function sees it.
    turns: in which threads that wait for runtimes go on.
    """

    settings: CloudSettings
    network: Callable[[], Network]
    spawn: Callable[[str, FunctionVersion, Mapping[str, str], Network], Sandbox]
    task_root: Callable[[FunctionVersion], str]
    ledger: Ledger
    logs: LogPump
    turns: Turns


class Environment:
    """An execution environment, used by one thread at a time: the one that took it from the pool.

    It is frozen while it waits for a request, and while it is parked: initialised for SnapStart and
    not yet restored. Only `kill` may be called by others. `state` is for looking at; `end_reason`
    says why the environment is no longer `usable`, when it is not.

    init_type: what the function is told; None for the version's own.
    """

    def __init__(
        self, version: FunctionVersion, host: Host, init_type: InitType | None = None
    ) -> None:
        self.id = uuid.uuid4().hex
        self.version = version if init_type is None else replace(version, init_type=init_type)
        self.born = time.monotonic()
        self.idle_since = self.born
        self.retired = False
        self.state: State = "new"
        self.end_reason = "exited"
        self.stream = LogStream(
            version.logs_to, report.stream_name(version, self.id, datetime.now(UTC))
        )
        self._host = host
        self._api = RuntimeApi(host.turns)
        self._sandbox: Sandbox | None = None
        self._network: Network | None = None
        self._waiting: Call | None = None
        self._parked: Call | None = None
        self._frozen = False
        self._lost = False
        self._peak_memory_mb = 0
        self._kill_lock = threading.Lock()
        self._killed = False
        host.ledger.spawned(self.id, self.version)
        self.stream.write(report.init_start_line(version))

    @property
    def key(self) -> str:
        """Environments with the same key can serve the same requests."""
        return self.version.key

    @property
    def provisioned(self) -> bool:
        """Whether it is provisioned concurrency: made ahead, and kept however long it is idle."""
        return self.version.init_type == "provisioned-concurrency"

    @property
    def kept(self) -> bool:
        """Whether no idle lifetime ends it."""
        return self.provisioned or self.state == "parked"

    @property
    def rank(self) -> int:
        """Requests go to the lowest: provisioned, then used before, then still to be restored."""
        return 0 if self.provisioned else 2 if self.state == "parked" else 1

    @property
    def usable(self) -> bool:
        """Whether its runtime waits for a request, or to be restored."""
        return (self._waiting or self._parked) is not None and not self.has_ended()

    @property
    def cold(self) -> bool:
        """Whether a request that it gets now waits for an INIT or a restore."""
        return self.state in ("new", "parked")

    @property
    def killed(self) -> bool:
        """Whether `kill` was called: it is to end, and nothing is to be started in it."""
        with self._kill_lock:
            return self._killed

    def has_ended(self) -> bool:
        """Whether its processes have come and gone."""
        return self._sandbox is not None and self._sandbox.has_ended()

    def peak_memory_mb(self) -> int:
        """As `Sandbox.peak_memory_mb`; what was last seen once the processes are gone."""
        if self._sandbox is not None:
            self._peak_memory_mb = max(self._peak_memory_mb, self._sandbox.peak_memory_mb())
        return self._peak_memory_mb

    def init_limit_seconds(self) -> float:
        """How long INIT may take, by the version's initialisation type."""
        if self.version.init_type == "on-demand":
            return self._host.settings.init_limit_seconds
        return max(_PREPARED_INIT_SECONDS, self.version.timeout_seconds)

    def initialise(self, limit_seconds: float | None = None) -> float:
        """Create the sandbox and run INIT: from executing the interpreter to its first /next.

        Under SnapStart INIT ends when the runtime asks to be restored: the environment is then
        parked, and `restore` must come before the first request.

        limit_seconds: by default `init_limit_seconds()`. May be called again after a failure: the
        environment then gets new processes. Returns INIT in milliseconds.
        Raises InitFailed, and CloudError when no sandbox can be made.
        """
        self.state = "initialising"
        limit = self.init_limit_seconds() if limit_seconds is None else limit_seconds
        began = self._start()
        try:
            self._await_next(began + limit, may_park=self.version.init_type == "snap-start")
        except TimeoutError:
            self.end_reason = "init-timeout"
            self._stop()
            raise InitFailed(_since(began)) from None
        except RuntimeGone:
            self.end_reason = "init-error"
            lasted = _since(began)
            ended = self._stop()
            raise InitFailed(lasted, ended.error_type, exited=ended) from None
        except _ReportedError as error:
            self.end_reason = "init-error"
            lasted = _since(began)
            self._stop()
            raise InitFailed(lasted, error.call.error_type, error.call.body) from None
        self.end_reason = "exited"
        init_ms = _since(began)
        self._host.ledger.ready(self.id, init_ms)
        self.peak_memory_mb()  # should it end by itself, this is what is known
        if self._parked is not None:
            self.state = "parked"
        if self._sandbox is not None:
            self._sandbox.limit_cpu()  # INIT had more (AWS: a boost)
        return init_ms

    def restore(self) -> float:
        """Answer a parked runtime's /restore/next: its after-restore hooks run until it asks /next.

        Returns how long that took, in milliseconds. Raises RestoreFailed after 10 s, when a hook
        fails, or when the runtime ends.
        """
        began = time.monotonic()
        parked, self._parked = self._parked, None
        assert parked is not None
        self.state = "restoring"
        self.thaw()
        self.end_reason = "restore-error"
        try:
            self._api.answer(parked, 200)
            self._await_next(began + self._host.settings.restore_limit_seconds)
        except TimeoutError:
            self.end_reason = "restore-timeout"
            self._stop()
            raise RestoreFailed(_since(began), "SnapStartTimeoutException") from None
        except (RuntimeGone, _ReportedError) as error:
            lasted = _since(began)
            self._stop()
            reported = error.call.error_type if isinstance(error, _ReportedError) else ""
            raise RestoreFailed(lasted, "SnapStartException", reported) from None
        self.end_reason = "exited"
        restore_ms = _since(began)
        self._host.ledger.restored(self.id, restore_ms)
        return restore_ms

    def stand_back(self) -> None:
        """Its invoke has ended: those of others that run, or come, go first."""
        self._host.turns.stand_back()

    def freeze(self) -> None:
        """Stop everything inside, until `thaw`."""
        if self._sandbox is not None:
            self._sandbox.freeze()
            self._frozen = True

    def thaw(self) -> None:
        """Let everything inside go on, if it is frozen."""
        if self._frozen and self._sandbox is not None:
            self._sandbox.thaw()
        self._frozen = False

    def exchange(self, invocation: Invocation, deadline: float) -> bytes | Failure:
        """Give a request to the runtime and wait for what it answers.

        deadline: `time.monotonic()` seconds. Afterwards the environment is `usable`, and to be
        frozen, or ended.
        """
        self.state = "busy"
        self.thaw()
        try:
            answer = self._answer(invocation, deadline)
        except TimeoutError:
            self.end_reason = "timeout"
            self._stop()
            return timeout_failure(invocation.request_id, self.version.timeout_seconds)
        except RuntimeGone:
            ended = self._stop()
            self.end_reason = "out-of-memory" if ended.out_of_memory else "exited"
            return exit_failure(invocation.request_id, ended)
        try:
            # What the runtime does before it asks again is still part of this invoke.
            self._await_next(deadline)
        except (TimeoutError, RuntimeGone, _ReportedError):
            self._stop()
        return answer

    def kill(self) -> None:
        """Kill its processes now; whoever uses the environment sees it end."""
        with self._kill_lock:
            self._killed = True
            if self._sandbox is not None:
                self._sandbox.kill()

    def end(self, reason: str) -> None:
        """End its processes; let go of ports, pipes and folders. The log keeps its last lines."""
        self.state = "ended"
        self._stop()
        self._host.logs.deliver(self.stream)
        self._host.ledger.ended(self.id, reason)

    def _start(self) -> float:
        """Start the processes. Returns when the interpreter was executed, in monotonic seconds."""
        host = self._host
        host.turns.leave()
        self._network = network = host.network()
        variables = function_variables(
            self.version,
            host.settings,
            self.stream.name,
            network.runtime_api_address,
            host.task_root(self.version),
        )
        sandbox = host.spawn(self.id, self.version, variables, network)
        with self._kill_lock:
            self._sandbox = sandbox
            if self._killed:
                sandbox.kill()
        sandbox.wait_started()
        began = time.monotonic()
        with self._kill_lock:
            if self._killed:
                # A kill that came before the namespace was made may have missed what is inside.
                sandbox.kill()
        self._api.watch(network.runtime_api, sandbox.ended)
        host.ledger.init_started(self.id, sandbox.pid)
        host.logs.watch(self.stream, sandbox.output)
        return began

    def _stop(self) -> Exit:
        """End the processes, if there are any, and read all that they wrote. Returns how."""
        self._host.turns.leave()
        with self._kill_lock:
            sandbox, self._sandbox = self._sandbox, None
        self._waiting = self._parked = None
        self._frozen = False
        ended = Exit(0)
        if sandbox is not None:
            self._peak_memory_mb = max(self._peak_memory_mb, sandbox.peak_memory_mb())
            self._api.unwatch()
            ended = sandbox.end()
            self._host.logs.unwatch(self.stream, sandbox.output)
        network, self._network = self._network, None
        if network is not None:
            network.close()
        return ended

    def _await_next(self, deadline: float, may_park: bool = False) -> None:
        """Wait until the runtime asks for a request, or, if it may, to be restored."""
        while True:
            call = self._api.receive(deadline)
            if call.kind == "next":
                self._waiting = call
                return
            if call.kind in ("init-error", "restore-error"):
                self._api.answer(call, 202, _ACCEPTED)
                raise _ReportedError(call)
            if call.kind == "restore-next" and may_park:
                self._parked = call
                return
            self._refuse_state(call)

    def _answer(self, invocation: Invocation, deadline: float) -> bytes | Failure:
        self._deliver(invocation, deadline)
        while True:
            call = self._api.receive(deadline)
            if call.kind == "next" and self._lost:
                # The connection went before the request was sent: the runtime asks again.
                self._waiting = call
                self._deliver(invocation, deadline)
            elif call.kind not in ("response", "error"):
                self._refuse_state(call)
            elif call.request_id != invocation.request_id:
                self._api.refuse(call, 400, "InvalidRequestID", "Invalid request ID")
            elif call.body_bytes > MAX_RESPONSE_BYTES:
                too_large = "RequestEntityTooLarge"
                self._api.refuse(call, 413, too_large, f"Exceeded {MAX_RESPONSE_BYTES} bytes")
                return response_too_large(call.body_bytes)
            else:
                self._api.answer(call, 202, _ACCEPTED)
                if call.kind == "response":
                    return call.body
                return failure_reported(call.body, call.error_type, ends_environment=False)

    def _deliver(self, invocation: Invocation, deadline: float) -> None:
        """Answer /next with the request; without effect when the connection has been lost."""
        assert self._waiting is not None
        remaining_ms = (deadline - time.monotonic()) * 1000
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000 + remaining_ms)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn,
            "Lambda-Runtime-Trace-Id": _trace_id(),
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        self._lost = not self._api.answer(self._waiting, 200, invocation.payload, headers, deadline)
        self._waiting = None

    def _refuse_state(self, call: Call) -> None:
        message = f"The environment is {self.state}: this is no time for {call.kind}"
        self._api.refuse(call, 403, "InvalidStateTransition", message)


class _ReportedError(Exception):
    """The runtime reported that INIT or restore failed."""

    def __init__(self, call: Call) -> None:
        self.call = call
        super().__init__(call.error_type)


_ACCEPTED = b'{"status":"OK"}\n'


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _trace_id() -> str:
    """An X-Ray trace header (AWS X-Ray developer guide, "Tracing header"); nothing is sampled."""
    random = uuid.uuid4().hex
    return f"Root=1-{int(time.time()):08x}-{random[:24]};Parent={random[16:]};Sampled=0"
