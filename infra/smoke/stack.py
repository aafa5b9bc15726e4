"""The smoke run's stack: its packages and template, deployed and removed by the real sam."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from infra.build.bytecode import compile_modules, interpreter
from infra.cloud.sam import PROJECT, Sam

__all__ = ["FUNCTIONS", "IDLE_FUNCTIONS", "MEMORY_MB", "SmokeStack", "deployed_stack"]

MEMORY_MB = 512
"""Enough for the probe, and so little that CPU at INIT can be more than CPU afterwards."""

IDLE_FUNCTIONS = ("idle-1", "idle-2", "idle-3")
FUNCTIONS = ("compiled", "plain", *IDLE_FUNCTIONS)
"""The functions, by what follows the stack's name."""

_MODULES = 120
_HERE = Path(__file__).parent


class SmokeStack:
    """A stack that is deployed; `compiled` says whether one of its functions has byte-code."""

    def __init__(self, name: str, compiled: bool) -> None:
        self.name = name
        self.compiled = compiled

    def function(self, role: str) -> str:
        """The name of one of FUNCTIONS."""
        return f"{self.name}-{role}"


@contextmanager
def deployed_stack(
    environment: Mapping[str, str], python: str, name: str | None = None
) -> Iterator[SmokeStack]:
    """Deploy, and remove all of it whatever happens meanwhile; `python` is such as 3.13.

    environment: for `sam`: credentials, region, an endpoint. Raises CloudError where sam fails; a
    stack that cannot be removed is named in it.
    """
    stack = name or f"warmer-smoke-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="warmer-smoke-") as work:
        folder = Path(work)
        compiled = _packages(folder, python)
        (folder / "template.yaml").write_text(yaml.safe_dump(_template(python)))
        sam = Sam({"SAM_CLI_TELEMETRY": "0", **environment}, folder / "sam.log", folder=folder)
        try:
            sam.run(
                *("deploy", "--stack-name", stack, "--resolve-s3", "--no-progressbar"),
                *("--template-file", "template.yaml", "--capabilities", "CAPABILITY_IAM"),
                *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            )
            yield SmokeStack(stack, compiled)
        finally:
            sam.run("delete", "--stack-name", stack, "--no-prompts")


def _packages(folder: Path, python: str) -> bool:
    """The probe with Warmer and many modules, without byte-code and, if it can be made, with it."""
    for role in ("plain", "compiled"):
        package = folder / role
        package.mkdir()
        shutil.copy(_HERE / "probe.py", package / "probe.py")
        ignored = shutil.ignore_patterns("__pycache__", "*.html", "cli", "lab", "bundling")
        shutil.copytree(PROJECT / "warmer", package / "warmer", ignore=ignored)
        _write_bulk(package)
    executable = interpreter(python)
    if executable is not None:
        compile_modules(folder / "compiled", executable)
    return executable is not None


def _write_bulk(package: Path) -> None:
    """Modules whose compilation takes long: what a large dependency is without byte-code."""
    source = "\n".join(
        f"def f{n}(a, b=({n},), *c, **d):\n"
        f"    if a == {n}:\n        return [x + y for x, y in zip(b, c) if x not in d]\n"
        f"    return {{'n': a, **d}}\n"
        for n in range(40)
    )
    for number in range(_MODULES):
        (package / f"bulk_{number}.py").write_text(source)
    names = "\n".join(f"import bulk_{number}" for number in range(_MODULES))
    timed = f"import time\n_began = time.perf_counter()\n{names}\n"
    (package / "bulk.py").write_text(f"{timed}SECONDS = time.perf_counter() - _began\n")


def _template(python: str) -> dict[str, object]:
    def function(role: str) -> dict[str, object]:
        return {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "FunctionName": {"Fn::Sub": f"${{AWS::StackName}}-{role}"},
                "CodeUri": "plain" if role == "plain" else "compiled",
            },
        }

    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "What Warmer's smoke run measures; it can be deleted at any time.",
        "Globals": {
            "Function": {
                "Runtime": f"python{python}",
                "Handler": "probe.handler",
                "MemorySize": MEMORY_MB,
                "Timeout": 30,
            }
        },
        "Resources": {role.title().replace("-", ""): function(role) for role in FUNCTIONS},
    }
