"""What a build says of a package."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from infra.build.__main__ import summary
from infra.build.assembly import Package
from infra.build.lazy_imports import LazyImports
from infra.build.target import BuildTarget

PACKAGE = Package(
    folder=Path("package"),
    target=BuildTarget("3.13", "arm64"),
    size_bytes=5 << 20,
    wheels={"numpy": "2.0"},
    compiled=True,
    imports=LazyImports(("numpy",), {}),
    bundles=(),
)


def test_a_package_is_told_in_one_line() -> None:
    """For what it is, and how large."""
    said = summary("InferenceFunction", PACKAGE)
    assert said == "InferenceFunction: Python 3.13, arm64, 5.0 MB unzipped, with byte-code"


def test_what_could_not_be_made_here_is_said() -> None:
    """Byte-code without the Python, imports that were left, bundles for another architecture."""
    less = dataclasses.replace(
        PACKAGE,
        compiled=False,
        imports=LazyImports((), {"numpy": "no Python for it"}),
        bundles=("the bundle models/digits is unmeasured (made on x86_64)",),
    )
    said = summary("InferenceFunction", less)
    assert "without byte-code (no Python 3.13 here)" in said
    assert "imports of numpy not deferred (no Python for it)" in said
    assert said.endswith("the bundle models/digits is unmeasured (made on x86_64)")
