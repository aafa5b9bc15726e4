"""The protocol's names of element types, and the numpy dtypes that hold them.

Source: V2 Inference Protocol, "Tensor Data Types"; BF16 is Triton's, in "Binary Tensor Data
Extension". BYTES are byte strings; ONNX's strings are text, so theirs are UTF-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warmer.model.signature import TensorSpec

__all__ = ["DTYPES", "datatype_of", "is_tensor"]

DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(dtype)
    for name, dtype in {
        "BOOL": np.bool_,
        "UINT8": np.uint8,
        "UINT16": np.uint16,
        "UINT32": np.uint32,
        "UINT64": np.uint64,
        "INT8": np.int8,
        "INT16": np.int16,
        "INT32": np.int32,
        "INT64": np.int64,
        "FP16": np.float16,
        "FP32": np.float32,
        "FP64": np.float64,
        "BYTES": np.object_,
    }.items()
}
"""By the protocol's name, the dtype of its elements; BF16, which numpy lacks, is not here."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(spec: TensorSpec) -> str:
    """The protocol's name of an input's or output's element type.

    Types that the protocol lacks (8-bit floats, 4-bit integers) go by the one that stands for them
    in `spec.dtype`. What is no tensor goes as BYTES that hold JSON: see `is_tensor`.
    """
    if spec.narrow == "bfloat16":
        return "BF16"
    return "BYTES" if spec.dtype is None else _NAMES[spec.dtype]


def is_tensor(spec: TensorSpec) -> bool:
    """Whether the protocol can carry an output as it is: not for sequences and maps."""
    return spec.dtype is not None and not spec.sequence
