"""ONNX Runtime sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.warmer import graphs
from warmer.errors import ModelCorrupt, ModelError, ModelInputError
from warmer.model.session import Session, Threads


@pytest.mark.parametrize(
    ("memory_mb", "cpus_seen", "threads"),
    [
        (128, 2, Threads(1, spin=False)),
        (1769, 2, Threads(1, spin=False)),
        (3008, 2, Threads(2, spin=False)),
        (3538, 3, Threads(2, spin=True)),
        (10_240, 6, Threads(6, spin=True)),
        (10_240, 2, Threads(2, spin=True)),
        (None, 8, Threads(8, spin=True)),
        (None, 1, Threads(1, spin=False)),
    ],
)
def test_threads_follow_the_cpus(memory_mb: int | None, cpus_seen: int, threads: Threads) -> None:
    """One thread for each CPU that the memory buys; spinning only from two CPUs on."""
    assert Threads.for_memory(memory_mb, cpus_seen) == threads


def test_lambda_tells_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_LAMBDA_FUNCTION_MEMORY_SIZE decides."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    assert Threads.here() == Threads(1, spin=False)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 50])
def test_a_corrupt_file_is_named(tmp_path: Path, content: bytes) -> None:
    """The error has the path and the remedy."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"model\.onnx cannot be loaded by ONNX Runtime"):
        Session(str(path))


def test_a_truncated_model_is_corrupt(tmp_path: Path) -> None:
    """Half a copy is refused."""
    path = graphs.lookup(tmp_path / "model.onnx", rows=1000)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ModelCorrupt):
        Session(str(path))


def test_values_that_the_graph_refuses_are_an_input_error(tmp_path: Path) -> None:
    """An index outside a table cannot be told from the signature."""
    session = Session(str(graphs.lookup(tmp_path / "model.onnx", rows=4)))
    with pytest.raises(ModelInputError, match="refuses"):
        session.run({"ids": np.array([9])})


def test_an_inference_that_fails_is_a_model_error(tmp_path: Path) -> None:
    """ONNX Runtime's own exceptions do not get out."""
    session = Session(str(graphs.square_only(tmp_path / "model.onnx")))
    with pytest.raises(ModelError):
        session.run({"x": np.ones((2, 3), np.float32)})
