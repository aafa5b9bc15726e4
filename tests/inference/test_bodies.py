"""Bodies of HTTP requests and answers."""

from __future__ import annotations

import base64
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.errors import RequestError
from warmer.inference.bodies import LARGEST_ANSWER, answer_of, read_body
from warmer.inference.tensors import from_binary


def _encoded(header: bytes, content: bytes) -> str:
    return base64.b64encode(header + content).decode()


def test_json_comes_as_text() -> None:
    """A body that Lambda takes for text."""
    value, content = read_body('{"inputs": []}', encoded=False, header_length=None)
    assert (value, len(content)) == ({"inputs": []}, 0)


def test_json_comes_in_base64() -> None:
    """A body without a content type that is text."""
    body = base64.b64encode(b'{"inputs": []}').decode()
    assert read_body(body, encoded=True, header_length=None)[0] == {"inputs": []}


@given(st.text(st.characters(codec="ascii"), max_size=100), st.binary(max_size=200))
def test_the_header_length_divides_json_from_bytes(text: str, content: bytes) -> None:
    """Whatever the lengths of both."""
    header = json.dumps(text).encode()
    value, rest = read_body(_encoded(header, content), encoded=True, header_length=str(len(header)))
    assert (value, bytes(rest)) == (text, content)


def test_bytes_may_come_as_text() -> None:
    """Lambda takes a body that happens to be UTF-8 for text, where no content type says more."""
    value, content = read_body("{}\0\x01é", encoded=False, header_length="2")
    assert (value, bytes(content)) == ({}, b"\0\x01\xc3\xa9")


@pytest.mark.parametrize("more", range(48))
def test_a_tensor_lies_where_it_was_decoded(more: int) -> None:
    """Not copied after base64: its elements are in the decoded bytes, evenly placed, always."""
    header = json.dumps({"inputs": "x" * (40 + more)}).encode()
    numbers = np.arange(1000, dtype=np.float64)
    body = _encoded(header, numbers.tobytes())
    _, content = read_body(body, encoded=True, header_length=str(len(header)))
    tensor = from_binary(content, [1000], "FP64", "x")
    begins = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    assert tensor.__array_interface__["data"][0] == begins
    assert begins % 16 == 0
    assert np.array_equal(tensor, numbers)


def test_a_large_tensor_takes_its_own_size_once() -> None:
    """Of 4 MB: the piece of base64 text, what is decoded from it, and no more."""
    header = json.dumps({"inputs": "x" * 40}).encode()
    size = 4_000_000
    body = _encoded(header, bytes(size))
    tracemalloc.start()
    try:
        _, content = read_body(body, encoded=True, header_length=str(len(header)))
        from_binary(content, [size // 4], "FP32", "x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size * (4 / 3 + 1) + 50_000


@pytest.mark.parametrize(
    ("body", "encoded", "length", "said"),
    [
        (None, False, None, "the body is empty"),
        ("", False, None, "the body is empty"),
        ({}, False, None, "the body is empty"),
        ("{", False, None, "the body is not JSON"),
        ("[" * 10_000, False, None, "the body is not JSON"),
        ('{"a":' * 10_000, False, None, "the body is not JSON"),
        ('{"x": NaN}', False, None, "NaN is not a JSON number"),
        ('{"x": -Infinity}', False, None, "-Infinity is not a JSON number"),
        ("1" * 5000, False, None, "the body is not JSON"),
        ("\ud800", False, None, "the body cannot be decoded"),
        ("%%%", True, None, "the body cannot be decoded"),
        ("QUI=QUJD", True, "3", "inference-header-content-length is 3"),
        ("/w==", True, None, "the body is not JSON"),
        ("e30=", True, "9", "inference-header-content-length is 9; the body has 2 bytes"),
        ("{}", False, "3", "inference-header-content-length is 3; the body has 2 bytes"),
        ("{}", False, "-1", "expected the length of the JSON"),
        ("{}", False, "2,2", "expected the length of the JSON"),
        ("{}", False, "9" * 5000, "expected the length of the JSON"),
        ("{}", False, "²", "expected the length of the JSON"),
        ("{}", False, 2, "expected the length of the JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_told(
    body: object, encoded: bool, length: object, said: str
) -> None:
    """What is wrong, and with which part."""
    with pytest.raises(RequestError) as caught:
        read_body(body, encoded=encoded, header_length=length)
    assert said in str(caught.value)


def test_an_answer_in_json() -> None:
    """Text."""
    response = answer_of(200, {"a": 1})
    assert (response["statusCode"], response["body"]) == (200, '{"a": 1}')
    assert response["headers"] == {"content-type": "application/json"}


def test_an_answer_with_bytes_says_where_they_begin() -> None:
    """In base64, with the length of its JSON in the header that Triton's clients read."""
    response = answer_of(200, {"a": 1}, [b"\0\xff", b"\x01"])
    assert response["isBase64Encoded"] is True
    assert response["headers"]["inference-header-content-length"] == "8"
    assert base64.b64decode(response["body"]) == b'{"a": 1}\0\xff\x01'


def test_an_answer_that_lambda_would_refuse_is_told() -> None:
    """6 MB (Lambda quotas); a clear error instead of a 502."""
    with pytest.raises(RequestError, match="ask for fewer outputs"):
        answer_of(200, {"a": "x" * LARGEST_ANSWER})
    with pytest.raises(RequestError, match="ask for fewer outputs"):
        answer_of(200, {}, [bytes(LARGEST_ANSWER)])
