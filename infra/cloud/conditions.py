"""Which conditions of a template do not hold, before anything of it is created.

Source: AWS CloudFormation user guide, "Condition functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["false_conditions"]


def false_conditions(template: Mapping[str, Any], values: Mapping[str, str]) -> frozenset[str]:
    """The names of the conditions that are false for these values of parameters.

    values: the text of every parameter and pseudo parameter that is known. A condition of what is
    not known here (a mapping, another function) counts as one that holds.
    """
    declared: Mapping[str, Any] = template.get("Conditions") or {}
    return frozenset(
        name for name, node in declared.items() if _truth(node, declared, values) is False
    )


def _truth(node: Any, declared: Mapping[str, Any], values: Mapping[str, str]) -> bool | None:
    """Whether a condition holds; None where that is not known."""
    if not isinstance(node, Mapping) or len(node) != 1:
        return None
    ((function, given),) = node.items()
    if function == "Condition":
        return _truth(declared.get(given), declared, values)
    if not isinstance(given, list):
        return None
    if function == "Fn::Equals":
        texts = [_text(item, values) for item in given]
        return None if None in texts else texts[0] == texts[-1]
    found = [_truth(item, declared, values) for item in given]
    if function == "Fn::Not":
        return None if found[0] is None else not found[0]
    if function == "Fn::And":
        return False if False in found else None if None in found else True
    if function == "Fn::Or":
        return True if True in found else None if None in found else False
    return None


def _text(node: Any, values: Mapping[str, str]) -> str | None:
    """A text, number or boolean as CloudFormation compares it, or the value of a parameter."""
    if isinstance(node, Mapping):
        return values.get(str(node.get("Ref"))) if len(node) == 1 else None
    if isinstance(node, bool):
        return "true" if node else "false"
    return None if isinstance(node, list) else str(node)
