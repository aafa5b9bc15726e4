"""What `sam build` was asked, from its command line and samconfig."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.build.processes import Process
from infra.build.sam_command import SamCommand, read_sam_command
from warmer.errors import BuildError

SAM = ("/usr/bin/python3", "/opt/sam/bin/sam")
MAKE = Process(("make", "build-InferenceFunction"), None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that holds a template."""
    tmp_path.joinpath("template.yaml").write_text("Resources: {}\n", encoding="utf-8")
    return tmp_path


def read(root: Path, *arguments: str) -> SamCommand:
    """What is read below `sam ARGUMENTS` run at `root`."""
    return read_sam_command([MAKE, Process((*SAM, *arguments), root)], root)


@pytest.mark.parametrize(
    "options",
    [
        ("--parameter-overrides", "PythonRuntime=python3.12", "WarmConcurrency=3"),
        ("--parameter-overrides", "PythonRuntime=python3.12 WarmConcurrency=3", "--parallel"),
        ("--parameter-overrides=PythonRuntime=python3.12 WarmConcurrency=3",),
        ("--parallel", "--parameter-overrides", 'PythonRuntime="python3.12" WarmConcurrency=3'),
        (
            "--parameter-overrides",
            "ParameterKey=PythonRuntime,ParameterValue=python3.12",
            "ParameterKey=WarmConcurrency,ParameterValue=3",
            "-u",
        ),
    ],
)
def test_overrides_on_the_command_line_are_read_in_every_form(
    root: Path, options: tuple[str, ...]
) -> None:
    """SAM takes NAME=VALUE pairs as one argument or several, and CloudFormation's long form."""
    expected = {"PythonRuntime": "python3.12", "WarmConcurrency": "3"}
    assert expected == read(root, "build", *options).overrides


def test_a_quoted_value_keeps_its_spaces(root: Path) -> None:
    """A schedule expression has a space in it."""
    options = ("--parameter-overrides", 'WarmSchedule="rate(1 minute)" Architecture=arm64')
    expected = {"WarmSchedule": "rate(1 minute)", "Architecture": "arm64"}
    assert expected == read(root, "build", *options).overrides


@pytest.mark.parametrize("option", ["--template", "--template-file", "-t"])
def test_the_template_may_be_named_from_the_folder_of_sam(root: Path, option: str) -> None:
    """A relative template belongs to the folder in which sam runs, not to that of the recipe."""
    elsewhere = root / "elsewhere"
    elsewhere.mkdir()
    process = Process((*SAM, "build", option, "../template.yaml"), elsewhere)
    assert root / "template.yaml" == read_sam_command([process], elsewhere).template


def test_sam_sync_builds_too(root: Path) -> None:
    """`sam sync` runs the same recipe."""
    options = ("--parameter-overrides", "PythonRuntime=python3.14")
    assert read(root, "sync", *options).overrides == {"PythonRuntime": "python3.14"}


def test_without_sam_the_template_at_the_root_is_built(root: Path) -> None:
    """The build can be run by hand."""
    assert SamCommand(root / "template.yaml", {}) == read_sam_command([MAKE], root)


@pytest.mark.parametrize(
    "value", ['"PythonRuntime=python3.12"', '["PythonRuntime=python3.12"]', '"file://p.yaml"']
)
@pytest.mark.parametrize("section", ["build", "global", "deploy"])
def test_samconfig_gives_overrides_that_the_command_line_does_not(
    root: Path, section: str, value: str
) -> None:
    """Also those that `sam deploy --guided` saved, which the deployed runtime has to match."""
    root.joinpath("p.yaml").write_text("PythonRuntime: python3.12\n", encoding="utf-8")
    configuration = f"[default.{section}.parameters]\nparameter_overrides = {value}\n"
    root.joinpath("samconfig.toml").write_text(configuration, encoding="utf-8")
    assert read(root, "build").overrides == {"PythonRuntime": "python3.12"}


def test_the_build_section_of_samconfig_comes_before_the_deploy_section(root: Path) -> None:
    """What is meant for `sam build` wins."""
    configuration = "".join(
        f'[default.{section}.parameters]\nparameter_overrides = "PythonRuntime={runtime}"\n'
        for section, runtime in [("deploy", "python3.14"), ("build", "python3.12")]
    )
    root.joinpath("samconfig.toml").write_text(configuration, encoding="utf-8")
    assert read(root, "build").overrides == {"PythonRuntime": "python3.12"}


def test_overrides_on_the_command_line_replace_those_of_samconfig(root: Path) -> None:
    """As SAM does: they are not merged."""
    configuration = '[default.build.parameters]\nparameter_overrides = "PythonRuntime=python3.12"\n'
    root.joinpath("samconfig.toml").write_text(configuration, encoding="utf-8")
    options = ("--parameter-overrides", "Architecture=arm64")
    assert read(root, "build", *options).overrides == {"Architecture": "arm64"}


def test_another_configuration_file_and_environment_can_be_chosen(root: Path) -> None:
    """`--config-file` and `--config-env` are followed, in YAML too."""
    configuration = "prod: {build: {parameters: {parameter_overrides: {Architecture: arm64}}}}\n"
    root.joinpath("other.yaml").write_text(configuration, encoding="utf-8")
    options = ("--config-file", "other.yaml", "--config-env", "prod")
    assert read(root, "build", *options).overrides == {"Architecture": "arm64"}


def test_a_missing_template_is_an_error_that_names_it(tmp_path: Path) -> None:
    """There is nothing to build without a template."""
    with pytest.raises(BuildError, match=r"no template: .*absent\.yaml is not a file"):
        read(tmp_path, "build", "-t", "absent.yaml")


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ("[default", "cannot be read"),
        (
            '[default.build.parameters]\nparameter_overrides = "A=\'b"\n',
            "expected NAME=VALUE",
        ),
        (
            '[default.build.parameters]\nparameter_overrides = "file://absent.yaml"\n',
            r"absent\.yaml cannot be read",
        ),
    ],
)
def test_a_configuration_that_cannot_be_read_is_an_error(
    root: Path, configuration: str, message: str
) -> None:
    """A build for something else than was configured would be worse than none."""
    root.joinpath("samconfig.toml").write_text(configuration, encoding="utf-8")
    with pytest.raises(BuildError, match=message):
        read(root, "build")
