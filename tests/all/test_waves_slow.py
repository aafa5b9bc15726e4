"""Waves to functions that take long: an INIT of eight seconds."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from infra.cloud.deployed import deployed
from warmer.aws import LambdaInvoker
from warmer.fleet import Target, run_wave

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """
import time

import warmer

time.sleep(8)
handler = warmer.warmable(lambda event, context: {})
"""


def test_an_init_of_eight_seconds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are proven with one round, and none is held longer for it."""
    ignored = shutil.ignore_patterns("__pycache__", "cli", "lab", "bundling", "model", "fleet")
    shutil.copytree(ROOT / "warmer", tmp_path / "code" / "warmer", ignore=ignored)
    (tmp_path / "code" / "app.py").write_text(SOURCE)
    function = {
        "FunctionName": "slow",
        "CodeUri": "code",
        "Handler": "app.handler",
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Timeout": 20,
    }
    resources = {"Slow": {"Type": "AWS::Serverless::Function", "Properties": function}}
    template = tmp_path / "template.json"
    document = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
    template.write_text(json.dumps(document))
    with deployed(template, build=False, any_python=True) as stack:
        for name, value in stack.environment().items():
            monkeypatch.setenv(name, value)
        report = run_wave(Target("slow", None, 5), LambdaInvoker())

        assert (report.proven, report.new, report.rounds) == (5, 5, 1)
        assert report.ok
        assert report.held_ms < 500
        assert stack.cold_starts("slow") == len(stack.environments("slow")) == 6
