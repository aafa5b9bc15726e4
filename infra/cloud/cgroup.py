"""Memory and processor limits of execution environments, by Linux control groups.

Both versions are used as they are found: version 1, one hierarchy for each controller, and version
2. Groups are made beside or below the cloud's own, so what limits the cloud limits its functions.
Memory in a group includes files in /tmp, which are memory here; on Lambda they are not.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["MEMORY_PER_CPU_MB", "Cgroup", "Cgroups", "CgroupsRefused", "Controller"]

_log = logging.getLogger("warmer.cloud")

Controller = Literal["memory", "cpu"]
# AWS Lambda developer guide, "Configure Lambda function memory": one vCPU at 1,769 MB.
MEMORY_PER_CPU_MB = 1769
_PERIOD_MICROSECONDS = 20_000
_MB = 1024 * 1024
_REMOVAL_LIMIT_SECONDS = 5.0


class CgroupsRefused(Exception):
    """This machine does not let us limit memory or processor; the message says why."""


@dataclass(frozen=True)
class _Mount:
    """Where a controller's hierarchy is, and our own group in it."""

    controller: Controller
    unified: bool  # version 2
    top: Path
    own: Path


class Cgroup:
    """The group, or one group for each controller, of one environment."""

    def __init__(self, folders: dict[Controller, Path], unified: bool, memory_mb: int) -> None:
        self._folders = folders
        self._unified = unified
        self._memory_mb = memory_mb

    @property
    def joins(self) -> tuple[Path, ...]:
        """Files into which a process writes 0 to join."""
        return tuple(folder / "cgroup.procs" for folder in sorted(set(self._folders.values())))

    def limit_memory(self) -> None:
        """Have the kernel kill what goes over the function's memory, swap included."""
        if (folder := self._folders.get("memory")) is None:
            return
        limit = str(self._memory_mb * _MB)
        if self._unified:
            (folder / "memory.max").write_text(limit)
            _write_if_there(folder / "memory.swap.max", "0")
        else:
            (folder / "memory.limit_in_bytes").write_text(limit)
            _write_if_there(folder / "memory.memsw.limit_in_bytes", limit)

    def limit_cpu(self) -> None:
        """Give it processor time in proportion to memory; without this it has all there is."""
        if (folder := self._folders.get("cpu")) is None:
            return
        quota = max(1000, _PERIOD_MICROSECONDS * self._memory_mb // MEMORY_PER_CPU_MB)
        if self._unified:
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a process at the memory limit."""
        if (folder := self._folders.get("memory")) is None:
            return False
        name = "memory.events" if self._unified else "memory.oom_control"
        for line in (folder / name).read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value) > 0
        return False

    def remove(self) -> None:
        """Kill whoever is left inside, and remove the groups."""
        for folder in set(self._folders.values()):
            _remove(folder)


class Cgroups:
    """Makes the groups of one cloud's environments, below one folder of the cloud's own.

    controllers: what is to be limited. Folders that dead clouds left are removed first.
    Raises CgroupsRefused.
    """

    def __init__(self, controllers: tuple[Controller, ...]) -> None:
        mounts = {name: _find(name) for name in controllers}
        if len({mount.unified for mount in mounts.values()}) > 1:
            raise CgroupsRefused("memory and cpu are controllers of different cgroup versions")
        self._unified = any(mount.unified for mount in mounts.values())
        for mount in mounts.values():
            _remove_stale(mount.top)
        name = f"{_owner(os.getpid())}-{uuid.uuid4().hex[:8]}"
        self._bases: dict[Controller, Path] = {}
        try:
            for controller, mount in mounts.items():
                self._bases[controller] = _make_base(mount, name)
            _try(self.create("trial", memory_mb=128))
        except OSError as error:
            self.close()
            raise CgroupsRefused(f"{error.filename}: {error.strerror}") from error

    def create(self, name: str, memory_mb: int) -> Cgroup:
        """The groups of one environment, its memory limited. Raises OSError."""
        folders = {controller: base / name for controller, base in self._bases.items()}
        for folder in set(folders.values()):
            folder.mkdir()
        cgroup = Cgroup(folders, self._unified, memory_mb)
        try:
            cgroup.limit_memory()
        except OSError:
            cgroup.remove()
            raise
        return cgroup

    def close(self) -> None:
        """Remove the cloud's folders."""
        for base in set(self._bases.values()):
            _remove(base)


def _find(controller: Controller) -> _Mount:
    """Where a controller is mounted, version 1 first, as on machines that have both."""
    own = _own_groups()
    found: list[_Mount] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root, place = fields.split()[3:5]
        top = Path(place)
        if kind == "cgroup" and controller in options.split(","):
            found.insert(0, _Mount(controller, False, top, _below(top, root, own[controller])))
        elif kind == "cgroup2" and controller in (top / "cgroup.controllers").read_text().split():
            found.append(_Mount(controller, True, top, _below(top, root, own[""])))
    if not found:
        raise CgroupsRefused(f"no control group hierarchy has the {controller} controller")
    return found[0]


def _own_groups() -> dict[str, str]:
    """This process's group by controller of version 1; "" for version 2."""
    groups: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _below(top: Path, root: str, group: str) -> Path:
    """The folder of a group where only the part below `root` is mounted."""
    return top / os.path.relpath(group, root) if root != "/" else top / group.lstrip("/")


def _make_base(mount: _Mount, name: str) -> Path:
    """Make the cloud's folder, in which groups can have the controller."""
    if not mount.unified:
        base = mount.own / name
        base.mkdir()
        return base
    parent = _parent(mount)
    _pass_on(parent, mount.controller)
    base = parent / name
    base.mkdir(exist_ok=True)
    _pass_on(base, mount.controller)
    return base


def _parent(mount: _Mount) -> Path:
    """The group of version 2 in which all of the cloud's are made, whatever their controllers.

    A group with processes, as our own is, has no groups with limits below it, unless it is the root
    of all (Linux kernel, "Control Group v2": "No Internal Process Constraint"): so a neighbour of
    ours is the place. The root is known by what it lacks.
    """
    if not (mount.own / "cgroup.type").exists():
        return mount.own
    if mount.own == mount.top:
        reason = "this process is in it, and no group beside it can be reached"
        raise OSError(errno.EBUSY, reason, str(mount.own))
    return mount.own.parent


def _pass_on(folder: Path, controller: Controller) -> None:
    """Let the groups below a folder of version 2 have a controller."""
    control = folder / "cgroup.subtree_control"
    if controller in control.read_text().split():
        return
    # The kernel refuses that for memory. For cpu it would make the group one of threads, below
    # which no process can be.
    if (folder / "cgroup.type").exists() and (folder / "cgroup.procs").read_text():
        raise OSError(
            errno.EBUSY, "processes are in it, so that it has no limits below", str(folder)
        )
    control.write_text(f"+{controller}")


def _try(cgroup: Cgroup) -> None:
    """Limit a group, have a process join it, and remove it. Raises OSError and CgroupsRefused."""
    try:
        cgroup.limit_cpu()
        join = 'for procs; do echo 0 >"$procs"; done'
        tried = subprocess.run(
            ["sh", "-ec", join, "sh", *map(str, cgroup.joins)],
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.returncode:
            raise OSError(
                errno.EACCES, f"no process can join: {tried.stderr.strip()}", "cgroup.procs"
            )
    finally:
        cgroup.remove()


def _owner(pid: int) -> str:
    """A name for a cloud that no later process of the same number can have."""
    started = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    return f"warmer-{Path('/proc/self/ns/pid').stat().st_ino}-{pid}-{started}"


def _remove_stale(top: Path) -> None:
    """Remove what clouds left that were killed; those of another pid namespace are not ours."""
    prefix = f"warmer-{Path('/proc/self/ns/pid').stat().st_ino}-"
    for folder in _folders_named(top, prefix):
        owner = folder.name.rpartition("-")[0]
        with suppress(FileNotFoundError):
            if owner == _owner(int(folder.name.removeprefix(prefix).split("-")[0])):
                continue  # it is alive
        with suppress(OSError):  # another user's, or another cloud is removing it just now
            for group in folder.iterdir():
                if group.is_dir():
                    _remove(group)
            _remove(folder)


def _folders_named(top: Path, prefix: str) -> Iterator[Path]:
    for place, names, _ in os.walk(top):
        for name in list(names):
            if name.startswith("warmer-"):
                names.remove(name)  # it holds no other cloud's
                if name.startswith(prefix):
                    yield Path(place) / name


def _remove(folder: Path) -> None:
    """Remove a group; it may take a moment until the kernel has forgotten its processes."""
    deadline = time.monotonic() + _REMOVAL_LIMIT_SECONDS
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                _log.warning("%s is left behind (%s)", folder, error.strerror)
                return
        with suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.002)


def _write_if_there(path: Path, text: str) -> None:
    """Write a limit that kernels without swap accounting do not have."""
    if path.exists():
        path.write_text(text)
