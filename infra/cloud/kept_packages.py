"""Unpacked packages that outlast a local cloud, so that the next one need not unpack them again."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from infra.cloud.packages import PackageStore

__all__ = ["KeptPackages"]

KEPT_BYTES = 2_000_000_000
# What a process that was killed left half unpacked.
_ABANDONED_SECONDS = 3600.0


class KeptPackages(PackageStore):
    """A `PackageStore` in a folder that several clouds use, one after another or at once.

    A cloud holds a lock on every package that it uses until `close`, which then removes those that
    no cloud holds, the longest unused first, until at most `limit_bytes` are left.
    Only for functions that cannot write to their packages.
    """

    def __init__(self, folder: Path, limit_bytes: int = KEPT_BYTES) -> None:
        super().__init__(folder)
        self._limit_bytes = limit_bytes
        self._held: dict[Path, int] = {}

    def close(self) -> None:
        """Let go of what this cloud used, and remove what is too much."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()
        ages = [(path.stat().st_mtime, path) for path in self._folder.iterdir()]
        total = 0
        for used, path in sorted(ages, reverse=True):
            if path.name.startswith(tempfile.gettempprefix()):
                if used < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
                continue
            total += self.unzipped_bytes(path)
            if total > self._limit_bytes and self._remove(path):
                total -= self.unzipped_bytes(path)

    def _take(self, final: Path) -> bool:
        if final in self._held:
            return True
        descriptor = _locked(final, fcntl.LOCK_SH)
        if descriptor is None:
            return False
        self._held[final] = descriptor
        os.utime(final)
        return True

    def _remove(self, path: Path) -> bool:
        """Whether it is gone: not while a cloud uses it."""
        descriptor = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if descriptor is None:
            return False
        try:
            # At once, by another name: nobody finds half of it.
            trash = Path(tempfile.mkdtemp(dir=self._folder))
            path.rename(trash)
        finally:
            os.close(descriptor)
        shutil.rmtree(trash, ignore_errors=True)
        return True


def _locked(folder: Path, operation: int) -> int | None:
    """A descriptor that holds the lock on a folder; None where it is gone, or in use."""
    with suppress(FileNotFoundError, BlockingIOError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, operation)
            # Between the two it may have been removed, and another been put in its place.
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None
