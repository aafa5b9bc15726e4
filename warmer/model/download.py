"""Models in S3: brought to /tmp once, whole, and kept there as long as the environment.

What is in place is complete: files are written into a folder of another name, checked, and the
folder is then renamed. What was changed since is not used: a file that anybody has written to has
another time of change, which only the kernel sets.
"""

# pathlib would add 3 ms to INIT.
# ruff: noqa: PTH103, PTH104, PTH110, PTH113, PTH118, PTH120, PTH123

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from warmer.aws import ObjectStore, StoredObject
from warmer.errors import ConfigurationError, ModelCorrupt, ModelNotFound, ModelUnavailable
from warmer.model.manifest import read_manifest
from warmer.model.store import MANIFEST_NAME

__all__ = ["download"]

_RANGE_BYTES = 8 << 20  # long against a request's latency, short enough to share a file out
_CONNECTIONS = 8
_SPARE_BYTES = 1 << 20  # for the marker, folders, and what rounding to blocks takes
_MARKER = "complete.json"


def download(url: str) -> str:
    """Bring the model at `s3://bucket/prefix` here; the path of its folder or file.

    If the prefix is an object's key, that is the model file; else all objects below
    `prefix/` are the model's folder. They are read over several connections at a time, unless they
    are here from an earlier download and the bucket still has the same. If there is a bundle's
    manifest among the objects, those that it lists must have the digests that it gives.

    They go to a folder of this user's in TMPDIR, or /tmp. Raises ConfigurationError for a URL that
    is none, ModelNotFound where nothing is there, ModelCorrupt for digests that differ, and
    ModelUnavailable where it may not be read, cannot be reached, or does not fit.
    """
    bucket, prefix = _parse(url)
    place = f"{_home()}/{hashlib.sha256(f'{bucket}/{prefix}'.encode()).hexdigest()[:16]}"
    store = ObjectStore(bucket, _CONNECTIONS)
    try:
        with _locked(f"{place}.lock"):
            model, objects = _find(store, url, bucket, prefix)
            if not _is_kept(place, objects):
                _replace(store, url, place, model, objects)
    finally:
        store.close()
    return os.path.join(place, model)


def _parse(url: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not url.startswith("s3://") or not bucket or not prefix:
        raise ConfigurationError("path", url, "s3://bucket/prefix, as text")
    return bucket, prefix


def _home() -> str:
    """The folder of all downloads, which only this user can write to."""
    home = f"{os.environ.get('TMPDIR') or '/tmp'}/warmer-{os.getuid()}"
    os.makedirs(home, mode=0o700, exist_ok=True)
    owner = os.lstat(home)
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
        raise ModelUnavailable(
            f"{home} can be written to by others: remove it, or set TMPDIR to a folder of your own"
        )
    return home


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Wait for whoever downloads the same; the kernel unlocks what a killed process had locked."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_kept(place: str, objects: Mapping[str, StoredObject]) -> bool:
    """Whether these objects are there, as they were downloaded."""
    try:
        with open(f"{place}/{_MARKER}", "rb") as file:
            kept = json.load(file)
        return bool(kept == {name: _state(place, name, objects[name]) for name in objects})
    except (OSError, ValueError):
        return False  # nothing there, or something that nobody finished


def _state(place: str, name: str, stored: StoredObject) -> list[int | str]:
    """What is different when the object or its file has changed, without reading either."""
    status = os.lstat(f"{place}/{name}")
    return [stored.etag, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _replace(
    store: ObjectStore, url: str, place: str, model: str, objects: Mapping[str, StoredObject]
) -> None:
    """Put these objects into the folder `place`, with the marker; all or nothing."""
    partial = f"{place}.partial"
    # The second is left where a download was killed, and takes space.
    for leftover in (place, partial):
        if os.path.exists(leftover):
            shutil.rmtree(leftover)
    _check_space(url, sum(stored.size for stored in objects.values()), os.path.dirname(place))
    try:
        _read_all(store, {f"{partial}/{name}": stored for name, stored in objects.items()})
        _check_digests(url, f"{partial}/{model}")
        marker = {name: _state(partial, name, stored) for name, stored in objects.items()}
        with open(f"{partial}/{_MARKER}", "w") as file:
            json.dump(marker, file)
        os.rename(partial, place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _find(
    store: ObjectStore, url: str, bucket: str, prefix: str
) -> tuple[str, dict[str, StoredObject]]:
    """The model's path, and its objects by theirs, below the folder that they will be in."""
    listed, more = store.list(prefix)
    above, _, last = f"{bucket}/{prefix}".rpartition("/")
    for stored in listed:
        if stored.key == prefix:
            model = f"{above.rpartition('/')[2]}/{last}"
            return model, {model: stored}
    inside = [stored for stored in listed if stored.key.startswith(f"{prefix}/")]
    objects = {
        f"{last}/{_relative(url, stored.key[len(prefix) + 1 :])}": stored
        for stored in inside
        if not stored.key.endswith("/")  # what consoles make to show a folder
    }
    if not objects:
        raise ModelNotFound(
            f"there is no model at {url!r}: no object has that key, or one that begins with "
            f"{prefix + '/'!r}, in the bucket {bucket!r}"
        )
    if more:
        raise ModelUnavailable(f"{url} has more than 1,000 objects: name the model's own prefix")
    return last, objects


def _relative(url: str, name: str) -> str:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise ModelUnavailable(f"{url} has an object {name!r}, which is no file name: rename it")
    return name


def _check_space(url: str, size: int, folder: str) -> None:
    """Before anything is written: a full /tmp would hurt whatever else uses it."""
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if size + _SPARE_BYTES > free:
        raise ModelUnavailable(
            f"{url} has {size / 2**20:,.1f} MB, and {folder} has {free / 2**20:,.1f} MB free: give "
            "the function more EphemeralStorage (512 MB by default, 10,240 MB at most)"
        )


def _read_all(store: ObjectStore, objects: Mapping[str, StoredObject]) -> None:
    """Read every object into the file of that path, over several connections at a time."""
    files: list[int] = []
    ranges: list[tuple[int, StoredObject, int]] = []
    try:
        for path, stored in objects.items():
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            files.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            os.ftruncate(files[-1], stored.size)
            starts = range(0, stored.size, _RANGE_BYTES)
            ranges += [(files[-1], stored, start) for start in starts]
        _read_ranges(store, ranges)
    except OSError as error:
        raise ModelUnavailable(f"{error.filename or 'a file of the model'}: {error}") from error
    finally:
        for file in files:
            os.close(file)


def _read_ranges(store: ObjectStore, ranges: Sequence[tuple[int, StoredObject, int]]) -> None:
    def read(file: int, stored: StoredObject, start: int) -> None:
        def write(content: bytes, offset: int) -> None:
            # One call writes less than all only where the disk is full, which the next one says.
            while written := os.pwrite(file, content, offset):
                content, offset = content[written:], offset + written

        store.read(stored, start, min(start + _RANGE_BYTES, stored.size), write)

    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="download") as readers:
        futures = [readers.submit(read, *one) for one in ranges]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            readers.shutdown(wait=False, cancel_futures=True)
            raise


def _check_digests(url: str, folder: str) -> None:
    """Compare the files with the manifest of a bundle, where there is one."""
    manifest = f"{folder}/{MANIFEST_NAME}"
    if not os.path.isfile(manifest):
        return
    for name, expected in read_manifest(manifest).files.items():
        try:
            with open(f"{folder}/{name}", "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise ModelCorrupt(f"{url}/{name} is missing: upload the bundle again") from error
        if digest != expected.sha256:
            raise ModelCorrupt(
                f"{url}/{name} has SHA-256 {digest}; expected {expected.sha256}, as its "
                f"{MANIFEST_NAME} says: upload the bundle again"
            )
