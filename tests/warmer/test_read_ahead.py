"""Files that are asked of the kernel before they are needed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.page_cache import is_cached
from warmer.read_ahead import ask_for, read_ahead

SIZE = 20 << 20  # more than one request of the largest read-ahead that disks commonly have, 8 MB


@pytest.fixture
def evicted(tmp_path: Path) -> Path:
    """A file of which nothing is in the page cache, if it is on a disk."""
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(SIZE))
    with _opened(path) as descriptor:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return path


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _missing(descriptor: int, offsets: range) -> int:
    return sum(not is_cached(descriptor, offset) for offset in offsets)


def test_a_file_that_was_read_ahead_is_in_the_page_cache(evicted: Path) -> None:
    """Each of its pages, when the call returns."""
    read_ahead([str(evicted)])
    with _opened(evicted) as descriptor:
        assert _missing(descriptor, range(0, SIZE, 4096)) == 0


def test_all_of_a_part_is_read_however_large(evicted: Path) -> None:
    """Linux ignores of one request what is beyond the disk's read-ahead."""
    with _opened(evicted) as descriptor:
        ask_for(descriptor, 4096, SIZE - 4096)
        deadline = time.monotonic() + 20
        while _missing(descriptor, range(4096, SIZE, 4096)):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_file_that_is_not_there_keeps_no_other_from_being_read(evicted: Path) -> None:
    """Nor does a folder: who needs them says what is wrong."""
    read_ahead([str(evicted.parent / "missing"), str(evicted.parent), str(evicted)])
    with _opened(evicted) as descriptor:
        assert is_cached(descriptor, SIZE - 1)


def test_a_file_that_becomes_shorter_meanwhile_is_read_as_far_as_it_goes(
    evicted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel sends nothing from beyond a file's end."""
    real = os.sendfile

    def cut(sink: int, descriptor: int, offset: int, count: int) -> int:
        os.truncate(evicted, 8192)
        return real(sink, descriptor, offset, count)

    monkeypatch.setattr(os, "sendfile", cut)
    read_ahead([str(evicted)])
    assert evicted.stat().st_size == 8192


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is sent from now on: how many bytes were asked for, each time."""
    sent: list[int] = []

    def count(_sink: int, _descriptor: int, _offset: int, asked: int) -> int:
        sent.append(asked)
        return asked

    monkeypatch.setattr(os, "sendfile", count)
    return sent


def test_a_file_that_is_in_the_page_cache_is_not_read_again(
    evicted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That would take processor time, which small functions have little of."""
    evicted.read_bytes()
    sent = _counted(monkeypatch)
    read_ahead([str(evicted)])
    assert sent == []


def test_a_system_without_the_call_does_nothing(
    evicted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As macOS: not even with a descriptor that is none."""
    for call in ("posix_fadvise", "RWF_NOWAIT"):
        monkeypatch.delattr(os, call)
    sent = _counted(monkeypatch)
    read_ahead([str(evicted)])
    ask_for(-1, 0, SIZE)
    assert sent == []
