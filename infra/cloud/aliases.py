"""Aliases: which versions are behind one, and what Lambda refuses.

Sources: AWS Lambda developer guide, "Implement Lambda canary deployments using a weighted alias";
API reference, "CreateAlias" and "PutProvisionedConcurrencyConfig".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError

__all__ = ["Provisionable", "check_provisionable", "check_routing", "shares"]

_LATEST = "$LATEST"


class ResourceConflict(LambdaClientError):
    """What is asked for cannot be beside what there is."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


@dataclass(frozen=True)
class Provisionable:
    """A qualifier that can have provisioned concurrency, and how much of it that has already."""

    qualifier: str
    already: int


def weights(alias: Any) -> dict[str, float]:
    """The additional version of an alias and its weight."""
    routing = alias.routing_config or {}
    return {
        str(version): float(weight)
        for version, weight in (routing.get("AdditionalVersionWeights") or {}).items()
    }


def shares(qualifier: str | None, aliases: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Versions and their shares of the requests, the alias's own first; a version is all of it."""
    alias = aliases.get(qualifier or "")
    if alias is None:
        return [(qualifier or _LATEST, 1.0)]
    additional = weights(alias)
    return [(str(alias.function_version), 1.0 - sum(additional.values())), *additional.items()]


def check_routing(version: str, routing: Any) -> None:
    """Refuse, in Lambda's words, a routing configuration that an alias cannot have."""
    additional = (routing or {}).get("AdditionalVersionWeights") or {}
    if len(additional) > 1:
        raise InvalidParameterValueException(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    for other, weight in additional.items():
        if not 0.0 <= float(weight) <= 1.0:
            raise InvalidParameterValueException(
                f"The weight of version {other} is {weight}; expected 0.0 to 1.0"
            )
        if _LATEST in (version, other):
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if str(other) == str(version):
            raise InvalidParameterValueException(
                f"Invalid function version {other}. Function version {other} is already included "
                "in routing configuration."
            )


def check_provisionable(
    function: Any, qualifier: str | None, aliases: Mapping[str, Any], configured: Mapping[str, Any]
) -> Provisionable:
    """Refuse provisioned concurrency where Lambda has none.

    function: what `qualifier` leads to. configured: configurations that there are, by qualifier.
    """
    if qualifier is None or function is None or function.version == _LATEST:
        raise InvalidParameterValueException(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    if function.snap_start == "PublishedVersions":
        raise InvalidParameterValueException(
            "Provisioned Concurrency is not supported for SnapStart enabled functions."
        )
    version = str(function.version)
    if qualifier in aliases:
        if weights(aliases[qualifier]):
            raise InvalidParameterValueException(
                "Invalid alias configuration for Provisioned Concurrency"
            )
        if version in configured:
            raise ResourceConflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already "
                "Provisioned version"
            )
    elif any(
        name in configured and str(alias.function_version) == version
        for name, alias in aliases.items()
    ):
        raise ResourceConflict("Version is pointed by a Provisioned Concurrency alias")
    config = configured.get(qualifier)
    return Provisionable(qualifier, config.count if config else 0)
