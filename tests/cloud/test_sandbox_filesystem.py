"""The mounts of an environment, as they are written down."""

from __future__ import annotations

import os
from pathlib import Path

from infra.cloud.filesystem import Filesystem, interpreter_folders
from tests.cloud.sample_function import deploy


def _environment(folder: Path, base: str) -> Path:
    """A virtual environment whose interpreter claims to live in `base`."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python3").symlink_to(f"{base}/bin/python3")
    (folder / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3.12.1\n")
    return folder


def _mounts(fstab: str) -> dict[str, list[str]]:
    return {line.split()[1]: line.split() for line in fstab.splitlines()}


def test_an_interpreter_in_a_hidden_folder_stays_reachable(tmp_path: Path) -> None:
    """An interpreter in /opt or in the user's home is mounted where its path says."""
    state = tmp_path / "state"
    state.mkdir()
    for base, place in (
        ("/opt/python/3.12", state / "staging/opt/python/3.12"),
        ("/home/somebody/.pyenv/versions/3.12", None),
    ):
        runtime = _environment(tmp_path / base.replace("/", "_"), base)
        text = Filesystem(runtime, state, home=Path("/")).fstab("e", deploy(tmp_path))
        assert (place is None) == (base not in text)
        if place is not None:
            assert _mounts(text)[str(place)][0] == base


def test_an_interpreter_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    """A base that is a symbolic link is needed by both names."""
    real, link = tmp_path / "cpython-3.12.1", tmp_path / "cpython-3.12"
    (real / "bin").mkdir(parents=True)
    (real / "bin" / "python3").touch()
    link.symlink_to(real)
    assert interpreter_folders(_environment(tmp_path / "venv", str(link))) == (link, real)


def test_the_folder_that_holds_the_staging_places_is_covered_last(tmp_path: Path) -> None:
    """With the state in /tmp, /tmp is laid over the machine's after all other folders."""
    state = Path("/tmp") / f"warmer-test-{os.getpid()}"
    state.mkdir()
    try:
        runtime = _environment(tmp_path / "venv", "/usr")
        version = deploy(tmp_path)
        places = list(_mounts(Filesystem(runtime, state, home=Path("/")).fstab("e", version)))
        assert places[-2:] == ["/tmp", "/proc"]
        assert {"/var", "/opt"} < set(places)
    finally:
        for folder in sorted(state.rglob("*"), reverse=True):
            folder.rmdir()
        state.rmdir()


def test_names_are_escaped(tmp_path: Path) -> None:
    """Blanks in a path cannot end an fstab field."""
    folder = tmp_path / "a b"
    folder.mkdir()
    runtime = _environment(tmp_path / "venv", "/usr")
    text = Filesystem(runtime, tmp_path, home=Path("/")).fstab("e", deploy(folder))
    assert all(len(line.split()) == 6 for line in text.splitlines())
    assert "a\\040b" in text
