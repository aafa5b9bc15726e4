"""What happened in a demo, for whoever draws it: the cloud's ledger and the story's chapters."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.cloud.ledger import EnvironmentRecord, InvocationRecord
from warmer.environment import Primed

__all__ = ["SCHEDULE_SECONDS", "Chapter", "Machine", "Recording", "Span", "records"]

SCHEDULE_SECONDS = 300
"""How often the template's schedule fires, in cloud time."""


@dataclass(frozen=True)
class Machine:
    """Where it was measured: CPUs that this process may use, system, architecture, Python."""

    cpus: int
    system: str
    architecture: str
    python: str

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        able = getattr(os, "sched_getaffinity", None)
        cpus = len(able(0)) if able is not None else os.cpu_count() or 1
        return cls(cpus, platform.system(), platform.machine(), platform.python_version())


@dataclass(frozen=True)
class Chapter:
    """A part of the story and the Unix second at which it began."""

    title: str
    started: float


@dataclass(frozen=True)
class Span:
    """Invocations with sequence numbers from `first` to before `end`."""

    first: int = 0
    end: int = 0


@dataclass(frozen=True)
class Recording:
    """A demo that has ended. Times are Unix seconds of this machine.

    primed: by environment, when what was primed in it, as it logged itself.
    inference, warmer: the names of the two functions.
    schedule_on: when the warmer's schedule was switched on and off, or None.
    first_wave: the invocations during the warmer's first wave.
    with_warmer, without_warmer: those during the two bursts.
    idle_seconds: idle lifetime in cloud time. clock_rate: cloud seconds for each real one.
    finished: when the ledger was read; what had not ended then ends there in a drawing.
    """

    environments: tuple[EnvironmentRecord, ...]
    invocations: tuple[InvocationRecord, ...]
    primed: Mapping[str, tuple[Primed, ...]]
    inference: str
    warmer: str
    chapters: tuple[Chapter, ...]
    schedule_on: tuple[float, float] | None
    first_wave: Span
    with_warmer: Span
    without_warmer: Span
    idle_seconds: float
    clock_rate: float
    machine: Machine
    finished: float

    def burst(self, span: Span) -> tuple[InvocationRecord, ...]:
        """The users' requests to the inference function in a span, in order of arrival."""
        return tuple(
            item
            for item in self.invocations
            if span.first <= item.sequence < span.end
            and item.function == self.inference
            and item.kind == "url"
            and not item.ping
        )

    def wave(self, span: Span) -> tuple[InvocationRecord, ...]:
        """The pings of the inference function in a span, in order of arrival."""
        return tuple(
            item
            for item in self.invocations
            if span.first <= item.sequence < span.end
            and item.function == self.inference
            and item.ping
        )

    @property
    def began(self) -> float:
        """When the first invocation arrived or the first environment was made."""
        times = [item.started for item in self.invocations]
        times += [item.spawned_at for item in self.environments]
        return min(times, default=self.finished)


def records(
    ledger: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[tuple[EnvironmentRecord, ...], tuple[InvocationRecord, ...]]:
    """The environments and invocations of a ledger that came as JSON."""
    return (
        tuple(EnvironmentRecord(**item) for item in ledger["environments"]),
        tuple(InvocationRecord(**item) for item in ledger["invocations"]),
    )
