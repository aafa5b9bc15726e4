"""From a template as `sam deploy` sends it to plain CloudFormation.

moto has no Serverless transform; AWS's own library, aws-sam-translator, is the same code that
CloudFormation runs for `Transform: AWS::Serverless-2016-10-31`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import yaml
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.utils import yaml_tag_constructor
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.cloud.conditions import false_conditions
from infra.cloud.dependencies import creation_order, refuse_unresolved
from infra.cloud.rules import assert_rules
from infra.cloud.support import refuse_unsupported

SERVERLESS = "AWS::Serverless-2016-10-31"

Template = dict[str, Any]


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short-form tags."""


_TemplateLoader.add_multi_constructor("", yaml_tag_constructor)


def _condition(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> dict[str, str]:
    # moto would call it Fn::Condition, which is none of CloudFormation's functions.
    return {"Condition": str(node.value)}


_TemplateLoader.add_constructor("!Condition", _condition)


def plain_template(text: str, parameters: Mapping[str, Any], region: str) -> Template:
    """Parse, check and transform a template; raises moto's ValidationError as CloudFormation would.

    `parameters` are the values given for this stack; defaults of the template complete them.
    """
    template = parse(text)
    values = parameter_values(template, parameters)
    assert_rules(template, values)
    if SERVERLESS in _transforms(template):
        template = _serverless(template, values, region)
    known = {**values, "AWS::Region": region}
    refuse_unsupported(template, false_conditions(template, known))
    refuse_unresolved(template)
    creation_order(template["Resources"])
    return template


def parse(text: str) -> Template:
    """A template's JSON or YAML, with CloudFormation's short-form tags, as a dict.

    Its Resources, Parameters and Outputs are dicts of dicts. Raises moto's ValidationError.
    """
    try:
        template = _read(text)
        # Dates and the like become text again, as CloudFormation takes them.
        template = json.loads(json.dumps(template, default=str))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ValidationError(message=f"Template format error: {error}") from error
    if not isinstance(template, dict) or not template.get("Resources"):
        raise ValidationError(
            message="Template format error: At least one Resources member must be defined."
        )
    for section in ("Resources", "Parameters", "Outputs"):
        _check_section(section, template.get(section) or {})
    return template


def _read(text: str) -> Any:
    """JSON is YAML too, but its own parser takes a hundredth of the time."""
    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text)
        except ValueError:
            pass  # a mapping in YAML's flow style, or an error for its parser to tell
    return yaml.load(text, Loader=_TemplateLoader)


def _check_section(section: str, members: Any) -> None:
    if not isinstance(members, dict):
        raise ValidationError(message=f"Template format error: {section} must be an object.")
    for name, member in members.items():
        if not isinstance(member, dict):
            raise ValidationError(
                message=f"Template format error: [/{section}/{name}] must be an object."
            )
        if section != "Outputs" and not isinstance(member.get("Type"), str):
            raise ValidationError(
                message=f"Template format error: [/{section}/{name}] must have a Type."
            )


def _transforms(template: Template) -> list[Any]:
    declared = template.get("Transform") or []
    return list(declared) if isinstance(declared, list) else [declared]


def _serverless(template: Template, values: Mapping[str, str], region: str) -> Template:
    try:
        # All that the translator asks of a session is its region.
        translator = Translator(None, Parser(), boto_session=SimpleNamespace(region_name=region))
        translated = translator.translate(template, dict(values))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes) or error.message
        raise ValidationError(
            message=f"Transform {SERVERLESS} failed with: Invalid Serverless Application "
            f"Specification document. {causes}"
        ) from error
    return dict(json.loads(json.dumps(translated)))


def parameter_values(template: Template, given: Mapping[str, Any]) -> dict[str, str]:
    """The text of every parameter that a template declares: what was given, or else its default.

    Raises moto's ValidationError for values that CloudFormation refuses; moto lets them pass.
    """
    declared = template.get("Parameters") or {}
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise ValidationError(
            message=f"Parameters: [{', '.join(unknown)}] do not exist in the template"
        )
    values = {name: given.get(name, rules.get("Default")) for name, rules in declared.items()}
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    texts = {name: _text(value) for name, value in values.items()}
    for name, rules in declared.items():
        problem = _parameter_problem(rules, texts[name])
        if problem:
            raise ValidationError(message=f"Parameter {name} is {texts[name]!r}: {problem}")
    return texts


def _text(value: Any) -> str:
    """A parameter's value as CloudFormation has it, where all values are text."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _parameter_problem(rules: dict[str, Any], value: str) -> str | None:
    kind = rules["Type"]
    several = kind == "CommaDelimitedList" or kind.startswith("List<")
    items = [item.strip() for item in value.split(",")] if several else [value]
    checks = (_allowed_problem, _number_problem if "Number" in kind else _length_problem)
    problems = (check(rules, item) for item in items for check in checks)
    return next((problem for problem in problems if problem), None)


def _allowed_problem(rules: dict[str, Any], value: str) -> str | None:
    allowed = [_text(item) for item in rules.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"allowed values are {', '.join(allowed)}"
    pattern = rules.get("AllowedPattern")
    try:
        matches = pattern is None or re.fullmatch(str(pattern), value)
    except re.error as error:
        return f"its AllowedPattern {pattern} is no regular expression ({error})"
    return None if matches else str(rules.get("ConstraintDescription") or f"must match {pattern}")


def _length_problem(rules: dict[str, Any], value: str) -> str | None:
    if len(value) < int(rules.get("MinLength", 0)):
        return f"it must have at least {rules['MinLength']} characters"
    if len(value) > int(rules.get("MaxLength", len(value))):
        return f"it must have at most {rules['MaxLength']} characters"
    return None


def _number_problem(rules: dict[str, Any], value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "it must be a number"
    if not math.isfinite(number):
        return "it must be a number"
    if number < float(rules.get("MinValue", number)):
        return f"it must be at least {rules['MinValue']}"
    if number > float(rules.get("MaxValue", number)):
        return f"it must be at most {rules['MaxValue']}"
    return None
