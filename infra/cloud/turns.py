"""Turns: of many threads that wait for their connections, one at a time goes on.

Python runs one thread at a time in any case. But threads that the system wakes all at once are
then in each other's way: at each system call of one another is woken, mostly in vain. A hundred
invokes that came together cost sixty changes of threads each, and those more than half of the
cloud's work. So where there are many, one thread waits for all connections, and wakes whose
connection has something, one after the other. Whose invoke has ended, but for what only the cloud
has to do about it, may stand back: its time is no longer counted, and that of others is.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from types import TracebackType
from typing import NamedTuple

__all__ = ["Turns"]

# With fewer, each waits for itself: to wake a thread by way of another takes 30 microseconds more.
_MANY = 5
# A turn takes a fraction of a millisecond; of a thread that is kept waiting nobody waits for more.
_LONGEST_SECONDS = 0.005
# Who stood back this long ago goes first: where something always comes, somebody awaits the answer.
_LONGEST_BACK_SECONDS = 0.1


class _Waiting(NamedTuple):
    """A thread that waits for its turn: asleep until its gate is released."""

    gate: threading.Lock
    thread: int
    urgent: bool = False
    since: float = 0.0


class Turns:
    """`with turns:` around what waits again and again, and `turns.wait` before it does.

    Thread-safe. One thread of its own, until `close`. It bears with anything: a thread whose turn
    it is not goes on all the same, only less quickly.
    """

    def __init__(self) -> None:
        self._members: dict[int, int] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._ready: tuple[deque[int], deque[int]] = deque(), deque()  # the urgent first
        self._back_row: deque[_Waiting] = deque()
        # Whose turn it is. Who takes the entry out ends that turn: the thread, which then wakes the
        # next or releases `_back`, or the thread of this object, which waits for that.
        self._current: dict[int, bool] = {}
        self._back = threading.Lock()
        self._back.acquire()
        self._given = self._last = 0
        self._epoll = select.epoll()
        self._closed = False
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._epoll.register(self._end, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="turns", daemon=True)
        self._thread.start()

    def wait(self, descriptor: int, seconds: float | None = None, urgent: bool = False) -> None:
        """Wait for this thread's turn: until there is something to be read.

        Returns sooner after `seconds`, and where it makes no difference: the thread is then to wait
        for itself. The descriptor is waited for by this thread alone. Urgent ones come first.
        """
        me = threading.get_ident()
        if me not in self._members or len(self._members) < _MANY:
            return
        gate = threading.Lock()
        gate.acquire()
        had_turn = self._current.pop(me, False)
        self._waiting[descriptor] = _Waiting(gate, me, urgent)
        # Asked after the entry was made: `close` looks in the other order.
        watched = not self._closed and self._watch(descriptor)
        if had_turn and not self._give_next():
            self._back.release()
        if not watched:
            self._waiting.pop(descriptor, None)
            return
        came = gate.acquire(timeout=-1 if seconds is None else max(0.0, seconds))
        if not came and self._waiting.pop(descriptor, None) is None:
            gate.acquire()  # it is being woken at this moment

    def stand_back(self) -> None:
        """Let those go first that have something to read, now or meanwhile, for 0.1 s at most.

        Returns at once in a thread whose turn it is not. Not to be called when `close` may be.
        """
        me = threading.get_ident()
        if not self._current.pop(me, False):
            return
        gate = threading.Lock()
        gate.acquire()
        self._back_row.append(_Waiting(gate, me, since=time.monotonic()))
        self._give_next()  # to this very thread where there is no other
        gate.acquire()

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return len(self._waiting) + len(self._back_row)

    def leave(self) -> None:
        """End this thread's turn, if it is: it is about to wait for something else."""
        if self._current.pop(threading.get_ident(), False) and not self._give_next():
            self._back.release()

    def close(self) -> None:
        """End the thread. Those that wait for their turn then wait for themselves."""
        self._closed = True
        os.eventfd_write(self._end, 1)
        self._thread.join()
        while self._waiting:
            self._waiting.popitem()[1].gate.release()
        self._epoll.close()
        os.close(self._end)

    def __enter__(self) -> None:
        me = threading.get_ident()
        self._members[me] = self._members.get(me, 0) + 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        me = threading.get_ident()
        if self._members[me] > 1:
            self._members[me] -= 1
        else:
            del self._members[me]
            self.leave()

    def _watch(self, descriptor: int) -> bool:
        """Ask for one event; False where the system, or a `close` meanwhile, does not let us."""
        once = select.EPOLLIN | select.EPOLLONESHOT
        try:
            self._epoll.modify(descriptor, once)
        except FileNotFoundError:  # new: closed descriptors leave by themselves
            pass
        except (OSError, ValueError):
            return False
        else:
            return True
        try:
            self._epoll.register(descriptor, once)
        except (OSError, ValueError):
            return False
        return True

    def _run(self) -> None:
        while not self._closed:
            if not self._give_next(seconds=None):
                continue
            # A thread that ends its turn wakes the next by itself: this may take long.
            given = self._given
            while not self._back.acquire(timeout=_LONGEST_SECONDS):
                if self._given == given and self._current.pop(self._last, False):
                    break
                given = self._given

    def _give_next(self, seconds: float | None = 0.0) -> bool:
        """Wake the next thread that has something to read, or stood back; False if none."""
        next_one = self._next(seconds)
        if next_one is None:
            return False
        self._given, self._last = self._given + 1, next_one.thread
        self._current[next_one.thread] = True
        next_one.gate.release()
        return True

    def _next(self, seconds: float | None) -> _Waiting | None:
        urgent, others = self._ready
        back = self._back_row
        for descriptor, _ in self._epoll.poll(0.0 if urgent or others or back else seconds):
            waiting = self._waiting.get(descriptor)
            (urgent if waiting is not None and waiting.urgent else others).append(descriptor)
        if back and time.monotonic() - back[0].since > _LONGEST_BACK_SECONDS:
            return back.popleft()
        while urgent or others:
            waiting = self._waiting.pop((urgent or others).popleft(), None)
            if waiting is not None:
                return waiting
        return back.popleft() if back else None
