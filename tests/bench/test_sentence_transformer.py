"""The sentence transformer that benchmarks measure."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from infra.bench.sentence_transformer import (
    EPSILON,
    FEATURES,
    HEADS,
    LAYERS,
    build_sentence_transformer,
    read_safetensors,
)
from warmer.errors import ModelCorrupt
from warmer.model.session import Session

INNER = 4 * FEATURES
Weights = dict[str, NDArray[np.float32]]


def _write(path: Path, tensors: Weights) -> Path:
    """A safetensors file: eight bytes of length, a JSON header, the data."""
    header, offset = {}, 0
    for name, array in tensors.items():
        offsets = [offset, offset + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        offset += array.nbytes
    encoded = json.dumps(header).encode()
    data = b"".join(array.tobytes() for array in tensors.values())
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)
    return path


def _weights() -> Weights:
    random = np.random.default_rng(1)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (50, FEATURES),
        "embeddings.token_type_embeddings.weight": (2, FEATURES),
        "embeddings.position_embeddings.weight": (16, FEATURES),
    }
    normalised = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        dense = {
            f"attention.self.{part}": (FEATURES, FEATURES) for part in ("query", "key", "value")
        }
        dense["attention.output.dense"] = (FEATURES, FEATURES)
        dense["intermediate.dense"] = (INNER, FEATURES)
        dense["output.dense"] = (FEATURES, INNER)
        for name, shape in dense.items():
            shapes[f"{layer}.{name}.weight"] = shape
            shapes[f"{layer}.{name}.bias"] = shape[:1]
        normalised += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in normalised:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (FEATURES,)
    return {
        name: random.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()
    }


class _Reference:
    """BERT's encoder in numpy, one sentence at a time, without the tokens that are masked."""

    def __init__(self, weights: Weights) -> None:
        self._weights = {name: array.astype(np.float64) for name, array in weights.items()}

    def embedding(self, ids: list[int]) -> NDArray[Any]:
        """The sentence's embedding."""
        x = self._of("embeddings.word_embeddings")[ids]
        x = x + self._of("embeddings.token_type_embeddings")[0]
        x = self._norm(x + self._of("embeddings.position_embeddings")[: len(ids)], "embeddings")
        for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
            x = self._norm(x + self._attention(x, layer), f"{layer}.attention.output")
            inner = self._dense(x, f"{layer}.intermediate.dense")
            gelu = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            x = self._norm(x + self._dense(gelu, f"{layer}.output.dense"), f"{layer}.output")
        mean = x.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    def _attention(self, x: NDArray[Any], layer: str) -> NDArray[Any]:
        parts = (
            self._dense(x, f"{layer}.attention.self.{part}").reshape(len(x), HEADS, -1)
            for part in ("query", "key", "value")
        )
        query, key, value = (part.transpose(1, 0, 2) for part in parts)
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(FEATURES // HEADS)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        joined = (shares @ value).transpose(1, 0, 2).reshape(len(x), FEATURES)
        return self._dense(joined, f"{layer}.attention.output.dense")

    def _of(self, name: str) -> NDArray[Any]:
        return self._weights[f"{name}.weight"]

    def _dense(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        return np.asarray(x @ self._of(name).T + self._weights[f"{name}.bias"])

    def _norm(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        shift = self._weights[f"{name}.LayerNorm.bias"]
        return np.asarray(scaled * self._of(f"{name}.LayerNorm") + shift)


def test_it_computes_what_the_encoder_does(tmp_path: Path) -> None:
    """Each sentence of a padded batch has the embedding that it has by itself."""
    weights = _weights()
    model = tmp_path / "model.onnx"
    build_sentence_transformer(_write(tmp_path / "weights.safetensors", weights), model)
    sentences = [[1, 5, 9, 2], [1, 7, 2]]
    ids = np.zeros((2, 4), np.int64)
    mask = np.zeros((2, 4), np.int64)
    for row, sentence in enumerate(sentences):
        ids[row, : len(sentence)] = sentence
        mask[row, : len(sentence)] = 1
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    found = Session(str(model)).run(feeds)["sentence_embedding"]
    reference = _Reference(weights)
    expected = [reference.embedding(sentence) for sentence in sentences]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0\0\0\0\0{bad}", b"\x02\0\0\0\0\0\0\0[]"])
def test_what_are_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"weights\.safetensors is no safetensors file"):
        read_safetensors(path)
