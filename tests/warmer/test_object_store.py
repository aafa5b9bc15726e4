"""Reads from S3 over connections that break."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from warmer.aws import ObjectStore, StoredObject
from warmer.errors import ModelUnavailable


class _Breaking(BaseHTTPRequestHandler):
    """Answers with ten bytes, of which the first `server.breaks` answers send five."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One read of an object."""
        server: Any = self.server
        server.requests += 1
        self.send_response(206)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"0123456789"[: 5 if server.requests <= server.breaks else 10])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.mark.parametrize(("breaks", "requests"), [(2, 3), (9, 4)])
def test_a_connection_that_breaks_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, breaks: int, requests: int
) -> None:
    """Up to four times in all."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    received = bytearray(10)

    def write(content: bytes, offset: int) -> None:
        received[offset : offset + len(content)] = content

    with ThreadingHTTPServer(("127.0.0.1", 0), _Breaking) as server:
        state: Any = server
        state.requests, state.breaks = 0, breaks
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        store = ObjectStore("models")
        try:
            if breaks < 4:
                store.read(StoredObject("x", 10, '"e"'), 0, 10, write)
                assert received == b"0123456789"
            else:
                with pytest.raises(ModelUnavailable, match="s3://models/x cannot be read"):
                    store.read(StoredObject("x", 10, '"e"'), 0, 10, write)
        finally:
            store.close()
            server.shutdown()
            thread.join()
        assert state.requests == requests
