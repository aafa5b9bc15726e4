"""Unpacked packages serve the next cloud, and never take more than their share of the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.cloud.kept_packages import KeptPackages
from tests.cloud.control_plane.test_packages import zipped

PACKAGE = zipped({"app.py": b"1" * 100})
OTHER = zipped({"app.py": b"2" * 100})
THIRD = zipped({"app.py": b"3" * 100})


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}


def aged(folder: Path, seconds: float) -> Path:
    """`folder`, as if it had been used so long ago."""
    then = folder.stat().st_mtime - seconds
    os.utime(folder, (then, then))
    return folder


def test_the_next_cloud_finds_what_the_last_one_unpacked(tmp_path: Path) -> None:
    """It is not unpacked again."""
    first = KeptPackages(tmp_path)
    folder = first.unpack(PACKAGE)
    (folder / "app.py").write_bytes(b"touched")
    first.close()
    second = KeptPackages(tmp_path)
    assert second.unpack(PACKAGE) == folder
    assert (folder / "app.py").read_bytes() == b"touched"
    second.close()


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    """Where all together are more than the limit."""
    store = KeptPackages(tmp_path, limit_bytes=200)
    aged(store.unpack(PACKAGE), 20)
    kept = {aged(store.unpack(OTHER), 10).name, store.unpack(THIRD).name}
    assert len(names(tmp_path)) == 3
    store.close()
    assert names(tmp_path) == kept


def test_what_another_cloud_uses_stays(tmp_path: Path) -> None:
    """However little may be kept; it goes when the last cloud that uses it is gone."""
    using, other = KeptPackages(tmp_path, limit_bytes=0), KeptPackages(tmp_path, limit_bytes=0)
    folder = using.unpack(PACKAGE)
    assert other.unpack(PACKAGE) == folder
    other.close()
    assert (folder / "app.py").is_file()
    using.close()
    assert names(tmp_path) == set()


def test_a_package_that_was_removed_is_unpacked_again(tmp_path: Path) -> None:
    """By another cloud, between two deployments of this one."""
    store = KeptPackages(tmp_path, limit_bytes=0)
    store.unpack(PACKAGE)
    store.close()
    assert (store.unpack(PACKAGE) / "app.py").read_bytes() == b"1" * 100
    store.close()


def test_two_clouds_that_unpack_at_once_have_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds the place taken, and uses what is there."""
    first, second = KeptPackages(tmp_path), KeptPackages(tmp_path)
    taken = KeptPackages._take

    def late(store: KeptPackages, final: Path) -> bool:
        found = taken(store, final)
        if store is second and not found:
            first.unpack(PACKAGE)
        return found

    monkeypatch.setattr(KeptPackages, "_take", late)
    folder = second.unpack(PACKAGE)
    assert names(tmp_path) == {folder.name}
    first.close()
    second.close()


def test_what_a_killed_cloud_left_half_unpacked_is_removed(tmp_path: Path) -> None:
    """After an hour; what may still be at work stays."""
    for name, hours in (("tmpold", 2), ("tmpnew", 0)):
        (tmp_path / name).mkdir()
        aged(tmp_path / name, hours * 3600)
    KeptPackages(tmp_path).close()
    assert names(tmp_path) == {"tmpnew"}
