"""What an inference request asks: feeds for the model, and the outputs that are wanted.

Source: Open Inference Protocol: HTTP/REST, "Inference Request JSON Object". Of parameters, those
that would change the answer and are not offered here are refused: Triton's shared memory,
sequences and classification. Others are ignored, such as priority, timeout and a caller's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmer.errors import RequestError
from warmer.inference.datatypes import datatype_of
from warmer.inference.tensors import brief, from_binary, from_json
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warmer.model.signature import Signature, TensorSpec

__all__ = ["InferRequest", "Wanted", "read_request"]

_MOST_DIMENSIONS = 64  # numpy's own limit
_GREATEST_SIZE = 2**64 - 1  # "Request Input": representable as an unsigned 64-bit integer
_REFUSED = frozenset(
    {
        "classification",
        "sequence_end",
        "sequence_id",
        "sequence_start",
        "shared_memory_byte_size",
        "shared_memory_offset",
        "shared_memory_region",
    }
)


class Wanted(Record):
    """An output that is to be returned, as bytes or as JSON."""

    spec: TensorSpec
    binary: bool


class InferRequest(Record):
    """A request that has been read: `feeds` by input name, `outputs` in the order asked for.

    `id` is None where the request has none.
    """

    id: str | None
    feeds: Mapping[str, Any]
    outputs: tuple[Wanted, ...]


def read_request(
    request: object, signature: Signature, content: memoryview | None = None
) -> InferRequest:
    """Read a request for a model with this signature.

    `content` is the bytes that came after the JSON, for inputs that have a binary_data_size; None
    where nothing binary can be sent or returned, which a direct invoke cannot. Raises RequestError,
    which names the field, for what breaks the protocol; whether the feeds fit the model otherwise
    (rank, sizes, missing inputs) is for the model to say.
    """
    if not isinstance(request, dict):
        raise RequestError(
            f"the request is {_kind(request)}; expected an object with a list of inputs: "
            '{"inputs": [{"name": ..., "shape": [...], "datatype": ..., "data": [...]}]}'
        )
    identifier = request.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise RequestError(f"id is {_kind(identifier)}; expected a string")
    parameters = _parameters(request, "parameters")
    binary = _flag(parameters, "binary_data_output", "parameters", default=False)
    feeds = _feeds(request.get("inputs"), signature, content)
    outputs = _outputs(request.get("outputs"), signature, binary)
    if content is None and any(wanted.binary for wanted in outputs):
        raise RequestError(
            "binary_data is for HTTP requests; the answer to a direct invoke is JSON throughout"
        )
    return InferRequest(identifier, feeds, outputs)


def _feeds(inputs: object, signature: Signature, content: memoryview | None) -> dict[str, Any]:
    if not isinstance(inputs, list):
        raise RequestError(f"inputs is {_kind(inputs)}; expected a list of tensors")
    specs = {spec.name: spec for spec in signature.inputs}
    feeds: dict[str, Any] = {spec.name: None for spec in signature.inputs if spec.optional}
    seen: set[str] = set()
    position = 0
    for index, item in enumerate(inputs):
        field = f"inputs[{index}]"
        name = _name(item, field)
        field = f"{field} {name[:64]!r}"
        if name not in specs:
            raise RequestError(f"{field} is unknown; the model takes {_names(specs)}")
        if name in seen:
            raise RequestError(f"{field} is there twice; expected each input once")
        seen.add(name)
        feeds[name], size = _tensor(item, specs[name], content, position, field)
        position += size
    if content is not None and position != len(content):
        raise RequestError(
            f"{len(content)} bytes follow the JSON; the inputs' binary_data_size adds up to "
            f"{position}"
        )
    return feeds


def _tensor(
    item: dict[str, Any], spec: TensorSpec, content: memoryview | None, position: int, field: str
) -> tuple[Any, int]:
    """An input's tensor, and how many bytes of the content were its own."""
    datatype = item.get("datatype")
    expected = datatype_of(spec)
    if datatype != expected:
        raise RequestError(
            f"{field}.datatype is {_value(datatype)}; expected {expected!r}, since the model takes "
            f"{spec}"
        )
    shape = _shape(item.get("shape"), field)
    parameters = _parameters(item, f"{field}.parameters")
    size = parameters.get("binary_data_size")
    if size is None:
        if "data" not in item:
            raise RequestError(f"{field}.data is missing; expected a list of {datatype} elements")
        return from_json(item["data"], shape, datatype, field), 0
    if type(size) is not int or size < 0:
        raise RequestError(
            f"{field}.parameters.binary_data_size is {_value(size)}; expected a number of bytes"
        )
    if content is None:
        raise RequestError(
            f"{field}.parameters.binary_data_size is given, but a direct invoke carries JSON only"
        )
    if "data" in item:
        raise RequestError(f"{field} has both data and binary_data_size; expected one of them")
    if size > len(content) - position:
        raise RequestError(
            f"{field}.parameters.binary_data_size is {size}; only {len(content) - position} bytes "
            "are left in the body after the JSON (is Inference-Header-Content-Length its length?)"
        )
    return from_binary(content[position : position + size], shape, datatype, field), size


def _outputs(outputs: object, signature: Signature, binary: bool) -> tuple[Wanted, ...]:
    specs = {spec.name: spec for spec in signature.outputs}
    if outputs is None or outputs == []:
        return tuple(Wanted(spec, binary) for spec in signature.outputs)
    if not isinstance(outputs, list):
        raise RequestError(f"outputs is {_kind(outputs)}; expected a list of output names' objects")
    wanted: dict[str, Wanted] = {}
    for index, item in enumerate(outputs):
        field = f"outputs[{index}]"
        name = _name(item, field)
        field = f"{field} {name[:64]!r}"
        if name not in specs:
            raise RequestError(f"{field} is unknown; the model gives {_names(specs)}")
        if name in wanted:
            raise RequestError(f"{field} is there twice; expected each output once")
        parameters = _parameters(item, f"{field}.parameters")
        as_bytes = _flag(parameters, "binary_data", f"{field}.parameters", default=binary)
        wanted[name] = Wanted(specs[name], as_bytes)
    return tuple(wanted.values())


def _name(item: object, field: str) -> str:
    if not isinstance(item, dict):
        raise RequestError(f"{field} is {_kind(item)}; expected an object")
    name = item.get("name")
    if not isinstance(name, str):
        raise RequestError(f"{field}.name is {_kind(name)}; expected a string")
    return name


def _shape(shape: object, field: str) -> list[int]:
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS:
        found = f"a list of {len(shape)}" if isinstance(shape, list) else _kind(shape)
        raise RequestError(
            f"{field}.shape is {found}; expected a list of at most {_MOST_DIMENSIONS} sizes"
        )
    for axis, size in enumerate(shape):
        if type(size) is not int or not 0 <= size <= _GREATEST_SIZE:
            raise RequestError(
                f"{field}.shape[{axis}] is {_value(size)}; expected a whole number from 0 to 2^64-1"
            )
    return shape


def _parameters(item: dict[str, Any], field: str) -> dict[str, Any]:
    parameters = item.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RequestError(f"{field} is {_kind(parameters)}; expected an object")
    refused = _REFUSED & parameters.keys()
    if refused:
        raise RequestError(f"{field}.{min(refused)} is not supported here; leave it out")
    return parameters


def _flag(parameters: dict[str, Any], key: str, field: str, *, default: bool) -> bool:
    value = parameters.get(key, default)
    if not isinstance(value, bool):
        raise RequestError(f"{field}.{key} is {_value(value)}; expected true or false")
    return value


def _names(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(map(repr, specs)) or "none"


def _kind(value: object) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


def _value(value: object) -> str:
    """A scalar as it came, or its kind: a message is no place for a whole list."""
    if type(value) is int:
        return brief(value)
    return repr(value)[:64] if isinstance(value, str | float | bool) else _kind(value)
