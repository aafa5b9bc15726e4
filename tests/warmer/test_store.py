"""Which files of a model are read, and in which order."""

from __future__ import annotations

from pathlib import Path

from warmer.model.store import locate


def test_of_a_model_without_a_bundle_the_model_is_read(tmp_path: Path) -> None:
    """Samples beside it are only read where priming needs them."""
    for name in ("model.onnx", "samples.npz"):
        tmp_path.joinpath(name).write_bytes(b"some")
    assert locate(tmp_path).to_open() == [str(tmp_path / "model.onnx")]


def test_of_a_bundle_small_files_are_read_before_the_weights(tmp_path: Path) -> None:
    """What waits for them would wait for all weights; large samples and originals are not used."""
    for name in ("manifest.json", "native.onnx", "golden.npz", "weights.bin"):
        tmp_path.joinpath(name).write_bytes(b"some")
    for name in ("model.onnx", "samples.npz"):
        tmp_path.joinpath(name).write_bytes(bytes(2 << 20))
    tmp_path.joinpath("gone").symlink_to("nowhere")
    tmp_path.joinpath("folder").mkdir()
    names = [Path(path).name for path in locate(tmp_path).to_open()]
    assert names == ["golden.npz", "manifest.json", "native.onnx", "weights.bin"]
