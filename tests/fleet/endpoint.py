"""Lambda's Invoke over HTTP on the loopback: real sockets, real holds, real time.

The wire format is that of the API reference of Invoke. Its functions answer pings with
`warmer.ping`, as a decorated function does, from environments that this process merely numbers.
"""

from __future__ import annotations

import base64
import json
import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

from warmer.ping import Ping, Reply, hold_seconds, recognise

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Function:
    """A decorated function with a pool of environments, most recently used first."""

    init_seconds: float = 0.0
    max_hold_seconds: float = 2.0
    started: int = 0
    invokes: int = 0
    idle: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, context: object) -> Answer:
        """Answer one invoke."""
        with self.lock:
            self.invokes += 1
            new = not self.idle
            self.started += new
            environment = f"environment-{self.started}" if new else self.idle.pop()
        if new:
            time.sleep(self.init_seconds)
        payload = self.run(recognise({}, SimpleNamespace(client_context=context)), environment, new)
        with self.lock:
            self.idle.append(environment)
        return 200, {"X-Amz-Executed-Version": "7"}, json.dumps(payload).encode()

    def run(self, ping: object, environment: str, new: bool) -> object:
        """What the handler returns."""
        assert isinstance(ping, Ping)
        hold = hold_seconds(ping, time.time(), math.inf, self.max_hold_seconds)
        time.sleep(hold)
        reply = Reply(
            environment, wave=ping.wave, index=ping.index, new=new, held_ms=hold * 1000
        )  # fmt: skip
        return reply.as_dict()


@dataclass
class Failure(Function):
    """A function whose every invoke gets this answer."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)

    def answer(self, context: object) -> Answer:
        """The answer, whoever asks."""
        del context
        self.invokes += 1
        return self.status, self.headers, json.dumps(self.body).encode()


@dataclass
class Silent(Function):
    """A function that answers no invoke until the test is over."""

    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, context: object) -> Answer:
        """Wait for the end of the test."""
        del context
        self.over.wait(60)
        return 200, {}, b"{}"


NOT_FOUND = Failure(
    status=404,
    headers={"x-amzn-ErrorType": "ResourceNotFoundException"},
    body={"Type": "User", "Message": "Function not found"},
)


def aws_settings(endpoint_url: str | None = None) -> dict[str, str]:
    """A region, credentials of no account, nothing from this machine's files."""
    settings = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**settings, "AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else settings


def of_latest(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers as they are where no version was asked for."""
    version = "X-Amz-Executed-Version"
    return {**headers, version: "$LATEST"} if version in headers else headers


def settings_of(functions: Mapping[str, Function], path: list[str]) -> tuple[int, object]:
    """GetAccountSettings, and GetAlias for every function with a qualifier: status and body."""
    if path[2] == "account-settings":
        limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
        return 200, {"AccountLimit": limits}
    if path[4] == "aliases" and f"{path[3]}:{path[5]}" in functions:
        return 200, {"Name": path[5], "FunctionVersion": "7"}
    return 404, {"Type": "User", "Message": "not found"}


@contextmanager
def serving(
    functions: Mapping[str, Function], made: list[socket.socket] | None = None
) -> Iterator[str]:
    """Serve these functions by `name` or `name:qualifier`; gives the endpoint's URL.

    `made`, if given, collects every connection.
    """
    connections: list[socket.socket] = [] if made is None else made

    class Invoke(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one send a response
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            connections.append(self.connection)

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            name = unquote(url.path.split("/")[3])
            qualifier = parse_qs(url.query).get("Qualifier")
            self.rfile.read(int(self.headers["Content-Length"]))
            context = json.loads(base64.b64decode(self.headers["X-Amz-Client-Context"]))
            function = functions.get(":".join([name, *(qualifier or [])]), NOT_FOUND)
            status, headers, body = function.answer(SimpleNamespace(custom=context["custom"]))
            headers = headers if qualifier else of_latest(headers)
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            status, said = settings_of(functions, unquote(self.path).rstrip("/").split("/"))
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 404:
                self.send_header("x-amzn-ErrorType", "ResourceNotFoundException")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Requests are not logged."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # all connections of a wave at once; TCP repeats a lost one late
        daemon_threads = False  # joined at the end

    with Server(("127.0.0.1", 0), Invoke) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            for function in functions.values():
                if isinstance(function, Silent):
                    function.over.set()
            server.shutdown()
            thread.join()
            for connection in connections:  # kept alive by clients; the threads wait for more
                with suppress(OSError):  # closed already
                    connection.shutdown(socket.SHUT_RDWR)
