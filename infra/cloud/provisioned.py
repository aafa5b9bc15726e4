"""Provisioned concurrency of one region's functions: what was asked for, and how far it has come.

Sources: AWS Lambda developer guide, "Configuring provisioned concurrency for a function"; API
reference, "PutProvisionedConcurrencyConfig". The environments are the data plane's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from moto.awslambda.exceptions import LambdaClientError

from infra.cloud.function import FunctionVersion
from infra.cloud.provisioner import Provisioned

__all__ = ["Plane", "ProvisionedConcurrency", "ProvisionedConfig", "Shares", "settled"]

_POLL_SECONDS = 0.02

# The versions behind a function's version or alias, each with its share of the requests.
Shares = Callable[[str, str], list[tuple[FunctionVersion, float]]]
# By the key of a version: the version, and how many environments of it.
_Orders = dict[str, tuple[FunctionVersion, int]]


class Plane(Protocol):
    """What the control plane tells the data plane, as `DataPlane` has it."""

    def retire(self, function: str, *, version: str | None = None, keep: str | None = None) -> None:
        """End a function's environments: all, or of one version, but for those of one key."""

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Set concurrency aside for a function, by its ARN."""

    def provision(self, version: FunctionVersion, count: int) -> None:
        """Have so many environments of a version made ahead."""

    def provisioned(self, version: FunctionVersion) -> Provisioned | None:
        """How far that has come."""


class ConfigNotFound(LambdaClientError):
    """There is no provisioned concurrency for the qualifier."""

    code = 404

    def __init__(self) -> None:
        super().__init__(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )


@dataclass(frozen=True)
class ProvisionedConfig:
    """One configuration: how many environments were asked for, and when."""

    count: int
    modified: datetime


class ProvisionedConcurrency:
    """Configurations by function and qualifier; the data plane follows them."""

    def __init__(self, plane: Plane, shares: Shares) -> None:
        self._plane = plane
        self._shares = shares
        self._configs: dict[tuple[str, str], ProvisionedConfig] = {}
        self._ordered: dict[str, _Orders] = {}

    def put(self, function: str, qualifier: str, count: int) -> None:
        """Ask for `count` environments; one that failed is tried again."""
        self._configs[function, qualifier] = ProvisionedConfig(count, datetime.now(UTC))
        for version, _ in self._shares(function, qualifier):
            self._ordered.get(function, {}).pop(version.key, None)
        self.follow(function)

    def remove(self, function: str, qualifier: str | None = None) -> None:
        """Ask for none any more: of one qualifier, or of the whole function."""
        for key in [key for key in self._configs if key[0] == function]:
            if qualifier in (None, key[1]):
                del self._configs[key]
        self.follow(function)

    def follow(self, function: str) -> None:
        """Tell the data plane what the configurations mean now that aliases may have moved.

        While traffic shifts, an alias's environments are divided as its requests are.
        """
        before = self._ordered.get(function, {})
        wanted = self._wanted(function)
        for key in before.keys() - wanted.keys():
            self._plane.provision(before[key][0], 0)
        for key, (version, count) in wanted.items():
            if key not in before or before[key][1] != count:
                self._plane.provision(version, count)
        self._ordered[function] = wanted

    def prepare(self, version: FunctionVersion, count: int) -> Provisioned | None:
        """Make environments of a version that an alias is about to move to, and wait for them.

        Until then requests stay where they are. What has failed is taken away again.
        """
        self._plane.provision(version, count)
        state = settled(self._plane, version)
        if state is not None and state.status == "FAILED":
            self._plane.provision(version, 0)
        return state

    def settle(self, function: str, qualifier: str) -> str:
        """Wait until a configuration is READY or FAILED; returns why it failed, or nothing."""
        for version, _ in self._shares(function, qualifier):
            state = settled(self._plane, version)
            if state is not None and state.status == "FAILED":
                return state.reason
        return ""

    def configured(self, function: str) -> dict[str, ProvisionedConfig]:
        """A function's configurations by qualifier."""
        return {key[1]: config for key, config in self._configs.items() if key[0] == function}

    def total(self, function: str) -> int:
        """What a function has in all."""
        return sum(config.count for config in self.configured(function).values())

    def totals(self) -> Mapping[str, int]:
        """What each function has in all."""
        return {name: self.total(name) for name in {key[0] for key in self._configs}}

    def describe(self, function: str, qualifier: str) -> dict[str, Any]:
        """As GetProvisionedConcurrencyConfig answers; raises ConfigNotFound."""
        config = self._configs.get((function, qualifier))
        if config is None:
            raise ConfigNotFound
        found = [self._plane.provisioned(item) for item, _ in self._shares(function, qualifier)]
        states = [item for item in found if item is not None]
        available = sum(item.available for item in states)
        answer: dict[str, Any] = {
            "RequestedProvisionedConcurrentExecutions": config.count,
            "AvailableProvisionedConcurrentExecutions": available,
            "AllocatedProvisionedConcurrentExecutions": available,
            "Status": _status({item.status for item in states}),
            "LastModified": config.modified.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        }
        if reasons := [item.reason for item in states if item.reason]:
            answer["StatusReason"] = reasons[0]
        return answer

    def _wanted(self, function: str) -> _Orders:
        wanted: _Orders = {}
        for qualifier, config in self.configured(function).items():
            left = config.count
            for version, share in self._shares(function, qualifier):
                count = min(left, math.ceil(config.count * share))
                left -= count
                _, already = wanted.get(version.key, (version, 0))
                if count + already:
                    wanted[version.key] = version, already + count
        return wanted


def settled(plane: Plane, version: FunctionVersion) -> Provisioned | None:
    """Wait until a version's environments are ready, or have failed; None when it has none."""
    while (state := plane.provisioned(version)) is not None and state.status == "IN_PROGRESS":
        time.sleep(_POLL_SECONDS)
    return state


def _status(found: set[str]) -> str:
    return next((one for one in ("FAILED", "IN_PROGRESS") if one in found), "READY")
