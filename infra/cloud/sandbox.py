"""The processes of one execution environment, shut off from the machine and from each other.

With isolation "namespaces" an environment has its own mount and pid namespaces: /tmp, /var, /opt,
/dev/shm and the user's home are its own, the package is /var/task, the runtime /var/lang, the
layers /opt, all read-only, and so is the machine's root file system. Not isolated: file systems
mounted elsewhere, and the network, unless that is private: see `infra.cloud.network`.

With isolation "process" only the process and TMPDIR are an environment's own.

Where control groups can be had, memory is limited, and processor time if that is asked for.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from infra.cloud.acceptor import Accepted
from infra.cloud.cgroup import Cgroup, Cgroups, CgroupsRefused, Controller
from infra.cloud.failure import Exit
from infra.cloud.filesystem import Filesystem
from infra.cloud.freezer import Freezer, GroupFreezer, NamespaceFreezer
from infra.cloud.function import FunctionVersion
from infra.cloud.isolation import WITHOUT_NAMESPACES, refuse_unisolated
from infra.cloud.network import Network, networks
from infra.cloud.settings import CloudSettings
from warmer.errors import CloudError

__all__ = ["Sandbox", "SandboxFactory", "namespaces_refused"]

_log = logging.getLogger("warmer.cloud")
_HERE = Path(__file__).resolve().parent
# Dies with the thread that started it, in whatever way that thread ends.
_DIE_WITH_CLOUD = ("setpriv", "--pdeathsig", "KILL")
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_AS_USER = ("--user", "--map-root-user")
# Creating namespaces and mounts takes some 20 ms; a machine under load may need far longer.
_START_LIMIT_SECONDS = 30.0
_LONGEST_PROC_FILE = 65536


def _namespace_command(user_namespace: bool) -> tuple[str, ...]:
    return (*_UNSHARE, *(_AS_USER if user_namespace else ()), "--")


def namespaces_refused(user_namespace: bool | None = None) -> str | None:
    """Why this machine cannot make namespaces, or None when it can.

    user_namespace: within a user namespace, as anybody but root must; None for what fits the user.
    """
    user = os.geteuid() != 0 if user_namespace is None else user_namespace
    for tool in ("unshare", "setpriv", "mount"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (package util-linux)"
    trial = subprocess.run(
        [*_namespace_command(user), "mount", "-t", "proc", "proc", "/proc"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if trial.returncode == 0 else trial.stderr.strip() or "unshare failed"


class Sandbox:
    """The running processes of one environment, from launcher to function.

    output: file descriptor, non-blocking, that yields what the function prints and logs.
    ended: file descriptor that becomes readable when the outermost shell is gone.
    Only `kill` may be called from a thread other than the one that owns the environment.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        ended: int,
        folder: Path,
        cgroup: Cgroup | None = None,
    ) -> None:
        assert process.stdout is not None
        self._process = process
        self._cgroup = cgroup
        self._freezer: Freezer | None = None
        self._folder = folder
        self._reported = b""
        self.output = os.dup(process.stdout.fileno())
        os.set_blocking(self.output, False)
        process.stdout.close()
        self.ended = ended
        self.init_pid: int | None = None
        self.function_pid: int | None = None

    @property
    def pid(self) -> int:
        """The outermost process, as this machine numbers it."""
        return self._process.pid

    def wait_started(self) -> None:
        """Block until the interpreter is about to be executed. Raises CloudError if it never is."""
        deadline = time.monotonic() + _START_LIMIT_SECONDS
        try:
            self.init_pid = self._read_pid(deadline)
            self.function_pid = self._read_pid(deadline)
            # Without namespaces the first process is the launcher itself.
            self._freezer = (
                GroupFreezer(self.pid)
                if self.init_pid == self.pid
                else NamespaceFreezer(self.init_pid)
            )
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended since: whoever waits for it will see
        except CloudError:
            os.close(self.output)  # nobody will read it
            raise

    def _read_pid(self, deadline: float) -> int:
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        while b"\n" not in self._reported:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise CloudError(
                    f"An execution environment did not start in {_START_LIMIT_SECONDS:g} s"
                )
            piece = os.read(self.ended, 64)
            if not piece:
                raise CloudError(f"An execution environment could not be made: {self._complaint()}")
            self._reported += piece
        line, _, self._reported = self._reported.partition(b"\n")
        return int(line)

    def _complaint(self) -> str:
        self._process.wait()
        text = (self._folder / "complaints").read_text(errors="replace").strip()
        return text or f"its launcher ended with status {self._process.returncode}"

    def has_ended(self) -> bool:
        """Whether the function, and thereby the environment, is gone."""
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        return bool(poll.poll(0))

    def peak_memory_mb(self) -> int:
        """Sum of the peak resident sizes of its processes in MiB, rounded up; 0 once it is gone."""
        if self.function_pid is None or self.init_pid is None:
            return 0
        kilobytes = sum(_peak_kilobytes(pid) for pid in self._processes())
        return -(-kilobytes // 1024)

    def _processes(self) -> list[str]:
        """/proc folders of the function and what it started."""
        children = f"/proc/{self.function_pid}/task/{self.function_pid}/children"
        # Empty once it is gone, and on a kernel without CONFIG_PROC_CHILDREN.
        return [str(self.function_pid), *_read(children).decode().split()]

    def freeze(self) -> None:
        """Stop everything inside, as far as `infra.cloud.freezer` says."""
        if self._freezer is not None:
            self._freezer.freeze()

    def thaw(self) -> None:
        """Let everything inside go on."""
        if self._freezer is not None:
            self._freezer.thaw()

    def kill(self) -> None:
        """Send SIGKILL to everything inside; returns at once."""
        if self._process.returncode is not None:
            return
        for pid in (self.init_pid, self._process.pid):
            # The first is not our child, but cannot be reaped while its parent, which is, is there.
            if pid is not None and _send(pid, signal.SIGKILL):
                break
        # Without namespaces the rest of the process group is all that can be named.
        _send(-self._process.pid, signal.SIGKILL if self.init_pid == self.pid else signal.SIGCONT)

    def limit_cpu(self) -> None:
        """From now on give it processor time in proportion to its memory, where that is chosen."""
        if self._cgroup is not None:
            self._cgroup.limit_cpu()

    def end(self) -> Exit:
        """Kill everything inside, wait until it is gone, and let go of files.

        Returns the exit status: of the function when it had ended by itself, or minus the signal.
        The output's descriptor stays open for its reader.
        """
        self.kill()
        status = self._process.wait()
        # The launcher waits for what is inside, but not if it was killed first.
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        poll.poll(_START_LIMIT_SECONDS * 1000)
        if self._freezer is not None:
            self._freezer.close()
        os.close(self.ended)
        shutil.rmtree(self._folder)
        out_of_memory = False
        if self._cgroup is not None:
            out_of_memory = self._cgroup.out_of_memory()
            self._cgroup.remove()
        return Exit(status, out_of_memory)


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _peak_kilobytes(pid: str) -> int:
    _, found, rest = _read(f"/proc/{pid}/status").partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) if found else 0


def _read(path: str) -> bytes:
    """A short file of /proc; nothing where there is none. Each invoke reads two."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    try:
        return os.read(descriptor, _LONGEST_PROC_FILE)
    except ProcessLookupError:
        return b""
    finally:
        os.close(descriptor)


class SandboxFactory:
    """Makes sandboxes. `spawn` must always be called from one long-lived thread.

    A sandbox dies with the thread that spawned it: that is how it dies with the cloud.
    Raises CloudError when the wanted isolation is not to be had.
    accepted: as in `DataPlane`. user_namespace: as in `namespaces_refused`.
    """

    def __init__(
        self,
        settings: CloudSettings,
        accepted: Accepted | None = None,
        user_namespace: bool | None = None,
    ) -> None:
        self._isolated = settings.isolation == "namespaces"
        self._user = os.geteuid() != 0 if user_namespace is None else user_namespace
        self._runtime = settings.runtime.resolve()
        self._folder = settings.state.resolve() / "environments"
        self._folder.mkdir(exist_ok=True)
        private = settings.network == "private"
        self._filesystem = Filesystem(settings.runtime, settings.state, run=private)
        if self._isolated and (reason := namespaces_refused(self._user)) is not None:
            raise CloudError(
                f"This machine does not allow namespaces ({reason}). Allow them (in a container: "
                "add CAP_SYS_ADMIN, or permit user namespaces), or choose isolation='process' "
                "with network='shared' (`warmer cloud up --isolation process --network shared`): "
                f"then {WITHOUT_NAMESPACES}."
            )
        self._cgroups = _cgroups(settings)
        try:
            self.networks = networks(settings, accepted, self._user)
        except CloudError:
            if self._cgroups is not None:
                self._cgroups.close()
            raise

    def close(self) -> None:
        """Let go of what all sandboxes share; each must have ended."""
        self.networks.close()
        if self._cgroups is not None:
            self._cgroups.close()

    def task_root(self, version: FunctionVersion) -> str:
        """Where the function finds its package."""
        return "/var/task" if self._isolated else str(version.code.resolve())

    def spawn(
        self,
        environment: str,
        version: FunctionVersion,
        variables: Mapping[str, str],
        network: Network,
    ) -> Sandbox:
        """Start the processes of an environment; `variables` are all that the function will see.

        network: made by `networks`; the caller closes it. Raises CloudError.
        """
        if not self._isolated:
            refuse_unisolated(version)
        folder = self._folder / environment
        cgroup: Cgroup | None = None
        try:
            folder.mkdir(mode=0o700)
            if self._cgroups is not None:
                cgroup = self._cgroups.create(environment, version.memory_mb)
            command = self._command(environment, version, folder, variables)
            joins = () if cgroup is None else map(str, cgroup.joins)
            return self._launch(network, [*command, *joins], folder, cgroup)
        except OSError as error:
            if cgroup is not None:
                cgroup.remove()
            shutil.rmtree(folder, ignore_errors=True)
            raise CloudError(f"An execution environment could not be made: {error}") from error

    def _launch(
        self, network: Network, command: list[str], folder: Path, cgroup: Cgroup | None
    ) -> Sandbox:
        ended, report = os.pipe()
        try:
            # The launcher's own complaints are not the function's output.
            with (folder / "complaints").open("wb") as complaints:
                process = subprocess.Popen(
                    [*_DIE_WITH_CLOUD, *network.entry, *command],
                    stdin=report,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    # Only what the launcher needs; the function gets `variables`.
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                    # Ctrl-C in the cloud's terminal is for the cloud alone.
                    start_new_session=True,
                )
        except OSError:
            os.close(ended)
            raise
        finally:
            os.close(report)
        return Sandbox(process, ended, folder, cgroup)

    def _command(
        self,
        environment: str,
        version: FunctionVersion,
        folder: Path,
        variables: Mapping[str, str],
    ) -> list[str]:
        listing = folder / "variables"
        more = {} if self._isolated else self._private_folder(folder)
        listing.write_text(
            "".join(
                f"export {key}={quote(value)}\n" for key, value in {**variables, **more}.items()
            )
        )
        if self._isolated:
            fstab = folder / "fstab"
            fstab.write_text(self._filesystem.fstab(environment, version))
            command = [*_namespace_command(self._user), "sh", str(_HERE / "enter.sh"), str(fstab)]
        else:
            command = ["sh", str(_HERE / "enter_process.sh"), str(self._runtime)]
        return [*command, str(listing)]

    def _private_folder(self, folder: Path) -> dict[str, str]:
        own = folder / "tmp"
        own.mkdir()
        return {"TMPDIR": str(own), "PYTHONDONTWRITEBYTECODE": "1"}


def _cgroups(settings: CloudSettings) -> Cgroups | None:
    """The control groups that the settings ask for; None when none are to be had, or wanted.

    Raises CloudError when what is required is not to be had.
    """
    wanted: list[Controller] = [] if settings.memory_limit == "none" else ["memory"]
    if settings.cpu == "proportional":
        wanted.append("cpu")
    try:
        return Cgroups(tuple(wanted)) if wanted else None
    except CgroupsRefused as refused:
        reason = str(refused)
    remedy = (
        "Run the cloud as root, or in a control group of its own that it may divide "
        "(`systemd-run --user --scope --property=Delegate=yes ...`)"
    )
    if settings.cpu == "proportional":
        raise CloudError(
            f"Processor time cannot be given in proportion to memory here ({reason}). {remedy}, or "
            "choose cpu='unlimited': then every environment may use every processor."
        )
    if settings.memory_limit == "required":
        raise CloudError(
            f"Memory cannot be limited here ({reason}). {remedy}, or choose memory_limit='auto' or "
            "'none': then a function may use more memory than it is configured for."
        )
    _log.warning(
        "memory limits are not enforced: a function may use more than it is configured for (%s). "
        "%s.",
        reason,
        remedy,
    )
    return None
