"""A package is unpacked once, whole, and only where it belongs."""

from __future__ import annotations

import io
import stat
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cloud import packages
from infra.cloud.packages import UNZIPPED_LIMIT_BYTES, PackageStore
from warmer.errors import CloudError


@pytest.fixture
def store(tmp_path: Path) -> PackageStore:
    """An empty store in `tmp_path / "store"`."""
    return PackageStore(tmp_path / "store")


def zipped(files: dict[str, bytes], modes: dict[str, int] | None = None) -> bytes:
    """A compressed zip of files, with the modes of some of them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (modes or {}).get(name, 0) << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def left(tmp_path: Path) -> list[str]:
    """Everything in the store and beside it."""
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))


def test_the_same_package_is_unpacked_once(store: PackageStore) -> None:
    """By its digest: the folder is the same, and is not written again."""
    first = store.unpack(zipped({"app.py": b"1"}))
    (first / "app.py").write_bytes(b"touched")
    assert first == store.unpack(zipped({"app.py": b"1"}))
    assert (first / "app.py").read_bytes() == b"touched"


def test_another_package_has_another_folder(store: PackageStore) -> None:
    """So that an old version keeps its code."""
    folders = [store.unpack(zipped({"app.py": content})) for content in (b"1", b"2")]
    assert [(folder / "app.py").read_bytes() for folder in folders] == [b"1", b"2"]


def test_permissions_are_those_of_the_archive(store: PackageStore) -> None:
    """A binary stays executable."""
    folder = store.unpack(zipped({"bin/tool": b"", "data": b""}, {"bin/tool": 0o100755}))
    assert (folder / "bin/tool").stat().st_mode & 0o777 == 0o755


def test_a_symbolic_link_is_one(store: PackageStore) -> None:
    """As Lambda unpacks it; shared libraries come with such links."""
    files = {"lib.so.1": b"code", "lib.so": b"lib.so.1"}
    folder = store.unpack(zipped(files, {"lib.so": stat.S_IFLNK | 0o777}))
    assert str((folder / "lib.so").readlink()) == "lib.so.1"
    assert (folder / "lib.so").read_bytes() == b"code"


def test_nothing_is_written_through_a_link(store: PackageStore, tmp_path: Path) -> None:
    """A link to somewhere else, and a file below it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    files = {"link": str(outside).encode(), "link/file": b"!"}
    with pytest.raises(CloudError, match="Could not unzip"):
        store.unpack(zipped(files, {"link": stat.S_IFLNK | 0o777}))
    assert left(tmp_path) == ["outside", "store"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "../../../../../../tmp/x/../x"])
def test_entries_stay_inside(store: PackageStore, tmp_path: Path, name: str) -> None:
    """Wherever their names point."""
    folder = store.unpack(zipped({name: b"inside"}))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in written] == [b"inside"]
    assert written[0].is_relative_to(folder)


def test_more_than_the_limit_is_refused(store: PackageStore, tmp_path: Path) -> None:
    """Before anything is written, with the largest parts by name."""
    half = bytes(UNZIPPED_LIMIT_BYTES // 2)
    package = zipped({"torch/a": half, "torch/b": half, "app.py": b"1"})
    assert len(package) < 1_000_000
    with pytest.raises(CloudError, match=r"smaller than 262144000.*torch \(262 MB\)"):
        store.unpack(package)
    assert left(tmp_path) == ["store"]


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"no zip",
        zipped({"app.py": b"print()" * 50})[:-30],
        zipped({"a": b"", "a/b": b""}),
        zipped({"app.py": b"print()" * 50}).replace(b"\x08\x00", b"\x63\x00"),
    ],
    ids=["empty", "text", "cut", "file-and-folder", "unknown-compression"],
)
def test_what_cannot_be_unpacked_is_refused(
    store: PackageStore, tmp_path: Path, package: bytes
) -> None:
    """And leaves nothing behind."""
    with pytest.raises(CloudError, match="Could not unzip uploaded file"):
        store.unpack(package)
    assert left(tmp_path) == ["store"]


_SOUND = zipped({"app.py": b"print()" * 50, "lib/x": bytes(300)})


@given(st.integers(0, len(_SOUND) - 1), st.integers(1, 255))
def test_a_damaged_package_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    """One byte is another: no other error than ours comes of it."""
    damaged = bytearray(_SOUND)
    damaged[at] ^= change
    store = PackageStore(tmp_path_factory.mktemp("damaged"))
    try:
        assert store.unpack(bytes(damaged)).is_dir()
    except CloudError:
        return


def test_two_at_once_unpack_once(store: PackageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first."""
    real, entered, calls = packages._extract, threading.Event(), []

    def slow(archive: zipfile.ZipFile, folder: Path) -> None:
        calls.append(folder)
        entered.wait(0.05)
        real(archive, folder)

    monkeypatch.setattr(packages, "_extract", slow)
    package = zipped({"app.py": b"1"})
    threads = [threading.Thread(target=store.unpack, args=(package,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
