"""The bundles in a package: whether they are for its architecture."""

from __future__ import annotations

from pathlib import Path

from infra.build.target import BuildTarget
from warmer.errors import BuildError
from warmer.model.manifest import Manifest, read_manifest
from warmer.model.store import MANIFEST_NAME

__all__ = ["bundle_remarks"]


def bundle_remarks(folder: Path, target: BuildTarget) -> tuple[str, ...]:
    """What there is to say of the bundles below `folder`: made elsewhere, or not measured.

    Raises BuildError for a bundle of which nothing can be used on the target, and ModelCorrupt for
    a manifest that is none.
    """
    remarks = []
    for file in sorted(folder.rglob(MANIFEST_NAME)):
        name = file.parent.relative_to(folder)
        remark = _remark(read_manifest(str(file)), str(name), target.architecture)
        if remark is not None:
            remarks.append(remark)
    return tuple(remarks)


def _remark(manifest: Manifest, name: str, architecture: str) -> str | None:
    remedy = f"make it with `warmer bundle --architecture {architecture}`, or there"
    if manifest.architecture != architecture:
        if not any(variant.optimised == "none" for variant in manifest.variants):
            raise BuildError(
                f"the bundle {name} is for {manifest.architecture} and has no original graph; the "
                f"function runs on {architecture}: {remedy}"
            )
        return (
            f"the bundle {name} is for {manifest.architecture}: its original graph is used "
            f"({remedy})"
        )
    unmeasured = manifest.variants[0].figures.get("unmeasured")
    return None if unmeasured is None else f"the bundle {name} is unmeasured ({unmeasured})"
