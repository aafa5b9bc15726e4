"""Loading bundles: verified, chosen for the machine, proven, safe after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warmer
from tests.warmer import bundles, graphs
from warmer.errors import BundleMismatch, ModelCorrupt, PrimingError
from warmer.model import bundle
from warmer.model.store import locate


@pytest.fixture
def markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the attempts' markers: this user's below TMPDIR."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = tmp_path / f"warmer-{os.getuid()}"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path, markers: Path) -> Path:
    """A bundle of an addition: a fast variant, and the original graph."""
    folder = tmp_path / "sum"
    graphs.addition(folder / "fast.onnx")
    graphs.addition(folder / "original.onnx")
    bundles.write(folder, [bundles.variant("fast"), bundles.variant("original")])
    return folder


def _add(model: warmer.Model) -> Any:
    return model.run({"left": [[1, 2, 3]], "right": [[1, 1, 1]]})["sum"].tolist()


def _passed_over(model: warmer.Model) -> str:
    report = model.report()
    assert isinstance(report["passed_over"], list)
    return "; ".join(report["passed_over"])


def test_the_first_variant_is_used(folder: Path, markers: Path) -> None:
    """It is primed, reported, and leaves no marker."""
    model = warmer.load(folder)
    assert _add(model) == [[2, 3, 4]]
    assert model.name == "sum"
    assert model.priming.primed
    report = json.loads(json.dumps(model.report()))
    assert (report["variant"], report["passed_over"]) == ("fast", [])
    assert list(markers.iterdir()) == []


def test_a_bundle_needs_no_model_onnx(folder: Path) -> None:
    """Its manifest names its graphs; the original may have been left out."""
    assert locate(folder).manifest == str(folder / "manifest.json")


def test_a_variant_with_other_outputs_gives_way(folder: Path, markers: Path) -> None:
    """Nobody sees an output that differs from the golden one."""
    graphs.subtraction(folder / "fast.onnx")
    bundles.write(folder, [bundles.variant("fast"), bundles.variant("original")])
    model = warmer.load(folder)
    assert _add(model) == [[2, 3, 4]]
    assert model.report()["variant"] == "original"
    assert "fast: output 'sum' differs from the golden one by 1 of" in _passed_over(model)
    assert list(markers.iterdir()) == []


def test_unprimed_it_is_proven_by_the_first_request(folder: Path) -> None:
    """INIT had no time left, and still nothing wrong is served."""
    graphs.subtraction(folder / "fast.onnx")
    bundles.write(folder, [bundles.variant("fast"), bundles.variant("original")])
    model = warmer.load(folder, budget_ms=0)
    assert _add(model) == [[2, 3, 4]]


def test_where_every_variant_differs_init_fails(folder: Path) -> None:
    """The processor, or the bundle, is not what it was made for."""
    graphs.subtraction(folder / "fast.onnx")
    bundles.write(folder, [bundles.variant("fast")])
    with pytest.raises(PrimingError, match=r"wrong on this processor: fast: .* --tolerance"):
        warmer.load(folder)


def test_a_variant_that_is_right_but_not_here_is_no_way_out(folder: Path) -> None:
    """The others are for other machines."""
    graphs.subtraction(folder / "fast.onnx")
    other = bundles.variant("other", graph="original.onnx", cpu_features=("none",))
    bundles.write(folder, [bundles.variant("fast"), other])
    model = warmer.load(folder, policy="degrade")
    assert "other: it was made for a processor with none" in str(model.priming.error)
    assert model.report()["variant"] == "fast"
    assert _add(model) == [[0, 1, 2]]


def test_where_every_variant_differs_it_can_degrade(folder: Path) -> None:
    """The user's choice: it serves, and says what is wrong."""
    graphs.subtraction(folder / "fast.onnx")
    bundles.write(folder, [bundles.variant("fast")])
    model = warmer.load(folder, policy="degrade")
    assert "wrong on this processor" in str(model.priming.error)
    assert _add(model) == [[0, 1, 2]]


def test_a_difference_within_the_tolerance_is_none(folder: Path) -> None:
    """Another processor adds up in another order."""
    graphs.subtraction(folder / "fast.onnx")
    bundles.write(folder, [bundles.variant("fast")], tolerance=1.0)
    assert warmer.load(folder).report()["variant"] == "fast"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"architecture": "s390x"}, "fast: it was made for s390x, and this is "),
        ({"onnxruntime": "1.2.3"}, "fast: it was made by onnxruntime 1.2.3, and this is "),
    ],
)
def test_what_was_made_elsewhere_gives_way_to_the_original(
    folder: Path, fields: dict[str, str], reason: str
) -> None:
    """The original's graph is for any architecture and release."""
    bundles.write(folder, [bundles.variant("fast"), bundles.variant("original")], **fields)
    model = warmer.load(folder)
    assert model.report()["variant"] == "original"
    assert reason in _passed_over(model)


def test_a_patch_release_of_onnxruntime_is_compatible(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It corrects errors, and keeps operators as they are."""
    fast = [bundles.variant("fast")]
    bundles.write(folder, fast, onnxruntime="1.99.0")
    monkeypatch.setattr(bundle, "onnxruntime_version", lambda: "1.99.3")
    assert warmer.load(folder).report()["variant"] == "fast"


def test_without_the_original_it_is_refused(folder: Path) -> None:
    """The error says what each variant needs, and the remedy."""
    bundles.write(folder, [bundles.variant("fast")], architecture="s390x")
    with pytest.raises(BundleMismatch, match=r"made for s390x.* Make the bundle again"):
        warmer.load(folder)


def test_a_variant_for_other_processors_gives_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its data are laid out for vectors that this one lacks, or has besides."""
    fast = bundles.variant("fast", cpu_features=("avx", "avx2", "fma"))
    bundles.write(folder, [fast, bundles.variant("original")])
    monkeypatch.setattr(bundle, "layout_features", lambda: ("avx", "avx2", "avx512f", "fma"))
    model = warmer.load(folder)
    assert model.report()["variant"] == "original"
    assert "a processor with avx avx2 fma, and this has avx avx2 avx512f fma" in _passed_over(model)
    monkeypatch.setattr(bundle, "layout_features", lambda: ("avx", "avx2", "fma"))
    assert warmer.load(folder).report()["variant"] == "fast"


def test_a_variant_that_onnxruntime_refuses_gives_way(folder: Path, markers: Path) -> None:
    """A release may have dropped an operator."""
    (folder / "fast.onnx").write_bytes(b"no graph")
    bundles.write(folder, [bundles.variant("fast"), bundles.variant("original")])
    model = warmer.load(folder)
    assert model.report()["variant"] == "original"
    assert "fast.onnx cannot be loaded by ONNX Runtime" in _passed_over(model)
    assert list(markers.iterdir()) == []


_CRASH = """
import os, signal, sys
import warmer
from warmer.model.session import Session
Session.run = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)
warmer.load(sys.argv[1])
"""


def test_a_variant_that_crashed_is_not_tried_again(folder: Path, markers: Path) -> None:
    """Lambda starts the runtime again, with the same /tmp (Lambda developer guide, "Understanding
    the Lambda execution environment lifecycle"); the safe variant is used at once, and from then
    on."""
    done = subprocess.run([sys.executable, "-c", _CRASH, folder], timeout=60)
    assert done.returncode == -signal.SIGSEGV
    for _ in range(2):
        model = warmer.load(folder)
        assert _add(model) == [[2, 3, 4]]
        assert model.report()["variant"] == "original"
        assert (
            "the process that first ran fast here crashed in it (Segmentation fault)"
            in _passed_over(model)
        )
    for marker in markers.iterdir():
        assert str(marker) in _passed_over(model)
        marker.unlink()
    assert warmer.load(folder).report()["variant"] == "fast"


def test_a_variant_whose_process_was_ended_is_tried_again(folder: Path, markers: Path) -> None:
    """INIT was too long, or a user in a hurry: that is no crash, and what is soundest and fastest
    is still what the build chose."""
    killed = _CRASH.replace("SIGSEGV", "SIGKILL")
    done = subprocess.run([sys.executable, "-c", killed, folder], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(list(markers.iterdir())) == 1
    assert warmer.load(folder).report()["variant"] == "fast"
    assert list(markers.iterdir()) == []


def test_where_no_marker_can_be_written_it_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or read-only /tmp is no reason not to serve."""
    monkeypatch.setenv("TMPDIR", str(folder / "fast.onnx"))
    model = warmer.load(folder)
    assert model.report()["variant"] == "fast"
    assert "no marker could be written" in str(model.report()["unmarked"])


@pytest.mark.parametrize("name", ["fast.onnx", "golden.npz", "samples.npz"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    """One bit is enough; the error names the file and the remedy."""
    np.savez(folder / "samples.npz", left=np.ones((1, 3)), right=np.ones((1, 3)))
    bundles.write(
        folder, [bundles.variant("fast"), bundles.variant("original")], samples="samples.npz"
    )
    bundles.flip_bit(folder / name, 60)
    with pytest.raises((ModelCorrupt, PrimingError), match=rf"{name} has the checksum \w+; its"):
        warmer.load(folder)


@pytest.mark.parametrize("size", [100, 5 << 20])
@pytest.mark.parametrize("offset", [0, -1])
def test_changed_weights_are_refused(folder: Path, size: int, offset: int) -> None:
    """Small ones before the session is made, large ones beside it."""
    (folder / "weights.bin").write_bytes(bytes(size))
    bundles.write(folder, [bundles.variant("fast", weights="weights.bin")])
    assert warmer.load(folder).report()["variant"] == "fast"
    bundles.flip_bit(folder / "weights.bin", offset)
    with pytest.raises(ModelCorrupt, match=r"weights\.bin has the checksum"):
        warmer.load(folder)


def test_truncated_weights_are_refused_before_they_are_mapped(folder: Path) -> None:
    """Touching a page that a mapped file lacks would end the process."""
    weights = folder / "weights.bin"
    weights.write_bytes(bytes(5000))
    bundles.write(folder, [bundles.variant("fast", weights="weights.bin")])
    weights.write_bytes(bytes(4000))
    with pytest.raises(ModelCorrupt, match=r"weights\.bin has 4000 bytes; its manifest says 5000"):
        warmer.load(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    """Not passed over: the copy is not whole."""
    (folder / "fast.onnx").unlink()
    with pytest.raises(ModelCorrupt, match=r"fast\.onnx cannot be read \(No such file"):
        warmer.load(folder)


def test_a_refused_bundle_is_not_among_the_models(folder: Path, here: Any) -> None:
    """Nothing half-loaded is served."""
    bundles.flip_bit(folder / "fast.onnx", 60)
    with pytest.raises(ModelCorrupt):
        warmer.load(folder)
    assert not here.models
