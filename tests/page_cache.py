"""What of a file is in the page cache."""

from __future__ import annotations

import os

__all__ = ["is_cached"]


def is_cached(descriptor: int, offset: int) -> bool:
    """Whether the byte at `offset` can be read without waiting for the disk (preadv2(2))."""
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
