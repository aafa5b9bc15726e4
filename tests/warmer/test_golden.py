"""Golden outputs, and how far others are from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmer.errors import ModelCorrupt
from warmer.model.golden import Golden, difference, read_golden, write_golden

INFINITE = float("inf")
NAN = float("nan")


def _floats(*values: float, dtype: str = "float32") -> Any:
    return np.array(values, dtype)


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        (_floats(1, 2), _floats(1, 2), 0.0),
        (_floats(1, -4), _floats(1.5, -4), 0.125),
        (_floats(0, 0), _floats(0, 0.25), 0.25),
        (_floats(NAN, INFINITE, 1), _floats(NAN, INFINITE, 1), 0.0),
        (_floats(NAN, 1), _floats(1, 1), INFINITE),
        (_floats(1, 1), _floats(1, NAN), INFINITE),
        (_floats(INFINITE), _floats(-INFINITE), INFINITE),
        (_floats(1), _floats(1, dtype="float64"), INFINITE),
        (_floats(1), _floats(1, 1), INFINITE),
        (_floats(), _floats(), 0.0),
        (np.array([1, 2]), np.array([1, 2]), 0.0),
        (np.array([1, 2]), np.array([1, 3]), INFINITE),
        (np.array(["a"], object), np.array(["a"], object), 0.0),
        (np.array(["a"], object), np.array(["b"], object), INFINITE),
        ([_floats(2), _floats(4)], [_floats(2), _floats(3)], 0.25),
        ([_floats(2)], [], INFINITE),
        ({0: 2.0}, {0: 1.0}, 0.5),
        ({0: 2.0}, {1: 2.0}, INFINITE),
        (_floats(1), None, INFINITE),
    ],
)
def test_a_difference_is_relative_to_the_largest_magnitude(
    expected: object, actual: object, found: float
) -> None:
    """Floats may be near; everything else is equal or is not."""
    assert difference(expected, actual) == found


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Whatever the tensors' names; strings come back as Python's."""
    path = str(tmp_path / "golden.npz")
    inputs = {"file": np.array(["ä", "long"], object), "a/b:0": np.zeros((0, 2), np.float16)}
    outputs = {"": np.array(True)}
    write_golden(path, Golden(inputs, outputs))
    golden = read_golden(path, ("file", "a/b:0"), ("",))
    assert golden.inputs["file"].tolist() == ["ä", "long"]
    assert golden.inputs["file"].dtype == object
    assert golden.inputs["a/b:0"].shape == (0, 2)
    assert golden.outputs[""].item() is True


def test_a_file_that_lacks_a_tensor_is_corrupt(tmp_path: Path) -> None:
    """It is of another bundle."""
    path = str(tmp_path / "golden.npz")
    write_golden(path, Golden({"x": np.zeros(1)}, {"y": np.zeros(1)}))
    with pytest.raises(ModelCorrupt, match=r"golden\.npz lacks output1"):
        read_golden(path, ("x",), ("y", "z"))
