"""Lambda's Invoke on the loopback, quick enough to measure who calls it: `LoopbackProcess`.

A process of its own. Its functions are numbers: each has a pool of environments under
most-recently-used routing, answers a ping at its release time as a decorated function does, and
takes `--init-ms` for the first request to a new environment. GET /figures tells what arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import resource
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import click

from warmer.ping import Ping, Reply, hold_seconds, recognise

MAX_HOLD_SECONDS = 10.0


class _Functions:
    """All functions, by name."""

    def __init__(self, init_seconds: float) -> None:
        self.init_seconds = init_seconds
        self.idle: dict[str, list[str]] = defaultdict(list)
        self.started: dict[str, int] = defaultdict(int)
        self.arrivals: dict[tuple[str, float], list[float]] = defaultdict(list)
        self.connections = 0
        self.in_flight = 0
        self.most_in_flight = 0

    def take(self, function: str) -> tuple[str, bool]:
        """An environment, and whether it is new."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.idle[function]:
            return self.idle[function].pop(), False
        self.started[function] += 1
        return f"{function}-{self.started[function]}", True

    def give_back(self, function: str, environment: str) -> None:
        """The environment has answered."""
        self.in_flight -= 1
        self.idle[function].append(environment)

    def figures(self) -> dict[str, object]:
        """What GET /figures answers; spreads in milliseconds, by the number of held pings."""
        spreads: dict[int, list[float]] = defaultdict(list)
        for times in self.arrivals.values():
            spreads[len(times)].append((max(times) - min(times)) * 1000)
        return {
            "environments": sum(self.started.values()),
            "functions": len(self.started),
            "connections": self.connections,
            "most_in_flight": self.most_in_flight,
            "arrival_spread_ms": {size: max(found) for size, found in spreads.items()},
        }


class _Connection(asyncio.Protocol):
    def __init__(self, functions: _Functions) -> None:
        self._functions = functions
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._functions.connections += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, _ = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", "0"))
        if len(self._buffer) < len(head) + 4 + length:
            return
        self._buffer = b""
        if lines[0].startswith("GET /figures"):
            self._write(json.dumps(self._functions.figures()))
            return
        # Header values are as sent only in the original lines: base64 has capital letters.
        (context,) = [
            v for n, _, v in (x.partition(": ") for x in lines) if n == "X-Amz-Client-Context"
        ]
        self._invoke(lines[0].split("/")[3], json.loads(base64.b64decode(context)))

    def _invoke(self, function: str, context: dict[str, Any]) -> None:
        now = time.time()
        custom = SimpleNamespace(client_context=SimpleNamespace(custom=context["custom"]))
        ping = recognise({}, custom)
        assert isinstance(ping, Ping)
        if ping.release_at:
            self._functions.arrivals[ping.wave, ping.release_at].append(now)
        environment, new = self._functions.take(function)
        init = self._functions.init_seconds if new else 0.0
        loop = asyncio.get_running_loop()
        loop.call_later(init, self._hold, function, environment, ping, new)

    def _hold(self, function: str, environment: str, ping: Ping, new: bool) -> None:
        hold = hold_seconds(ping, time.time(), 60.0, MAX_HOLD_SECONDS)
        reply = Reply(
            environment,
            wave=ping.wave,
            index=ping.index,
            function_version="1",
            new=new,
            init_ms=self._functions.init_seconds * 1000 if new else 0.0,
            held_ms=hold * 1000,
        )
        answer = json.dumps(reply.as_dict())
        loop = asyncio.get_running_loop()
        loop.call_later(hold, self._answer, function, environment, answer)

    def _answer(self, function: str, environment: str, answer: str) -> None:
        self._functions.give_back(function, environment)
        self._write(answer)

    def _write(self, body: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        head = (
            f"HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: 1\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write((head + body).encode())


async def _serve(functions: _Functions, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(functions), "127.0.0.1", 0, ssl=tls, backlog=1024
    )
    click.echo(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class LoopbackProcess:
    """The endpoint in a process of its own, over TLS where a folder for certificates is given."""

    def __init__(self, folder: Path | None = None, init_ms: float = 0.0) -> None:
        self.ca_bundle = folder / "ca.pem" if folder else None
        command = [sys.executable, "-m", "infra.bench.loopback", "--init-ms", str(init_ms)]
        if folder is not None:
            _make_certificate(folder)
            command += ["--tls", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self.url = f"{'https' if folder else 'http'}://localhost:{port}"

    def figures(self) -> dict[str, Any]:
        """What arrived so far."""
        context = ssl.create_default_context(cafile=self.ca_bundle) if self.ca_bundle else None
        with urllib.request.urlopen(f"{self.url}/figures", context=context, timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _make_certificate(folder: Path) -> None:
    """A certificate for localhost that signs itself, so that it is its own authority."""
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tls", type=Path)
    parser.add_argument("--init-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls = None
    if arguments.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.tls / "ca.pem", arguments.tls / "key.pem")
    asyncio.run(_serve(_Functions(arguments.init_ms / 1000), tls))


if __name__ == "__main__":
    main()
