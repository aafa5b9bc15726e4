"""Serves the dashboard's page, and its figures, on this machine alone."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from warmer.dashboard.page import page
from warmer.dashboard.reading import Dashboard
from warmer.errors import WarmerError

__all__ = ["DashboardServer"]


class DashboardServer(ThreadingHTTPServer):
    """`/` is the page, `/data.json` the figures: read when asked for, at most every `every` s.

    Browsers that ask in between get what was read last, so that several cost as one. A read that
    fails is answered with 502 and what went wrong; the next one asks again. `port` 0 is any free
    one; it listens on 127.0.0.1.
    """

    daemon_threads = True

    def __init__(self, dashboard: Dashboard, every: float, port: int = 0) -> None:
        self.dashboard = dashboard
        self.every = every
        self.reads = 0
        self._lock = threading.Lock()
        self._last: tuple[float, bytes] | None = None
        super().__init__(("127.0.0.1", port), _Handler)

    def figures(self) -> bytes:
        """The figures as JSON. Raises WarmerError."""
        with self._lock:
            if self._last is None or time.monotonic() >= self._last[0] + self.every:
                self.reads += 1
                content = json.dumps(self.dashboard.read()).encode()
                self._last = (time.monotonic(), content)
            return self._last[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DashboardServer

    def do_GET(self) -> None:
        """Answer with the page or the figures."""
        place = self.path.partition("?")[0]
        if place == "/":
            text = page(self.server.dashboard.described(), self.server.every)
            self._answer(200, "text/html; charset=utf-8", text.encode())
        elif place == "/data.json":
            self._figures()
        else:
            self._answer(404, "text/plain; charset=utf-8", b"There are / and /data.json\n")

    def _figures(self) -> None:
        try:
            self._answer(200, "application/json", self.server.figures())
        except WarmerError as error:
            content = json.dumps({"error": str(error)}).encode()
            self._answer(502, "application/json", content)

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent: the terminal is for what is said at the start."""
