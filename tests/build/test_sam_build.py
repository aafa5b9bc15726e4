"""The real `sam build` of this project."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import ROOT, RUNNING_PYTHON, SamBuild

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
OTHER_ARCHITECTURE, ARCHITECTURE = sorted(MACHINES, key=lambda n: MACHINES[n] == platform.machine())
LIBRARY = re.compile(r"cpython-(\d+)-(\w+)-linux-gnu\.so$")
FUNCTIONS = ("InferenceFunction", "PreTrafficFunction", "WarmerFunction")
MODULES = ("handlers.inference", "handlers.pre_traffic", "handlers.warm")
SYMBOL = re.compile(rb"GLIBC_2\.(\d+)")


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory, sam_build: SamBuild) -> Path:
    """All functions, built for the Python and the architecture that run here."""
    folder = tmp_path_factory.mktemp("local")
    options = ("--parameter-overrides", f"Architecture={ARCHITECTURE}")
    result = sam_build(folder, *options, WARMER_BUILD_PYTHON=RUNNING_PYTHON)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="session")
def chosen(tmp_path_factory: pytest.TempPathFactory, sam_build: SamBuild) -> Path:
    """All functions, built for a runtime and an architecture chosen on the command line."""
    folder = tmp_path_factory.mktemp("chosen")
    choices = ("PythonRuntime=python3.12", f"Architecture={OTHER_ARCHITECTURE}")
    result = sam_build(folder, "--parameter-overrides", *choices, "--parallel")
    assert result.returncode == 0, result.stderr
    return folder


def extension_modules(folder: Path) -> set[tuple[str, str]]:
    """Python version and machine of every extension module below `folder`."""
    found = (LIBRARY.search(path.name) for path in folder.rglob("*.so"))
    return {(match[1], match[2]) for match in found if match}


def test_wheels_are_those_of_the_runtime_and_architecture_that_were_chosen(chosen: Path) -> None:
    """Also where the machine has neither."""
    assert {("312", MACHINES[OTHER_ARCHITECTURE])} == extension_modules(
        chosen / "InferenceFunction"
    )


def test_the_local_override_builds_for_another_python(local: Path) -> None:
    """The machine's own Python, whatever runtime the template names."""
    ((version, _),) = extension_modules(local / "InferenceFunction")
    assert RUNNING_PYTHON.replace(".", "") == version


@pytest.mark.parametrize("function", FUNCTIONS)
def test_packages_say_what_they_were_built_for(local: Path, chosen: Path, function: str) -> None:
    """The stamp follows the choice, so that another runtime can refuse the package."""
    stamps = [
        json.loads((f / function / "warmer-package.json").read_text("utf-8"))
        for f in (local, chosen)
    ]
    assert [function] * 2 == [stamp["function"] for stamp in stamps]
    assert [stamp["python"] for stamp in stamps] == [RUNNING_PYTHON, "3.12"]
    assert [stamp["architecture"] for stamp in stamps] == [ARCHITECTURE, OTHER_ARCHITECTURE]


def test_no_library_needs_a_newer_c_library_than_lambda_has(local: Path, chosen: Path) -> None:
    """The symbols themselves, not the wheels' tags: Amazon Linux 2023 has glibc 2.34."""
    libraries = [path for folder in (local, chosen) for path in folder.rglob("*.so*")]
    newest = {int(minor) for path in libraries for minor in SYMBOL.findall(path.read_bytes())}
    assert len(libraries) > 20
    assert max(newest) <= 34


@pytest.mark.parametrize(
    ("function", "module"),
    list(zip(FUNCTIONS, MODULES, strict=True)),
)
def test_a_handler_imports_from_its_package_with_what_lambda_has(
    local: Path, function: str, module: str
) -> None:
    """In an interpreter that has boto3 and nothing else; what must not be there is not."""
    code = f"""
import importlib.util, sys, {module}
absent = ("warmer.cli", "warmer.lab", "onnxruntime.transformers")
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{"numpy", "onnxruntime"}}))
print([name for name in absent if importlib.util.find_spec(name.split(".")[0])
       and importlib.util.find_spec(name)])
"""
    environment = {
        "LAMBDA_TASK_ROOT": str(local / function),
        # Lambda gives every function these; the warmer looks for them at INIT and calls nobody.
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "WARMER_TARGETS": '[{"function": "inference", "qualifier": "live", "concurrency": 1}]',
    }
    shown = subprocess.run(
        [ROOT / ".tools/runtime/bin/python", "-B", "-c", code],
        cwd=local / function,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    numeric = ["numpy", "onnxruntime"] if function == "InferenceFunction" else []
    assert [str(numeric), "[]"] == shown.stdout.splitlines()[-2:], shown.stderr


def test_packages_are_small(local: Path) -> None:
    """Bytes cost time too: the warmer has no model, the model no second copy of its library."""
    sizes = {
        name: sum(path.stat().st_size for path in (local / name).rglob("*") if path.is_file())
        for name in FUNCTIONS
    }
    assert sizes["InferenceFunction"] < 110_000_000
    assert max(sizes["PreTrafficFunction"], sizes["WarmerFunction"]) < 12_000_000


def test_a_runtime_that_cannot_be_built_for_fails_the_build(
    tmp_path: Path, sam_build: SamBuild
) -> None:
    """`sam build` shows our one line and exits with 1."""
    result = sam_build(tmp_path / "build", "--parameter-overrides", "PythonRuntime=python3.11")
    assert result.returncode == 1
    assert "Error: runtime is 'python3.11'; expected one of python3.12" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_fresh_clone_gets_its_environment_from_the_top_makefile(tmp_path: Path) -> None:
    """The recipe makes .venv when it is missing, then builds with it."""
    python = tmp_path / ".venv/bin/python"
    tmp_path.joinpath("Makefile").write_text(
        ".venv/ready:\n"
        "\t@mkdir -p .venv/bin\n"
        "\t@printf '#!/bin/sh\\necho built \"$$@\"\\n' > .venv/bin/python\n"
        "\t@chmod +x .venv/bin/python\n"
        "\t@touch .venv/ready\n",
        encoding="utf-8",
    )
    recipe = str(ROOT / "infra/build/Makefile")
    command = [
        "make",
        "--makefile",
        recipe,
        "build-WarmerFunction",
        f"ARTIFACTS_DIR={tmp_path}/a b",
    ]
    for _ in range(2):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        expected = f"built -m infra.build WarmerFunction --artifacts {tmp_path}/a b\n"
        assert expected == result.stdout
    assert python.exists()
