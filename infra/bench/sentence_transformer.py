"""A 90 MB sentence transformer as an ONNX file: the graph made here, the weights from safetensors.

The shape is that of all-MiniLM-L6-v2: six layers of BERT with 384 features, twelve heads and a
vocabulary of 30,522 tokens, then the mean over the tokens that the attention mask shows, of length
1. Inputs are `input_ids`, `attention_mask` and `token_type_ids`, int64 of (batch, sequence); the
output `sentence_embedding` is float32 of (batch, 384).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from warmer.errors import ModelCorrupt

__all__ = ["build_sentence_transformer", "read_safetensors"]

LAYERS = 6
HEADS = 12
FEATURES = 384
EPSILON = 1e-12  # of BERT's layer normalisation
OPSET = 17  # the first with LayerNormalization


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors in a safetensors file, by name: float32 and int64 ones, mapped rather than read.

    The format is eight bytes with the header's length, little-endian, a JSON header of dtype, shape
    and data offsets, and the data. Raises ModelCorrupt for anything else.
    """
    try:
        content = np.memmap(path, np.uint8, "r")
        length = int.from_bytes(content[:8].tobytes(), "little")
        header = json.loads(content[8 : 8 + length].tobytes())
        data = content[8 + length :]
        return {
            name: np.frombuffer(
                data[slice(*entry["data_offsets"])], _DTYPES[entry["dtype"]]
            ).reshape(entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupt(
            f"{path} is no safetensors file of float32 and int64: {error}"
        ) from error


_DTYPES = {"F32": "<f4", "I64": "<i8"}


def build_sentence_transformer(weights: Path, output: Path) -> None:
    """Write the ONNX file `output` with the weights of the safetensors file `weights`."""
    graph = _Graph(read_safetensors(weights))
    hidden = graph.embeddings()
    mask = graph.attention_bias()
    for layer in range(LAYERS):
        hidden = graph.layer(hidden, mask, f"encoder.layer.{layer}")
    graph.mean_of_length_one(hidden)
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    proto = helper.make_graph(
        graph.nodes,
        "sentence_transformer",
        [_value(name, TensorProto.INT64, ("batch", "sequence")) for name in inputs],
        [_value("sentence_embedding", TensorProto.FLOAT, ("batch", FEATURES))],
        graph.initializers,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    output.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, output)


def _value(name: str, kind: int, shape: tuple[int | str, ...]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


class _Graph:
    """Nodes and initializers, as they are added."""

    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._weights = weights

    def embeddings(self) -> str:
        """Token, position and type embeddings, added and normalised."""
        words = self._node("Gather", self._weight("embeddings.word_embeddings"), "input_ids")
        types = self._node(
            "Gather", self._weight("embeddings.token_type_embeddings"), "token_type_ids"
        )
        length = self._node("Slice", self._node("Shape", "input_ids"), *map(self._int, (1, 2)))
        positions = self._node(
            "Slice", self._weight("embeddings.position_embeddings"), self._int(0), length
        )
        summed = self._node("Add", self._node("Add", words, types), positions)
        return self._normalised(summed, "embeddings")

    def attention_bias(self) -> str:
        """0 where the attention mask is 1, and the lowest float where it is 0."""
        mask = self._node("Unsqueeze", "attention_mask", self._ints(1, 2))
        hidden = self._node("Sub", self._float(1.0), self._node("Cast", mask, to=TensorProto.FLOAT))
        return self._node("Mul", hidden, self._float(float(np.finfo(np.float32).min)))

    def layer(self, hidden: str, bias: str, name: str) -> str:
        """One encoder layer: self-attention, then two dense layers, each added and normalised."""
        query, key, value = (
            self._heads(self._dense(hidden, f"{name}.attention.self.{part}"), order)
            for part, order in (
                ("query", (0, 2, 1, 3)),
                ("key", (0, 2, 3, 1)),
                ("value", (0, 2, 1, 3)),
            )
        )
        scale = self._float(float(np.sqrt(FEATURES // HEADS)))
        scores = self._node("Add", self._node("Div", self._node("MatMul", query, key), scale), bias)
        context = self._node("MatMul", self._node("Softmax", scores, axis=-1), value)
        joined = self._node(
            "Reshape",
            self._node("Transpose", context, perm=[0, 2, 1, 3]),
            self._ints(0, 0, FEATURES),
        )
        attended = self._dense(joined, f"{name}.attention.output.dense")
        hidden = self._normalised(self._node("Add", attended, hidden), f"{name}.attention.output")
        inner = self._gelu(self._dense(hidden, f"{name}.intermediate.dense"))
        outer = self._dense(inner, f"{name}.output.dense")
        return self._normalised(self._node("Add", outer, hidden), f"{name}.output")

    def mean_of_length_one(self, hidden: str) -> None:
        """The mean over the tokens that the mask shows, divided by its Euclidean length."""
        mask = self._node("Unsqueeze", "attention_mask", self._ints(-1))
        shown = self._node("Cast", mask, to=TensorProto.FLOAT)
        total = self._sum(self._node("Mul", hidden, shown))
        mean = self._node("Div", total, self._node("Max", self._sum(shown), self._float(1e-9)))
        length = self._node("ReduceL2", mean, axes=[1], keepdims=1)
        self.nodes.append(
            helper.make_node(
                "Div",
                [mean, self._node("Max", length, self._float(1e-12))],
                ["sentence_embedding"],
            )
        )

    def _sum(self, tensor: str) -> str:
        return self._node("ReduceSum", tensor, self._ints(1), keepdims=0)

    def _dense(self, tensor: str, name: str) -> str:
        kernel = self._constant(f"{name}.kernel", self._weights[f"{name}.weight"].T)
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self._node("Add", bias, self._node("MatMul", tensor, kernel))

    def _heads(self, tensor: str, order: tuple[int, ...]) -> str:
        shape = self._ints(0, 0, HEADS, FEATURES // HEADS)
        return self._node("Transpose", self._node("Reshape", tensor, shape), perm=list(order))

    def _gelu(self, tensor: str) -> str:
        error = self._node("Erf", self._node("Div", tensor, self._float(float(np.sqrt(2)))))
        grown = self._node("Mul", tensor, self._node("Add", error, self._float(1.0)))
        return self._node("Mul", grown, self._float(0.5))

    def _normalised(self, tensor: str, name: str) -> str:
        scale, shift = (
            self._constant(f"{name}.LayerNorm.{part}", self._weights[f"{name}.LayerNorm.{part}"])
            for part in ("weight", "bias")
        )
        return self._node("LayerNormalization", tensor, scale, shift, axis=-1, epsilon=EPSILON)

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[f"{name}.weight"])

    def _int(self, value: int) -> str:
        return self._ints(value)

    def _ints(self, *values: int) -> str:
        return self._constant(f"ints_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def _float(self, value: float) -> str:
        return self._constant(f"float_{value}", np.array(value, np.float32))

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        if all(known.name != name for known in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output
