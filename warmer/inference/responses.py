"""The answer to an inference request.

Source: Open Inference Protocol: HTTP/REST, "Inference Response JSON Object".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import RequestError
from warmer.inference.datatypes import datatype_of, is_tensor
from warmer.inference.tensors import binary_of, json_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from warmer.inference.requests import InferRequest, Wanted
    from warmer.inference.tensors import Octets
    from warmer.model.signature import TensorSpec

    Content = list[Octets]

__all__ = ["infer_response"]


def infer_response(
    request: InferRequest,
    outputs: Mapping[str, Any],
    *,
    model_name: str,
    model_version: str,
    parameters: Mapping[str, str | float | bool],
) -> tuple[dict[str, Any], Content]:
    """The response object, and what follows it in the body for outputs that are wanted as bytes.

    Raises RequestError where an output holds NaN or infinity and is wanted as JSON.
    """
    content: Content = []
    answer: dict[str, Any] = {"model_name": model_name, "model_version": model_version}
    if request.id is not None:
        answer["id"] = request.id
    answer["parameters"] = dict(parameters)
    answer["outputs"] = [
        _output(wanted, outputs[wanted.spec.name], content) for wanted in request.outputs
    ]
    return answer, content


def _output(wanted: Wanted, value: Any, content: Content) -> dict[str, Any]:
    spec, field = wanted.spec, f"output {wanted.spec.name!r}"
    array = value if is_tensor(spec) and isinstance(value, np.ndarray) else _texts(value, field)
    datatype = _datatype(spec, array)
    output: dict[str, Any] = {
        "name": spec.name,
        "datatype": datatype,
        "shape": list(array.shape),
    }
    if wanted.binary:
        octets = binary_of(array, datatype)
        content.append(octets)
        output["parameters"] = {"binary_data_size": len(octets)}
    else:
        output["data"] = json_of(array, field)
    return output


def _datatype(spec: TensorSpec, array: NDArray[Any]) -> str:
    return "BYTES" if array.dtype == object else datatype_of(spec)


def _texts(value: Any, field: str) -> NDArray[Any]:
    """A sequence, or maps, as some converted classifiers give: each item as JSON text."""
    items: Sequence[Any] = value if isinstance(value, list) else [value]
    try:
        texts = [json.dumps(item, default=_plain, allow_nan=False) for item in items]
    except ValueError as error:
        raise RequestError(f"{field} is NaN or infinite for this input") from error
    return np.array(texts, np.object_)


def _plain(value: Any) -> Any:
    return value.tolist()  # an array or a number of numpy's
