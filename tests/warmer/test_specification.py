"""Warm-up inputs that a user specifies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from tests.warmer.test_ping import JSON
from warmer.errors import ConfigurationError
from warmer.model.samples import Samples
from warmer.model.signature import Signature, TensorSpec
from warmer.model.specification import Specification

IDS = TensorSpec("ids", "tensor(int64)", np.dtype(np.int64), ("batch", "length"))
MASK = TensorSpec("mask", "tensor(float)", np.dtype(np.float32), ("batch", "length"))
FIXED = TensorSpec("fixed", "tensor(uint8)", np.dtype(np.uint8), (2, 2))
WORDS = TensorSpec("words", "tensor(string)", np.dtype(object), ("batch",))
TEXT = Signature((IDS, MASK), ())
ALL = Signature((IDS, MASK, FIXED, WORDS), ())


def test_values_are_zeros_ones_random_or_given() -> None:
    """The four ways to say what an input holds."""
    bucket = {
        "ids": {"shape": [1, 50], "data": "random", "range": [10, 20]},
        "mask": {"shape": [1, 50], "data": "ones"},
        "fixed": {"data": "zeros"},
        "words": {"data": ["a"]},
    }
    values = Specification.of(bucket, ALL).buckets[0].values
    assert set(values["ids"].ravel()) == set(range(10, 20))
    assert values["mask"].tolist() == [[1.0] * 50]
    assert values["fixed"].tolist() == [[0, 0], [0, 0]]
    assert values["words"].tolist() == ["a"]


def test_random_floats_lie_between_zero_and_one_unless_told() -> None:
    """And are the same every time, so that two starts can be compared."""
    bucket = {"mask": {"shape": [1, 100], "data": "random"}}
    first, second = (Specification.of(bucket, TEXT).buckets[0].values["mask"] for _ in "12")
    assert np.array_equal(first, second)
    assert 0 <= first.min() < 0.05
    assert 0.95 < first.max() < 1


def test_several_buckets_keep_their_order() -> None:
    """The most important one is warmed first."""
    buckets = [{"ids": {"shape": [1, length]}} for length in (128, 16, 512)]
    samples = Samples.of(TEXT, None, specification=Specification.of(buckets, TEXT))
    assert [bucket[0]["ids"].shape[1] for bucket in samples.buckets] == [128, 16, 512]
    assert samples.sources == {"ids": "specified", "mask": "synthesised"}


def test_what_is_left_out_takes_the_same_sizes() -> None:
    """Inputs that share a symbolic dimension agree."""
    samples = Samples.of(
        TEXT, None, specification=Specification.of({"ids": {"shape": [3, 9]}}, TEXT)
    )
    assert samples.feeds[0]["mask"].shape == (3, 9)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "warmup.json is []; expected a list of one bucket or more"),
        ([3], "warmup.json[0] is 3; expected an object"),
        (
            [{"idz": {}}],
            "warmup.json[0].idz is {}; expected one of the model's inputs: 'ids' (int64",
        ),
        ([{"ids": 3}], "warmup.json[0].ids is 3; expected an object of shape, data, range"),
        ([{"ids": {"dtype": 1}}], "warmup.json[0].ids is {'dtype': 1}; expected an object of"),
        ([{"ids": {}}], "warmup.json[0].ids is {}; expected shape, or data: the model takes int64"),
        ([{"ids": {"shape": [1]}}], "warmup.json[0].ids.shape is [1]; expected one that fits"),
        ([{"ids": {"shape": [1, -1]}}], ".ids.shape is [1, -1]; expected a list of whole numbers"),
        ([{"ids": {"shape": [1, True]}}], ".ids.shape is [1, True]; expected a list of whole"),
        ([{"ids": {"shape": [9**9, 9**9]}}], "elements at most"),
        ([{"fixed": {"shape": [2, 3]}}], ".fixed.shape is [2, 3]; expected one that fits"),
        ([{"ids": {"data": "ones"}}], ".ids.shape is None; expected a shape"),
        (
            [{"ids": {"shape": [1, 1], "data": "twos"}}],
            ".ids.data is 'twos'; expected one of zeros",
        ),
        ([{"words": {"shape": [1], "data": "ones"}}], ".words.data is 'ones'; expected values"),
        (
            [{"ids": {"shape": [1, 1], "data": "random"}}],
            ".ids.range is None; expected two numbers",
        ),
        (
            [{"ids": {"shape": [1, 1], "data": "random", "range": [5, 5]}}],
            ".ids.range is [5, 5]; expected two numbers, the first less",
        ),
        (
            [{"fixed": {"data": "random", "range": [0, 300]}}],
            ".fixed.range is [0, 300]; expected numbers from 0 to 255",
        ),
        (
            [{"mask": {"shape": [1, 1], "data": "random", "range": [-1e39, 0]}}],
            ".mask.range is [-1e+39, 0]; expected numbers from -3.40282e+38 to 3.40282e+38",
        ),
        (
            [{"mask": {"shape": [1, 1], "data": "random", "range": [0, float("nan")]}}],
            ".mask.range is [0, nan]; expected two numbers",
        ),
        (
            [{"ids": {"data": "ones", "range": [0, 1]}}],
            ".ids.range is [0, 1]; expected none unless",
        ),
        (
            [{"ids": {"data": [[0.5]]}}],
            ".ids.data is [[0.5]]; expected values that fit: input 'ids'",
        ),
        ([{"ids": {"shape": [1, 3], "data": [[1]]}}], ".ids.shape is [1, 3]; expected values of"),
        (
            [{"ids": {"shape": [1, 4]}}, {"ids": {"shape": [1, 4]}, "mask": {"shape": [1, 5]}}],
            "warmup.json[1] is ",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, document: object, message: str) -> None:
    """The error says file, bucket, input and field, what is there, and what is expected."""
    path = tmp_path / "warmup.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError) as raised:
        Specification.read(path, ALL)
    assert message in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"[{", b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file."""
    path = tmp_path / "warmup.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"warmup\.json.*expected a JSON file"):
        Specification.read(path, ALL)


@given(JSON)
def test_any_json_is_a_specification_or_a_configuration_error(document: object) -> None:
    """Nothing else is raised, wherever the nonsense stands."""
    for nested in (
        document,
        [document],
        {"ids": document},
        {"ids": {"data": document}},
        {"ids": {"shape": document}},
        {"words": {"data": document}},
        {"mask": {"shape": [1, 1], "data": "random", "range": document}},
    ):
        try:
            Specification.of(nested, ALL)
        except ConfigurationError:
            continue
