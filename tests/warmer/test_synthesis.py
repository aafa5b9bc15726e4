"""Inputs that are found from a model's graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import warmer
from warmer.errors import ModelError, PrimingError
from warmer.model.samples import Samples
from warmer.model.session import Session
from warmer.model.values import scatter, spread

FLOAT, INT64, BOOL, STRING = (
    TensorProto.FLOAT,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)
Tensor = tuple[str, int, Any]


def build(
    path: Path,
    inputs: list[Tensor | onnx.ValueInfoProto],
    nodes: list[onnx.NodeProto],
    outputs: list[Tensor],
    weights: dict[str, Any] | None = None,
) -> Path:
    """Write a model with these nodes; a tensor is its name, element type and shape."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            tensor if isinstance(tensor, onnx.ValueInfoProto) else _value(tensor)
            for tensor in inputs
        ],
        [_value(tensor) for tensor in outputs],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (weights or {}).items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def _value(tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(*tensor)


def found(path: Path) -> Samples:
    """The samples that are synthesised for a model, proven by running it."""
    session = Session(str(path))
    samples = Samples.of(session.signature, None, model_path=str(path), run=session.attempt)
    for feeds in samples.feeds:
        session.run(feeds)
    return samples


def embedding(path: Path, rows: int, width: int = 2) -> Path:
    """A model that looks token numbers up in a table."""
    return build(
        path,
        [("ids", INT64, ("batch", "sequence"))],
        [
            helper.make_node("Identity", ["ids"], ["numbers"]),
            helper.make_node("Gather", ["table", "numbers"], ["rows"]),
        ],
        [("rows", FLOAT, None)],
        {"table": np.zeros((rows, width), np.float32)},
    )


def test_token_numbers_are_spread_over_the_whole_table(tmp_path: Path) -> None:
    """What is never looked up is never read from disk, and a user's request would wait for it."""
    ids = found(embedding(tmp_path / "m.onnx", 1000)).feeds[0]["ids"].ravel()
    assert ids.min() == 0
    assert ids.max() < 1000
    assert np.diff(np.sort(ids)).max() <= 1000 / len(ids) + 1


def test_a_large_table_is_covered_by_several_sets_of_inputs(tmp_path: Path) -> None:
    """One sequence cannot touch all of its pages; each set looks up rows that the others do not."""
    samples = found(embedding(tmp_path / "m.onnx", 40_000, 256))
    rows = np.concatenate([feeds["ids"].ravel() for feeds in samples.feeds])
    assert len(samples.feeds) > 1
    assert len(np.unique(rows)) == rows.size
    assert np.diff(np.sort(rows)).max() * 256 * 4 < 2 * 40_000 * 256 * 4 / rows.size


def test_what_was_found_can_be_recorded(tmp_path: Path) -> None:
    """A bundle keeps it, so that INIT need not search: read back, it is the same."""
    path = embedding(tmp_path / "m.onnx", 40_000, 256)
    samples, signature = found(path), Session(str(path)).signature
    arrays = samples.arrays()
    assert arrays is not None
    np.savez(tmp_path / "inputs.npz", **arrays)  # type: ignore[arg-type]  # a stub's mistake
    again = Samples.read(str(tmp_path / "inputs.npz"), signature)
    assert again.sources == samples.sources
    assert len(again.feeds) == len(samples.feeds)
    for one, other in zip(again.feeds, samples.feeds, strict=True):
        assert np.array_equal(one["ids"], other["ids"])


def test_a_table_of_a_few_rows_bounds_the_numbers(tmp_path: Path) -> None:
    """Numbers beyond it would be refused."""
    assert found(embedding(tmp_path / "m.onnx", 2)).feeds[0]["ids"].max() == 1


def test_one_hot_encodings_are_shown_every_class(tmp_path: Path) -> None:
    """Some exporters compare with a range rather than look up."""
    path = build(
        tmp_path / "m.onnx",
        [("octets", INT64, ("batch", 300))],
        [
            helper.make_node("Reshape", ["octets", "column"], ["wide"]),
            helper.make_node("Equal", ["wide", "classes"], ["encoded"]),
        ],
        [("encoded", BOOL, None)],
        {"column": np.array([-1, 300, 1]), "classes": np.arange(257).reshape(1, 1, 257)},
    )
    assert set(found(path).feeds[0]["octets"].ravel()) == set(range(257))


def test_a_number_that_is_compared_takes_the_constant(tmp_path: Path) -> None:
    """A sampling rate that the graph asks for is the one that requests have."""
    body = [
        helper.make_graph(
            [helper.make_node(op, ["x"], [f"{op}_out"])],
            op,
            [],
            [helper.make_tensor_value_info(f"{op}_out", FLOAT, None)],
        )
        for op in ("Relu", "Neg")
    ]
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, (2,)), ("rate", INT64, ())],
        [
            helper.make_node("Equal", ["rate", "known"], ["same"]),
            helper.make_node("If", ["same"], ["y"], then_branch=body[0], else_branch=body[1]),
        ],
        [("y", FLOAT, None)],
        {"known": np.array(16000)},
    )
    assert found(path).feeds[0]["rate"] == 16000


@pytest.mark.parametrize(
    ("op", "declared", "values"),
    [
        ("Reshape", (6, 4), [6, 4]),
        ("Expand", (5, 3, 8), [5, 3, 8]),
        ("Tile", (6, 16), [2, 2]),
    ],
)
def test_shapes_come_from_what_the_output_declares(
    tmp_path: Path, op: str, declared: tuple[int, ...], values: list[int]
) -> None:
    """A value that is a shape ties the inputs together."""
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, (3, 8)), ("shape", INT64, (len(values),))],
        [helper.make_node(op, ["x", "shape"], ["y"])],
        [("y", FLOAT, declared)],
    )
    assert found(path).feeds[0]["shape"].tolist() == values


def test_slices_and_axes_are_within_the_data(tmp_path: Path) -> None:
    """Starts, ends, axes and steps are found together."""
    indices = [(name, INT64, (2,)) for name in ("starts", "ends", "axes", "steps")]
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, (4, 9, 3)), *indices],
        [helper.make_node("Slice", ["x", *(name for name, _, _ in indices)], ["y"])],
        [("y", FLOAT, None)],
    )
    feeds = found(path).feeds[0]
    assert sorted(feeds["axes"].tolist()) == [0, 1]
    assert 0 not in feeds["steps"]


def test_dimensions_without_a_name_come_from_the_weights(tmp_path: Path) -> None:
    """A matrix product says how long its rows are."""
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, (None, None))],
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("y", FLOAT, None)],
        {"w": np.zeros((37, 5), np.float32)},
    )
    assert found(path).feeds[0]["x"].shape == (1, 37)


def test_an_unknown_rank_comes_from_the_operators(tmp_path: Path) -> None:
    """ONNX Runtime shows it like a scalar; the graph tells them apart."""
    path = build(
        tmp_path / "m.onnx",
        [("image", FLOAT, None), ("scale", FLOAT, ())],
        [
            helper.make_node("Conv", ["image", "w"], ["c"]),
            helper.make_node("Mul", ["c", "scale"], ["y"]),
        ],
        [("y", FLOAT, None)],
        {"w": np.zeros((2, 3, 5, 5), np.float32)},
    )
    feeds = found(path).feeds[0]
    assert feeds["image"].shape[:2] == (1, 3)
    assert feeds["scale"].shape == ()


def test_dimensions_that_must_agree_are_found_by_running(tmp_path: Path) -> None:
    """Nothing says that a matrix must be square but the product with itself."""
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, ("rows", "columns"))],
        [helper.make_node("MatMul", ["x", "x"], ["y"])],
        [("y", FLOAT, None)],
    )
    rows, columns = found(path).feeds[0]["x"].shape
    assert rows == columns


def test_a_dimension_that_is_a_sum_is_one(tmp_path: Path) -> None:
    """Exporters write `past + 1` for an attention mask, and mean it."""
    path = build(
        tmp_path / "m.onnx",
        [("past", FLOAT, (1, "past")), ("mask", FLOAT, (1, "past + 1"))],
        [
            helper.make_node("Concat", ["past", "one"], ["all"], axis=1),
            helper.make_node("Mul", ["all", "mask"], ["y"]),
        ],
        [("y", FLOAT, None)],
        {"one": np.ones((1, 1), np.float32)},
    )
    feeds = found(path).feeds[0]
    assert feeds["mask"].shape[1] == feeds["past"].shape[1] + 1


def test_zero_size_inputs_stay_so(tmp_path: Path) -> None:
    """An empty tensor is a declared shape like any other."""
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, (0, 3))],
        [helper.make_node("Identity", ["x"], ["y"])],
        [("y", FLOAT, None)],
    )
    assert found(path).feeds[0]["x"].shape == (0, 3)


def test_sequences_are_lists_of_arrays(tmp_path: Path) -> None:
    """Their elements' shape is in the graph alone; ONNX Runtime does not tell it."""
    sequence = helper.make_tensor_sequence_value_info("x", FLOAT, (2, "n"))
    path = build(
        tmp_path / "m.onnx",
        [sequence],
        [helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)],
        [("y", FLOAT, None)],
    )
    value = found(path).feeds[0]["x"]
    assert [array.shape[0] for array in value] == [2, 2]


def test_an_optional_input_is_given_where_it_can_be(tmp_path: Path) -> None:
    """A request that has it does more than one that has not."""
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, (2,)))
    path = build(
        tmp_path / "m.onnx",
        [helper.make_value_info("x", kind)],
        [
            helper.make_node("OptionalGetElement", ["x"], ["element"]),
            helper.make_node("Neg", ["element"], ["y"]),
        ],
        [("y", FLOAT, None)],
    )
    assert found(path).feeds[0]["x"].shape == (2,)
    with pytest.raises(ModelError):
        warmer.load(path).run({"x": None})


def test_text_that_must_be_a_number_is_one(tmp_path: Path) -> None:
    """A cast from strings refuses words."""
    path = build(
        tmp_path / "m.onnx",
        [("x", STRING, (2,))],
        [helper.make_node("Cast", ["x"], ["y"], to=FLOAT)],
        [("y", FLOAT, (2,))],
    )
    assert found(path).feeds[0]["x"].tolist() == ["1", "1"]


def test_a_model_that_takes_nothing_is_an_error_that_names_the_input(tmp_path: Path) -> None:
    """And says what can be done; inputs that have no part in the failure are not named."""
    path = build(
        tmp_path / "m.onnx",
        [("ids", INT64, (3,)), ("other", INT64, (3,))],
        [
            helper.make_node("Shape", ["ids"], ["shape"]),
            helper.make_node("Concat", ["ids", "shape"], ["wanted"], axis=0),
            helper.make_node("Reshape", ["weight", "wanted"], ["y"]),
            helper.make_node("Identity", ["other"], ["z"]),
        ],
        [("y", FLOAT, None), ("z", INT64, (3,))],
        {"weight": np.zeros(7, np.float32)},
    )
    with pytest.raises(
        PrimingError, match=r"input 'ids' \(int64 .*samples\.npz.*warmup\.json"
    ) as raised:
        warmer.load(path)
    assert "'other'" not in str(raised.value)


def test_refusals_are_not_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A search is no failure: nothing in a function's log says so."""
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, ("rows", "columns"))],
        [helper.make_node("MatMul", ["x", "x"], ["y"])],
        [("y", FLOAT, None)],
    )
    found(path)
    assert capfd.readouterr().err == ""


def test_floats_of_known_shape_need_no_graph(tmp_path: Path) -> None:
    """Reading it would cost milliseconds of INIT for nothing."""
    path = build(
        tmp_path / "m.onnx",
        [("x", FLOAT, ("batch", 3))],
        [helper.make_node("Neg", ["x"], ["y"])],
        [("y", FLOAT, None)],
    )
    session = Session(str(path))
    missing = str(tmp_path / "missing.onnx")
    samples = Samples.of(session.signature, None, model_path=missing, run=session.attempt)
    assert samples.feeds[0]["x"].shape == (1, 3)


def test_rows_of_all_phases_are_spread_evenly() -> None:
    """Together the phases are as even as one phase would be."""
    parts = [scatter(10, 1000, phase, 4) for phase in range(4)]
    assert np.array_equal(np.sort(np.concatenate(parts)), scatter(40, 1000))


def test_floats_are_between_zero_and_one() -> None:
    """Neither is included: a ratio of 1 is refused by some operators, 0 by others."""
    assert spread(3).tolist() == [0.25, 0.5, 0.75]
