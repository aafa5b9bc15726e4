"""One file with the weights of all variants of a model: what several use is stored once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from warmer.errors import ModelCorrupt

__all__ = ["LEAST_BYTES", "Weights", "depends_on_processor", "has_packed_matrices", "read_graph"]

LEAST_BYTES = 16 << 10
"""Smaller tensors stay in the graph.

ONNX Runtime maps each tensor of this file on its own, in whole pages of 4 KiB, which neighbours
have twice: for small ones that takes more memory, and more time, than to copy them.
"""

_ALIGNMENT = 64  # a cache line, and the widest vector


class Weights:
    """The file at `path`, to which tensors are added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: dict[bytes, int] = {}

    def begin_with(self, graph: Path, weights: Path) -> None:
        """Begin with the file that one graph refers to, as it is, so that its offsets stay."""
        shutil.copyfile(weights, self._path)
        for tensor in _tensors(read_graph(graph).graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                fields = _external(tensor)
                content = _span(weights, fields)
                self._offsets[_key(content)] = int(fields["offset"])

    def move(self, graph: Path, output: Path) -> None:
        """Write to `output`, beside the file, the graph with its large tensors in this file.

        Packed matrices are left behind: they belong to the graph with which the file begins.
        """
        model = read_graph(graph)
        with self._path.open("ab") as file:
            for tensor in _tensors(model.graph):
                content = _content(tensor, graph.parent)
                if content is not None and len(content) >= LEAST_BYTES:
                    self._refer(tensor, self._put(content, file), len(content))
        onnx.save(model, output)

    def _put(self, content: bytes, file: Any) -> int:
        key = _key(content)
        offset = self._offsets.get(key)
        if offset is None:
            file.write(bytes(-file.tell() % _ALIGNMENT))
            offset = self._offsets[key] = file.tell()
            file.write(content)
        return offset

    def _refer(self, tensor: Any, offset: int, length: int) -> None:
        for field in _TYPED_FIELDS.values():
            tensor.ClearField(field)
        tensor.ClearField("raw_data")
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", self._path.name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))


def read_graph(path: Path) -> Any:
    """The ModelProto of an ONNX file, without its external weights. Raises ModelCorrupt."""
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's implementations have no common error
        raise ModelCorrupt(
            f"{path} is no ONNX model ({str(error).strip()}); export or copy the model again"
        ) from error
    if not model.graph.node and not model.graph.output:
        raise ModelCorrupt(f"{path} holds no graph; export or copy the model again")
    return model


def has_packed_matrices(graph: Path) -> bool:
    """Whether the graph refers to matrices as its kernels want them."""
    return any(
        entry.key.startswith("prepacked_")
        for tensor in _tensors(read_graph(graph).graph)
        for entry in tensor.external_data
    )


def depends_on_processor(graph: Path) -> bool:
    """Whether ONNX Runtime's optimised graph has data laid out for a kind of processor.

    That is so where it has convolutions on blocks of channels (their size is that of the
    processor's vectors) or on channels that come last, which only some processors' kernels have.
    """
    return any(
        node.domain == "com.microsoft.nchwc"
        or node.op_type.startswith("Nhwc")
        or any(attribute.name == "channels_last" and attribute.i for attribute in node.attribute)
        for part in _graphs(read_graph(graph).graph)
        for node in part.node
    )


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph, and all within it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def _tensors(graph: Any) -> Iterator[Any]:
    for part in _graphs(graph):
        yield from part.initializer


_TYPED_FIELDS = {
    onnx.TensorProto.FLOAT: "float_data",
    onnx.TensorProto.DOUBLE: "double_data",
}


def _content(tensor: Any, folder: Path) -> bytes | None:
    """A tensor's content as ONNX stores it raw, or None where it is stored otherwise."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        fields = _external(tensor)
        return _span(folder / fields["location"], fields)
    if tensor.raw_data:
        raw: bytes = tensor.raw_data
        return raw
    if tensor.data_type in _TYPED_FIELDS:
        content: bytes = onnx.numpy_helper.to_array(tensor).tobytes()
        return content
    return None


def _external(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _span(file: Path, fields: dict[str, str]) -> bytes:
    with file.open("rb") as opened:
        opened.seek(int(fields.get("offset", 0)))
        return opened.read(int(fields["length"])) if "length" in fields else opened.read()


def _key(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
