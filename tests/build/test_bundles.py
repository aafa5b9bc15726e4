"""Bundles in a package: for its architecture, or for another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.build.bundles import bundle_remarks
from infra.build.target import BuildTarget
from warmer.bundling.build import build_bundle
from warmer.bundling.plan import Plan
from warmer.errors import BuildError, ModelCorrupt
from warmer.model.processor import architecture
from warmer.model.store import MANIFEST_NAME

DIGITS = Path("handlers/models/digits").resolve()
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[architecture()]
HERE, THERE = BuildTarget("3.13", architecture()), BuildTarget("3.13", OTHER)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with one bundle, which was made for this machine's architecture."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "models").mkdir()
    build_bundle(Plan(DIGITS, folder / "models" / "digits", rounds=0))
    return folder


@pytest.fixture
def manifest(package: Path, tmp_path: Path) -> dict[str, Any]:
    """What the bundle's manifest says."""
    text = (package / "models" / "digits" / MANIFEST_NAME).read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def _written(folder: Path, manifest: dict[str, Any]) -> Path:
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_a_bundle_for_the_functions_architecture_needs_no_remark(package: Path) -> None:
    """Nor does a folder without bundles."""
    assert bundle_remarks(package, HERE) == ()
    assert bundle_remarks(DIGITS, HERE) == ()


def test_a_bundle_for_another_architecture_is_told_with_the_remedy(package: Path) -> None:
    """It serves with its original graph, which takes longer to be ready."""
    (remark,) = bundle_remarks(package, THERE)
    assert remark == (
        f"the bundle models/digits is for {architecture()}: its original graph is used (make it "
        f"with `warmer bundle --architecture {OTHER}`, or there)"
    )


def test_an_unmeasured_bundle_is_told(manifest: dict[str, Any], tmp_path: Path) -> None:
    """As its manifest says it."""
    manifest["architecture"] = OTHER
    manifest["variants"][0]["figures"]["unmeasured"] = "made elsewhere"
    (remark,) = bundle_remarks(_written(tmp_path, manifest), THERE)
    assert remark.endswith("is unmeasured (made elsewhere)")


def test_a_bundle_that_cannot_be_used_there_is_refused(
    manifest: dict[str, Any], tmp_path: Path
) -> None:
    """The deployed function would fail in its INIT."""
    manifest["variants"] = [one for one in manifest["variants"] if one["optimised"] != "none"]
    with pytest.raises(BuildError, match=f"has no original graph; the function runs on {OTHER}"):
        bundle_remarks(_written(tmp_path, manifest), THERE)


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before it is deployed."""
    with pytest.raises(ModelCorrupt, match="has format None"):
        bundle_remarks(_written(tmp_path, {}), HERE)
