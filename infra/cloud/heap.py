"""The memory of the cloud's own process: what is freed goes back to the machine.

glibc raises the size from which memory is mapped by itself to that of the largest block that was
freed, up to 32 MB (mallopt(3), M_MMAP_THRESHOLD). A cloud takes packages of such sizes, and answers
of some megabytes, on many threads, each of which may get a heap of its own: between what stays, a
quarter of an hour of deploys left hundreds of megabytes free that the machine did not get back.
"""

from __future__ import annotations

import ctypes

__all__ = ["return_freed_memory"]

# Parameters of mallopt, as glibc's <malloc.h> numbers them.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Python's threads take turns: two heaps are enough for what they allocate besides.
_SETTINGS = ((_MMAP_THRESHOLD, 256 * 1024), (_TRIM_THRESHOLD, 1024 * 1024), (_ARENA_MAX, 2))


def return_freed_memory() -> bool:
    """Map blocks from 256 KB on by themselves, for good; early, before threads have heaps.

    Whether this C library can be told to: musl cannot, and need not.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    return all(set_option(name, value) == 1 for name, value in _SETTINGS)
