"""`warmer proxy`: a Function URL with AWS_IAM, for clients that cannot sign."""

from __future__ import annotations

import http.client
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import click

from warmer.aws.signing import UrlSigner

__all__ = ["SigningProxy", "proxy"]

TIMEOUT_SECONDS = 900.0
"""Lambda's longest time-out."""

LARGEST_BODY = 6 * 1024 * 1024
"""Bytes of a request ("Lambda quotas")."""

# Said between two neighbours only (RFC 9110, section 7.6.1), or said anew by each of them.
_OF_ONE_HOP = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "date",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class SigningProxy(ThreadingHTTPServer):
    """Signs each request and sends it to the Function URL `url`; answers with what comes back.

    It listens on this machine alone, since whoever reaches it calls with your credentials. `port` 0
    is any free one. Raises ConfigurationError as UrlSigner does.
    """

    daemon_threads = True

    def __init__(self, url: str, port: int = 0) -> None:
        self.signer = UrlSigner(url)
        self.url = url.rstrip("/")
        super().__init__(("127.0.0.1", port), _Handler)

    def forward(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send a signed request; status, headers and body of the answer. Raises OSError."""
        parts = urlsplit(self.url + target)
        secure = parts.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)
        signed = headers | self.signer.headers(method, parts.geturl(), body)
        place = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            connection.request(method, place, body, signed)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: SigningProxy

    def _forward(self) -> None:
        length = self.headers.get("content-length", "0")
        known = length.isdecimal() and not self.headers["transfer-encoding"]
        if not known or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._refuse(413, f"expected a body of at most {LARGEST_BODY} bytes, and its length")
            return
        body = self.rfile.read(int(length))
        headers = {key: value for key, value in self.headers.items() if _passes(key)}
        try:
            status, answered, content = self.server.forward(self.command, self.path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._refuse(502, f"{self.server.url} cannot be reached: {error}")
            return
        self._answer(status, answered, content)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _forward

    def _refuse(self, status: int, message: str) -> None:
        content = json.dumps({"error": message}).encode()
        self._answer(status, [("content-type", "application/json")], content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for key, value in headers:
            if _passes(key):
                self.send_header(key, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent: a client's requests are its own."""


def _passes(header: str) -> bool:
    return header.lower() not in _OF_ONE_HOP


@click.command()
@click.argument("url")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0: any free one.",
)
def proxy(url: str, port: int) -> None:
    """Let clients that cannot sign call the Function URL URL.

    Listens on 127.0.0.1 and signs what comes with your AWS credentials, so that an inference client
    such as tritonclient can use a URL with AWS_IAM. Whoever can reach this machine's loopback
    interface can call it meanwhile. Ctrl-C ends it.
    """
    with SigningProxy(url, port) as server:
        click.echo(f"http://127.0.0.1:{server.server_port} is {server.url}, signed")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended")
