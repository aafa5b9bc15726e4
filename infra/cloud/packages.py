"""Deployment packages, unpacked once for each digest, and their size limit."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import tempfile
import threading
import zipfile
import zlib
from pathlib import Path

from warmer.errors import CloudError

# Deployment package size, unzipped, with layers: 250 MB (AWS Lambda quotas page).
UNZIPPED_LIMIT_BYTES = 262_144_000

# What zipfile raises for no archive, a damaged or an encrypted one, an unknown compression, and
# for names that exclude each other or that no file can have.
_UNUSABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # NotImplementedError too
    ValueError,
    OSError,
)


class PackageStore:
    """A folder of unpacked packages, one for each distinct zip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._sizes: dict[Path, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def unpack(self, package: bytes) -> Path:
        """The folder that holds `package` unpacked; raises CloudError where Lambda refuses it."""
        if not package:
            raise CloudError(
                "Could not unzip uploaded file: it is empty, or there is no such object in S3"
            )
        final = self._folder / hashlib.sha256(package).hexdigest()
        with self._lock:
            while not self._take(final):
                self._unpack(package, final)
        return final

    def close(self) -> None:
        """Let go of the packages; a subclass may have more to do."""

    def _take(self, final: Path) -> bool:
        """Whether the package is there, for this cloud to use."""
        return final.is_dir()

    def unzipped_bytes(self, folder: Path) -> int:
        """The size of what an unpacked package holds."""
        if folder not in self._sizes:
            files = (path.lstat() for path in folder.rglob("*"))
            self._sizes[folder] = sum(
                found.st_size for found in files if not stat.S_ISDIR(found.st_mode)
            )
        return self._sizes[folder]

    def _unpack(self, package: bytes, final: Path) -> None:
        # Complete or not there: a folder under its final name holds all of the package.
        work = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            with zipfile.ZipFile(io.BytesIO(package)) as archive:
                _check_size(archive)
                _extract(archive, work)
            work.chmod(0o755)
            _into_place(work, final)
        except _UNUSABLE as error:
            raise CloudError(f"Could not unzip uploaded file: {error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _into_place(work: Path, final: Path) -> None:
    try:
        work.rename(final)
    except OSError:
        if not final.is_dir():  # by another process, that was sooner
            raise


def _check_size(archive: zipfile.ZipFile) -> None:
    size = sum(entry.file_size for entry in archive.infolist())
    if size >= UNZIPPED_LIMIT_BYTES:
        raise CloudError(
            f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes; this package has "
            f"{size}. Largest: {_largest(archive)}"
        )


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """As `extractall`, with the permissions and symbolic links that the archive recorded."""
    links: list[tuple[Path, str]] = []
    made: set[str] = set()
    for entry in archive.infolist():
        mode = entry.external_attr >> 16
        if not _is_plain(entry, mode):
            path = Path(archive.extract(entry, folder))
            if stat.S_ISLNK(mode):
                links.append((path, archive.read(entry).decode()))
            elif mode and path.is_file():
                path.chmod(mode & 0o777)
            continue
        parent = entry.filename.rpartition("/")[0]
        if parent not in made:
            (folder / parent).mkdir(parents=True, exist_ok=True)
            made.add(parent)
        with (folder / entry.filename).open("wb") as file:
            file.write(archive.read(entry))
            os.fchmod(file.fileno(), mode & 0o777)
    # Only now, so that nothing is ever written through a link to somewhere else.
    for path, target in links:
        path.unlink()
        path.symlink_to(target)


def _is_plain(entry: zipfile.ZipInfo, mode: int) -> bool:
    """Whether it is a file that says its permissions, by a name that stays in the folder.

    `extract` takes whatever else there is, and twice as long.
    """
    parts = entry.filename.split("/")
    return stat.S_ISREG(mode) and not {"", ".", ".."} & set(parts) and "\\" not in entry.filename


def _largest(archive: zipfile.ZipFile) -> str:
    totals: dict[str, int] = {}
    for entry in archive.infolist():
        top = entry.filename.split("/")[0]
        totals[top] = totals.get(top, 0) + entry.file_size
    ranked = sorted(totals.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} ({size // 1_000_000} MB)" for name, size in ranked)
