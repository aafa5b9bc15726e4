"""Objects of S3: large ones on disk, where moto keeps them in memory."""

from __future__ import annotations

from typing import Any

from moto.s3.models import s3_backends

__all__ = ["objects_to_disk"]

_LEAST_BYTES = 1_000_000


def objects_to_disk(account_id: str) -> int:
    """Move what is larger than 1 MB to unnamed files; returns how many objects were moved.

    A package is quicker to put, and to get the first time, from memory; later nobody reads it, and
    each deploy brings others.
    """
    buckets: Any = s3_backends[account_id]["aws"].buckets
    moved = 0
    for bucket in list(buckets.values()):
        for item in list(bucket.keys.values()):
            moved += _moved(item)
    return moved


def _moved(item: Any) -> bool:
    buffer = item._value_buffer
    if item.contentsize <= _LEAST_BYTES or buffer._rolled:
        return False
    try:
        _ = item.etag  # read from the buffer when first asked, and without the lock
        with item.lock:
            buffer.rollover()
    except ValueError:
        if item.disposed:  # deleted, or another was put in its place, meanwhile
            return False
        raise
    return True
