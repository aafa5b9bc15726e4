"""Scale of one warmer run: dispatch spread and many functions, on a fraction of a processor.

The load runs on one processor, with 1,024 open files, and, for many functions, with 0.58 of it
(see `infra.bench.quota`): what 1,024 MB give a function (1,769 MB are one processor; Lambda
developer guide, "Configure Lambda function memory").
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from infra.bench.loopback import LoopbackProcess
from infra.bench.quota import Quotas, Share

OPEN_FILES = 1024
TIME_OUT_SECONDS = 200.0


def dispatch_spread(pings: int, tls: bool) -> dict[str, Any]:
    """One dispatch of so many pings: when they were sent, and when they arrived."""
    return _measure(["dispatch", str(pings)], tls, 0.0, 1.0)


def many_functions(
    functions: int, environments: int, cpu: float, init_ms: float = 800.0
) -> dict[str, Any]:
    """One warmer that serves so many functions, over TLS."""
    return {
        "cpu": cpu,
        "init_ms": init_ms,
        **_measure(["run", str(functions), str(environments)], True, init_ms, cpu),
    }


def _measure(arguments: list[str], tls: bool, init_ms: float, cpu: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as name:
        folder = Path(name)
        with LoopbackProcess(folder if tls else None, init_ms) as endpoint:
            result = _load(arguments, endpoint, cpu)
            return {**result, "tls": tls, "endpoint": endpoint.figures()}


def _load(arguments: list[str], endpoint: LoopbackProcess, cpu: float) -> dict[str, Any]:
    variables = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "NO_PROXY": "localhost",
    }
    if endpoint.ca_bundle:
        variables["AWS_CA_BUNDLE"] = str(endpoint.ca_bundle)
    with _share(cpu) as (share, mechanism):

        def limit() -> None:
            _limit()
            share.join()

        load = subprocess.Popen(
            [sys.executable, "-m", "infra.bench.fleet_load", *arguments],
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=limit,
        )
        share.begin(load)
        try:
            output, _ = load.communicate(timeout=TIME_OUT_SECONDS)
        finally:
            share.end()
            load.kill()
            load.wait()
    result: dict[str, Any] = json.loads(output)
    return {"quota": mechanism, **result}


@contextmanager
def _share(cpu: float) -> Iterator[tuple[Share, str]]:
    """A share of a processor, and how it is given."""
    if cpu == 1:
        yield Share(), "none"
        return
    with closing(Quotas()) as quotas, quotas.share(cpu) as share:
        yield share, quotas.mechanism


def _limit() -> None:
    """Runs in the load's process before its program: one processor, few files."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
