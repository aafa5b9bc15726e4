"""What a package is built for: a Python, an architecture, a C library."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.build.template import FunctionProperties
from warmer.errors import BuildError, ConfigurationError

PYTHON_OVERRIDE = "WARMER_BUILD_PYTHON"
"""Environment variable: build for this Python (`3.11`) rather than the function's runtime.

It serves a local cloud on a machine that has no other Python. The package says what it was built
for, so it refuses to start on Lambda's own runtime of another version.
"""

# These run on Amazon Linux 2023 (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html),
# whose glibc is 2.34 (https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html).
_RUNTIMES = ("python3.12", "python3.13", "python3.14")
_GLIBC_MINOR = 34
# A wheel's machine (PEP 600) by Lambda's name for the architecture.
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class BuildTarget:
    """A Python version (`3.13`) and an architecture in Lambda's words (`x86_64`, `arm64`)."""

    python: str
    architecture: str
    glibc: str = f"2.{_GLIBC_MINOR}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """Tags of the wheels that run there, newest C library first (PEP 600 and its aliases)."""
        machine = _MACHINES[self.architecture]
        versioned = tuple(f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC_MINOR, 4, -1))
        legacy = (
            ("manylinux2014",)
            if machine == "aarch64"
            else ("manylinux2014", "manylinux2010", "manylinux1")
        )
        return versioned + tuple(f"{name}_{machine}" for name in legacy)

    @property
    def is_native(self) -> bool:
        """Whether this machine has that architecture, so that it can run what is built."""
        return _MACHINES[self.architecture] == platform.machine()

    def __str__(self) -> str:
        return f"Python {self.python}, {self.architecture}, glibc {self.glibc} or older"


def build_target(properties: FunctionProperties, environment: Mapping[str, str]) -> BuildTarget:
    """What a function with these properties is built for.

    Raises:
        BuildError: the runtime or architecture is not one that can be built for.
        ConfigurationError: the value of WARMER_BUILD_PYTHON is no Python version.
    """
    if properties.architecture not in _MACHINES:
        raise BuildError(
            f"architecture is {properties.architecture!r}; expected {' or '.join(_MACHINES)}"
        )
    override = environment.get(PYTHON_OVERRIDE)
    if override:
        if not re.fullmatch(r"3\.1[1-9]", override):
            raise ConfigurationError(
                PYTHON_OVERRIDE, override, "a Python version from 3.11 on, such as 3.11"
            )
        return BuildTarget(override, properties.architecture)
    if properties.runtime not in _RUNTIMES:
        raise BuildError(
            f"runtime is {properties.runtime!r}; expected one of {', '.join(_RUNTIMES)} (earlier "
            "ones run on Amazon Linux 2, whose C library is too old for current onnxruntime wheels)"
        )
    return BuildTarget(properties.runtime.removeprefix("python"), properties.architecture)
