"""Which versions of a target are live: aliases, read seldom, and what they lead to.

A weighted alias draws the version of each request, so its pings would land on either; each live
version is pinged by its own number, for the share that it has or is about to get. An alias with one
version is pinged as what it is, which is what users do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

from warmer.aws.functions import Alias
from warmer.errors import FunctionNotFound, ServiceError
from warmer.fleet.plan import Subject
from warmer.fleet.target import Target

__all__ = ["LiveVersions", "Settings"]

READS_A_RUN = 10
"""Settings that one run reads at most: Lambda answers 15 such requests a second for the whole
account ("Lambda quotas", Lambda API requests), and deployments need some of those. Targets take
turns; the alias of one that is not read in this run is pinged as it was read last."""

TURNS_A_RUN = 6
"""Where there are more aliases, so many are read in turn, and the rest of the reads is for those
that a wave is about to go to."""

SETTLED_SECONDS = 3600.0
"""Weights that stand so long are meant to stay. CodeDeploy's predefined configurations wait for 30
minutes at most before they shift again ("Working with deployment configurations")."""


class Settings(Protocol):
    """As `warmer.aws.functions.FunctionSettings`, which reads them."""

    def alias(self, function: str, name: str) -> Alias:
        """GetAlias. Raises FunctionNotFound, ServiceError."""
        ...

    def provisioned(self, function: str, qualifier: str) -> int:
        """GetProvisionedConcurrencyConfig. Raises ServiceError."""
        ...


@dataclass
class _Routing:
    """An alias as it was read, since when it is so, and what was found of it since."""

    alias: Alias
    read_at: float
    since: float


class LiveVersions:
    """Knows where aliases lead; kept from run to run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._routing: dict[str, _Routing] = {}
        self._seen: dict[str, str] = {}
        self._left = 0
        self._began = inf
        self._tried: set[str] = set()
        self.problems: list[str] = []

    def begin(self, targets: Sequence[Target], now: float) -> None:
        """Begin a run: read aliases, those first that were not read for the longest time."""
        self._left = READS_A_RUN
        self._began = now
        self._tried.clear()
        self.problems = []
        aliases = [target for target in targets if _is_alias(target.qualifier)]
        turns = READS_A_RUN if len(aliases) <= READS_A_RUN else TURNS_A_RUN
        for target in sorted(aliases, key=self._read_at)[:turns]:
            self._read(target, now)

    def confirm(self, targets: Sequence[Target], now: float) -> bool:
        """Read the aliases of those that were not read in this run, as far as its reads go.

        Returns whether any was read, so that other versions may be live now.
        """
        fresh = [target for target in targets if str(target) not in self._tried][: self._left]
        for target in fresh:
            self._read(target, now)
        return bool(fresh)

    def subjects(self, target: Target, now: float) -> list[Subject]:
        """A target's live versions; one that is not known where its alias could not be read."""
        name = str(target)
        if not _is_alias(target.qualifier):
            version = target.qualifier or "$LATEST"
            return [Subject(target, version, target.qualifier, certain=version.isdigit())]
        routing = self._routing.get(name)
        if routing is None:
            return [Subject(target, self._seen.get(name, ""), target.qualifier)]
        weights = routing.alias.weights
        if len(weights) == 1:
            (version,) = weights
            certain = routing.read_at >= self._began
            return [Subject(target, version, target.qualifier, certain=certain)]
        settled = now - routing.since >= SETTLED_SECONDS
        newest = max(weights, key=int)
        return [
            _shared(target, version, weight, newest=version == newest, settled=settled)
            for version, weight in sorted(weights.items(), key=lambda item: int(item[0]))
        ]

    def answered(self, target: Target, versions: Sequence[str]) -> None:
        """Take in which versions answered pings to an alias.

        Where that is not what was read, the alias has moved: it is read again, first of all.
        """
        name = str(target)
        routing = self._routing.get(name)
        if len(versions) == 1:
            self._seen[name] = versions[0]
        if routing is not None and not set(versions) <= set(routing.alias.weights):
            del self._routing[name]
            self.problems.append(
                f"{name} answered from version {', '.join(versions)}, but led to"
                f" {', '.join(routing.alias.weights)} when it was read; it is read again"
            )

    def provisioned(self, target: Target) -> int | None:
        """Provisioned environments of a target, None where that cannot be read in this run."""
        if self._left <= 0 or target.qualifier is None:
            return None
        self._left -= 1
        try:
            return self._settings.provisioned(target.function, target.qualifier)
        except ServiceError as error:
            self.problems.append(f"{target}: its provisioned concurrency is not known: {error}")
            return None

    def _read_at(self, target: Target) -> float:
        routing = self._routing.get(str(target))
        return routing.read_at if routing else 0.0

    def _read(self, target: Target, now: float) -> None:
        name, qualifier = str(target), target.qualifier
        assert qualifier is not None
        self._left -= 1
        self._tried.add(name)
        try:
            alias = self._settings.alias(target.function, qualifier)
        except FunctionNotFound:
            self._routing.pop(name, None)  # a ping to it is refused, and that is reported
            return
        except ServiceError as error:
            self.problems.append(f"{name} is pinged without knowing its versions: {error}")
            return
        before = self._routing.get(name)
        same = before is not None and before.alias == alias
        since = before.since if before is not None and same else now
        self._routing[name] = _Routing(alias, now, since)


def _shared(target: Target, version: str, weight: float, *, newest: bool, settled: bool) -> Subject:
    """One of an alias's two versions. No metric counts its concurrency apart from the other's."""
    arriving = newest and not settled
    routing = f"{target.qualifier} gives version {version} {weight:.0%} of the requests"
    rising = arriving and target.ramp is not None
    if rising:
        routing += f", and more as its ramp says: {target.ramp}"
    elif arriving:
        routing += ", and may give it all: the shift is less than an hour old"
    share = 1.0 if arriving and not rising else weight
    shifting = target.ramp is not None and not settled
    subject = Subject(target, version, version, share, routing, measured=False, certain=True)
    return replace(subject, rising=rising, shifting=shifting)


def _is_alias(qualifier: str | None) -> bool:
    return qualifier is not None and not qualifier.isdigit()
