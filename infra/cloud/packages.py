"""Deployment packages, unpacked once for each digest, and their size limit."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from pathlib import Path

from warmer.errors import CloudError

# Deployment package size, unzipped, with layers: 250 MB (AWS Lambda quotas page).
UNZIPPED_LIMIT_BYTES = 262_144_000


class PackageStore:
    """A folder of unpacked packages, one for each distinct zip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def unpack(self, package: bytes) -> Path:
        """The folder that holds `package` unpacked; raises CloudError where Lambda refuses it."""
        final = self._folder / hashlib.sha256(package).hexdigest()
        if final.is_dir():
            return final
        try:
            archive = zipfile.ZipFile(io.BytesIO(package))
        except zipfile.BadZipFile as error:
            raise CloudError("Could not unzip uploaded file: it is not a zip archive") from error
        with archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size >= UNZIPPED_LIMIT_BYTES:
                raise CloudError(
                    f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes; this "
                    f"package has {size}. Largest: {_largest(archive)}"
                )
            work = Path(tempfile.mkdtemp(dir=self._folder))
            try:
                _extract(archive, work)
                work.chmod(0o755)
                work.rename(final)
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
        return final


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """As `extractall`, and with the permissions that the archive recorded."""
    for entry in archive.infolist():
        path = Path(archive.extract(entry, folder))
        mode = entry.external_attr >> 16
        if mode and path.is_file():
            path.chmod(mode & 0o777)


def _largest(archive: zipfile.ZipFile) -> str:
    totals: dict[str, int] = {}
    for entry in archive.infolist():
        top = entry.filename.split("/")[0]
        totals[top] = totals.get(top, 0) + entry.file_size
    ranked = sorted(totals.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} ({size // 1_000_000} MB)" for name, size in ranked)
