"""The house rules that code can check: import direction, sole importers, size, import budget."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import warmer

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("warmer", "handlers", "infra", "tests")
SHIPPED = ("warmer", "handlers")
MOST_LINES = 400

# Each layer may import those before it and itself; one that shares its number is another part of
# the same layer and must not be imported.
LAYERS = {
    "errors": 0,
    "record": 0,
    "aws": 1,
    "budget": 1,
    "package": 1,
    "process": 1,
    "read_ahead": 0,
    "startup": 1,
    "environment": 2,
    "ping": 2,
    "ramp": 2,
    "runs": 2,
    "telemetry": 2,
    "function": 3,
    "model": 3,
    "fleet": 3,
    "middleware": 4,
    "lab": 4,
    "bundling": 4,
    "dashboard": 4,
    "inference": 4,
    "cli": 5,
    "__main__": 6,
}
SOLE_IMPORTERS = {
    "boto3": {"warmer/aws/client.py"},
    "botocore": {"warmer/aws/"},
    "onnxruntime": {"warmer/model/session.py"},
    "aws_lambda_powertools": {"warmer/telemetry.py"},
}


def _modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "local-cloud" in path.parts:  # packages that were built of a template there
                continue
            yield path.relative_to(ROOT).as_posix(), path


def _imports(path: Path) -> set[str]:
    """All modules that a file names in import statements, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = str(node.module)
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def _layer(module: str) -> str | None:
    """The part of `warmer` that a module's name is in, if any."""
    parts = module.split(".")
    return parts[1] if parts[0] == "warmer" and len(parts) > 1 and parts[1] in LAYERS else None


@pytest.mark.parametrize("path", [pytest.param(path, id=name) for name, path in _modules("warmer")])
def test_imports_flow_one_way(path: Path) -> None:
    """Each part of the framework imports lower parts and itself only."""
    own = path.relative_to(ROOT / "warmer").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in LAYERS, f"give {own} its place in LAYERS"
    for module in _imports(path):
        other = _layer(module)
        allowed = other is None or other == own or LAYERS[other] < LAYERS[own]
        assert allowed, f"{own} imports {module}"


def test_the_framework_knows_neither_handlers_nor_the_clone() -> None:
    """`warmer` ships alone; `handlers` ship without `infra`."""
    for name, path in _modules(*SHIPPED):
        tops = {module.split(".")[0] for module in _imports(path)}
        assert not tops & {"infra", "tests"}, name
        assert name.startswith("handlers/") or "handlers" not in tops, name


@pytest.mark.parametrize("package", SOLE_IMPORTERS)
def test_a_heavy_package_has_one_importer(package: str) -> None:
    """What ships reaches each through one adapter, a module or a package."""
    for name, path in _modules(*SHIPPED):
        if package in {module.split(".")[0] for module in _imports(path)}:
            assert name.startswith(tuple(SOLE_IMPORTERS[package])), name


def test_modules_stay_small() -> None:
    """A module of more than 400 lines is two modules."""
    lines = {name: len(path.read_bytes().splitlines()) for name, path in _modules(*FOLDERS)}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager", "misc"])
def test_no_module_is_a_junk_drawer(name: str) -> None:
    """A module is named for what it holds."""
    assert [path for path, file in _modules(*FOLDERS) if file.stem == name] == []


def _loaded_by(statement: str) -> set[str]:
    """The top-level packages that a statement loads in a new interpreter."""
    code = (
        f"import sys; before = set(sys.modules); {statement}\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement", ["import warmer", "import warmer; warmer.warmable(lambda event, context: None)"]
)
def test_a_decorated_function_pays_for_little(statement: str) -> None:
    """The standard library only, and of that nothing that takes milliseconds."""
    loaded = _loaded_by(statement) - {"warmer"}
    assert loaded <= sys.stdlib_module_names
    assert not loaded & {"asyncio", "dataclasses", "inspect", "pathlib", "typing", "uuid"}


def test_loading_a_model_leaves_the_sdk_alone() -> None:
    """No AWS SDK, no Powertools, no event loop for a model in the package."""
    loaded = _loaded_by("import warmer; warmer.load('handlers/models/digits')")
    assert not loaded & {"boto3", "botocore", "aws_lambda_powertools", "asyncio", "zipfile"}


def test_the_public_names_are_few_and_real() -> None:
    """At most ten, each importable and documented."""
    assert len(warmer.__all__) <= 10
    for name in warmer.__all__:
        assert getattr(warmer, name).__doc__
        assert name in dir(warmer)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy names fail like any other."""
    with pytest.raises(AttributeError, match="no attribute 'wram'"):
        warmer.wram  # noqa: B018 - reading it is the test
