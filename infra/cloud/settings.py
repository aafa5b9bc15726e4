"""What can be chosen about the local cloud's execution environments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from warmer.errors import ConfigurationError

__all__ = ["CloudSettings", "CpuShare", "Isolation", "MemoryLimit", "NetworkMode", "Routing"]

Isolation = Literal["namespaces", "process"]
NetworkMode = Literal["private", "shared"]
Routing = Literal["most-recently-used", "random"]
MemoryLimit = Literal["auto", "required", "none"]
CpuShare = Literal["unlimited", "proportional"]


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """Assumptions about Lambda and places on this machine; checked when made.

    runtime: a virtual environment that holds awslambdaric and boto3; seen as /var/lang inside.
    state: a folder of the cloud's own, for what environments need on disk; the caller removes it.
    endpoint_url: what `AWS_ENDPOINT_URL` is inside functions, or None for no such variable.
    idle_seconds: idle lifetime T, counted from the end of the last invoke (unpublished by AWS).
    max_lifetime_seconds: age at which an environment is ended although it is used; None for never.
    account_concurrency: concurrent executions of all functions (AWS's default quota is 1,000).
    init_limit_seconds: INIT is given up after this long, and repeated within the function's
        time-out (10 s, Lambda developer guide, "Lambda execution environment lifecycle").
    restore_limit_seconds: SnapStart's after-restore hooks are given up after this long (10 s,
        Lambda developer guide, "Lambda SnapStart runtime hooks for Python").
    scaling_rate: environments that a function may get in ten seconds because of requests (1,000,
        Lambda developer guide, "Lambda scaling behavior").
    routing: which idle environment gets a request; most recently used first is an assumption.
    seed: makes routing "random" repeatable; None for a seed of its own.
    memory_limit: "auto" limits memory by control groups where this machine allows it, and warns
        where not; "required" raises CloudError then, when the data plane is made; "none" does not
        limit it.
    cpu: "proportional" to memory, 1,769 MB for one processor, with all there are during INIT
        (CloudError where that is not to be had), or "unlimited".
    isolation: "namespaces", or "process" where the kernel forbids them: then environments share
        /tmp with each other and with this machine.
    network: "private" gives each environment a loopback interface of its own, on which it also
        reaches the cloud, and nothing else; "shared" is this machine's network, and the only one
        with isolation "process". (Lambda's functions outside a VPC do reach the internet: Lambda
        developer guide, "Giving Lambda functions access to resources in an Amazon VPC".)
    processors: those that functions run on; None: those that this process runs on.

    Raises ConfigurationError for a value that cannot be used.
    """

    runtime: Path
    state: Path
    endpoint_url: str | None = None
    idle_seconds: float = 600.0
    max_lifetime_seconds: float | None = None
    account_concurrency: int = 1000
    init_limit_seconds: float = 10.0
    restore_limit_seconds: float = 10.0
    scaling_rate: int = 1000
    routing: Routing = "most-recently-used"
    seed: int | None = None
    memory_limit: MemoryLimit = "auto"
    cpu: CpuShare = "unlimited"
    isolation: Isolation = "namespaces"
    network: NetworkMode = "private"
    processors: frozenset[int] | None = None

    def __post_init__(self) -> None:
        _check_positive("idle_seconds", self.idle_seconds)
        _check_positive("init_limit_seconds", self.init_limit_seconds)
        _check_positive("restore_limit_seconds", self.restore_limit_seconds)
        if self.max_lifetime_seconds is not None:
            _check_positive("max_lifetime_seconds", self.max_lifetime_seconds)
        if self.account_concurrency < 1:
            raise ConfigurationError("account_concurrency", self.account_concurrency, "1 or more")
        if self.scaling_rate < 1:
            raise ConfigurationError("scaling_rate", self.scaling_rate, "1 or more")
        _check_choice("memory_limit", self.memory_limit, get_args(MemoryLimit))
        _check_choice("cpu", self.cpu, get_args(CpuShare))
        _check_choice("routing", self.routing, get_args(Routing))
        _check_choice("isolation", self.isolation, get_args(Isolation))
        _check_choice("network", self.network, get_args(NetworkMode))
        if self.isolation == "process" and self.network == "private":
            expected = "'shared' with isolation 'process' (`--network shared`)"
            raise ConfigurationError("network", self.network, expected)
        if not (self.runtime / "bin" / "python3").exists():
            expected = "a virtual environment with awslambdaric (`make setup` creates it)"
            raise ConfigurationError("runtime", str(self.runtime), expected)
        if not self.state.is_dir():
            raise ConfigurationError("state", str(self.state), "a folder that exists")


def _check_positive(key: str, value: float) -> None:
    if math.isnan(value) or value <= 0:
        raise ConfigurationError(key, value, "a number of seconds above 0")


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(key, value, "one of " + ", ".join(choices))
