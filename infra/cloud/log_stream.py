"""From what environments print to CloudWatch Logs' streams.

Each environment has a stream. Its output is read when it comes, by the one thread of the log pump,
and once more before each line of Lambda's own, so that START comes after what was written before,
END and REPORT after all that the function wrote. The sink is only ever called by the pump's thread,
so a slow one delays no invocation.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from infra.cloud.output import OutputParser

__all__ = ["LogPump", "LogSink", "LogStream"]

_log = logging.getLogger(__name__)
_TAIL_BYTES = 4096
_PIECE = 65536


class LogSink(Protocol):
    """Takes log events, as CloudWatch Logs does. Called from one thread at a time."""

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Add events (Unix milliseconds, message) to a stream, created if it is new."""


class LogStream:
    """The log of one environment: the platform's lines and the function's, in order."""

    def __init__(self, group: str, name: str) -> None:
        self.group = group
        self.name = name
        self._lock = threading.Lock()
        self._parser = OutputParser()
        self._output: int | None = None
        self._pending: list[tuple[int, str]] = []
        self._tail = b""

    def attach(self, output: int) -> None:
        """Read the function's output from this non-blocking descriptor, and close it at its end."""
        with self._lock:
            self._output = output

    def write(self, *lines: str) -> None:
        """Add lines of the platform's own, after all that was written so far; "" is none."""
        with self._lock:
            self._read()  # that it has ended, the pump is still to find
            moment = int(time.time() * 1000)
            self._add([(moment, line) for line in lines if line])

    def start_tail(self) -> None:
        """Forget the tail: an invocation begins."""
        with self._lock:
            self._tail = b""

    def tail(self) -> bytes:
        """The last 4 KB since `start_tail`."""
        with self._lock:
            return self._tail

    def drain(self, finish: bool = False) -> bool:
        """Read all that has been written. Returns False once the output has ended.

        finish: an unfinished line counts as a line, since the invocation is over.
        """
        with self._lock:
            if self._read():
                self._close()
                finish = True
            if finish:
                self._add(self._parser.finish())
            return self._output is not None

    def detach(self) -> None:
        """Stop reading the output, ended or not."""
        with self._lock:
            self._close()

    def take(self) -> list[tuple[int, str]]:
        """The events that have not been taken yet."""
        with self._lock:
            pending, self._pending = self._pending, []
            return pending

    def _read(self) -> bool:
        """Add what has been written. Returns whether the output has ended."""
        while self._output is not None:
            try:
                data = os.read(self._output, _PIECE)
            except BlockingIOError:
                return False
            if not data:
                return True
            self._add(self._parser.feed(data))
        return False

    def _close(self) -> None:
        if self._output is not None:
            os.close(self._output)
            self._output = None

    def _add(self, events: list[tuple[int, str]]) -> None:
        if events:
            self._pending += events
            text = "".join(message for _, message in events).encode()
            self._tail = (self._tail + text)[-_TAIL_BYTES:]


class LogPump:
    """One thread that reads every environment's output and hands events to the sink.

    on_end: called with a stream whose output has ended although nobody unwatched it.
    failures: how often the sink raised; each is logged, and the events it refused are lost.
    """

    def __init__(self, sink: LogSink, on_end: Callable[[LogStream], None]) -> None:
        self.failures = 0
        self._sink = sink
        self._on_end = on_end
        self._lock = threading.Lock()
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._streams: dict[int, LogStream] = {}
        self._ready: dict[LogStream, None] = {}  # a set that keeps its order
        self._waiting: list[threading.Event] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log-pump", daemon=True)
        self._thread.start()

    def watch(self, stream: LogStream, output: int) -> None:
        """Read `output` into `stream` until it ends."""
        stream.attach(output)
        with self._lock:
            self._streams[output] = stream
            self._epoll.register(output, select.EPOLLIN)

    def unwatch(self, stream: LogStream, output: int) -> None:
        """Read what is left of `output`, whose writers have ended, and close it."""
        stream.drain(finish=True)
        with self._lock:
            if self._streams.get(output) is stream:
                del self._streams[output]
        stream.detach()

    def deliver(self, stream: LogStream) -> None:
        """Have the stream's events given to the sink soon."""
        with self._lock:
            self._ready[stream] = None
        os.eventfd_write(self._wake, 1)

    def flush(self) -> None:
        """Wait until everything logged so far is with the sink."""
        done = threading.Event()
        with self._lock:
            if self._closing:
                return
            self._waiting.append(done)
        os.eventfd_write(self._wake, 1)
        done.wait()

    def close(self) -> None:
        """Deliver what is left and end the thread. Every output must have ended or be abandoned."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._epoll.close()
        os.close(self._wake)

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                else:
                    self._read(descriptor)
            with self._lock:
                ready, self._ready = self._ready, {}
                waiting, self._waiting = self._waiting, []
                closing = self._closing
            for stream in ready:
                self._put(stream)
            for done in waiting:
                done.set()
            if closing:
                return

    def _read(self, descriptor: int) -> None:
        with self._lock:
            stream = self._streams.get(descriptor)
            if stream is None:
                return  # its environment has just been ended
            self._ready[stream] = None
        if stream.drain():
            return
        # A closed descriptor has left the epoll set by itself, and may be another's by now.
        with self._lock:
            ended = self._streams.get(descriptor) is stream
            if ended:
                del self._streams[descriptor]
        if ended:
            self._on_end(stream)

    def _put(self, stream: LogStream) -> None:
        events = stream.take()
        if not events:
            return
        try:
            self._sink.put(stream.group, stream.name, events)
        except Exception:  # noqa: BLE001  # whatever a sink raises must not end the pump
            self.failures += 1
            _log.exception("%d events for %s %s were lost", len(events), stream.group, stream.name)
