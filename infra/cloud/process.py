"""A local cloud as a process of its own: for the demo, for tests, for anyone's scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.cloud.credentials import OF_USERS
from warmer.errors import CloudError

# They keep AWS's tools from looking for others, or using real ones.
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": OF_USERS.access_key,
    "AWS_SECRET_ACCESS_KEY": OF_USERS.secret_key,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_DROPPED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


class CloudProcess:
    """`warmer cloud up` in a child process, ready when the constructor returns.

    arguments: options of `warmer cloud up`; `--port 0` unless they name a port.
    directory: where it runs; `.tools/runtime` is looked up there.
    log: a file for what it writes to standard error, or None to leave that where it goes.

    Raises CloudError, with the cloud's own words, where it does not start.
    """

    def __init__(
        self, arguments: Sequence[str] = (), *, directory: Path, log: Path | None = None
    ) -> None:
        port = [] if "--port" in arguments else ["--port", "0"]
        command = [sys.executable, "-m", "infra.cloud", "up", "--json", *port, *arguments]
        errors = log.open("wb") if log is not None else None
        self._process = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        if errors is not None:
            errors.close()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._process.stdout.close()
            said = f": {log.read_text().strip()}" if log is not None else ""
            raise CloudError(f"the local cloud did not start (exit code {code}){said}")
        self.endpoint: str = json.loads(line)["endpoint"]
        self.pid = self._process.pid

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment variables with which AWS's tools speak to this cloud and to no other."""
        given = os.environ if base is None else base
        kept = {key: value for key, value in given.items() if key not in _DROPPED}
        return {
            **kept,
            **_CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "SAM_CLI_TELEMETRY": "0",
        }

    def ledger(self) -> dict[str, Any]:
        """Every environment and invocation so far, as the cloud itself counted them."""
        return self._get("/_warmer/ledger")

    def status(self) -> dict[str, Any]:
        """Environments alive now, and the cloud's clock."""
        return self._get("/_warmer/status")

    def stop(self) -> None:
        """End it, and wait until it has ended everything it started."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.endpoint + path, timeout=30) as response:
            return dict(json.load(response))
