"""Small wheels made on the spot, for pip to find without an index."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


class Wheelhouse:
    """A folder of wheels that is all pip sees while the test runs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        folder.mkdir()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def add(self, name: str, tag: str, files: dict[str, str] | None = None) -> None:
        """Add version 1.0 of a distribution for a tag such as `py3-none-any`."""
        module = name.replace("-", "_")
        information = f"{module}-1.0.dist-info"
        content = {
            f"{module}/__init__.py": "",
            **(files or {}),
            f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{information}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
        }
        record = "".join(f"{path},,\n" for path in [*content, f"{information}/RECORD"])
        with zipfile.ZipFile(self._folder / f"{module}-1.0-{tag}.whl", "w") as wheel:
            for path, text in {**content, f"{information}/RECORD": record}.items():
                wheel.writestr(path, text)


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    """An empty wheelhouse."""
    return Wheelhouse(tmp_path / "wheelhouse", monkeypatch)
