"""Exchanging elements that numpy lacks with ONNX Runtime, as its OrtValues."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ModelError
from warmer.model.narrow import CODES, decode, encode, octets_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warmer.model.signature import Signature, TensorSpec, Value

__all__ = ["Exchange"]


class Exchange:
    """Runs a session some of whose inputs or outputs have element types that numpy lacks.

    `session` is ONNX Runtime's InferenceSession, `ort_value` its class OrtValue. Raises ModelError
    where an output of such a type meets an input that ONNX Runtime takes only in another way
    (strings, sequences, optional ones), and for sequences of such a type.
    """

    def __init__(self, session: Any, ort_value: Any, signature: Signature) -> None:
        self._session = session
        self._ort_value = ort_value
        self._inputs = {spec.name: spec for spec in signature.inputs}
        self._outputs = {spec.name: spec for spec in signature.outputs}
        self._gives = next((spec for spec in signature.outputs if spec.narrow), None)
        for spec in self._inputs.values():
            self._check(spec)

    def run(self, names: Sequence[str], feeds: Mapping[str, Value], options: Any) -> list[Any]:
        """One inference, like InferenceSession.run."""
        # An OrtValue does not keep the memory that it reads: `stored` does.
        stored = {
            name: encode(np.asarray(value), spec.narrow)
            for name, value in feeds.items()
            if value is not None and (spec := self._inputs[name]).narrow
        }
        values: dict[str, Any] = dict(feeds)
        for name, array in stored.items():
            code = CODES[str(self._inputs[name].narrow)]
            values[name] = self._ort_value.ortvalue_from_numpy_with_onnx_type(array, code)
        if self._gives is None:
            outputs: list[Any] = self._session.run(names, values, options)
            return outputs
        for name in values.keys() - stored.keys():
            values[name] = self._ort_value.ortvalue_from_numpy(np.ascontiguousarray(values[name]))
        given = self._session.run_with_ort_values(names, values, options)
        return [
            self._read(self._outputs[name], value) for name, value in zip(names, given, strict=True)
        ]

    def _read(self, spec: TensorSpec, value: Any) -> Any:
        if not spec.narrow:
            return value.numpy()
        shape = tuple(value.shape())
        size = octets_of(int(np.prod(shape, dtype=np.int64)), spec.narrow)
        octets = ctypes.string_at(value.data_ptr(), size) if size else b""
        return decode(octets, shape, spec.narrow)

    def _check(self, spec: TensorSpec) -> None:
        if spec.narrow and spec.sequence:
            raise ModelError(
                f"input {spec.name!r} is {spec}, which ONNX Runtime does not take from Python; "
                "export the model with another element type, such as float32"
            )
        other = spec.sequence or spec.optional or spec.type_name == "string"
        if other and self._gives is not None:
            raise ModelError(
                f"output {self._gives.name!r} is {self._gives}, which ONNX Runtime does not give "
                f"to Python beside input {spec.name!r}, {spec}; export the model with another "
                "element type, such as float32"
            )
