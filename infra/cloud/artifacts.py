"""A template's packages as S3 gets them: what `sam package` does, without its two seconds."""

from __future__ import annotations

import copy
import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.cloud.template_file import CODE_PROPERTIES, Template, local_code, read_template

__all__ = ["BUCKET", "Packaged", "packaged", "zipped"]

BUCKET = "warmer-local-packages"
# Zip knows no earlier date; the same files make the same archive whenever they were written.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Packaged:
    """A template whose packages are in `BUCKET`, once `contents` are put there by their keys."""

    template: Template
    contents: Mapping[str, bytes]


def packaged(path: Path) -> Packaged:
    """The template at `path` with each local package replaced by one in S3.

    Raises ConfigurationError or CloudError where the template or a package is not there.
    """
    declared = read_template(path)
    rewritten = copy.deepcopy(declared)
    contents: dict[str, bytes] = {}
    for code in local_code(declared, path.parent):
        content = zipped(code.path)
        key = hashlib.sha256(content).hexdigest()
        contents[key] = content
        properties = rewritten["Resources"][code.resource].setdefault("Properties", {})
        properties[CODE_PROPERTIES[code.kind]] = _location(code.kind, key)
    return Packaged(rewritten, contents)


def _location(kind: str, key: str) -> Any:
    if kind.startswith("AWS::Serverless::"):
        return f"s3://{BUCKET}/{key}"
    return {"S3Bucket": BUCKET, "S3Key": key}


def zipped(path: Path) -> bytes:
    """A zip of a folder, or of one file; a file that is a zip already, as it is.

    Not compressed: it goes no further than this machine. Links are followed, as `sam` does.
    """
    if path.is_file() and zipfile.is_zipfile(path):
        return path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        if path.is_file():
            _add(archive, path, path.name)
        for folder, names, files in os.walk(path, followlinks=True):
            names.sort()
            for name in sorted(files):
                file = Path(folder) / name
                _add(archive, file, file.relative_to(path).as_posix())
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, _NO_DATE)
    entry.external_attr = file.stat().st_mode << 16
    archive.writestr(entry, file.read_bytes())
