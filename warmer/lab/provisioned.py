"""What is left to on-demand environments where some are provisioned, and what those cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from warmer.lab.compiled import compiled
from warmer.lab.state import Flags, Floats, Integers, Requests

__all__ = ["HOURS", "Provisioned", "busy_when_reached"]

HOURS = 24


@dataclass(frozen=True)
class Provisioned:
    """Environments of one function that are provisioned, for each hour of the day in UTC.

    A request that finds all of them busy gets an on-demand environment (Lambda developer guide,
    "Configuring provisioned concurrency for a function").
    """

    numbers: Integers

    @classmethod
    def flat(cls, number: int) -> Provisioned:
        """The same all day."""
        return cls(np.full(HOURS, number, np.int64))

    def environment_seconds(self, start: float, end: float) -> float:
        """For how long environments are provisioned from `start` to `end`, each counted.

        Both in seconds since a midnight in UTC.
        """
        hours = np.arange(math.floor(start / 3600), math.ceil(end / 3600))
        seconds = np.minimum((hours + 1) * 3600.0, end) - np.maximum(hours * 3600.0, start)
        return float((self.numbers[hours % HOURS] * seconds).sum())

    def overflow(self, requests: Requests) -> tuple[Requests, float]:
        """The requests that on-demand environments get, and the seconds that the others ran for."""
        beyond = _beyond(requests.times, requests.services, self.numbers)
        served = float(requests.services[~beyond].sum())
        return Requests(requests.times[beyond], requests.services[beyond]), served


@compiled
def _beyond(times: Floats, services: Floats, numbers: Integers) -> Flags:
    """Which requests find all environments of their hour busy."""
    found = np.zeros(len(times), np.bool_)
    most = max(1, numbers.max())
    ends = np.full(most, -np.inf)
    for index in range(len(times)):
        now = times[index]
        number = numbers[int(now // 3600) % 24]
        busy = 0
        free = -1
        for place in range(most):
            if ends[place] > now:
                busy += 1
            elif free < 0:
                free = place
        if busy >= number or free < 0:
            found[index] = True
        else:
            ends[free] = now + services[index]
    return found


@compiled
def busy_when_reached(times: Floats, services: Floats, most: int) -> Integers:
    """For each request how many others run when it comes; `most` where they are more."""
    found = np.zeros(len(times), np.int64)
    ends = np.full(most, -np.inf)
    for index in range(len(times)):
        now = times[index]
        busy = 0
        free = -1
        for place in range(most):
            if ends[place] > now:
                busy += 1
            elif free < 0:
                free = place
        found[index] = busy
        if free >= 0:
            ends[free] = now + services[index]
    return found
