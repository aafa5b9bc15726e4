"""Properties of a function, read from a template."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.build.template import FunctionProperties, read_function
from warmer.errors import BuildError

TEMPLATE = """
Parameters:
  PythonRuntime: {Type: String, Default: python3.13}
  Architecture: {Type: String, Default: x86_64}
  Minor: {Type: Number, Default: 14}
  Required: {Type: String}
Globals:
  Function:
    Runtime: !Ref PythonRuntime
    Architectures: [!Ref Architecture]
Resources:
  Inherits: {Properties: {Handler: handlers.a.handler}}
  Overrides: {Properties: {Handler: handlers.b.handler, Runtime: !Sub "python3.${Minor}"}}
  Unresolved: {Properties: {Handler: handlers.c.handler, Runtime: !Ref Required}}
  Imported: {Properties: {Handler: h.c.handler, Runtime: {Fn::ImportValue: Runtime}}}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template with parameters and globals."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


def test_globals_and_parameter_defaults_are_resolved(template: Path) -> None:
    """A function inherits from Globals; a parameter without a value has its default."""
    expected = FunctionProperties("python3.13", "x86_64", "handlers.a.handler")
    assert expected == read_function(template, "Inherits", {})


def test_overrides_come_before_parameter_defaults(template: Path) -> None:
    """Values given to `sam build` count; those of no parameter are passed over, as by SAM."""
    given = {"PythonRuntime": "python3.12", "Architecture": "arm64", "Nobody": "1"}
    expected = FunctionProperties("python3.12", "arm64", "handlers.a.handler")
    assert expected == read_function(template, "Inherits", given)


def test_a_property_of_the_function_comes_before_globals(template: Path) -> None:
    """Substitution is resolved as a reference is."""
    assert read_function(template, "Overrides", {}).runtime == "python3.14"


@pytest.mark.parametrize("function", ["Unresolved", "Imported"])
def test_a_property_that_cannot_be_resolved_is_an_error(template: Path, function: str) -> None:
    """The build does not guess a runtime."""
    with pytest.raises(BuildError, match=f"Runtime of {function} is .*expected text or !Ref"):
        read_function(template, function, {})


def test_an_unknown_function_is_an_error(template: Path) -> None:
    """The recipe's name and the template's logical ID must agree."""
    with pytest.raises(BuildError, match="no resource 'Absent'"):
        read_function(template, "Absent", {})


@pytest.mark.parametrize("content", ["[", "text", "- 1", ""])
def test_a_file_that_is_no_template_is_an_error(tmp_path: Path, content: str) -> None:
    """Neither broken YAML nor YAML of another shape is a traceback."""
    path = tmp_path / "template.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BuildError, match=r"template\.yaml is not"):
        read_function(path, "Inherits", {})


def test_a_template_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It may have been deleted since SAM read it."""
    with pytest.raises(BuildError, match="no template"):
        read_function(tmp_path / "template.yaml", "Inherits", {})
