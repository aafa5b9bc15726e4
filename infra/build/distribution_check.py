"""onnxruntime's check of the operating system, left out on Linux, where it looks and says nothing.

At import, `onnxruntime_validation.check_distro_info` reads the distribution's name and version by
`linecache`, which takes Python's tokenizer to read a file, and drops both: a fiftieth of a start.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from infra.build.deferral import DoesNotFit

__all__ = ["VALIDATION", "skip_on_linux"]

VALIDATION = "onnxruntime.capi.onnxruntime_validation"

_CHECK = "check_distro_info"
_SKIP = """    import sys

    if sys.platform == "linux":
        return
"""


def skip_on_linux(source: str) -> str:
    """The source of onnxruntime_validation whose check returns at once on Linux.

    Raises DoesNotFit where the check does anything there but bind names of its own.
    """
    tree = ast.parse(source)
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found = next((node for node in checks if node.name == _CHECK), None)
    if found is None or found.args.args or found.body[0].lineno == found.lineno:
        raise DoesNotFit(f"it has no {_CHECK} as it was known")
    branches = [
        node
        for node in ast.walk(found)
        if isinstance(node, ast.If) and "'linux'" in ast.unparse(node.test)
    ]
    if len(branches) != 1 or not _only_binds(branches[0].body):
        raise DoesNotFit(f"its {_CHECK} does more than read names on Linux")
    lines = source.splitlines(keepends=True)
    lines.insert(found.body[0].lineno - 1, _SKIP)
    return "".join(lines)


def _only_binds(statements: Iterable[ast.stmt]) -> bool:
    return all(
        (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Assign) and all(isinstance(one, ast.Name) for one in node.targets))
        or (isinstance(node, ast.If) and _only_binds([*node.body, *node.orelse]))
        for node in statements
    )
