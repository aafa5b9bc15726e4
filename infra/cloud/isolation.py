"""What one execution environment shares with another, and with this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from infra.cloud.function import FunctionVersion
from infra.cloud.settings import Isolation, NetworkMode
from warmer.errors import CloudError

__all__ = ["SHARED_NETWORK", "WITHOUT_NAMESPACES", "not_isolated", "refuse_unisolated"]

# What to tell a user who chose isolation "process".
WITHOUT_NAMESPACES = "environments share /tmp, files and processes with this machine"

# And one who chose network "shared".
SHARED_NETWORK = (
    "environments share the network with this machine: they reach whatever it reaches, and a port "
    "is one environment's or another's"
)
_FILES = "environments can read this machine's files outside /tmp, /var, /opt and your home"
_WITH_PROCESS = (
    WITHOUT_NAMESPACES,
    "a file in /tmp can make another environment look warm: TMPDIR is each one's own",
    "ephemeral storage is not limited: functions with another size than the default are refused",
    "there is no /opt: functions with layers are refused",
    "processes that leave their group are not frozen between requests",
)
# The default, in MB (AWS Lambda developer guide, "Configure ephemeral storage").
_DEFAULT_STORAGE_MB = 512
_TOOLS = ("setpriv",)
_PROC = Path("/proc/self")


def not_isolated(isolation: Isolation, network: NetworkMode) -> tuple[str, ...]:
    """What environments share by these choices, one sentence each; CloudError where none can run.

    Raises CloudError on a machine, such as macOS, that lacks what even isolation "process" needs.
    """
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing or not _PROC.is_dir():
        lacking = ", ".join([*missing, *([] if _PROC.is_dir() else ["/proc"])])
        raise CloudError(
            f"Execution environments need Linux, and this machine lacks {lacking}: run the cloud "
            "in a Linux virtual machine or container (on Linux, install util-linux)"
        )
    shared = () if network == "private" else (SHARED_NETWORK,)
    return (*shared, _FILES) if isolation == "namespaces" else (*shared, *_WITH_PROCESS)


def refuse_unisolated(version: FunctionVersion) -> None:
    """Raise CloudError for a function that would not have, without namespaces, what it declares."""
    if version.layers:
        raise CloudError(
            f"{version.name} has layers, and with isolation 'process' there is no /opt of its own "
            "to have them in: put them into its package, or run where namespaces are allowed"
        )
    if version.ephemeral_storage_mb != _DEFAULT_STORAGE_MB:
        raise CloudError(
            f"{version.name} has {version.ephemeral_storage_mb} MB of ephemeral storage, and with "
            "isolation 'process' no limit of it is enforced: leave it at 512, or run where "
            "namespaces are allowed"
        )
