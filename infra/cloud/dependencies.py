"""Which resource of a template needs which other, and the order in which to make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from moto.cloudformation.exceptions import ValidationError

# What `${...}` names in Fn::Sub, without an attribute; `${!Literal}` names nothing.
_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9:]+)(?:\.[^}]*)?\}")


def references(node: Any) -> Iterator[str]:
    """Logical names that a piece of a template refers to: Ref, Fn::GetAtt and Fn::Sub.

    A reference that is not written as CloudFormation wants it names nothing.
    """
    if isinstance(node, list):
        for item in node:
            yield from references(item)
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield from _attribute_owner(value)
        elif key == "Fn::Sub":
            yield from _substituted(value)
        else:
            yield from references(value)


def _attribute_owner(value: Any) -> Iterator[str]:
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str):
        yield first.split(".")[0]


def _substituted(value: Any) -> Iterator[str]:
    text, bound = (value, {}) if not isinstance(value, list) else (*value, None, None)[:2]
    names = bound if isinstance(bound, dict) else {}
    if isinstance(text, str):
        yield from (name for name in _SUBSTITUTION.findall(text) if name not in names)
    yield from references(names)


def creation_order(resources: Mapping[str, Any]) -> list[str]:
    """Every resource after all that it refers to or depends on.

    Raises moto's ValidationError, in CloudFormation's words, where references form a circle.
    """
    graph = {
        name: sorted(_needs(resource) & resources.keys() - {name})
        for name, resource in resources.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise ValidationError(
            message=f"Circular dependency between resources: [{circle}]"
        ) from error


def refuse_unresolved(template: Mapping[str, Any]) -> None:
    """Raise moto's ValidationError, as CloudFormation does, where a name refers to nothing."""
    known = {*template["Resources"], *(template.get("Parameters") or {})}
    for section in ("Resources", "Outputs"):
        needed = set().union(*map(_needs, (template.get(section) or {}).values()))
        unresolved = sorted(name for name in needed - known if not name.startswith("AWS::"))
        if unresolved:
            raise ValidationError(
                message=f"Template format error: Unresolved resource dependencies "
                f"[{', '.join(unresolved)}] in the {section} block of the template"
            )


def _needs(declared: Mapping[str, Any]) -> set[str]:
    """What a resource or an output refers to or depends on."""
    depends = declared.get("DependsOn") or []
    named = [depends] if isinstance(depends, str) else depends
    explicit = {name for name in named if isinstance(name, str)}
    return explicit.union(
        *(references(declared.get(key)) for key in ("Properties", "UpdatePolicy", "Value"))
    )
