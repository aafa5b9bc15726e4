"""Small ONNX graphs, made with the onnx package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ELEMENT_TYPES = {
    "bool": TensorProto.BOOL,
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
}

Shape = tuple[int | str | None, ...]


def identity(path: Path, dtype: str = "float32", shape: Shape = ("batch", 3)) -> Path:
    """A model whose output `y` is its input `x`."""
    return _save(path, [("x", dtype, shape)], [("y", dtype, shape)], [("Identity", ["x"], ["y"])])


def addition(path: Path, shape: Shape = ("batch", 3)) -> Path:
    """A model whose output `sum` adds `left` and `right`."""
    inputs = [("left", "float32", shape), ("right", "float32", shape)]
    return _save(path, inputs, [("sum", "float32", shape)], [("Add", ["left", "right"], ["sum"])])


def subtraction(path: Path, shape: Shape = ("batch", 3)) -> Path:
    """A model with the signature of `addition` that gives something else."""
    inputs = [("left", "float32", shape), ("right", "float32", shape)]
    return _save(path, inputs, [("sum", "float32", shape)], [("Sub", ["left", "right"], ["sum"])])


def lookup(path: Path, rows: int = 4) -> Path:
    """A model that takes row numbers `ids` of a table; a number outside fails in the graph."""
    table = numpy_helper.from_array(np.arange(rows * 2, dtype=np.float32).reshape(rows, 2), "table")
    return _save(
        path,
        [("ids", "int64", ("batch",))],
        [("rows", "float32", ("batch", 2))],
        [("Gather", ["table", "ids"], ["rows"])],
        [table],
    )


def division(path: Path) -> Path:
    """A model that divides 1 by `x`: infinite for 0."""
    one = numpy_helper.from_array(np.ones(1, dtype=np.float32), "one")
    return _save(
        path,
        [("x", "float32", ("batch",))],
        [("y", "float32", ("batch",))],
        [("Div", ["one", "x"], ["y"])],
        [one],
    )


def square_only(path: Path) -> Path:
    """A model that multiplies `x` by itself as matrices: it runs for square ones only."""
    shape = ("rows", "columns")
    return _save(
        path, [("x", "float32", shape)], [("y", "float32", None)], [("MatMul", ["x", "x"], ["y"])]
    )


def _save(
    path: Path,
    inputs: list[tuple[str, str, Shape]],
    outputs: list[tuple[str, str, Any]],
    nodes: list[tuple[str, list[str], list[str]]],
    weights: list[Any] | None = None,
) -> Path:
    graph = helper.make_graph(
        [helper.make_node(*node) for node in nodes],
        "graph",
        [_value(*tensor) for tensor in inputs],
        [_value(*tensor) for tensor in outputs],
        weights or [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def _value(name: str, dtype: str, shape: Any) -> Any:
    return helper.make_tensor_value_info(name, ELEMENT_TYPES[dtype], shape)
