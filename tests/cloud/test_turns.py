"""Threads that wait for their connections, woken one after the other."""

from __future__ import annotations

import functools
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from infra.cloud.turns import Turns
from tests.cloud.sample_function import wait_until

COUNT = 12


@pytest.fixture
def turns() -> Iterator[Turns]:
    """Turns of which no thread is left."""
    made = Turns()
    yield made
    made.close()


class Echo:
    """Threads that send back what their connections bring, one for each."""

    def __init__(self, turns: Turns, work: Callable[[], None] = lambda: None) -> None:
        self._turns = turns
        self._work = work
        pairs = [socket.socketpair() for _ in range(COUNT)]
        self.callers = [caller for caller, _ in pairs]
        self.served = [served for _, served in pairs]
        self.threads = [threading.Thread(target=self._serve, args=(one,)) for one in self.served]

    def __enter__(self) -> Echo:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self.callers:
            caller.close()
        for thread in self.threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in self.threads)

    def ask(self) -> list[bytes]:
        """Send to all at once; what comes back."""
        for number, caller in enumerate(self.callers):
            caller.settimeout(10)
            caller.sendall(bytes([number]))
        return [caller.recv(1) for caller in self.callers]

    def _serve(self, connection: socket.socket) -> None:
        with connection, self._turns:
            while True:
                self._turns.wait(connection.fileno())
                data = connection.recv(1)
                if not data:
                    return
                self._work()
                connection.sendall(data)


def test_everybody_gets_a_turn(turns: Turns) -> None:
    """Again and again, each with what its own connection brought."""
    with Echo(turns) as echo:
        for _ in range(20):
            assert echo.ask() == [bytes([number]) for number in range(COUNT)]


def test_one_at_a_time_goes_on(turns: Turns) -> None:
    """What a turn does is not disturbed by another's, unless that is kept waiting for long."""
    at_work: list[int] = []
    most: list[int] = []

    def work() -> None:
        at_work.append(1)
        most.append(len(at_work))
        os.sched_yield()
        at_work.pop()

    with Echo(turns, work) as echo:
        for _ in range(20):
            echo.ask()
    # A machine that is busy may stop a thread for longer than its turn may last.
    assert most.count(1) > 0.5 * len(most)


def test_a_turn_that_lasts_too_long_holds_up_nobody(turns: Turns) -> None:
    """One that waits for another's turn ends, since the others go on meanwhile."""
    together = threading.Barrier(COUNT)

    def work() -> None:
        together.wait(10)

    with Echo(turns, work) as echo:
        assert len(echo.ask()) == COUNT


def test_a_turn_can_be_left_before_it_waits_for_something_else(turns: Turns) -> None:
    """Others go on at once, and leaving twice does no harm."""
    together = threading.Barrier(COUNT)

    def work() -> None:
        turns.leave()
        turns.leave()
        together.wait(10)

    with Echo(turns, work) as echo:
        for _ in range(3):
            echo.ask()


def test_few_threads_wait_for_themselves(turns: Turns) -> None:
    """One alone is not made to wait at all: it reads where nothing has come."""
    ours, theirs = socket.socketpair()
    with ours, theirs, turns:
        turns.wait(ours.fileno())


def test_waiting_ends_in_time(turns: Turns) -> None:
    """After the seconds that were given, though nothing has come."""
    ours, theirs = socket.socketpair()
    with ours, theirs, Echo(turns) as echo, turns:
        echo.ask()
        began = time.monotonic()
        turns.wait(ours.fileno(), 0.05)
        assert time.monotonic() - began >= 0.05


def test_what_is_urgent_comes_first(turns: Turns) -> None:
    """Of threads that could go on, those that said so."""
    pairs = [socket.socketpair() for _ in range(COUNT + 1)]
    order: list[bool] = []

    def wake_all() -> None:
        for caller, _ in pairs[1:]:
            caller.sendall(b".")

    def wait(served: socket.socket, urgent: bool, then: Callable[[], None]) -> None:
        with turns:
            all_there.wait(10)
            turns.wait(served.fileno(), 10, urgent)
            then()

    all_there = threading.Barrier(COUNT + 1)
    threads = [threading.Thread(target=wait, args=(pairs[0][1], False, wake_all))]
    for number, (_, served) in enumerate(pairs[1:]):
        urgent = number % 2 == 1
        told = functools.partial(order.append, urgent)
        threads.append(threading.Thread(target=wait, args=(served, urgent, told)))
    for thread in threads:
        thread.start()
    wait_until(lambda: turns.waiting == COUNT + 1)
    pairs[0][0].sendall(b".")
    for thread in threads:
        thread.join(10)
    for one in itertools.chain.from_iterable(pairs):
        one.close()
    assert sorted(order, reverse=True) == order
    assert len(order) == COUNT


class Crowd:
    """Threads that note their names, in order, when their turns come: one that says when all are
    there, one that stands back, and some with something to read."""

    def __init__(self, turns: Turns, back: Callable[[], None]) -> None:
        self.order: list[str] = []
        self._turns = turns
        self._back = back
        self._pairs = [socket.socketpair() for _ in range(COUNT)]
        self._there = threading.Barrier(COUNT)

    def run(self) -> list[str]:
        """In which order they went on."""
        threads = [threading.Thread(target=self._first)]
        threads += [
            threading.Thread(target=self._read, args=(served,)) for _, served in self._pairs[1:]
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: self._turns.waiting == COUNT)
        self._pairs[0][0].sendall(b".")
        for thread in threads:
            thread.join(10)
        for one in itertools.chain.from_iterable(self._pairs):
            one.close()
        return self.order

    def _first(self) -> None:
        with self._turns:
            self._there.wait(10)
            self._turns.wait(self._pairs[0][1].fileno(), 10)
            for caller, _ in self._pairs[1:]:
                caller.sendall(b".")
            self._back()
            self.order.append("stood back")

    def _read(self, served: socket.socket) -> None:
        with self._turns:
            self._there.wait(10)
            self._turns.wait(served.fileno(), 10)
            self.order.append("read")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn ends because this machine is slow."""
    monkeypatch.setattr("infra.cloud.turns._LONGEST_SECONDS", 10.0)
    monkeypatch.setattr("infra.cloud.turns._LONGEST_BACK_SECONDS", 10.0)


@pytest.mark.usefixtures("patience")
def test_who_stands_back_goes_last(turns: Turns) -> None:
    """After all that have something to read, though its turn was before theirs."""
    assert Crowd(turns, turns.stand_back).run() == ["read"] * (COUNT - 1) + ["stood back"]


@pytest.mark.usefixtures("patience")
def test_who_does_not_stand_back_goes_on_with_its_turn(turns: Turns) -> None:
    """The same crowd without: its turn is not over."""
    assert Crowd(turns, lambda: None).run() == ["stood back"] + ["read"] * (COUNT - 1)


def test_standing_back_ends_though_others_come_again_and_again(turns: Turns) -> None:
    """Whoever stood back is not kept waiting for ever."""
    pairs = [socket.socketpair() for _ in range(COUNT)]
    done = threading.Event()

    def busy(mine: socket.socket) -> None:
        with turns:
            while not done.is_set():
                turns.wait(mine.fileno(), 10)  # what came before is never read: there always is

    def back(mine: socket.socket) -> None:
        with turns:
            turns.wait(mine.fileno(), 10)
            turns.stand_back()
            done.set()

    work = [busy] * (COUNT - 1) + [back]
    threads = [
        threading.Thread(target=one, args=(served,))
        for one, (_, served) in zip(work, pairs, strict=True)
    ]
    for thread, (caller, _) in zip(threads, pairs, strict=True):
        caller.sendall(b".")
        thread.start()
    assert done.wait(10)
    for thread in threads:
        thread.join(10)
    for one in itertools.chain.from_iterable(pairs):
        one.close()


def test_who_has_no_turn_need_not_stand_back(turns: Turns) -> None:
    """It goes on at once, alone or among many."""
    turns.stand_back()
    with Echo(turns) as echo, turns:
        turns.stand_back()
        assert echo.ask() == [bytes([number]) for number in range(COUNT)]
        turns.stand_back()
    assert turns.waiting == 0


def test_closing_lets_go_of_all() -> None:
    """They wait for themselves then, as whoever comes later does."""
    turns = Turns()
    with Echo(turns) as echo:
        echo.ask()
        wait_until(lambda: turns.waiting == COUNT)
        turns.close()
        assert echo.ask() == [bytes([number]) for number in range(COUNT)]
        assert turns.waiting == 0
