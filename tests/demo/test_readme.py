"""The README's commands, run; its names, compared with the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from infra.cloud.local_cloud import runtime_python
from infra.cloud.process import CloudProcess
from infra.cloud.sam import PROJECT
from infra.cloud.transform import parse
from infra.demo.table import results
from tests.demo.test_figures import FIGURES

README = (PROJECT / "README.md").read_text()
RUNTIME = PROJECT / ".tools" / "runtime"
# Run elsewhere: `make demo` is test_demo.py's `warmer demo`, and `make test` runs this.
MAKE = {"make demo", "make test"}
UP = ".venv/bin/warmer cloud up --any-python"
BUNDLE = ".venv/bin/warmer bundle handlers/models/digits -o build/digits"
ON_AWS = ["sam build", "sam deploy --guided"]


def blocks(language: str) -> list[list[str]]:
    """The lines of each fenced block of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in found]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """The cloud that the README starts, on a port of its own."""
    log = tmp_path_factory.mktemp("readme") / "cloud.log"
    with CloudProcess(UP.split()[3:], directory=PROJECT, log=log) as running:
        yield running


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would, at the project's root."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_plain_command_is_one_that_a_test_runs() -> None:
    """A command that is added to the README needs a test too."""
    commands = [line for block in blocks("sh") for line in block]
    known = {*MAKE, UP, ".venv/bin/warmer prime handlers/models/digits", BUNDLE}
    assert set(commands) == known


def test_make_targets_of_the_readme_exist() -> None:
    """`make demo` is `warmer demo`; every target that the README names is in the Makefile."""
    makefile = (PROJECT / "Makefile").read_text()
    for target in {*re.findall(r"`make ([a-z-]+)`", README), "demo", "test"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert re.search(r"^demo:.*\n\t@\$\(WARMER\) demo$", makefile, re.MULTILINE)


def test_the_output_and_the_picture_are_of_one_run() -> None:
    """The longest waits of both bursts, in the table and over the drawings."""
    row = next(line for line in README.splitlines() if line.startswith("│ latency, longest"))
    shown = [cell.strip() for cell in row.split("│")[2:4]]
    picture = (PROJECT / "infra" / "demo" / "burst.svg").read_text()
    assert re.findall("longest wait ([^<]*)<", picture) == shown


def test_the_output_shown_has_the_rows_that_the_demo_prints() -> None:
    """The figures are of one run on some machine; the rows are those of every run."""
    printed = StringIO()
    Console(width=100, file=printed).print(results(FIGURES))
    ((*shown,),) = blocks("text")

    def labels(lines: list[str]) -> list[str]:
        return [re.split("[│┃]", line)[1].strip() for line in lines if line[:1] in "│┃"]

    assert labels(shown) == labels(printed.getvalue().splitlines())


def test_warmer_prime_runs() -> None:
    """`warmer prime` on the committed model."""
    finished = run(
        f"{Path(sys.executable).parent}/warmer prime handlers/models/digits", dict(os.environ)
    )
    assert finished.returncode == 0, finished.stderr
    assert "converged" in finished.stdout


def test_warmer_bundle_runs(tmp_path: Path) -> None:
    """`warmer bundle` on the committed model, into a folder of its own."""
    made = tmp_path / "digits"
    finished = run(BUNDLE.replace("build/digits", str(made)), dict(os.environ))
    assert finished.returncode == 0, finished.stderr
    assert (made / "manifest.json").is_file()


def test_the_commands_of_schedules_run() -> None:
    """`warmer ramp`, as a line of bars, and as a picture."""
    ((*commands,),) = blocks("sh-schedules")
    for command in commands:
        finished = run(command, dict(os.environ))
        assert finished.returncode == 0, finished.stderr
    assert (PROJECT / "build" / "ramp.svg").is_file()


def test_the_commands_for_aws_are_the_two_of_sam() -> None:
    """They need an account; what they do is tested on the local cloud."""
    assert blocks("sh-aws") == [ON_AWS]


@pytest.mark.timeout(300)
def test_the_local_cloud_commands_run_in_their_order(cloud: CloudProcess) -> None:
    """Deploy, warm, ping, logs and delete, as the README has them."""
    ((first, *commands),) = blocks("sh-local")
    assert first == "export AWS_ENDPOINT_URL=http://localhost:4599"
    tools = f"{PROJECT}/.tools/sam/bin:{os.environ['PATH']}"
    environment = cloud.environment({**os.environ, "PATH": tools, "SAM_CLI_POLL_DELAY": "1"})
    said = {}
    for command in commands:
        if command.startswith("export WARMER_BUILD_PYTHON="):
            environment["WARMER_BUILD_PYTHON"] = runtime_python(RUNTIME)
            continue
        finished = run(command.replace(".venv/bin", str(Path(sys.executable).parent)), environment)
        assert finished.returncode == 0, f"{command}\n{finished.stdout}\n{finished.stderr}"
        said[" ".join(command.split()[:3])] = finished.stdout
    assert '"ok": true' in said["aws lambda invoke"]
    assert '"proven": 10' in said["aws lambda invoke"]
    assert "REPORT RequestId" in said["sam logs --stack-name"]


def test_the_handler_in_the_readme_works() -> None:
    """The Python example, run as a module beside the models."""
    ((*lines,),) = blocks("python")
    program = "\n".join(
        [*lines, "print(handler({'image': [[[0] * 8] * 8]}, None)['label'].__len__())"]
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT / "handlers",
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout.splitlines()[-1] == "1", finished.stderr


def test_the_parameter_table_is_the_templates() -> None:
    """Names and defaults of all parameters."""
    declared = parse((PROJECT / "template.yaml").read_text())["Parameters"]
    table = README.split("| parameter | default | meaning |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", table, re.MULTILINE)
    shown = {name: default.strip(" `") for name, default in rows}
    expected = {name: str(rules["Default"]) or "none" for name, rules in declared.items()}
    assert shown == expected


def test_every_environment_variable_is_documented() -> None:
    """Each WARMER_ variable that the code reads is in the README's table, and no other is."""
    sources = [
        path
        for folder in ("warmer", "handlers", "infra")
        for path in (PROJECT / folder).rglob("*.py")
    ]
    used = {
        name for path in sources for name in re.findall(r"\bWARMER_[A-Z_]+\b", path.read_text())
    }
    shown = set(re.findall(r"^\| `(WARMER_[A-Z_]+)` \|", README, re.MULTILINE))
    assert shown == used
