"""How a function is referred to: by name, partial ARN or ARN, with or without a qualifier."""

from __future__ import annotations

import re

from moto.awslambda.exceptions import InvalidParameterValueException, UnknownFunctionException

__all__ = ["check_place", "split_reference"]

# AWS Lambda API reference, Invoke (FunctionName).
_REFERENCE = re.compile(
    r"(?:arn:[\w-]+:lambda:(?P<region>[\w-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[\w-]{1,140})(?::(?P<qualifier>\$LATEST|[\w-]{1,128}))?"
)


def split_reference(reference: str) -> tuple[str, str | None]:
    """Name and qualifier of a function reference; raises where it is none."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{reference}' at 'functionName' failed to satisfy "
            "constraint: a function's name, ARN or partial ARN, with or without a qualifier"
        )
    return match["name"], match["qualifier"]


def check_place(reference: str, region: str, account_id: str) -> None:
    """Lambda reaches functions of the endpoint's own region and account only."""
    match = _REFERENCE.fullmatch(reference)
    found = (match["region"], match["account"]) if match else (None, None)
    if found[0] not in (None, region) or found[1] not in (None, account_id):
        raise UnknownFunctionException(reference)
