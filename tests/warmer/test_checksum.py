"""The checksum of a bundle's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.model.checksum import checksum, checksum_of_file

MIB = 1 << 20


@pytest.mark.parametrize(
    "size", [0, 1, 511, 512, 65536, 65543, 131072, MIB - 1, MIB, MIB + 513, 16 * MIB, 33 * MIB + 7]
)
def test_a_file_has_the_checksum_of_its_content(tmp_path: Path, size: int) -> None:
    """Read or mapped, by its size, the result is the same."""
    content = bytes(index % 251 for index in range(4096)) * (size // 4096 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    assert checksum_of_file(path) == checksum(content[:size])


@given(st.binary(min_size=1, max_size=3000), st.data())
def test_any_changed_bit_shows(content: bytes, data: st.DataObject) -> None:
    """Wherever it is."""
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert checksum(bytes(changed)) != checksum(content)


@pytest.mark.parametrize("offset", [0, MIB - 1, MIB, 2 * MIB + 100])
def test_a_changed_bit_shows_in_large_files(offset: int) -> None:
    """In whole blocks and in what is left of the last."""
    content = bytearray(2 * MIB + 600)
    original = checksum(bytes(content))
    content[offset] = 1
    assert checksum(bytes(content)) != original


def test_blocks_that_changed_places_show() -> None:
    """A sum alone would not tell."""
    one, two = bytes(MIB), bytes([1]) * MIB
    assert checksum(one + two) != checksum(two + one)


@given(st.integers(0, 2000), st.integers(1, 600))
def test_a_shorter_file_shows(size: int, missing: int) -> None:
    """Even where what is missing is zeros."""
    assert checksum(bytes(size)) != checksum(bytes(size + missing))
