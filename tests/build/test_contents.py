"""What each function ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.build.contents import contents_of, handler_modules, requirements
from warmer.errors import BuildError


def test_requirements_are_those_of_the_project(project: Path) -> None:
    """pyproject.toml is the one place that names versions; spelling of a name does not matter."""
    text = '[project]\ndependencies = ["NumPy >=2.2", "aws_lambda.powertools[x]>=3; a == \'b\'"]\n'
    project.joinpath("pyproject.toml").write_text(text, encoding="utf-8")
    expected = ("NumPy >=2.2", "aws_lambda.powertools[x]>=3; a == 'b'")
    assert expected == requirements(project, frozenset({"numpy", "aws-lambda-powertools"}))


def test_a_requirement_that_the_project_lacks_is_an_error(project: Path) -> None:
    """A function cannot ship what nobody pinned."""
    with pytest.raises(BuildError, match="does not require onnxruntime"):
        requirements(project, frozenset({"onnxruntime"}))


@pytest.mark.parametrize(
    "imports",
    [
        "import handlers.routing",
        "from handlers import routing",
        "from handlers.routing import route",
        "from . import routing",
        "from .routing import route",
        "def later():\n    from handlers.routing import route",
    ],
)
def test_a_handler_ships_the_modules_that_it_imports(project: Path, imports: str) -> None:
    """Every way to import counts, also within functions; modules of other handlers stay out."""
    handlers = project / "handlers"
    handlers.joinpath("warm.py").write_text(f"import json\n{imports}\n", encoding="utf-8")
    handlers.joinpath("routing.py").write_text("from . import errors\n", encoding="utf-8")
    handlers.joinpath("errors").mkdir()
    handlers.joinpath("errors/__init__.py").write_text("from . import kinds\n", encoding="utf-8")
    handlers.joinpath("errors/kinds.py").write_text("import handlers.warm\n", encoding="utf-8")
    expected = {"__init__.py", "warm.py", "routing.py", "errors/__init__.py", "errors/kinds.py"}
    found = handler_modules(project, "handlers.warm.handler")
    assert {Path("handlers", name) for name in expected} == found


@pytest.mark.parametrize("handler", ["handlers.wram.handler", "handlers.warm", "app.handler", ""])
def test_a_handler_that_names_no_module_is_an_error(project: Path, handler: str) -> None:
    """A wrong handler name is told by the build, before a cold start does."""
    with pytest.raises(BuildError, match=r"expected handlers\.MODULE\.FUNCTION"):
        handler_modules(project, handler)


def test_a_handler_that_is_no_python_is_an_error(project: Path) -> None:
    """The error names file and line."""
    project.joinpath("handlers/warm.py").write_text("\ndef handler(\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"warm\.py, line 2"):
        handler_modules(project, "handlers.warm.handler")


def test_an_unknown_function_is_an_error() -> None:
    """The error names those that there are."""
    names = "InferenceFunction, PreTrafficFunction, WarmerFunction"
    with pytest.raises(BuildError, match=f"expected one of {names}"):
        contents_of("Other")
