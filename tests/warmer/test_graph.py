"""Reading ONNX files without the onnx package."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.warmer import graphs
from warmer.errors import ModelCorrupt
from warmer.model.flow import Flow
from warmer.model.graph import read_graph

DIGITS = Path("handlers/models/digits/model.onnx").resolve()


def test_the_reader_agrees_with_the_onnx_package() -> None:
    """Nodes, names and shapes of the model that ships."""
    graph, model = read_graph(DIGITS), onnx.load(DIGITS).graph
    assert graph is not None
    assert [node.op for node in graph.nodes] == [node.op_type for node in model.node]
    assert [node.inputs for node in graph.nodes] == [tuple(node.input) for node in model.node]
    assert graph.inputs == tuple(value.name for value in model.input)
    assert graph.initializers == {tensor.name for tensor in model.initializer}
    for tensor in model.initializer:
        assert graph.shapes[tensor.name] == tuple(tensor.dims)


def test_a_scalar_is_told_from_an_unknown_rank(tmp_path: Path) -> None:
    """A shape of no dimensions is there; one of unknown rank is not."""
    inputs = [
        helper.make_tensor_value_info("scalar", TensorProto.FLOAT, ()),
        helper.make_tensor_value_info("unknown", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("matrix", TensorProto.FLOAT, ("n", None, 3)),
    ]
    onnx.save(helper.make_model(helper.make_graph([], "g", inputs, [])), tmp_path / "m.onnx")
    graph = read_graph(tmp_path / "m.onnx")
    assert graph is not None
    assert graph.shapes == {"scalar": (), "matrix": ("n", None, 3)}


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64, np.bool_])
def test_small_constants_are_read(tmp_path: Path, dtype: type[np.generic], raw: bool) -> None:
    """Weights and Constant nodes, in either form that ONNX stores numbers in."""
    values = np.array([[1, 0, 1]], dtype)
    code = helper.np_dtype_to_tensor_dtype(values.dtype)
    content = values.tobytes() if raw else values.ravel().tolist()
    weight = helper.make_tensor("w", code, (1, 3), content, raw=raw)
    node = helper.make_node("Constant", [], ["c"], value=weight)
    model = helper.make_model(helper.make_graph([node], "g", [], [], [weight]))
    onnx.save(model, tmp_path / "m.onnx")
    graph = read_graph(tmp_path / "m.onnx")
    assert graph is not None
    for name in "wc":
        assert np.array_equal(graph.constants[name], values)
        assert graph.constants[name].dtype == dtype


def test_large_weights_are_stepped_over(tmp_path: Path) -> None:
    """Their shape is known, their pages are not read: 64 MB take no longer than 64 octets."""
    weight = numpy_helper.from_array(np.ones((4096, 4096), np.float32), "w")
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], [weight])), tmp_path / "m.onnx")
    began = time.process_time()
    graph = read_graph(tmp_path / "m.onnx")
    assert time.process_time() - began < 0.02
    assert graph is not None
    assert graph.shapes["w"] == (4096, 4096)
    assert graph.constants == {}


def test_inputs_are_followed_into_branches(tmp_path: Path) -> None:
    """What a subgraph takes from around it, it uses."""
    output = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    branch = helper.make_graph([helper.make_node("Gather", ["t", "ids"], ["y"])], "b", [], output)
    node = helper.make_node("If", ["c"], ["z"], name="if", then_branch=branch, else_branch=branch)
    inputs = [
        helper.make_tensor_value_info("c", TensorProto.BOOL, ()),
        helper.make_tensor_value_info("ids", TensorProto.INT64, (2,)),
    ]
    weight = numpy_helper.from_array(np.ones((5, 2), np.float32), "t")
    onnx.save(
        helper.make_model(helper.make_graph([node], "g", inputs, [], [weight])), tmp_path / "m.onnx"
    )
    graph = read_graph(tmp_path / "m.onnx")
    assert graph is not None
    flow = Flow(graph)
    assert [(use.node.op, use.position) for use in flow.uses("ids")] == [("Gather", 1)] * 2
    assert flow.upsetting("if", "If") == {"c", "ids"}


def test_a_model_in_another_format_has_no_graph(tmp_path: Path) -> None:
    """ONNX Runtime's own format is no ONNX."""
    (tmp_path / "m.ort").write_bytes(b"\x20\x00\x00\x00ORTM" + bytes(100))
    assert read_graph(tmp_path / "m.ort") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no ONNX model"),
        (b"not a model at all", "is no ONNX model"),
        (b"\x08\x01", "it holds no graph"),
        (b"\x3a\xff\xff\xff\xff\x0f", "cut short"),
        (b"\x3a\x0b" + b"\xff" * 11, "unfinished number"),
        (b"\x3a\x02\x0b\x0c", "a field of kind 3"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """The error names the file and what is wrong with it."""
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt) as raised:
        read_graph(path)
    assert str(path) in str(raised.value)
    assert message in str(raised.value)


def test_graphs_nested_without_end_are_refused(tmp_path: Path) -> None:
    """The reader's stack is bounded."""
    content = b""
    for _ in range(200):  # a graph in an attribute in a node in a graph
        for field in (6, 5, 1):
            content = bytes([field << 3 | 2]) + _length(content) + content
    (tmp_path / "m.onnx").write_bytes(b"\x3a" + _length(content) + content)
    with pytest.raises(ModelCorrupt, match="nests graphs"):
        read_graph(tmp_path / "m.onnx")


def test_fields_without_end_are_refused(tmp_path: Path) -> None:
    """The reader's time is bounded."""
    content = b"\x08\x01" * 2_100_000
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="more than 2000000 fields"):
        read_graph(tmp_path / "m.onnx")


@given(st.data())
def test_damaged_models_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever octets change, nothing but ModelCorrupt is raised."""
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(graphs.lookup(folder / "m.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.onnx"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        graph = read_graph(path)
    except ModelCorrupt:
        return
    if graph is not None:
        Flow(graph)


def _length(content: bytes) -> bytes:
    octets, size = bytearray(), len(content)
    while size > 127:
        octets.append(size & 127 | 128)
        size >>= 7
    return bytes([*octets, size])
