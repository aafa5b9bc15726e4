"""What a package is built for."""

from __future__ import annotations

import pytest

from infra.build.target import BuildTarget, build_target
from infra.build.template import FunctionProperties
from warmer.errors import BuildError, ConfigurationError


def properties(runtime: str = "python3.13", architecture: str = "x86_64") -> FunctionProperties:
    """A function's properties."""
    return FunctionProperties(runtime, architecture, "handlers.warm.handler")


@pytest.mark.parametrize("runtime", ["python3.12", "python3.13", "python3.14"])
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_the_target_is_that_of_the_function(runtime: str, architecture: str) -> None:
    """Python from the runtime's name, architecture in Lambda's words, Amazon Linux 2023's glibc."""
    expected = BuildTarget(runtime.removeprefix("python"), architecture, "2.34")
    assert expected == build_target(properties(runtime, architecture), {})


def test_the_environment_overrides_the_python_alone() -> None:
    """A machine that has only Python 3.11 can build for its local cloud."""
    built = build_target(properties(architecture="arm64"), {"WARMER_BUILD_PYTHON": "3.11"})
    assert BuildTarget("3.11", "arm64") == built


def test_an_empty_override_is_none() -> None:
    """An empty environment variable says nothing."""
    assert build_target(properties(), {"WARMER_BUILD_PYTHON": ""}).python == "3.13"


def test_wheels_may_ask_for_no_newer_c_library_than_lambda_has() -> None:
    """The newest tag is glibc 2.34's; older ones and the names before PEP 600 run there as well."""
    platforms = BuildTarget("3.13", "arm64").platforms
    assert platforms[0] == "manylinux_2_34_aarch64"
    assert "manylinux2014_aarch64" in platforms
    assert "manylinux_2_35_aarch64" not in platforms


@pytest.mark.parametrize("runtime", ["python3.11", "nodejs22.x", "python3", ""])
def test_a_runtime_without_current_wheels_is_refused(runtime: str) -> None:
    """The error says which would do."""
    with pytest.raises(BuildError, match=r"expected one of python3\.12, python3\.13, python3\.14"):
        build_target(properties(runtime), {})


def test_an_unknown_architecture_is_refused() -> None:
    """The error says which would do."""
    with pytest.raises(BuildError, match="'riscv'; expected x86_64 or arm64"):
        build_target(properties(architecture="riscv"), {})


@pytest.mark.parametrize("value", ["python3.11", "3", "3.10", "latest"])
def test_an_override_that_is_no_python_version_is_refused(value: str) -> None:
    """The error says key, value and expected form."""
    with pytest.raises(ConfigurationError, match=r"WARMER_BUILD_PYTHON is .* such as 3\.11"):
        build_target(properties(), {"WARMER_BUILD_PYTHON": value})
