"""From a template as `sam deploy` sends it to plain CloudFormation.

moto has no Serverless transform; AWS's own library, aws-sam-translator, is the same code that
CloudFormation runs for `Transform: AWS::Serverless-2016-10-31`.
"""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import yaml
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.utils import yaml_tag_constructor
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.cloud.dependencies import creation_order
from infra.cloud.support import refuse_unsupported

SERVERLESS = "AWS::Serverless-2016-10-31"

Template = dict[str, Any]


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short-form tags."""


_TemplateLoader.add_multi_constructor("", yaml_tag_constructor)


def plain_template(text: str, parameters: dict[str, Any], region: str) -> Template:
    """Parse, check and transform a template; raises moto's ValidationError as CloudFormation would.

    `parameters` are the values given for this stack; defaults of the template complete them.
    """
    template = parse(text)
    _check_parameters(template.get("Parameters") or {}, parameters)
    if SERVERLESS in _transforms(template):
        template = _serverless(template, parameters, region)
    refuse_unsupported(template)
    creation_order(template["Resources"])
    return template


def parse(text: str) -> Template:
    """A template's JSON or YAML, with CloudFormation's short-form tags, as a dict."""
    try:
        template = yaml.load(text, Loader=_TemplateLoader)
    except yaml.YAMLError as error:
        raise ValidationError(message=f"Template format error: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise ValidationError(
            message="Template format error: At least one Resources member must be defined."
        )
    # Dates and the like become text again, as CloudFormation takes them.
    return dict(json.loads(json.dumps(template, default=str)))


def _transforms(template: Template) -> list[str]:
    declared = template.get("Transform") or []
    return [declared] if isinstance(declared, str) else list(declared)


def _serverless(template: Template, parameters: dict[str, Any], region: str) -> Template:
    defaults = {
        name: declared["Default"]
        for name, declared in (template.get("Parameters") or {}).items()
        if "Default" in declared
    }
    try:
        # All that the translator asks of a session is its region.
        translator = Translator(None, Parser(), boto_session=SimpleNamespace(region_name=region))
        translated = translator.translate(template, {**defaults, **parameters})
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes) or error.message
        raise ValidationError(
            message=f"Transform {SERVERLESS} failed with: Invalid Serverless Application "
            f"Specification document. {causes}"
        ) from error
    return dict(json.loads(json.dumps(translated)))


def _check_parameters(declared: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuse values that CloudFormation refuses; moto lets them pass."""
    for name, rules in declared.items():
        value = given.get(name, rules.get("Default"))
        if value is None:
            raise ValidationError(message=f"Parameters: [{name}] must have values")
        problem = _parameter_problem(rules, str(value))
        if problem:
            raise ValidationError(message=f"Parameter {name} is {value!r}: {problem}")


def _parameter_problem(rules: dict[str, Any], value: str) -> str | None:
    allowed = [str(item) for item in rules.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"allowed values are {', '.join(allowed)}"
    pattern = rules.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return str(rules.get("ConstraintDescription") or f"it must match {pattern}")
    if rules.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            return "it must be a number"
        if number < float(rules.get("MinValue", number)):
            return f"it must be at least {rules['MinValue']}"
        if number > float(rules.get("MaxValue", number)):
            return f"it must be at most {rules['MaxValue']}"
    return None
