"""Which resource of a template needs which other, and the order in which to make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from moto.cloudformation.exceptions import ValidationError

_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[^}]*)?\}")


def references(node: Any) -> Iterator[str]:
    """Logical names that a piece of a template refers to: Ref, Fn::GetAtt and Fn::Sub."""
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
            yield value[0] if isinstance(value, list) else str(value).split(".")[0]
        else:
            if key == "Fn::Sub":
                yield from _substituted(value)
            yield from references(value)


def _substituted(value: Any) -> Iterator[str]:
    text, bound = (value[0], set(value[1])) if isinstance(value, list) else (value, set())
    yield from (name for name in _SUBSTITUTION.findall(text) if name not in bound)


def creation_order(resources: Mapping[str, Any]) -> list[str]:
    """Every resource after all that it refers to or depends on.

    Raises moto's ValidationError, in CloudFormation's words, where references form a circle.
    """
    graph = {}
    for name, resource in resources.items():
        declared = resource.get("DependsOn") or []
        needs = {declared} if isinstance(declared, str) else set(declared)
        needs.update(references(resource.get("Properties") or {}))
        graph[name] = sorted(needs & resources.keys() - {name})
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise ValidationError(
            message=f"Circular dependency between resources: [{circle}]"
        ) from error
