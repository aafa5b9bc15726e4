"""Warm-up inputs: where they come from."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import warmer
from tests.warmer import graphs
from warmer.errors import ConfigurationError, ModelCorrupt, ModelInputError
from warmer.model.samples import Samples, read_recorded
from warmer.model.session import Session
from warmer.model.signature import Signature, TensorSpec
from warmer.model.specification import Specification

LEFT = TensorSpec("left", "tensor(float)", np.dtype(np.float32), ("batch", 3))
RIGHT = TensorSpec("right", "tensor(float)", np.dtype(np.float32), ("batch", 3))
BOTH = Signature((LEFT, RIGHT), ())


@pytest.mark.parametrize("dtype", graphs.ELEMENT_TYPES)
@pytest.mark.parametrize("shape", [(), (None,), ("batch", 3, 2), (4, 1)])
def test_every_input_type_can_be_synthesised_and_run(
    tmp_path: Path, dtype: str, shape: graphs.Shape
) -> None:
    """Nobody has to provide samples for a model to be primed."""
    session = Session(str(graphs.identity(tmp_path / "model.onnx", dtype, shape)))
    feeds = Samples.of(session.signature, None).feeds[0]
    assert np.array_equal(session.run(feeds)["y"], feeds["x"])


def test_synthesised_values_are_arithmetic_and_not_zero() -> None:
    """Kernels may take a shortcut for zeros and crawl for denormals."""
    x = TensorSpec("x", "tensor(float)", np.dtype(np.float32), (1, 3))
    assert Samples.of(Signature((x,), ()), None).feeds[0]["x"].tolist() == [[0.25, 0.5, 0.75]]


def test_synthesised_integers_are_valid_indices() -> None:
    """Ones are token numbers, masks, divisors and indices of nearly every model."""
    x = TensorSpec("x", "tensor(int64)", np.dtype(np.int64), (3,))
    assert Samples.of(Signature((x,), ()), None).feeds[0]["x"].tolist() == [1, 1, 1]


def test_recorded_inputs_are_used_row_by_row(tmp_path: Path) -> None:
    """Each run sees one recorded row as a batch of one; what is not recorded is synthesised."""
    path = tmp_path / "samples.npz"
    np.savez(path, left=np.array([[1, 2, 3], [4, 5, 6]]), unrelated=np.zeros(2))
    samples = Samples.of(BOTH, str(path))
    assert [feeds["left"].tolist() for feeds in samples.feeds] == [[[1, 2, 3]], [[4, 5, 6]]]
    assert {feeds["right"].shape for feeds in samples.feeds} == {(1, 3)}
    assert samples.sources == {"left": "recorded", "right": "synthesised"}


def test_recorded_inputs_come_before_specified_ones(tmp_path: Path) -> None:
    """A request that was sent is the best there is; the user's buckets are warmed after it."""
    path = tmp_path / "samples.npz"
    np.savez(path, left=np.ones((1, 3)), right=np.ones((1, 3)))
    buckets = [{"left": {"shape": [8, 3]}}, {"left": {"shape": [2, 3], "data": "zeros"}}]
    samples = Samples.of(BOTH, str(path), specification=Specification.of(buckets, BOTH))
    shapes = [[feeds["right"].shape for feeds in bucket] for bucket in samples.buckets]
    assert shapes == [[(1, 3)], [(8, 3)], [(2, 3)]]
    assert samples.sources == {"left": "recorded", "right": "recorded"}


def test_recorded_inputs_with_fixed_sizes_are_used_whole(tmp_path: Path) -> None:
    """There is no batch axis to take rows from."""
    path = tmp_path / "samples.npz"
    np.savez(path, x=np.ones((2, 3), np.float32))
    fixed = TensorSpec("x", "tensor(float)", np.dtype(np.float32), (2, 3))
    assert Samples.of(Signature((fixed,), ()), str(path)).feeds[0]["x"].shape == (2, 3)


def test_a_model_without_inputs_has_one_set_of_none() -> None:
    """A generator of constants can be primed too."""
    assert Samples.of(Signature((), ()), None).feeds == ({},)


def test_compressed_archives_can_be_read(tmp_path: Path) -> None:
    """numpy.savez_compressed writes them."""
    path = tmp_path / "samples.npz"
    np.savez_compressed(path, left=np.eye(3))
    assert np.array_equal(read_recorded(str(path), ["left"])["left"], np.eye(3))


def test_recorded_inputs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    """A sample of another shape is an input error like a request's."""
    path = tmp_path / "samples.npz"
    np.savez(path, left=np.zeros((1, 4)))
    with pytest.raises(ModelInputError, match="'left'"):
        Samples.of(BOTH, str(path))


def test_recorded_inputs_without_rows_are_refused(tmp_path: Path) -> None:
    """An empty recording primes nothing."""
    path = tmp_path / "samples.npz"
    np.savez(path, left=np.zeros((0, 3)))
    with pytest.raises(ModelCorrupt, match="without rows"):
        Samples.of(BOTH, str(path))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    """The error says how to write one."""
    path = tmp_path / "samples.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ModelCorrupt, match=r"numpy\.savez"):
        read_recorded(str(path), ["left"])


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    """A pickle could run any code."""
    path = tmp_path / "samples.npz"
    np.savez(path, left=np.array([object()]))
    with pytest.raises(ModelCorrupt, match="cannot be read"):
        read_recorded(str(path), ["left"])


def test_a_specification_beside_the_model_is_used(tmp_path: Path) -> None:
    """`warmup.json` is found like `samples.npz`."""
    graphs.addition(tmp_path / "sum" / "model.onnx")
    (tmp_path / "sum" / "warmup.json").write_text('[{"left": {"shape": [7, 3]}}]')
    samples = warmer.load(tmp_path / "sum").samples()
    assert samples.feeds[0]["right"].shape == (7, 3)
    assert samples.sources == {"left": "specified", "right": "synthesised"}


def test_a_specification_in_the_code_replaces_the_file(tmp_path: Path) -> None:
    """Arguments beat files."""
    graphs.addition(tmp_path / "sum" / "model.onnx")
    (tmp_path / "sum" / "warmup.json").write_text('[{"left": {"shape": [7, 3]}}]')
    model = warmer.load(tmp_path / "sum", warmup={"left": {"data": [[1, 2, 3]]}})
    assert model.samples().feeds[0]["left"].tolist() == [[1, 2, 3]]


def test_a_specification_that_does_not_fit_fails_the_load(tmp_path: Path) -> None:
    """Even where failing inferences are tolerated: it is a setting, and wrong every time."""
    path = graphs.addition(tmp_path / "sum.onnx")
    with pytest.raises(ConfigurationError, match=r"warmup\[0\]\.middle"):
        warmer.load(path, policy="degrade", warmup={"middle": {"shape": [1]}})


def test_large_rows_are_few(tmp_path: Path) -> None:
    """Two pictures warm what ten do, and INIT has neither memory nor time to spare."""
    path = tmp_path / "samples.npz"
    wide = TensorSpec("x", "tensor(float)", np.dtype(np.float32), ("batch", None))
    np.savez(path, x=np.ones((10, 100_000), np.float32))
    assert len(Samples.of(Signature((wide,), ()), str(path)).feeds) == 2
    np.savez(path, x=np.ones((10, 1_000), np.float32))
    assert len(Samples.of(Signature((wide,), ()), str(path)).feeds) == 10


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_they_were_written(tmp_path: Path, order: Literal["C", "F"]) -> None:
    """By row or by column, empty or not."""
    path = tmp_path / "samples.npz"
    left = np.array([[1, 2], [3, 4]], np.int16, order=order)
    arrays: dict[str, NDArray[Any]] = {"left": left, "right": np.zeros((0, 2))}
    np.savez(path, left=arrays["left"], right=arrays["right"])
    read = read_recorded(str(path), ["left", "right"])
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    """Archives are read by zipimport, which remembers where their members were."""
    path = tmp_path / "samples.npz"
    for size in (1, 1000, 10):
        np.savez(path, left=np.arange(size))
        assert read_recorded(str(path), ["left"])["left"].tolist() == list(range(size))


def test_python_objects_are_never_read(tmp_path: Path) -> None:
    """They are pickles: loading one would run whatever code it holds."""
    path = tmp_path / "samples.npz"
    np.savez(path, left=np.array([{}], object))
    with pytest.raises(ModelCorrupt, match="Python objects"):
        read_recorded(str(path), ["left"])


def test_inputs_are_let_go_once_the_model_is_primed(tmp_path: Path) -> None:
    """A function pays for its peak memory; who asks for them gets them again."""
    graphs.addition(tmp_path / "sum" / "model.onnx")
    np.savez(tmp_path / "sum" / "samples.npz", left=np.ones((1, 3)), right=np.ones((1, 3)))
    model = warmer.load(tmp_path / "sum", budget_ms=0)
    samples = model.samples()
    kept = [weakref.ref(value) for value in samples.feeds[0].values()]
    del samples
    assert all(one() is not None for one in kept)
    model.prime(10)
    gc.collect()
    assert [one() for one in kept] == [None, None]
    assert model.sources == {"left": "recorded", "right": "recorded"}
    assert model.samples().feeds[0]["left"].tolist() == [[1, 1, 1]]
