"""The local cloud, put together: control plane, data plane, schedules, one port."""

from __future__ import annotations

import errno
import os
import random
import shutil
import socket
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.cloud import (
    codedeploy_api,
    functions,
    lambda_api,
    logs,
    notifications,
    resources,
    resources_codedeploy,
    resources_lambda,
    resources_telemetry,
    stacks,
)
from infra.cloud.agenda import Agenda
from infra.cloud.background import EventInvokes
from infra.cloud.clock import Clock
from infra.cloud.codedeploy import DeploySettings
from infra.cloud.dataplane import DataPlane
from infra.cloud.destinations import Destinations
from infra.cloud.front import Front, FrontRequestHandler, FrontServer
from infra.cloud.function_url import FunctionUrlEndpoint
from infra.cloud.invoke import InvokeEndpoint, Invoker
from infra.cloud.isolation import not_isolated
from infra.cloud.kept_packages import KeptPackages
from infra.cloud.ledger import KEPT_RECORDS, Ledger
from infra.cloud.objects import objects_to_disk
from infra.cloud.packages import PackageStore
from infra.cloud.runtime import runtime_python
from infra.cloud.schedules import Schedules
from infra.cloud.settings import (
    CloudSettings,
    CpuShare,
    Isolation,
    MemoryLimit,
    NetworkMode,
    Routing,
)
from infra.cloud.status import describe
from infra.cloud.telemetry import Telemetry
from warmer.errors import CloudError

REGION = "us-east-1"
# Imported so that moto finds their classes.
assert resources and resources_codedeploy and resources_lambda and resources_telemetry


@dataclass(frozen=True)
class Options:
    """What a user chooses when starting the cloud.

    port: TCP port on localhost; 0 takes a free one.
    idle_seconds: idle lifetime T of an execution environment, in cloud time.
    clock_rate: how much faster than real time schedules, T and retries go.
    any_python: run functions of every Python runtime on the one that this machine has.
    runtime: the environment with awslambdaric and boto3 that `make setup` creates.
    metric_delay_seconds: cloud time after which CloudWatch knows what was measured.
    max_lifetime_seconds: maximum lifetime of an execution environment, in cloud time; None: none.
    packages: a folder in which unpacked packages are kept for the next cloud; None: none are. Not
        used with isolation "process", where functions could write to them.
    account_concurrency, routing, memory_limit, cpu, isolation, network: as in `CloudSettings`.
    seed: makes random routing, and weighted aliases, repeatable.
    one_processor: keep this process on one processor from now on, and functions on all of them. Its
        threads, of which one runs at a time, then need not wake one another across processors: of a
        burst of requests each is answered sooner.
    """

    port: int = 4599
    idle_seconds: float = 600.0
    clock_rate: float = 1.0
    any_python: bool = False
    runtime: Path = Path(".tools/runtime")
    metric_delay_seconds: float = 0.0
    max_lifetime_seconds: float | None = None
    account_concurrency: int = 1000
    routing: Routing = "most-recently-used"
    seed: int | None = None
    memory_limit: MemoryLimit = "auto"
    cpu: CpuShare = "unlimited"
    isolation: Isolation = "namespaces"
    network: NetworkMode = "private"
    packages: Path | None = None
    one_processor: bool = False


class LocalCloud:
    """A running local cloud; one for each process, since moto's state is the process's.

    Raises CloudError where the port is in use or the runtime environment is missing.
    """

    def __init__(self, options: Options) -> None:
        processors = frozenset(os.sched_getaffinity(0))
        if options.one_processor:
            os.sched_setaffinity(0, {max(processors)})
        self.clock = Clock(options.clock_rate)
        self.ledger = Ledger(keep=KEPT_RECORDS)
        self._telemetry = Telemetry(self.clock, self.ledger, REGION, options.metric_delay_seconds)
        python = runtime_python(options.runtime)
        self.network = options.network
        self.not_isolated = not_isolated(options.isolation, options.network)
        with ExitStack() as undo:
            self._server = _listen(options.port)
            undo.callback(self._server.server_close)
            self.port = self._server.port
            self.endpoint = f"http://localhost:{self.port}"
            self._state = Path(tempfile.mkdtemp(prefix="warmer-cloud-"))
            undo.callback(shutil.rmtree, self._state)
            settings = CloudSettings(
                runtime=options.runtime.absolute(),
                state=self._state,
                endpoint_url=self.endpoint,
                idle_seconds=self.clock.real_seconds(options.idle_seconds),
                max_lifetime_seconds=(
                    None
                    if options.max_lifetime_seconds is None
                    else self.clock.real_seconds(options.max_lifetime_seconds)
                ),
                account_concurrency=options.account_concurrency,
                routing=options.routing,
                seed=options.seed,
                memory_limit=options.memory_limit,
                cpu=options.cpu,
                isolation=options.isolation,
                network=options.network,
                processors=processors,
            )
            logs.install(self.clock)
            sink = logs.CloudWatchLogs(DEFAULT_ACCOUNT_ID, REGION, self._telemetry.logged)
            self.plane = DataPlane(settings, self.ledger, sink, self._server.process_request)
            undo.pop_all()
        self._packages = (
            PackageStore(self._state / "packages")
            if options.packages is None or options.isolation == "process"
            else KeptPackages(options.packages)
        )
        control = functions.ControlSettings(
            packages=self._packages,
            python=python,
            any_python=options.any_python,
            url_base=self.endpoint,
            plane=self.plane,
            account_concurrency=options.account_concurrency,
            isolation=options.isolation,
            chance=random.Random(options.seed),
        )
        functions.install(control)
        lambda_api.install()
        stacks.install(self._settled)
        self._invoker = Invoker(self.plane, DEFAULT_ACCOUNT_ID)
        self._agenda = Agenda(self.clock)
        self._telemetry.start(self._agenda, self.plane.flush_logs)
        destinations = Destinations(DEFAULT_ACCOUNT_ID, self._deliver)
        self._events = EventInvokes(
            self._agenda,
            lambda target, payload, request_id: self._invoker.run(
                target, payload, "event", request_id=request_id
            ),
            self._invoker.resolve,
            self._telemetry.functions,
            destinations,
        )
        notifications.install(self._deliver)
        self._deployments = DeploySettings(self.clock, self._deliver)
        codedeploy_api.install(self._deployments)
        self._schedules = Schedules(self.clock, self._deliver, destinations.send)
        front = Front(
            InvokeEndpoint(self._invoker, self._events, REGION),
            FunctionUrlEndpoint(self._invoker, REGION, DEFAULT_ACCOUNT_ID),
            control.urls,
            self._schedules.changed,
            {"/_warmer/status": self.status, "/_warmer/ledger": self.ledger.as_dict},
        )
        self._server.app, self._server.invoke = front, front.invoke
        self._server.turns = self.plane.turns
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="front", daemon=True
        )

    def start(self) -> Self:
        """Begin to answer requests."""
        self._thread.start()
        return self

    def status(self) -> dict[str, Any]:
        """Environments that are alive now, counted by function, and the cloud's clock."""
        found = describe(self.clock, self.plane.environments(), self.ledger)
        return {"endpoint": self.endpoint, **found, "not_isolated": list(self.not_isolated)}

    def close(self) -> None:
        """End every execution environment and thread, free the port, remove all files."""
        self._deployments.close()
        stacks.LocalCloudFormation.close()
        self._schedules.close()
        self._agenda.close()
        self._telemetry.close()
        self._events.close()
        self.plane.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.ledger.close()
        self._packages.close()
        shutil.rmtree(self._state, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _settled(self) -> None:
        """A stack's change has ended; its packages are unpacked."""
        self._schedules.changed()
        self._agenda.at(self.clock.now(), lambda: objects_to_disk(DEFAULT_ACCOUNT_ID))

    def _deliver(self, region: str, target: str, payload: bytes) -> None:
        """Invoke a target asynchronously; raises InvokeRefused where there is none."""
        self._events.submit(region, self._invoker.resolve(region, target), payload)


def _unready(environ: Any, start: Any) -> list[bytes]:
    del environ
    start("503 Service Unavailable", [])
    return []


def _listen(port: int) -> FrontServer:
    # Bound here and not by werkzeug, which would exit the process where the port is in use.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise CloudError(
            f"Port {port} cannot be used ({error.strerror}): choose another with --port, or 0 for "
            "any free one"
        ) from error
    with listener:  # the server has a duplicate of it
        return FrontServer("127.0.0.1", port, _unready, FrontRequestHandler, fd=listener.fileno())


__all__ = ["REGION", "LocalCloud", "Options", "runtime_python"]
