"""What `sam build` was asked.

SAM tells a makefile build neither the runtime nor the architecture nor the template, so they are
read from where SAM itself has them: its command line (it is an ancestor of this process) and
samconfig.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.build.processes import Process
from warmer.errors import BuildError

_TEMPLATES = ("template.yaml", "template.yml", "template.json")
_CONFIGURATIONS = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
_BUILDING_COMMANDS = ("build", "sync")
# SAM reads `build` and `global`. `sam deploy --guided` saves what was answered under `deploy`; a
# build that ignored it would make a package that the deployed runtime refuses.
_SECTIONS = ("build", "global", "deploy")


@dataclass(frozen=True)
class SamCommand:
    """The template that is built, and the parameter values given for it, by name."""

    template: Path
    overrides: Mapping[str, str]


def read_sam_command(ancestry: Iterable[Process], root: Path) -> SamCommand:
    """What the `sam build` or `sam sync` among `ancestry` was asked; without one, at `root`.

    As in SAM, parameter overrides on the command line replace all of samconfig's.

    Raises:
        BuildError: there is no template, or its parameter overrides cannot be read.
    """
    arguments, folder = _sam_arguments(ancestry, root)
    template = _template(_option(arguments, "--template", "--template-file", "-t"), folder)
    given = _option(arguments, "--parameter-overrides")
    if given is not None:
        return SamCommand(template, _overrides(given, folder))
    environment = (_option(arguments, "--config-env") or ["default"])[-1]
    file = _option(arguments, "--config-file")
    configuration = _configuration(template.parent, file[-1] if file else None)
    return SamCommand(template, _configured_overrides(configuration, environment, template.parent))


def _sam_arguments(ancestry: Iterable[Process], root: Path) -> tuple[tuple[str, ...], Path]:
    for process in ancestry:
        for index, argument in enumerate(process.arguments[:-1]):
            if (
                Path(argument).name in ("sam", "samcli")
                and process.arguments[index + 1] in _BUILDING_COMMANDS
            ):
                return process.arguments[index + 2 :], process.folder or root
    return (), root


def _option(arguments: tuple[str, ...], *names: str) -> list[str] | None:
    """The values of an option, which end at the next option; None if it was not given."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            values = [value] if equals else []
            for following in arguments[index + 1 :]:
                if following.startswith("-"):
                    break
                values.append(following)
            return values
    return None


def _template(given: list[str] | None, folder: Path) -> Path:
    candidates = [
        folder / (given[0] if given else name) for name in ([""] if given else _TEMPLATES)
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise BuildError(
        f"no template: {candidates[0]} is not a file; run `sam build` at the project's root"
    )


def _configuration(folder: Path, file: str | None) -> Mapping[str, object]:
    for name in [file] if file else _CONFIGURATIONS:
        path = folder / name
        if path.is_file():
            return _read_mapping(path)
    return {}


def _configured_overrides(
    configuration: Mapping[str, object], environment: str, folder: Path
) -> dict[str, str]:
    for section in _SECTIONS:
        value: object = configuration
        for key in (environment, section, "parameters", "parameter_overrides"):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value:
            return _overrides(value, folder)
    return {}


def _overrides(value: object, folder: Path) -> dict[str, str]:
    """Parameter values from any form that SAM takes: text, a list, a mapping, or `file://`."""
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    if isinstance(value, list):
        return {key: item for part in value for key, item in _overrides(part, folder).items()}
    text = str(value)
    if text.startswith("file://"):
        path = folder / text.removeprefix("file://")
        return _overrides(_read(path), path.parent)
    try:
        words = shlex.split(re.sub(r"ParameterKey=([^,\s]+),ParameterValue=", r"\1=", text))
    except ValueError as error:
        raise BuildError(
            f"parameter overrides {text!r} cannot be read ({error}); expected NAME=VALUE ..."
        ) from error
    return dict(word.split("=", 1) for word in words if "=" in word)


def _read_mapping(path: Path) -> Mapping[str, object]:
    value = _read(path)
    if not isinstance(value, Mapping):
        raise BuildError(f"{path} holds no tables; expected a SAM configuration file")
    return value


def _read(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from error
