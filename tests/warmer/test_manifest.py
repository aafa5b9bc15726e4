"""A bundle's manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.warmer import bundles
from warmer.errors import ModelCorrupt
from warmer.model.manifest import read_manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest that is right."""
    (tmp_path / "original.onnx").write_bytes(b"a graph")
    features = bundles.variant("original", cpu_features=("avx",))
    return bundles.write(tmp_path, [features])


def test_what_is_written_is_read(manifest: Path) -> None:
    """All but its own checksum, which is made when it is read."""
    read = read_manifest(str(manifest))
    assert manifest.read_text() == read.to_json()
    assert read.variants[0].cpu_features == ("avx",)
    assert len(read.digest) == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda top: top.pop("architecture"), "has architecture None; expected text"),
        (lambda top: top.update(format=2), "has format 2; this Warmer reads 1"),
        (lambda top: top.update(variants=[]), r"has variants \[\]; expected a list of one or more"),
        (lambda top: top.update(variants=[1]), "an item of variants of type int"),
        (lambda top: top["variants"][0].update(name="../x"), "has name '../x'; expected a file's"),
        (lambda top: top["variants"][0].update(graph="x.onnx"), "has no 'x.onnx' among its files"),
        (lambda top: top["variants"][0].update(cpu_features=[1]), r"has cpu_features \[1\]"),
        (lambda top: top["files"][0].update(size=-1), "has size -1; expected a number of 0 or"),
        (lambda top: top["files"][0].update(name=".."), r"has name '\.\.'"),
        (lambda top: top.update(tolerance=float("nan")), "has tolerance nan"),
        (lambda top: top.update(golden="/etc/passwd"), "has golden '/etc/passwd'"),
        (lambda top: top.pop("samples"), "has samples None; expected a file's name"),
        (lambda top: top.update(build=None), "has build of type NoneType; expected an object"),
    ],
)
def test_a_field_that_is_amiss_is_named(
    manifest: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    """With the file and the remedy."""
    bundles.edit(manifest, change)
    with pytest.raises(ModelCorrupt, match=message) as raised:
        read_manifest(str(manifest))
    assert str(raised.value).startswith(str(manifest))
    assert str(raised.value).endswith("make the bundle again with `warmer bundle`")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"[]"])
def test_what_is_no_json_object_is_refused(manifest: Path, content: bytes) -> None:
    """A half-written manifest is none."""
    manifest.write_bytes(content)
    with pytest.raises(
        ModelCorrupt, match=r"manifest\.json (is not JSON|has the manifest of type)"
    ):
        read_manifest(str(manifest))
