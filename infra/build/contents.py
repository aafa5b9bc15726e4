"""What each function ships: its handler with what that imports, parts of Warmer, requirements."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warmer.errors import BuildError

HANDLERS = "handlers"
WARMER = "warmer"


@dataclass(frozen=True)
class Contents:
    """What goes into a function's package beside its handler.

    `without` names sub-packages of `warmer` that stay out, `folders` are copied whole (relative to
    the project), `distributions` are the names of requirements in pyproject.toml. What a start
    loads is recorded where `starts_for_users`: they wait for it.
    """

    without: frozenset[str]
    folders: tuple[str, ...]
    distributions: frozenset[str]
    starts_for_users: bool = False


# It calls other functions and runs no model: no numerical library, a quick start.
_CALLER = Contents(
    without=frozenset({"bundling", "cli", "dashboard", "inference", "lab", "model"}),
    folders=(),
    distributions=frozenset({"aws-lambda-powertools"}),
)
CONTENTS = {
    "InferenceFunction": Contents(
        without=frozenset({"bundling", "cli", "dashboard", "fleet", "lab"}),
        folders=("handlers/models",),
        distributions=frozenset({"aws-lambda-powertools", "numpy", "onnxruntime"}),
        starts_for_users=True,
    ),
    "PreTrafficFunction": _CALLER,
    "WarmerFunction": _CALLER,
}


def contents_of(function: str) -> Contents:
    """What the function with this logical ID ships.

    Raises:
        BuildError: there is no such function here.
    """
    try:
        return CONTENTS[function]
    except KeyError:
        raise BuildError(
            f"function is {function!r}; expected one of {', '.join(sorted(CONTENTS))}"
        ) from None


def requirements(root: Path, distributions: frozenset[str]) -> tuple[str, ...]:
    """The lines of pyproject.toml's `dependencies` for these distributions, sorted.

    Raises:
        BuildError: pyproject.toml does not require one of them.
    """
    project = tomllib.loads(root.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    lines = {_distribution(line): line for line in project["project"]["dependencies"]}
    missing = sorted(distributions - lines.keys())
    if missing:
        raise BuildError(
            f"pyproject.toml does not require {', '.join(missing)}; add it to its dependencies"
        )
    return tuple(sorted(lines[name] for name in distributions))


def _distribution(requirement: str) -> str:
    # PEP 503: a name as all spell it.
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]).lower()


def handler_modules(root: Path, handler: str) -> frozenset[Path]:
    """Files of the handler's module and of all in its package that it imports, below `root`.

    Raises:
        BuildError: the handler names no module of the project, or one of the modules is no Python.
    """
    module, _, function = handler.rpartition(".")
    if not module.startswith(f"{HANDLERS}.") or not function or _file(root, module) is None:
        raise BuildError(
            f"Handler is {handler!r}; expected {HANDLERS}.MODULE.FUNCTION with a file of that name"
        )
    found: dict[str, Path] = {}
    ahead = [HANDLERS, module]
    while ahead:
        name = ahead.pop()
        file = _file(root, name)
        if file is not None and name not in found:
            found[name] = file
            ahead += [
                imported
                for imported in _imports(root / file, name)
                if imported.startswith(f"{HANDLERS}.")
            ]
    return frozenset(found.values())


def _file(root: Path, module: str) -> Path | None:
    path = Path(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if root.joinpath(candidate).is_file()), None)


def _imports(file: Path, module: str) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise BuildError(f"{file}, line {error.lineno}: {error.msg}") from error
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            name = ".".join([*base, node.module] if node.module else base)
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)
