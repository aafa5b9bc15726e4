"""Rules of a template, which refuse combinations of parameters before anything is created.

Source: AWS CloudFormation user guide, "Rules section" and "Rule-specific intrinsic functions".
RefAll, ValueOf and ValueOfAll, which look into an account, are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError

__all__ = ["assert_rules", "broken_rules"]


def assert_rules(template: Mapping[str, Any], values: Mapping[str, str]) -> None:
    """Raise moto's ValidationError, with what its rules say, where parameters break a template's.

    values: the text of every parameter.
    """
    broken = broken_rules(template, values)
    if broken:
        raise ValidationError(message=f"Template error: {' '.join(broken.values())}")


def broken_rules(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """The names of the rules that are broken, each with what its assertions say.

    Raises moto's ValidationError for a rule that cannot be evaluated.
    """
    found: dict[str, str] = {}
    for name, rule in (template.get("Rules") or {}).items():
        condition = rule.get("RuleCondition")
        if condition is not None and not _holds(name, condition, values):
            continue
        said = [
            str(assertion.get("AssertDescription", f"Rule {name} is not met."))
            for assertion in rule["Assertions"]
            if not _holds(name, assertion["Assert"], values)
        ]
        if said:
            found[name] = " ".join(said)
    return found


def _holds(rule: str, node: Any, values: Mapping[str, str]) -> bool:
    """What a function that gives true or false gives."""
    function, given = _call(rule, node)
    if function == "Fn::Not":
        return not _holds(rule, given[0], values)
    if function == "Fn::And":
        return all(_holds(rule, item, values) for item in given)
    if function == "Fn::Or":
        return any(_holds(rule, item, values) for item in given)
    if function == "Fn::Equals":
        return _text(rule, given[0], values) == _text(rule, given[1], values)
    if function == "Fn::Contains":
        return _text(rule, given[1], values) in _texts(rule, given[0], values)
    if function == "Fn::EachMemberEquals":
        expected = _text(rule, given[1], values)
        return all(item == expected for item in _texts(rule, given[0], values))
    if function == "Fn::EachMemberIn":
        allowed = _texts(rule, given[1], values)
        return all(item in allowed for item in _texts(rule, given[0], values))
    raise _unknown(rule, function)


def _call(rule: str, node: Any) -> tuple[str, list[Any]]:
    if isinstance(node, Mapping) and len(node) == 1:
        ((function, given),) = node.items()
        if isinstance(given, list) and given:
            return str(function), given
    raise _unknown(rule, node)


def _texts(rule: str, node: Any, values: Mapping[str, str]) -> list[str]:
    """A list of texts: as it is written, or a parameter that is a list."""
    if isinstance(node, list):
        return [_text(rule, item, values) for item in node]
    return [item.strip() for item in _text(rule, node, values).split(",")]


def _text(rule: str, node: Any, values: Mapping[str, str]) -> str:
    if isinstance(node, Mapping):
        name = node.get("Ref")
        if len(node) != 1 or name not in values:
            raise _unknown(rule, dict(node))
        return values[str(name)]
    return str(node)


def _unknown(rule: str, what: object) -> ValidationError:
    return ValidationError(
        message=f"Template error: Rule {rule} has {what!r}; expected Fn::And, Fn::Contains, "
        "Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Equals, Fn::Not or Fn::Or of parameters"
    )
