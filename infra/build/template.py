"""A SAM template's functions, with parameters resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from warmer.errors import BuildError


@dataclass(frozen=True)
class FunctionProperties:
    """A function's runtime (`python3.13`), architecture (`x86_64`, `arm64`) and handler."""

    runtime: str
    architecture: str
    handler: str


def read_function(
    template: Path, function: str, overrides: Mapping[str, str]
) -> FunctionProperties:
    """The properties of the function whose logical ID is `function`.

    `overrides` are parameter values; the template's defaults serve for the rest. Literals, `!Ref`
    of a parameter and `!Sub` of parameters are resolved.

    Raises:
        BuildError: the template or a property cannot be read, or there is no such function.
    """
    document = _load(template)
    resource = _mapping(document.get("Resources")).get(function)
    if not isinstance(resource, Mapping):
        raise BuildError(
            f"{template} has no resource {function!r}; expected the logical ID of a function"
        )
    inherited = _mapping(_mapping(document.get("Globals")).get("Function"))
    properties = {**inherited, **_mapping(resource.get("Properties"))}
    defaults = {
        name: _mapping(entry).get("Default")
        for name, entry in _mapping(document.get("Parameters")).items()
    }
    values = {**defaults, **{name: value for name, value in overrides.items() if name in defaults}}

    def text(key: str, default: object = None) -> str:
        value = properties.get(key, default)
        found = _resolve(value[0] if isinstance(value, list) and len(value) == 1 else value, values)
        if found is None:
            raise BuildError(
                f"{key} of {function} is {value!r} in {template}; "
                "expected text or !Ref of a parameter"
            )
        return found

    return FunctionProperties(text("Runtime"), text("Architectures", "x86_64"), text("Handler"))


def _load(template: Path) -> Mapping[str, Any]:
    try:
        document = yaml_parse(template.read_text(encoding="utf-8"))
    except OSError as error:
        raise BuildError(f"no template: {template} cannot be read ({error.strerror})") from error
    except (ValueError, yaml.YAMLError) as error:
        raise BuildError(f"{template} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, Mapping):
        raise BuildError(f"{template} is not a template: expected a mapping with Resources")
    return document


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _resolve(value: object, parameters: Mapping[str, object]) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    name, argument = next(iter(value.items()))
    if name == "Fn::Sub" and isinstance(argument, str):
        parts = [_parameter(part, parameters) for part in re.findall(r"\$\{([^}]*)\}", argument)]
        if None not in parts:
            found = iter(parts)
            return re.sub(r"\$\{[^}]*\}", lambda _: str(next(found)), argument)
    return _parameter(argument, parameters) if name == "Ref" else None


def _parameter(name: object, parameters: Mapping[str, object]) -> str | None:
    value = parameters.get(name) if isinstance(name, str) else None
    return None if value is None else str(value)
