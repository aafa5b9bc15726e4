"""A cold or a warm page cache, for measurements of what is read from disk or is not."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

from warmer.errors import ConfigurationError

__all__ = ["evict", "fill"]

_MOST_SECONDS = 5.0
_PIECE_BYTES = 1 << 20
_LIBC = ctypes.CDLL(None, use_errno=True)
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def evict(files: Iterable[Path], *, everything: bool = False) -> None:
    """Have the kernel forget what these files hold, by posix_fadvise(POSIX_FADV_DONTNEED).

    No process may have them mapped. `everything` drops all of the page cache before
    (proc_sys_vm(5), drop_caches; needs root, and slows everybody).

    Raises ConfigurationError where they are still there after five seconds: files in memory, on a
    tmpfs say, cannot be evicted.
    """
    os.sync()  # pages that are not written yet would stay
    if everything:
        _DROP_CACHES.write_text("1", encoding="ascii")
    deadline = time.monotonic() + _MOST_SECONDS
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            # Pages that are being written, or were just read on another processor, stay at first.
            while True:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                if not _is_cached(descriptor):
                    break
                if time.monotonic() > deadline:
                    raise ConfigurationError("--work", str(file), "a disk, which memory is not")
                time.sleep(0.02)
        finally:
            os.close(descriptor)


def fill(files: Iterable[Path]) -> None:
    """Have the kernel hold these files as one plain reading leaves them.

    What is there is evicted first: to map a file takes up to four times the processor time where
    another program has left it in single pages (Linux holds a file in folios, as large as the reads
    that brought them). Raises as `evict` does.
    """
    chosen = list(files)
    evict(chosen)
    for file in chosen:
        with file.open("rb") as content:
            while content.read(_PIECE_BYTES):
                pass


def _is_cached(descriptor: int) -> bool:
    """Whether any page of a file is in memory, by mincore(2). (To read would bring more of it.)"""
    size = os.fstat(descriptor).st_size
    if not size:
        return False
    # Nothing is written: ctypes asks for memory that could be.
    with mmap.mmap(descriptor, size, mmap.MAP_PRIVATE) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        failed = _LIBC.mincore(ctypes.byref(start), ctypes.c_size_t(size), pages)
        del start  # a mapping that is still seen cannot be closed
    if failed:
        raise OSError(ctypes.get_errno(), "mincore failed")
    return any(page & 1 for page in pages)
