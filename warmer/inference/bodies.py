"""Bodies of HTTP requests and answers, as payload format 2.0 carries them: text, or base64.

Source: AWS Lambda developer guide, "Invoking Lambda function URLs"; Amazon API Gateway developer
guide, "AWS Lambda proxy integrations for HTTP APIs". With binary tensors the body is the JSON, then
the tensors' bytes; the header Inference-Header-Content-Length says where the JSON ends (Triton,
"Binary Tensor Data Extension").
"""

from __future__ import annotations

import binascii
import json
from typing import TYPE_CHECKING, Any

from warmer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warmer.inference.tensors import Octets

__all__ = ["LENGTH_HEADER", "answer_of", "read_body"]

LENGTH_HEADER = "inference-header-content-length"

LARGEST_ANSWER = 6 * 1024 * 1024 - 4096
"""Bytes of a response's payload, less what headers take (Lambda quotas, "Invocation payload")."""

_ALIGNMENT = 16  # a bytes object's content begins at a multiple of it


def read_body(body: object, *, encoded: bool, header_length: object) -> tuple[Any, memoryview]:
    """The JSON value in a body, and the bytes after it.

    Raises RequestError for what is no base64 or no JSON, and for a header length that does not fit.
    """
    if not isinstance(body, str) or not body:
        raise RequestError("the body is empty; expected an inference request in JSON")
    length = None if header_length is None else _length(header_length)
    try:
        header, content = _decoded(body, length) if encoded else _encoded(body, length)
    except ValueError as error:  # binascii.Error and UnicodeEncodeError too
        raise RequestError(f"the body cannot be decoded: {error}") from error
    if length is not None and len(header) != length:
        raise RequestError(
            f"{LENGTH_HEADER} is {length}; the body has {len(header) + len(content)} bytes"
        )
    return _json(header), content


def answer_of(
    status: int, answer: Mapping[str, Any], content: Sequence[Octets] = ()
) -> dict[str, Any]:
    """An HTTP response in payload format 2.0. Raises RequestError where Lambda would refuse it."""
    text = json.dumps(answer)
    if not content:
        # A body is a string of JSON in the end, where each quotation mark takes another octet.
        _check_size(len(text) + text.count('"') + text.count("\\"))
        return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": text}
    joined = b"".join([text.encode(), *content])
    encoded = binascii.b2a_base64(joined, newline=False).decode("ascii")
    _check_size(len(encoded))
    headers = {"content-type": "application/octet-stream", LENGTH_HEADER: str(len(text))}
    return {"statusCode": status, "headers": headers, "body": encoded, "isBase64Encoded": True}


def _decoded(body: str, length: int | None) -> tuple[bytes, memoryview]:
    """Decode base64 so that the tensors' bytes begin where any of their elements may begin.

    Base64 can be decoded from every third byte on. Of those before the tensors, one lies at a
    multiple of 16 bytes ahead of them: what is decoded from there has them at a multiple of 16.
    """
    if length is None:
        return binascii.a2b_base64(body, strict_mode=True), memoryview(b"")
    header = binascii.a2b_base64(body[: -(-length // 3) * 4], strict_mode=True)[:length]
    third = length // 3
    third -= (third - 11 * length) % _ALIGNMENT  # 3 * 11 is 1 more than a multiple of 16
    if third < 0:  # a header too short for any tensor
        third = 0
    tail = binascii.a2b_base64(body[third * 4 :], strict_mode=True)
    return header, memoryview(tail)[length - third * 3 :]


def _encoded(body: str, length: int | None) -> tuple[bytes, memoryview]:
    octets = body.encode()
    if length is None:
        return octets, memoryview(b"")
    return octets[:length], memoryview(octets)[length:]


def _json(header: bytes) -> Any:
    try:
        return _DECODER.decode(header.decode())
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _length(text: object) -> int:
    # Nothing that Lambda takes is as long as ten digits say.
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise RequestError(f"{LENGTH_HEADER} is {str(text)[:64]!r}; expected the length of the JSON")


def _check_size(size: int) -> None:
    if size > LARGEST_ANSWER:
        raise RequestError(
            f"the answer has {size} bytes, and Lambda takes {LARGEST_ANSWER}; ask for fewer "
            "outputs, as binary_data, or in smaller batches"
        )
