"""Wheels for a target: the real pip, with wheels made on the spot."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.build.target import BuildTarget
from infra.build.wheels import WheelStore, place, versions
from tests.build.wheelhouse import Wheelhouse, wheelhouse
from warmer.errors import BuildError

__all__ = ["wheelhouse"]

TARGET = BuildTarget("3.13", "x86_64")


@pytest.fixture
def store(tmp_path: Path) -> WheelStore:
    """An empty store with a lock file that pins one distribution."""
    lock = tmp_path / "function.txt"
    lock.write_text("model==1.0\n", encoding="utf-8")
    return WheelStore(tmp_path / "wheels", lock)


@pytest.mark.parametrize(
    ("tag", "target"),
    [
        ("cp313-cp313-manylinux_2_34_x86_64", TARGET),
        ("cp313-cp313-manylinux2014_x86_64", TARGET),
        ("cp312-abi3-manylinux_2_17_x86_64", TARGET),
        ("py3-none-any", TARGET),
        ("cp312-cp312-manylinux_2_28_aarch64", BuildTarget("3.12", "arm64")),
    ],
)
def test_a_wheel_that_runs_on_the_target_is_installed(
    store: WheelStore, wheelhouse: Wheelhouse, tag: str, target: BuildTarget
) -> None:
    """Whatever machine and Python this test runs on."""
    wheelhouse.add("model", tag)
    assert versions(store.installed(["model>=1"], target, None)) == {"model": "1.0"}


@pytest.mark.parametrize(
    "tag",
    [
        "cp313-cp313-manylinux_2_35_x86_64",
        "cp313-cp313-manylinux_2_34_aarch64",
        "cp312-cp312-manylinux_2_34_x86_64",
        "cp313-cp313-musllinux_1_2_x86_64",
    ],
)
def test_a_wheel_for_another_target_is_refused(
    store: WheelStore, wheelhouse: Wheelhouse, tmp_path: Path, tag: str
) -> None:
    """A newer C library, another architecture, another Python; nothing is left in the store."""
    wheelhouse.add("model", tag)
    expected = "no wheels of model>=1 for Python 3.13, x86_64, glibc 2.34 or older"
    with pytest.raises(BuildError, match=expected) as caught:
        store.installed(["model>=1"], TARGET, None)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.joinpath("wheels").iterdir()) == []


def test_an_index_that_cannot_be_reached_is_told_from_a_missing_wheel(
    store: WheelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is another one."""
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(BuildError, match="cannot reach the package index for model>=1"):
        store.installed(["model>=1"], TARGET, None)


def test_wheels_are_installed_once(store: WheelStore, wheelhouse: Wheelhouse) -> None:
    """A second build asks pip for nothing: here there would be nothing to find."""
    wheelhouse.add("model", "py3-none-any")
    first = store.installed(["model"], TARGET, None)
    next(Path(os.environ["PIP_FIND_LINKS"]).glob("*.whl")).unlink()
    assert first == store.installed(["model"], TARGET, None)


def test_builds_that_run_at_the_same_time_share_one_set(
    store: WheelStore, wheelhouse: Wheelhouse, tmp_path: Path
) -> None:
    """`sam build --parallel` builds the functions together."""
    wheelhouse.add("model", "py3-none-any")
    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(lambda _: store.installed(["model"], TARGET, None), range(2)))
    assert list(found) == list(tmp_path.joinpath("wheels").iterdir())


def test_a_new_lock_file_means_new_wheels(
    store: WheelStore, wheelhouse: Wheelhouse, tmp_path: Path
) -> None:
    """A version that was renewed must not be served from the store."""
    wheelhouse.add("model", "py3-none-any")
    first = store.installed(["model"], TARGET, None)
    tmp_path.joinpath("function.txt").write_text("model<2\n", encoding="utf-8")
    assert first != store.installed(["model"], TARGET, None)


def test_everybody_may_read_what_is_installed_and_nobody_may_change_it(
    store: WheelStore, wheelhouse: Wheelhouse
) -> None:
    """Lambda runs as another user, whatever this machine's umask is."""
    wheelhouse.add("model", "py3-none-any")
    previous = os.umask(0o077)
    try:
        folder = store.installed(["model"], TARGET, None)
    finally:
        os.umask(previous)
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert {0o444} == modes
    assert {0o755} == {path.stat().st_mode & 0o777 for path in [folder, folder / "model"]}


def test_packages_share_the_files_of_the_store(tmp_path: Path) -> None:
    """A package costs no second copy on the disk."""
    source = tmp_path / "wheels" / "model"
    source.mkdir(parents=True)
    source.joinpath("__init__.py").write_text("", encoding="utf-8")
    place(source.parent, tmp_path / "package")
    assert tmp_path.joinpath("package/model/__init__.py").samefile(source / "__init__.py")


def test_files_are_copied_where_they_cannot_be_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system, or one without links."""

    def refuse(self: Path, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    tmp_path.joinpath("wheels").mkdir()
    tmp_path.joinpath("wheels/module.py").write_text("x = 1\n", encoding="utf-8")
    place(tmp_path / "wheels", tmp_path / "package")
    assert tmp_path.joinpath("package/module.py").read_text(encoding="utf-8") == "x = 1\n"
