"""What wheels carry but a function never uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.build.pruning import prune

MODULE = "onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-x86_64-linux-gnu.so"
LIBRARY = "onnxruntime/capi/libonnxruntime.so.1.32.0"


def fill(folder: Path, files: dict[str, bytes]) -> None:
    """Write files with their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def left(folder: Path) -> set[str]:
    """Names of the files that are left."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_tests_headers_stubs_and_tools_are_removed(tmp_path: Path) -> None:
    """What an import at run time can reach stays."""
    kept = {"numpy/__init__.py", "numpy/linalg/linalg.py", "onnxruntime/__init__.py"}
    removed = {
        "bin/f2py",
        "numpy/__init__.pyi",
        "numpy/linalg/tests/test_linalg.py",
        "numpy/_core/include/numpy/ndarraytypes.h",
        "onnxruntime/transformers/optimizer.py",
    }
    fill(tmp_path, dict.fromkeys(kept | removed, b""))
    prune(tmp_path)
    assert kept == left(tmp_path)


@pytest.mark.parametrize(
    ("module", "expected"),
    [(b"\x7fELF libc.so.6\0", {MODULE}), (b"\x7fELF libonnxruntime.so.1\0", {MODULE, LIBRARY})],
)
def test_the_c_library_goes_unless_the_python_module_links_to_it(
    tmp_path: Path, module: bytes, expected: set[str]
) -> None:
    """Half of the wheel is a second copy, in builds where the module contains the library."""
    fill(tmp_path, {MODULE: module, LIBRARY: b"\x7fELF"})
    prune(tmp_path)
    assert expected == left(tmp_path)


def test_the_c_library_stays_where_no_python_module_is_known(tmp_path: Path) -> None:
    """A wheel of another layout is left alone."""
    fill(tmp_path, {LIBRARY: b"\x7fELF"})
    prune(tmp_path)
    assert {LIBRARY} == left(tmp_path)
