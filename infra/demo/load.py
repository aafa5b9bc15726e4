"""Requests to an endpoint, timed by the client that waits for them."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from warmer.errors import CloudError

TIMEOUT_SECONDS = 60.0


class Caller:
    """One client with one open connection to a Function URL.

    `check` is given each answer's body and raises where it is wrong.
    """

    def __init__(self, url: str, body: bytes, check: Callable[[bytes], None]) -> None:
        parts = urlsplit(url)
        self._path = parts.path or "/"
        self._body = body
        self._check = check
        self._connection = http.client.HTTPConnection(
            str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS
        )
        self._connection.connect()

    def call(self) -> float:
        """Send the request, wait for its answer, and give the milliseconds that took.

        Raises CloudError for an answer other than 200.
        """
        started = time.perf_counter()
        self._connection.request(
            "POST", self._path, self._body, {"content-type": "application/json"}
        )
        response = self._connection.getresponse()
        answer = response.read()
        elapsed_ms = (time.perf_counter() - started) * 1000
        if response.status != 200:
            raise CloudError(f"the endpoint answered {response.status}: {answer[:500]!r}")
        self._check(answer)
        return elapsed_ms

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Latencies:
    """Milliseconds that clients waited, and what can be said of them."""

    values: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """The nearest-rank quantile: at least `share` of the values are no larger."""
        ranked = sorted(self.values)
        return ranked[max(0, -(-len(ranked) * round(share * 1000) // 1000) - 1)]

    @property
    def p50(self) -> float:
        """The median."""
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        """The 99th percentile."""
        return self.quantile(0.99)

    @property
    def longest(self) -> float:
        """The maximum."""
        return max(self.values)


def one_after_another(caller: Caller, count: int) -> Latencies:
    """`count` requests, each sent when the one before is answered."""
    return Latencies(tuple(caller.call() for _ in range(count)))


def at_once(callers: Sequence[Caller]) -> Latencies:
    """One request of each caller, all sent at the same moment."""
    together = threading.Barrier(len(callers))

    def run(caller: Caller) -> float:
        together.wait()
        return caller.call()

    with ThreadPoolExecutor(len(callers)) as threads:
        return Latencies(tuple(threads.map(run, callers)))
