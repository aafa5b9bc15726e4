"""What a start of a function loads, recorded by running its INIT when it is built.

`warmer.startup` reads the record; its docstrings say what it is for, and how it is laid out.
"""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from infra.build.target import BuildTarget
from warmer.startup import START_NAME
from warmer.telemetry import NAMESPACE_VARIABLE

__all__ = ["record_start"]

BLOCK_BYTES = 64 * 1024
"""Pages are asked for in blocks of this size, in which Linux maps those around one that is touched
(`fault_around_bytes`); it makes little of what a start happens to touch besides."""

_Row = tuple[str, bool, int, int]
_Pages = tuple[str, tuple[tuple[int, int], ...]]


def record_start(folder: Path, handler: str, target: BuildTarget, interpreter: Path | None) -> str:
    """Run the INIT of the package in `folder`, and write what it loads into the package.

    `handler` is the function's (`handlers.inference.handler`), `interpreter` a Python of the
    target's version. Returns why there is no record, or "".
    """
    if interpreter is None:
        return f"no Python {target.python} here"
    if target.architecture != _machine():
        return f"{target.architecture} cannot be run here"
    done = subprocess.run(
        [interpreter, "-B", "-c", _RECORD, str(folder), handler.rpartition(".")[0]],
        env=_variables(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        return f"its INIT fails here: {textwrap.shorten(last, 300)}"
    recorded = json.loads(done.stdout.rpartition("\n")[2])
    folder.joinpath(START_NAME).write_bytes(_written(folder, recorded))
    return ""


def _machine() -> str:
    machine = os.uname().machine
    return "arm64" if machine == "aarch64" else machine


def _variables(folder: Path) -> dict[str, str]:
    """As on Lambda and in the template, as far as an INIT looks at them."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(folder),
        "PYTHONHASHSEED": "0",
        "LAMBDA_TASK_ROOT": str(folder),
        "AWS_LAMBDA_FUNCTION_NAME": "start",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        NAMESPACE_VARIABLE: "Warmer",  # with metrics, which need Powertools
    }


# Byte-code is taken as it is in the package. A page counts that is in the process's page table.
_RECORD = """
import importlib, importlib.util, json, os, struct, sys

root, handler = sys.argv[1:3]
importlib.import_module(handler)

# The model may be elsewhere where the function runs: a bundle, of which this did not see the start.
if "warmer.model.model" in sys.modules:
    import numpy
    from warmer.model import bundle, checksum, golden
    checksum.checksum_of_file(importlib.import_module("numpy._core._multiarray_umath").__file__)
    checksum.checksum_of_file(bundle.__file__)
    for value in numpy.float32, numpy.int64:
        golden.difference(numpy.zeros((2, 3), value), numpy.ones((2, 3), value))

names = list(sys.modules)
modules = []
for name in names[names.index("warmer") + 1:]:
    if name in (handler, "warmer.read_ahead"):  # imported before there is anything to serve them
        continue
    spec = getattr(sys.modules[name], "__spec__", None)
    if type(getattr(spec, "loader", None)).__name__ != "SourceFileLoader":
        continue
    if spec.origin.startswith(root + "/") and os.path.exists(spec.cached):
        package = spec.submodule_search_locations is not None
        modules.append([name, os.path.relpath(spec.origin, root), package,
                        os.path.relpath(spec.cached, root)])

page = os.sysconf("SC_PAGESIZE")
touched = {}
with open("/proc/self/maps") as maps, open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
    for line in maps:
        fields = line.split(maxsplit=5)
        path = fields[5].strip() if len(fields) == 6 else ""
        if not path.startswith(root + "/"):
            continue
        first, last = (int(number, 16) for number in fields[0].split("-"))
        pagemap.seek(first // page * 8)
        pages = (last - first) // page
        entries = struct.unpack(f"{pages}Q", pagemap.read(pages * 8))
        start = int(fields[2], 16)
        offsets = touched.setdefault(os.path.relpath(path, root), [])
        offsets += [start + number * page for number, entry in enumerate(entries) if entry >> 62]
print()
print(json.dumps({"magic": importlib.util.MAGIC_NUMBER.hex(), "modules": modules,
                  "touched": touched}), end="")
"""


def _written(folder: Path, recorded: Mapping[str, Any]) -> bytes:
    """The file's content."""
    modules: dict[str, _Row] = {}
    code = bytearray()
    for name, file, is_package, cached in sorted(recorded["modules"]):
        content = folder.joinpath(cached).read_bytes()[16:]  # after the header (PEP 552)
        modules[name] = (file, is_package, len(code), len(content))
        code += content
    pages: list[_Pages] = [
        (file, tuple(_ranges(offsets)))
        for file, offsets in sorted(recorded["touched"].items(), key=_need)
    ]
    # Version 2 has no references between its parts: the same record gives the same bytes.
    header = marshal.dumps((modules, tuple(pages)), 2)
    magic = bytes.fromhex(recorded["magic"])
    return magic + len(header).to_bytes(4, "little") + header + bytes(code)


def _need(item: tuple[str, object]) -> tuple[bool, str]:
    """Shared libraries are needed before models."""
    return ".so" not in item[0], item[0]


def _ranges(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """The blocks that hold these offsets, as (offset, length); what is adjacent in one."""
    ranges: list[tuple[int, int]] = []
    for offset in sorted({offset - offset % BLOCK_BYTES for offset in offsets}):
        if ranges and offset == sum(ranges[-1]):
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + BLOCK_BYTES)
        else:
            ranges.append((offset, BLOCK_BYTES))
    return ranges
