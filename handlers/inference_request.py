"""What an inference request asks, and the answer to it, in JSON's terms and for any model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ModelInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warmer.model.signature import Signature, TensorSpec

__all__ = ["answer_of", "feeds_of"]


def feeds_of(request: object, signature: Signature) -> dict[str, object]:
    """The model's feeds in a request: its `inputs` object, or the request itself.

    Where each input comes without its first axis and that axis is dynamic, it gets one of size 1:
    one item is a batch of one. Raises ModelInputError for a request that is no object; whether the
    feeds fit is for the model to say.
    """
    if not isinstance(request, dict):
        names = ", ".join(f'"{spec.name}": ...' for spec in signature.inputs)
        raise ModelInputError(
            f"the request is of type {type(request).__name__}; expected an object: {{{names}}}"
        )
    specs = {spec.name: spec for spec in signature.inputs}
    inputs = request.get("inputs")
    nested = "inputs" not in specs and isinstance(inputs, dict) and len(request) == 1
    feeds: dict[str, object] = dict(inputs if nested and isinstance(inputs, dict) else request)
    arrays = {name: _array(value) for name, value in feeds.items() if name in specs}
    if arrays and all(_lacks_batch(array, specs[name]) for name, array in arrays.items()):
        return feeds | {name: np.asarray(array)[np.newaxis] for name, array in arrays.items()}
    return feeds | arrays


def answer_of(outputs: Mapping[str, object]) -> dict[str, object]:
    """The outputs as JSON values: nested lists by output name.

    Raises ModelInputError where one holds NaN or infinity, which JSON cannot carry: the values that
    were sent led there.
    """
    return {name: _json_value(name, value) for name, value in outputs.items()}


def _array(value: object) -> object:
    """`value` as an array, or as it is where it is none: the model then says what is wrong."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        return value


def _lacks_batch(array: object, spec: TensorSpec) -> bool:
    return (
        isinstance(array, np.ndarray)
        and array.ndim == len(spec.shape) - 1
        and not isinstance(spec.shape[0], int)
    )


def _json_value(name: str, value: object) -> object:
    if not isinstance(value, np.ndarray):
        return _finite_json(name, value)
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise _not_finite(name)
    return value.tolist()


def _finite_json(name: str, value: object) -> Any:
    """A sequence or map, as some converted classifiers give; its keys become text."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except ValueError as error:
        raise _not_finite(name) from error


def _not_finite(name: str) -> ModelInputError:
    return ModelInputError(
        f"output {name!r} is NaN or infinite for this input, which JSON cannot carry; "
        "send values in the range that the model was trained on"
    )
