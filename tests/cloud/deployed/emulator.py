"""The same requests to the local cloud and to AWS's Runtime Interface Emulator (RIE).

The emulator's binary ships with SAM. It initialises at the first request, and must have one request
at a time.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import platform
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud.deployed.conftest import ROOT, RUNTIME, RUNTIME_PYTHON

__all__ = [
    "ABSENT",
    "MEMORY_MB",
    "CloudFunction",
    "Emulator",
    "Endpoint",
    "Request",
    "emulated",
    "observe",
]

ABSENT = "(absent)"
MEMORY_MB = 256
_ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
# Of the connection, and not of what is answered.
_TRANSPORT = ("connection", "content-length", "date", "server", "transfer-encoding")
_START_SECONDS = 20.0
# What no two requests have in common, and what stands for it.
_UNIQUE = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b\d+\.\d+\.\d+\.\d+:\d+\b", "<address>"),
    (r"\b\d{4}/\d\d/\d\d/\[(\$LATEST|\d+)\][0-9a-f]{32}\b", r"<date>/[\1]<environment>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<time>"),
    (r"\b\d+(\.\d+)? ms\b", "<number> ms"),
    (r"Max Memory Used: \d+ MB", "Max Memory Used: <number> MB"),
)


@dataclass(frozen=True)
class Request:
    """One request; `name` is what differences are told by."""

    name: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CloudFunction:
    """A function in the local cloud.

    address: host:port. function: its name in requests' path. folder: where its package is.
    """

    address: str
    function: str
    folder: str = "/var/task"

    def log(self, headers: Mapping[str, str]) -> str:
        """The tail that Lambda sends with the answer."""
        return base64.b64decode(headers.get("x-amz-log-result", "")).decode()


@dataclass
class Emulator:
    """The emulator, running one handler; all that it and the function write is in `output`."""

    address: str
    folder: str
    output: Path
    function: str = "function"
    _read: int = 0

    def log(self, headers: Mapping[str, str]) -> str:
        """What was written since the last request, without the emulator's own messages."""
        del headers  # the log is not in the answer
        text = self.output.read_bytes()
        new, self._read = text[self._read :].decode(errors="replace"), len(text)
        return "".join(line for line in new.splitlines(True) if " (rapid) " not in line)


Endpoint = CloudFunction | Emulator


@contextmanager
def emulated(folder: Path, handler: str, name: str, timeout_seconds: int) -> Iterator[Emulator]:
    """The emulator, told all that it lets itself be told of a function.

    folder: holds the package. name: the function's.
    """
    (binary,) = (ROOT / ".tools/sam/lib").glob(
        f"python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{_ARCHITECTURE}"
    )
    address, api = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    output = folder.parent / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [
                *(binary, "--runtime-interface-emulator-address", address),
                *("--runtime-api-address", api),
                *(RUNTIME / "bin/python", "-m", "awslambdaric", handler),
            ],
            cwd=folder,
            env={
                "PATH": os.defpath,
                "PYTHONDONTWRITEBYTECODE": "1",
                # The runtime looks at it, and writes JSON accordingly.
                "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME_PYTHON}",
                "AWS_LAMBDA_FUNCTION_NAME": name,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_seconds),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_listening(address, process)
        yield Emulator(address, str(folder), output)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_listening(address: str, process: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((host, int(port))).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None, f"the emulator ended: {process.returncode}"
            assert time.monotonic() < deadline, "the emulator did not start"
            time.sleep(0.01)


def observe(endpoint: Endpoint, request: Request) -> dict[str, str]:
    """What came of a request, as text by field, so that two of them can be compared.

    Fields: status; header.NAME; body, byte for byte, or body.KEY for errors and descriptions;
    log.function, log.platform and log.report.NAME.
    """
    connection = http.client.HTTPConnection(endpoint.address, timeout=30)
    try:
        connection.request(
            "POST",
            f"/2015-03-31/functions/{endpoint.function}/invocations",
            request.body,
            {"X-Amz-Log-Type": "Tail", **request.headers},
        )
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    headers = {key.lower(): value for key, value in response.getheaders()}
    logged = _comparable(endpoint.log(headers), endpoint)
    if "x-amz-log-result" in headers:
        headers["x-amz-log-result"] = "<log>"
    return {
        "status": str(response.status),
        **{
            f"header.{key}": _comparable(value, endpoint)
            for key, value in headers.items()
            if key not in _TRANSPORT
        },
        **{key: _comparable(value, endpoint) for key, value in _body_fields(body).items()},
        **_log_fields(logged),
    }


def _body_fields(body: bytes) -> dict[str, str]:
    try:
        content: Any = json.loads(body)
    except ValueError:
        content = None
    if isinstance(content, dict) and {"errorType", "message", "described"} & content.keys():
        return {f"body.{key}": _text(value) for key, value in content.items()}
    return {"body": body.decode("latin-1")}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _log_fields(log: str) -> dict[str, str]:
    own: list[str] = []
    platform_lines: list[str] = []
    report: dict[str, str] = {}
    for line in log.splitlines():
        if line.startswith("REPORT "):
            parts = (part.partition(": ") for part in line.strip().split("\t"))
            report = {f"log.report.{key.strip()}": value.strip() for key, _, value in parts}
        elif re.match(r"(START|END|INIT_START|INIT_REPORT) ", line):
            platform_lines.append(line.strip())
        elif line.strip():
            own.append(line)
    found = {"log.function": "\n".join(own), "log.platform": "\n".join(platform_lines)}
    return {**{key: value for key, value in found.items() if value}, **report}


def _comparable(text: str, endpoint: Endpoint) -> str:
    for pattern, stands in _UNIQUE:
        text = re.sub(pattern, stands, text)
    # Where each of the two has the package and the interpreter.
    text = text.replace(endpoint.folder, "/var/task")
    return re.sub(r"/[^\s\"]*/python3\.\d+/", "<python>/", text)
