"""What wheels carry but a function never uses."""

from __future__ import annotations

import mmap
import shutil
from pathlib import Path

# Glob patterns below the folder into which wheels are installed. Each is for people or for builds:
# no import of the package at run time leads there.
PATTERNS = (
    "bin",  # commands
    "**/*.pyi",  # stubs for type checkers
    "numpy/**/tests",
    "numpy/_core/*_tests.*.so",  # extension modules of those tests
    "numpy/_core/_simd.*.so",  # likewise
    "numpy/_core/include",  # C headers
    "numpy/_core/lib",  # static libraries
    "numpy/random/lib",
    "onnxruntime/datasets",  # example models
    "onnxruntime/quantization",  # tools that work on models ahead of time
    "onnxruntime/tools",
    "onnxruntime/transformers",
)


def prune(folder: Path) -> None:
    """Delete from `folder`, where wheels are installed, what no function uses."""
    for pattern in PATTERNS:
        for path in sorted(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    # A library for programs in C. The Python module contains it whole, unless it links to it.
    modules = list(folder.glob("onnxruntime/capi/onnxruntime_pybind11_state*.so"))
    if modules and not any(_contains(module, b"libonnxruntime.so") for module in modules):
        for library in folder.glob("onnxruntime/capi/libonnxruntime.so*"):
            library.unlink()


def _contains(file: Path, name: bytes) -> bool:
    # A library that is linked stands by its name in the file's table of strings.
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(name) >= 0
