"""What an execution environment sees of files, as an fstab that is mounted in its own namespace.

Folders that Lambda has and the machine must not share are built in a staging place and then laid
over the machine's: /tmp, /var, /opt, /run, /dev/shm and the user's home. Nothing is created in the
machine's own folders.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from infra.cloud.function import FunctionVersion

__all__ = ["Filesystem"]

_SMALL = "size=1m,mode=755"


class Filesystem:
    """Writes the fstab of environments that run on one interpreter environment.

    runtime: the virtual environment that becomes /var/lang.
    state: a folder of the cloud's own, where staging places and merged layers are kept.
    home: the user's home, hidden from functions; by default that of the user who runs the cloud.
    run: whether /run is hidden, where services of this machine have their sockets.
    """

    def __init__(
        self, runtime: Path, state: Path, home: Path | None = None, run: bool = True
    ) -> None:
        self._runtime = runtime.resolve()
        self._state = state.resolve()
        self._interpreters = interpreter_folders(runtime)
        hidden = [Path(name) for name in ("/tmp", "/var", "/opt")]
        # With the machine's network its /run is needed: name resolution may depend on it.
        for name in ("/dev/shm", "/run") if run else ("/dev/shm",):
            if Path(name).is_dir():
                hidden.append(Path(name))
        home = _home() if home is None else home.resolve()
        # A home such as / or /usr/... is no home to hide, and one in /var is hidden already.
        if home.is_dir() and home.parts[:2] in {("/", "root"), ("/", "home"), ("/", "Users")}:
            hidden.append(home)
        self._staging = {path: self._state / "staging" / path.name for path in hidden}
        for place in self._staging.values():
            place.mkdir(parents=True, exist_ok=True)

    def fstab(self, environment: str, version: FunctionVersion) -> str:
        """The mounts of one environment, in order, in the format of fstab(5)."""
        # `mount --all` skips what is mounted already: a name of its own makes each mount new.
        source = f"sandbox-{environment}"
        staging = self._staging
        var, opt = staging[Path("/var")], staging[Path("/opt")]
        entries = [
            (source, path, "tmpfs", self._options(place, version))
            for place, path in staging.items()
            if path != opt
        ]
        entries += [
            (str(self._layers(version)), opt, "none", "bind,ro"),
            (str(version.code.resolve()), var / "task", "none", "bind,ro,X-mount.mkdir"),
            (str(self._runtime), var / "lang", "none", "bind,ro,X-mount.mkdir"),
        ]
        for folder in self._interpreters:
            if (place := self._staged(folder)) is not None:
                entries.append((str(folder.resolve()), place, "none", "bind,ro,X-mount.mkdir"))
        # Once covered, the staging places are out of reach: what holds them comes last.
        for place in sorted(staging, key=self._state.is_relative_to):
            entries.append((str(staging[place]), place, "none", "rbind"))
        entries.append((source, Path("/proc"), "proc", "nosuid,nodev,noexec"))
        return "".join(
            f"{_escape(what)} {_escape(str(where))} {kind} {options} 0 0\n"
            for what, where, kind, options in entries
        )

    def _options(self, place: Path, version: FunctionVersion) -> str:
        if place == Path("/tmp"):
            return f"size={version.ephemeral_storage_mb}m,mode=1777"
        # Lambda has no usable /dev/shm.
        return _SMALL + ",ro" if place == Path("/dev/shm") else _SMALL

    def _staged(self, path: Path) -> Path | None:
        """Where a path of the machine is in the staging places; None if it is not hidden."""
        for place, staging in self._staging.items():
            if path.is_relative_to(place):
                return staging / path.relative_to(place)
        return None

    def _layers(self, version: FunctionVersion) -> Path:
        """A folder with the layers merged, and places for interpreters that live in /opt."""
        merged = self._state / "layers" / version.key.replace("$", "_").replace(":", "-")
        if not merged.exists():
            unfinished = merged.with_name(merged.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that failed
            unfinished.mkdir(parents=True)
            for layer in version.layers:
                shutil.copytree(layer, unfinished, symlinks=True, dirs_exist_ok=True)
            for folder in self._interpreters:
                if folder.is_relative_to("/opt"):
                    (unfinished / folder.relative_to("/opt")).mkdir(parents=True, exist_ok=True)
            unfinished.rename(merged)
        return merged


def interpreter_folders(runtime: Path) -> tuple[Path, ...]:
    """Folders that the interpreter of a virtual environment lives in, spelled in every way it is.

    Raises OSError when `runtime` has no pyvenv.cfg or no interpreter.
    """
    executable = runtime / "bin" / "python3"
    found = {executable.resolve().parent.parent}
    for line in (runtime / "pyvenv.cfg").read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            found.add(Path(value.strip()).parent)
    return tuple(
        sorted(
            folder
            for folder in found | {folder.resolve() for folder in found}
            if not any(folder != other and folder.is_relative_to(other) for other in found)
        )
    )


def _home() -> Path:
    try:
        return Path.home().resolve()
    except RuntimeError:
        return Path("/")  # a user without a home has none to hide


def _escape(name: str) -> str:
    """As fstab(5) wants white space and backslashes."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in name)
