"""A SAM template as a file: what it says of local folders that hold code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from samtranslator.yaml_helper import intrinsics_multi_constructor

from warmer.errors import CloudError, ConfigurationError

__all__ = ["CODE_PROPERTIES", "LocalCode", "Template", "local_code", "read_template"]

Template = dict[str, Any]

# Resource type -> the property that names its package (AWS SAM developer guide, "sam package").
CODE_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Lambda::Function": "Code",
    "AWS::Lambda::LayerVersion": "Content",
}
# Where the properties are that resources of a type inherit.
_GLOBALS = {
    "AWS::Serverless::Function": "Function",
    "AWS::Serverless::LayerVersion": "LayerVersion",
}


if TYPE_CHECKING:
    from yaml import SafeLoader as FastLoader
else:
    # LibYAML's is 10 times as fast; a PyYAML that was built from source may be without it. It does
    # not stand what is nested a hundred thousand deep: not for templates that others send.
    FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _ShortForms(FastLoader):
    """YAML in which short forms such as `!Ref` are written out, as SAM does it."""


_ShortForms.add_multi_constructor("!", intrinsics_multi_constructor)


@dataclass(frozen=True)
class LocalCode:
    """A package on this machine that a resource names; `path` is a folder or a file."""

    resource: str
    kind: str
    path: Path


def read_template(path: Path) -> Template:
    """A template's YAML or JSON with short-form tags written out.

    Raises ConfigurationError where there is no such file, CloudError where it is no template.
    """
    if not path.is_file():
        raise ConfigurationError("template", str(path), "a SAM or CloudFormation template's file")
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_ShortForms)
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise CloudError(f"{path} cannot be read as a template: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise CloudError(f"{path} is no template: expected a mapping with Resources")
    return found


def local_code(template: Template, folder: Path) -> Iterator[LocalCode]:
    """Every package that `template`, a file in `folder`, names by a path of this machine.

    Raises CloudError where there is nothing at that path.
    """
    for name, resource in template["Resources"].items():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if kind not in CODE_PROPERTIES:
            continue
        where = _code(template, resource, kind)
        if not isinstance(where, str) or where.startswith(("s3://", "https://")):
            continue  # in S3 already, inline, an image, or for CloudFormation to judge
        path = folder / where
        if not path.exists():
            raise CloudError(
                f"{name}.{CODE_PROPERTIES[kind]} is {where!r}, and there is no {path}: give it a "
                "folder with the function's code"
            )
        yield LocalCode(name, kind, path)


def _code(template: Template, resource: Template, kind: str) -> Any:
    own = resource.get("Properties") or {}
    if "InlineCode" in own:
        return None
    inherited = (template.get("Globals") or {}).get(_GLOBALS.get(kind, "")) or {}
    key = CODE_PROPERTIES[kind]
    return own.get(key, inherited.get(key))
