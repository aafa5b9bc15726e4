"""A function version as deployed, a request to it, and what came of the request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Literal

__all__ = ["FunctionVersion", "InitType", "Invocation", "InvocationKind", "Outcome"]

InitType = Literal["on-demand", "provisioned-concurrency", "snap-start"]
InvocationKind = Literal["request", "event", "url"]


@dataclass(frozen=True, kw_only=True)
class FunctionVersion:
    """One version of a function: code and configuration.

    code: folder of the unpacked package; seen read-only as /var/task inside.
    log_format, system_log_level, log_level: as in the function's LoggingConfig; the levels hold for
        the format JSON.
    layers: folders of the unpacked layers, in order; merged, later ones first, as /opt inside.
    code_sha256: digest of the zip, as Lambda's CodeSha256 (base64).
    variables: the function's own environment variables.
    timeout_seconds, memory_mb, ephemeral_storage_mb: as in the function's configuration.
    init_type: "snap-start" for a published version with SnapStart; provisioned environments of an
        "on-demand" version are told "provisioned-concurrency".
    """

    account_id: str
    region: str
    name: str
    version: str
    handler: str
    runtime: str
    code: Path
    code_sha256: str
    memory_mb: int = 128
    timeout_seconds: float = 3.0
    variables: Mapping[str, str] = field(default_factory=dict)
    ephemeral_storage_mb: int = 512
    init_type: InitType = "on-demand"
    log_group: str = ""
    log_format: str = "Text"
    system_log_level: str = "INFO"
    log_level: str = "INFO"
    layers: tuple[Path, ...] = ()

    @property
    def arn(self) -> str:
        """The unqualified ARN of the function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @cached_property
    def key(self) -> str:
        """Name, version and a digest of all else: environments are shared only within one key.

        How an environment was initialised makes no difference to the requests that it can serve.
        """
        digest = hashlib.sha256()
        for item in fields(self):
            # Where the package is unpacked says nothing about what it holds.
            value = getattr(self, item.name) if item.name not in ("code", "init_type") else ""
            value = sorted(value.items()) if isinstance(value, Mapping) else value
            digest.update(f"{item.name}={value!r}\n".encode())
        return f"{self.name}:{self.version}:{digest.hexdigest()[:16]}"

    @property
    def logs_to(self) -> str:
        """The log group: the configured one, or Lambda's default for the name."""
        return self.log_group or f"/aws/lambda/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One request for a function version.

    client_context: JSON text for the Lambda-Runtime-Client-Context header, already checked.
    invoked_arn: the ARN as the caller qualified it (`context.invoked_function_arn`).
    ping: the client context carries `custom.warmer`; only the ledger looks at it.
    reserved: the function has reserved concurrency; only the ledger looks at it.
    """

    request_id: str
    payload: bytes
    invoked_arn: str
    client_context: str | None = None
    kind: InvocationKind = "request"
    ping: bool = False
    reserved: bool = False

    @property
    def qualifier(self) -> str:
        """The version or alias of the ARN; empty for an unqualified one."""
        return self.invoked_arn.partition(":function:")[2].partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one invocation.

    payload: the response, or the error as JSON when function_error is "Unhandled".
    cold: the request waited for an INIT, or, under SnapStart, for a restore.
    init_ms: INIT that this request waited for, in milliseconds; None unless cold, and None under
        SnapStart, where INIT belongs to no request.
    restore_ms: the restore that it waited for, under SnapStart; else None.
    duration_ms, billed_ms: as in the REPORT line; billed includes INIT when cold
        (AWS Lambda pricing: INIT of on-demand zip packages is billed since 1 August 2025), and not
        the restore, which that line has a field of its own for.
    max_memory_mb: sum of the peak resident sizes of the environment's processes, in MiB.
    log_tail: the last 4 KB that this invocation logged.
    """

    request_id: str
    payload: bytes
    function_error: Literal["Unhandled"] | None
    executed_version: str
    environment_id: str
    cold: bool
    init_ms: float | None
    duration_ms: float
    billed_ms: int
    max_memory_mb: int
    log_tail: bytes
    restore_ms: float | None = None
