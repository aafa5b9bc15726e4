"""A function and its versions as moto keeps them, with what moto leaves out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from moto.awslambda import models
from moto.awslambda.models import LambdaFunction

from infra.cloud.function import FunctionVersion
from infra.cloud.provisioner import Provisioned

__all__ = ["LocalFunction", "install"]

_LATEST = "$LATEST"


class LocalFunction(LambdaFunction):
    """$LATEST or a published version.

    unpacked, layer_folders: code and layers on this machine's disk.
    """

    unpacked: Path
    # How far the preparation of versions has come: set by the control plane.
    prepared: ClassVar[Callable[[FunctionVersion], Provisioned | None]]
    layer_folders: tuple[Path, ...] = ()
    _was_ready = False
    _as_version: FunctionVersion | None = None

    def __init__(
        self, account_id: str, spec: dict[str, Any], region: str, version: Any = 1
    ) -> None:
        super().__init__(account_id, spec, region, version)
        self.snap_start = "None"
        self.dead_letter_arn: str | None = None
        self.log_format, self.system_log_level, self.log_level = "Text", "INFO", "INFO"
        self._take(spec)

    @property
    def is_snap_start(self) -> bool:
        """Whether it is started from a snapshot: a published version of a function that asks."""
        return self.snap_start == "PublishedVersions" and self.version != _LATEST

    def configure(self, spec: Mapping[str, Any]) -> None:
        """Take on all of a configuration; what it does not say has Lambda's default."""
        self.handler = spec.get("Handler")
        self.run_time = spec.get("Runtime")
        self.role = spec["Role"]
        self.description = spec.get("Description", "")
        self.memory_size = spec.get("MemorySize", 128)
        self.timeout = spec.get("Timeout", 3)
        self.environment_vars = (spec.get("Environment") or {}).get("Variables", {})
        self.architectures = spec.get("Architectures", ["x86_64"])
        self.tags = spec.get("Tags") or {}
        self.layers = self._get_layers_data(spec.get("Layers") or [])
        self._take(
            {
                "EphemeralStorage": {"Size": 512},
                "LoggingConfig": {},
                "SnapStart": {},
                "DeadLetterConfig": {},
                **spec,
            }
        )
        self.code_or_config_updated = True

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        """UpdateFunctionConfiguration; what it does not say stays."""
        self._take(config_updates)
        return super().update_configuration(config_updates)

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        """As GetFunctionConfiguration answers."""
        found: dict[str, Any] = super().get_configuration(on_create)
        found["SnapStart"] = {
            "ApplyOn": self.snap_start,
            "OptimizationStatus": "On" if self.is_snap_start else "Off",
        }
        found["LoggingConfig"] = {"LogFormat": self.log_format, "LogGroup": self.logs_group_name}
        if self.log_format == "JSON":
            found["LoggingConfig"]["SystemLogLevel"] = self.system_log_level
            found["LoggingConfig"]["ApplicationLogLevel"] = self.log_level
        found |= self._preparation()
        if self.dead_letter_arn:
            found["DeadLetterConfig"] = {"TargetArn": self.dead_letter_arn}
        return found

    def get_code(self) -> dict[str, Any]:
        """As GetFunction answers; a reservation of 0 is one too, and is the function's."""
        found: dict[str, Any] = super().get_code()
        if self.reserved_concurrency is not None:
            reserved = int(self.reserved_concurrency)
            found["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return found

    def as_version(self) -> FunctionVersion:
        """What the data plane runs; the same object as long as nothing changes."""
        version = FunctionVersion(
            account_id=self.account_id,
            region=self.region,
            name=self.function_name,
            version=str(self.version),
            handler=str(self.handler),
            runtime=str(self.run_time),
            memory_mb=int(self.memory_size),
            timeout_seconds=int(self.timeout),
            variables=dict(self.environment_vars),
            code=self.unpacked,
            code_sha256=self.code_sha_256,
            ephemeral_storage_mb=int(self.ephemeral_storage),
            init_type="snap-start" if self.is_snap_start else "on-demand",
            log_group=self.logs_group_name,
            log_format=self.log_format,
            system_log_level=self.system_log_level,
            log_level=self.log_level,
            layers=self.layer_folders,
        )
        # Its key is a digest, and each invoke asks for it.
        if self._as_version is None or version != self._as_version:
            self._as_version = version
        return self._as_version

    def snapshot(self) -> dict[str, Any]:
        """All that a failed change has to put back, by `vars(function).update`."""
        return copy.copy(vars(self))

    def _preparation(self) -> dict[str, str]:
        """The state of a version under SnapStart: Pending until it can be restored once.

        Afterwards it is Active, although another environment may be prepared then.
        """
        if not self.is_snap_start or self._was_ready:
            return {}
        state = type(self).prepared(self.as_version())
        if state is None or state.status == "READY":
            self._was_ready = True
            return {}
        if state.status == "IN_PROGRESS":
            reason = "The function is being created."
            return {"State": "Pending", "StateReason": reason, "StateReasonCode": "Creating"}
        return {
            "State": "Failed",
            "StateReason": state.reason,
            "StateReasonCode": "FunctionError",
        }

    def _take(self, spec: Mapping[str, Any]) -> None:
        if "EphemeralStorage" in spec:
            self.ephemeral_storage = int((spec["EphemeralStorage"] or {}).get("Size", 512))
        if "LoggingConfig" in spec:
            logging = spec["LoggingConfig"] or {}
            self.logs_group_name = logging.get("LogGroup") or f"/aws/lambda/{self.function_name}"
            self.log_format = logging.get("LogFormat", "Text")
            self.system_log_level = logging.get("SystemLogLevel", "INFO")
            self.log_level = logging.get("ApplicationLogLevel", "INFO")
        if "SnapStart" in spec:
            self.snap_start = (spec["SnapStart"] or {}).get("ApplyOn", "None")
        if "DeadLetterConfig" in spec:
            self.dead_letter_arn = (spec["DeadLetterConfig"] or {}).get("TargetArn") or None


def install(prepared: Callable[[FunctionVersion], Provisioned | None]) -> None:
    """Make moto use `LocalFunction` from now on.

    prepared: how far a version's environments that are made ahead have come.
    """
    LocalFunction.prepared = staticmethod(prepared)
    vars(models)["LambdaFunction"] = LocalFunction
