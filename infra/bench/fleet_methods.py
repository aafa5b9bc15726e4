"""Ways to warm N environments of a light function, as their users would have them.

Each has a function of its own that does nothing, decorated as that way asks for; all their
packages are compiled, and all their senders may have as many connections open as they like.
"""

from __future__ import annotations

import compileall
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

import yaml

from infra.cloud.deployed import DeployedStack
from warmer.aws import LambdaInvoker
from warmer.fleet import DispatchSpread, Target, WaveReport, run_wave

__all__ = ["Method", "Sender", "write_project"]

FIXED_HOLD_MS = 75
"""What lambda-warmer-py holds by default, and lambda-warmer too."""

LIGHT = "def handler(event, context):\n    return {{}}\n"
OURS = f"import warmer\n\n\n@warmer.warmable\n{LIGHT}".format()
HOLDING = f"""import time


def handler(event, context):
    if event.get("warmer"):
        time.sleep({FIXED_HOLD_MS} / 1000)
    return {{}}
"""
FAN_OUT = f"import lambdawarmer\n\n\n@lambdawarmer.warmer\n{LIGHT}".format()

LEFT_OUT = ("__pycache__", "cli", "lab", "bundling", "model", "inference")
"""Parts of the framework that a function without a model has no use for."""


class Method(Enum):
    """A way to warm, with the code of its function."""

    OURS = OURS
    FAN_OUT = FAN_OUT
    HELD = HOLDING
    LOOP = LIGHT.format()

    @property
    def title(self) -> str:
        """Its name in tables."""
        return {
            "OURS": "warmer",
            "FAN_OUT": "lambda-warmer-py 0.6.0",
            "HELD": f"N at once, held {FIXED_HOLD_MS} ms",
            "LOOP": "a loop of N",
        }[self.name]

    def function(self, size: int) -> str:
        """The name of its function for waves of `size`."""
        return f"{self.name.lower().replace('_', '-')}-{size}"


class Sender:
    """Sends what a method sends, from this process."""

    def __init__(self, stack: DeployedStack) -> None:
        self._client = stack.client("lambda")
        self._invoker = LambdaInvoker(endpoint_url=stack.endpoint)
        self._spread = DispatchSpread()
        self.reports: list[WaveReport] = []

    def send(self, method: Method, size: int) -> None:
        """One wave of `size`; returns when its own answers are in."""
        ways: dict[Method, Callable[[str, int], None]] = {
            Method.OURS: self._wave,
            Method.FAN_OUT: self._fan_out,
            Method.HELD: self._at_once,
            Method.LOOP: self._loop,
        }
        ways[method](method.function(size), size)

    def _wave(self, function: str, size: int) -> None:
        report = run_wave(Target(function, None, size), self._invoker, spread=self._spread)
        self.reports.append(report)

    def _fan_out(self, function: str, size: int) -> None:
        self._invoke(function, {"warmer": True, "concurrency": size})

    def _at_once(self, function: str, size: int) -> None:
        with ThreadPoolExecutor(size) as threads:
            list(threads.map(lambda _: self._invoke(function, {"warmer": True}), range(size)))

    def _loop(self, function: str, size: int) -> None:
        for _ in range(size):
            self._invoke(function, {"warmer": True})

    def _invoke(self, function: str, event: dict[str, Any]) -> None:
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        answer["Payload"].read()
        assert "FunctionError" not in answer, f"{function} failed"


def write_project(folder: Path, sizes: list[int], packages: Path, runtime: str) -> Path:
    """A template with each method's function for each size, ready to be deployed; its path.

    `packages` is the site-packages folder in which lambda-warmer-py is.
    """
    resources: dict[str, Any] = {}
    for method in Method:
        code = folder / method.name.lower()
        code.mkdir()
        (code / "app.py").write_text(method.value)
        if method is Method.OURS:
            source = Path(__file__).resolve().parents[2] / "warmer"
            shutil.copytree(source, code / "warmer", ignore=shutil.ignore_patterns(*LEFT_OUT))
        if method is Method.FAN_OUT:
            shutil.copytree(packages / "lambdawarmer", code / "lambdawarmer")
        compileall.compile_dir(code, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        for size in sizes:
            name = method.function(size)
            resources["".join(part.title() for part in name.split("-"))] = {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": name,
                    "CodeUri": code.name,
                    "Handler": "app.handler",
                    "Runtime": runtime,
                    "Timeout": 60,
                    "MemorySize": 1769,
                },
            }
    template = folder / "template.yaml"
    document = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
    template.write_text(yaml.safe_dump(document))
    return template
