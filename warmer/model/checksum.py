"""A 64-bit checksum of a file, at the speed of memory.

SHA-256 of 130 MB takes 80 to 125 ms, longer than the session that is made from it; this takes 15 to
20, releases the GIL, and brings into the page cache what the model is about to touch. It tells
damage (a truncated, half-written or exchanged file, a changed word); it is no proof against a
forger, and need not be: who can write the weights can write the manifest beside them too. Whoever
fetches a bundle from elsewhere compares the SHA-256 that its manifest also has.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mmap
    from io import BufferedReader

    from numpy.typing import NDArray

__all__ = ["checksum", "checksum_of_file"]

_BLOCK_BYTES = 1 << 20
_PIECE_BYTES = 16 * _BLOCK_BYTES
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd: multiplying by it loses nothing
_MASK = (1 << 64) - 1

_ROW_BYTES = 512  # what is left of the last MiB is added up in columns of as many bytes
_BUFFER_BYTES = 128 * _ROW_BYTES


def checksum_of_file(path: str | os.PathLike[str]) -> str:
    """The checksum of a file's content: 16 hexadecimal digits. Raises OSError."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 3 ms of INIT
        size = os.fstat(file.fileno()).st_size
        if size < _BLOCK_BYTES:
            return _checksum_of_small(file, size)
        return _checksum_of_mapped(file.fileno(), size)


def _checksum_of_small(file: BufferedReader, size: int) -> str:
    """Through a buffer: once as much as a whole file was allocated and freed, glibc no longer gives
    back what is freed of smaller things (mallopt(3), M_MMAP_THRESHOLD)."""
    buffer = bytearray(_BUFFER_BYTES)
    sums, end = np.zeros(_ROW_BYTES // 8, np.uint64), b""
    while count := file.readinto(buffer):
        rows = count // _ROW_BYTES
        sums += _columns(buffer, rows)
        end = bytes(buffer[rows * _ROW_BYTES : count])
    state = _combined(size, sums) if size >= _ROW_BYTES else size
    return f"{_ended(state, end):016x}"


def _checksum_of_mapped(descriptor: int, size: int) -> str:
    """Piece by piece: pages of a file are memory of each mapping that has touched them, and the
    session maps the same file meanwhile."""
    import mmap

    state = size
    for start in range(0, size, _PIECE_BYTES):
        length = min(_PIECE_BYTES, size - start)
        # Private, as numpy wants; nothing is written.
        with mmap.mmap(
            descriptor, length, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ, offset=start
        ) as piece:
            state = _continued(state, piece)
    return f"{state:016x}"


def checksum(content: bytes) -> str:
    """The checksum of these bytes.

    The little-endian 64-bit words of each MiB are added up, those of the last, incomplete one in
    columns; the sums are combined as digits of one number in an odd base, modulo 2 to the 64th. Any
    change within one word shows, and so do blocks that changed places.
    """
    return f"{_continued(len(content), content):016x}"


def _continued(state: int, content: bytes | mmap.mmap) -> int:
    """The state after these bytes too; all but the last part of a file are whole MiB."""
    whole, rest = divmod(len(content), _BLOCK_BYTES)
    if whole:
        blocks = np.frombuffer(content, "<u8", whole * _BLOCK_BYTES // 8)
        state = _combined(state, blocks.reshape(whole, -1).sum(axis=1, dtype=np.uint64))
        del blocks  # a mapping that is still seen cannot be closed
    rows = rest // _ROW_BYTES
    if rows:
        state = _combined(state, _columns(content, rows, whole * _BLOCK_BYTES))
    return _ended(state, content[len(content) - rest % _ROW_BYTES :])


def _columns(
    content: bytes | bytearray | mmap.mmap, rows: int, start: int = 0
) -> NDArray[np.uint64]:
    """The sums of the columns of so many rows, from byte `start` on."""
    words = np.frombuffer(content, "<u8", rows * _ROW_BYTES // 8, start)
    sums: NDArray[np.uint64] = words.reshape(rows, _ROW_BYTES // 8).sum(axis=0, dtype=np.uint64)
    return sums


def _ended(state: int, end: bytes) -> int:
    """The state after what is left of the last row too."""
    return _combined(state, np.frombuffer(end + bytes(-len(end) % 8), "<u8"))


def _combined(state: int, sums: NDArray[np.uint64]) -> int:
    for number in sums.tolist():
        state = (state * _MULTIPLIER + number) & _MASK
    return state
