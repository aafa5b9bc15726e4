"""Accepts connections on any number of listening sockets, in one thread."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Accepted", "Acceptor"]

# Gets a connection, which it owns from then on, and its peer's address; must not block.
Accepted = Callable[[socket.socket, Any], None]

_log = logging.getLogger("warmer.cloud")
# Where a connection cannot be accepted (no descriptor is free), it stays in the queue this long.
_PAUSE_SECONDS = 0.05


class Acceptor:
    """One thread that hands every connection to `accepted`. Thread-safe.

    refused: connections so far that `accepted` could not take; each was closed and logged.
    """

    def __init__(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._poll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._end, self._closing = os.pipe()
        self._poll.register(self._end, select.EPOLLIN)
        self.refused = 0
        self._thread = threading.Thread(target=self._run, name="acceptor", daemon=True)
        self._thread.start()

    def add(self, listener: socket.socket) -> None:
        """Accept on this socket until `remove`."""
        listener.setblocking(False)
        with self._lock:
            self._listeners[listener.fileno()] = listener
            self._poll.register(listener, select.EPOLLIN)

    def remove(self, listener: socket.socket) -> None:
        """Accept nothing more on this socket; from then on it may be closed."""
        with self._lock:
            self._poll.unregister(listener)
            del self._listeners[listener.fileno()]

    def close(self) -> None:
        """End the thread. Sockets stay open, and connections with whom they were given to."""
        os.close(self._closing)
        self._thread.join()
        self._poll.close()
        os.close(self._end)

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._end:
                    return
                self._accept(descriptor)

    def _accept(self, descriptor: int) -> None:
        with self._lock:  # so that nobody closes the socket, and its number names another
            listener = self._listeners.get(descriptor)
            if listener is None:
                return
            try:
                connection, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return  # the connection has gone again
            except OSError as error:
                _log.warning("a function's connection has to wait: %s", error)
                connection = None
        if connection is None:
            select.select([self._end], [], [], _PAUSE_SECONDS)
            return
        connection.setblocking(True)
        try:
            self._accepted(connection, address)
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread could be started
            self.refused += 1
            _log.warning("a function's connection to the cloud was closed: %s", error)
            connection.close()
