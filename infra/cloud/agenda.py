"""Things to do at a moment of cloud time: one thread, nothing polled."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from datetime import datetime

from infra.cloud.clock import Clock

log = logging.getLogger("warmer.cloud")

Action = Callable[[], object]


class Agenda:
    """Runs short actions when they are due; an action that must wait belongs on another thread."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._entries: list[tuple[datetime, int, Action]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="agenda", daemon=True)
        self._thread.start()

    def at(self, moment: datetime, action: Action) -> None:
        """Run `action` at `moment`, or at once where that has passed."""
        with self._changed:
            heapq.heappush(self._entries, (moment, next(self._order), action))
            self._changed.notify()

    def close(self) -> None:
        """Forget all that is not yet due, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (action := self._next()) is not None:
            try:
                action()
            except Exception:
                log.exception("a scheduled action failed")

    def _next(self) -> Action | None:
        with self._changed:
            while not self._closed:
                if not self._entries:
                    self._changed.wait()
                    continue
                wait = (self._entries[0][0] - self.clock.now()).total_seconds()
                if wait <= 0:
                    return heapq.heappop(self._entries)[2]
                self._changed.wait(min(threading.TIMEOUT_MAX, self.clock.real_seconds(wait)))
            return None
