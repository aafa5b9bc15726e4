"""Callers of a function's alias, each with one request at a time, for as long as a test needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from infra.cloud.deployed import DeployedStack

__all__ = ["steady_load", "until", "users"]

ROUNDS = 5
"""Requests of each caller, on average, that are awaited before a test goes on."""


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def users(stack: DeployedStack, function: str, since: int) -> list[dict[str, Any]]:
    """Users' requests to the function from mark `since` on."""
    return [item for item in stack.invocations(function, since) if not item["ping"]]


@contextmanager
def steady_load(
    stack: DeployedStack, function: str, callers: int, every_seconds: float
) -> Iterator[None]:
    """So many callers of the alias `live`; all is well for each, or the test fails at the end.

    All of them send a request at the same moment, every so many seconds: so many at once, and
    `callers / every_seconds` a second. One whose answer comes late sends its next at once, and
    leaves out what it has missed beyond that.
    Before and after the body all have come to the function some times: what runs when an alias
    moves still goes to the version from before.
    """
    stop = threading.Event()
    faults: list[str] = []

    began = time.monotonic()

    def call() -> None:
        client = stack.client("lambda")
        due = began
        while not stop.wait(max(0.0, due - time.monotonic())):
            try:
                answer = client.invoke(FunctionName=function, Qualifier="live")
            except ClientError as error:
                faults.append(repr(error))
                return
            if "FunctionError" in answer:
                faults.append(answer["Payload"].read().decode())
            due += every_seconds * max(1, (time.monotonic() - due) // every_seconds)

    def settle() -> None:
        mark = stack.mark()
        until(lambda: bool(faults) or len(users(stack, function, mark)) >= ROUNDS * callers)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        settle()
        yield
        settle()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert faults == []
