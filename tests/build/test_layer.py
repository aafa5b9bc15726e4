"""The wheel and the layer: what is in them, and a user's own function that takes the layer."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.build.layer import Distribution, build_distribution, main
from infra.cloud.deployed import deployed
from tests.build.conftest import RUNNING_PYTHON
from warmer.errors import BuildError

TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  WarmerLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: layer.zip
      CompatibleRuntimes: [python{RUNNING_PYTHON}]
  Own:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      CodeUri: src
      Runtime: python{RUNNING_PYTHON}
      Layers: [!Ref WarmerLayer]
Outputs:
  Function: {{ Value: !Ref Own }}
"""
SOURCE = """
import sys

import warmer


@warmer.warmable
def handler(event, context):
    return {"seen": event, "from": warmer.__file__, "cached": warmer.__cached__,
            "heavy": sorted({"numpy", "onnxruntime"} & set(sys.modules))}
"""


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """Built for a Python of Lambda, and the one that runs the tests."""
    pythons = sorted({"3.13", RUNNING_PYTHON})
    return build_distribution(tmp_path_factory.mktemp("dist"), pythons=pythons)


def test_the_wheel_holds_warmer_alone(distribution: Distribution) -> None:
    """Neither the local cloud nor the handlers; its command line is there."""
    names = zipfile.ZipFile(distribution.wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"warmer"}
    assert "warmer/cli/__init__.py" in names


def test_the_layer_holds_what_ships_in_a_function(distribution: Distribution) -> None:
    """Below `python`, as the developer guide's "Packaging your layer content" asks; small."""
    names = zipfile.ZipFile(distribution.layer).namelist()
    modules = {name for name in names if name.endswith(".py")}
    assert all(name.startswith("python/") for name in names)
    assert {"python/warmer/__init__.py", "python/warmer/model/session.py"} <= modules
    assert not any(name.split("/")[2] in {"cli", "lab", "bundling"} for name in modules)
    assert distribution.layer.stat().st_size < 2_000_000


def test_the_layer_has_byte_code_of_every_python_at_hand(distribution: Distribution) -> None:
    """Side by side, by tag; never checked against the source, since a zip keeps no times."""
    assert RUNNING_PYTHON in distribution.compiled
    archive = zipfile.ZipFile(distribution.layer)
    names = archive.namelist()
    for python in distribution.compiled:
        tag = f".cpython-{python.replace('.', '')}.pyc"
        compiled = [name for name in names if name.endswith(tag)]
        assert len(compiled) == sum(name.endswith(".py") for name in names)
        content = archive.read(compiled[0])
        assert int.from_bytes(content[4:8], "little") == 1
        assert b"/opt/python/warmer/" in content


def test_the_same_sources_give_the_same_layer(distribution: Distribution, tmp_path: Path) -> None:
    """Its digest says whether it has changed."""
    again = build_distribution(tmp_path, pythons=distribution.compiled)
    assert again.layer.read_bytes() == distribution.layer.read_bytes()


def test_a_project_that_is_none_is_an_error(tmp_path: Path) -> None:
    """pip's own words, in one error."""
    with pytest.raises(BuildError, match=r"the wheel cannot be built: .* is not installable"):
        build_distribution(tmp_path / "dist", root=tmp_path)


def test_the_command_says_what_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And which Pythons this machine lacks."""
    monkeypatch.setattr("infra.build.layer.PYTHONS", (RUNNING_PYTHON, "3.99"))
    monkeypatch.setattr(
        "infra.build.layer.build_distribution",
        lambda output: Distribution(output / "a.whl", output / "b.zip", (RUNNING_PYTHON,)),
    )
    assert main(["--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path}/a.whl\n{tmp_path}/b.zip: byte-code for Python {RUNNING_PYTHON}; none for "
        "3.99, which this machine lacks\n"
    )


def test_a_wheel_that_is_installed_is_warmer(distribution: Distribution, tmp_path: Path) -> None:
    """`import warmer` from the wheel alone, with nothing else installed."""
    with zipfile.ZipFile(distribution.wheel) as archive:
        archive.extractall(tmp_path)
    code = "import warmer; print(warmer.__file__); warmer.warmable(print)"
    shown = subprocess.run(
        [sys.executable, "-S", "-B", "-I", "-c", f"import sys; sys.path[:0] = ['.']; {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.strip().endswith("warmer/__init__.py")


def invoke(client: Any, function: str, event: object, context: object = None) -> Any:
    """What a function answers to an event, and to a ping where there is a context."""
    options = {}
    if context is not None:
        encoded = base64.b64encode(json.dumps(context).encode())
        options["ClientContext"] = encoded.decode()
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event), **options)
    assert "FunctionError" not in answer
    return json.loads(answer["Payload"].read())


def test_a_users_own_function_takes_the_layer_and_answers_pings(
    distribution: Distribution, tmp_path: Path
) -> None:
    """Deployed by the real `sam deploy`: its code sees events and no pings, and byte-code is used
    where the layer is."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "layer.zip").write_bytes(distribution.layer.read_bytes())
    ping = {"version": 1, "wave": "w", "index": 0, "size": 1, "release_at": time.time()}
    with deployed(tmp_path / "template.yaml", build=False) as stack:
        client, function = stack.client("lambda"), stack.outputs["Function"]
        reply = invoke(client, function, {}, {"custom": {"warmer": ping}})["warmer"]
        answer = invoke(client, function, {"a": 1})
        assert len(stack.invocations(function)) == 2
        assert stack.cold_starts(function) == 1
    assert (reply["wave"], reply["new"], reply["pings"]) == ("w", True, 1)
    assert answer["seen"] == {"a": 1}
    assert answer["heavy"] == []
    assert answer["from"] == "/opt/python/warmer/__init__.py"
    assert answer["cached"].startswith("/opt/python/warmer/__pycache__/")
