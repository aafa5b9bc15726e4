"""Protobuf's wire format, read only: fields one after the other, bounded on hostile bytes.

The format is in Protocol Buffers' documentation, "Encoding": each field is a key (number and kind)
followed by a varint, four or eight bytes, or a length and as many bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    Span = tuple[int, int]

__all__ = ["LENGTH", "WireError", "WireReader", "signed"]

VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5  # the kinds of field that ONNX uses

_MOST_FIELDS = 2_000_000  # some two seconds; a graph of 10,000 nodes has 200,000
_MOST_TEXT = 4096  # octets of a name


class WireError(Exception):
    """The bytes are no protobuf message, or more of one than is read."""


class WireReader:
    """Reads messages out of `data`, at most two million fields in all.

    A span is the first octet of something and the one after its last. Raises WireError.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._fields_left = _MOST_FIELDS
        self.whole: Span = (0, len(data))

    def fields(self, span: Span) -> Iterator[tuple[int, int, int | Span]]:
        """Each field's number, kind and value: a number as it is stored, or the span of a length.

        Fields of four and eight octets give their span too.
        """
        position, end = span
        data = self._data
        while position < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise WireError(f"it has more than {_MOST_FIELDS} fields")
            key = data[position]
            position += 1
            if key > 127:
                key, position = self._varint(position - 1, end)
            kind = key & 7
            if kind == VARINT:
                value, position = self._varint(position, end)
                yield key >> 3, kind, value
                continue
            if kind == LENGTH:
                size, position = self._varint(position, end)
            elif kind in (EIGHT, FOUR):
                size = 8 if kind == EIGHT else 4
            else:
                raise WireError(f"it has a field of kind {kind} at octet {position}")
            if size > end - position:
                raise WireError(f"it is cut short at octet {end}")
            yield key >> 3, kind, (position, position + size)
            position += size

    def integers(self, value: int | Span, most: int) -> list[int]:
        """Up to `most` signed numbers of a repeated field: one of them, or a packed span."""
        if isinstance(value, int):
            return [signed(value)][: max(most, 0)]
        numbers: list[int] = []
        position, end = value
        while position < end and len(numbers) < most:
            number, position = self._varint(position, end)
            numbers.append(signed(number))
        return numbers

    def floats(self, value: int | Span, most: int) -> list[float]:
        """Up to `most` 32-bit floats of a repeated field: one of them, or a packed span."""
        if isinstance(value, int):
            raise WireError("it has a float that is stored as an integer")
        count = min((value[1] - value[0]) // 4, max(most, 0))
        return list(struct.unpack(f"<{count}f", self.octets(value, count * 4)))

    def text(self, span: Span) -> str:
        """A name."""
        if span[1] - span[0] > _MOST_TEXT:
            raise WireError(f"it has a name of more than {_MOST_TEXT} octets")
        return self.octets(span, _MOST_TEXT).decode()

    def octets(self, span: Span, most: int) -> bytes:
        """The octets of a span, at most `most` of them."""
        return bytes(self._data[span[0] : min(span[1], span[0] + most)])

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """A number of up to 64 bits, and where it ends."""
        result = shift = 0
        data = self._data
        while position < end and shift < 70:
            octet = data[position]
            position += 1
            result |= (octet & 127) << shift
            if octet < 128:
                return result & 0xFFFF_FFFF_FFFF_FFFF, position
            shift += 7
        raise WireError(f"it has an unfinished number at octet {position}")


def signed(number: int) -> int:
    """A stored 64-bit number as the signed one that int32 and int64 fields mean."""
    return number - (1 << 64) if number >= 1 << 63 else number
