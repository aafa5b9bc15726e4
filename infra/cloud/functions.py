"""The Lambda control plane: moto's functions, versions and aliases, and what moto has not.

Aliases, provisioned concurrency and Function URLs on them, and the step from a name, ARN and
qualifier to the exact version that the data plane runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
)
from moto.awslambda.models import lambda_backends

from infra.cloud import lambda_function
from infra.cloud.aliases import check_provisionable, check_routing, shares
from infra.cloud.event_invoke import EventInvokeConfig
from infra.cloud.function import FunctionVersion
from infra.cloud.function_lifecycle import ControlSettings, FunctionLifecycle
from infra.cloud.function_urls import FunctionUrl
from infra.cloud.references import check_place, split_reference

__all__ = [
    "ControlSettings",
    "EventInvokeConfig",
    "FunctionUrl",
    "LocalLambda",
    "Resolved",
    "install",
    "split_reference",
]


@dataclass(frozen=True)
class Resolved:
    """What an invoke reaches: the version that runs, and the ARN that it was asked for by.

    dead_letter_arn: where asynchronous invokes go that were given up, or None.
    """

    version: FunctionVersion
    invoked_arn: str
    reserved_concurrency: int | None
    event_invoke: EventInvokeConfig
    dead_letter_arn: str | None = None


class LocalLambda(FunctionLifecycle):
    """Lambda's control plane for one account and region."""

    def create_alias(self, name: str, function_name: str, *args: Any, **kwargs: Any) -> Any:
        """CreateAlias."""
        version, _, routing = _alias_request(args, kwargs)
        check_routing(version, routing)
        return super().create_alias(name, function_name, *args, **kwargs)

    def update_alias(self, name: str, function_name: str, *args: Any, **kwargs: Any) -> Any:
        """UpdateAlias: its provisioned concurrency follows it."""
        version, _, routing = _alias_request(args, kwargs)
        alias: Any = self.get_alias(name, split_reference(function_name)[0])
        check_routing(version or alias.function_version, routing)
        updated = super().update_alias(name, function_name, *args, **kwargs)
        self.provisioned.follow(split_reference(function_name)[0])
        return updated

    def delete_alias(self, name: str, function_name: str) -> None:
        """DeleteAlias, with its provisioned concurrency."""
        super().delete_alias(name, function_name)
        self.provisioned.remove(split_reference(function_name)[0], name)

    def put_provisioned(self, name: str, qualifier: str | None, count: int) -> None:
        """PutProvisionedConcurrencyConfig."""
        function = None if qualifier is None else self.get_function(name, qualifier)
        aliases = {alias.name: alias for alias in self.list_aliases(name)}
        checked = check_provisionable(
            function, qualifier, aliases, self.provisioned.configured(name)
        )
        others = self.provisioned.total(name) - checked.already
        self.commitments.check_provisioned(name, others + count)
        self.provisioned.put(name, checked.qualifier, count)

    def add_url(self, function: str, qualifier: str | None, auth_type: str) -> str:
        """Open a Function URL and give its address."""
        return self.open_url(function, qualifier, {"AuthType": auth_type})

    def open_url(self, function: str, qualifier: str | None, config: Mapping[str, Any]) -> str:
        """CreateFunctionUrlConfig: gives the address."""
        name, in_name = split_reference(function)
        qualifier = qualifier or in_name
        if qualifier is not None:
            self.get_alias(qualifier, name)
        arn = self.arn(name, qualifier)
        return self.urls_of_functions.address(
            self.urls_of_functions.create(name, qualifier, config, arn)
        )

    def resolve(self, reference: str, qualifier: str | None) -> Resolved:
        """The version that an invoke of `reference` runs; raises moto's UnknownFunctionException.

        An alias with weights is resolved anew, by chance, at each call.
        """
        name, in_name = split_reference(reference)
        check_place(reference, self.region_name, self.account_id)
        if qualifier and in_name and qualifier != in_name:
            raise InvalidParameterValueException(
                f"The derived qualifier from the function name does not match the specified "
                f"qualifier: {in_name} and {qualifier}"
            )
        qualifier = in_name or qualifier
        function: Any = self.get_function(name, self._routed(name, qualifier))
        latest: Any = self.get_function(name)
        reserved = latest.reserved_concurrency
        return Resolved(
            version=function.as_version(),
            invoked_arn=self.arn(name, qualifier),
            reserved_concurrency=None if reserved is None else int(reserved),
            event_invoke=self.event_invoke.get((name, qualifier or "$LATEST"), EventInvokeConfig()),
            dead_letter_arn=function.dead_letter_arn,
        )

    def create_event_source_mapping(self, spec: dict[str, Any]) -> Any:
        """CreateEventSourceMapping: refused; nothing here polls queues or streams."""
        raise InvalidParameterValueException(
            f"EventSourceArn is {spec.get('EventSourceArn')}; the local cloud polls no queues or "
            "streams. Invoke the function with an event of your own instead"
        )

    def _routed(self, name: str, qualifier: str | None) -> str | None:
        aliases: Any = {alias.name: alias for alias in self.list_aliases(name)} if qualifier else {}
        if qualifier not in aliases:
            return qualifier
        chance = self.settings.chance.random()
        for version, share in reversed(shares(qualifier, aliases)):
            if chance < share:
                return version
            chance -= share
        return qualifier


def _alias_request(args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Version, description and routing configuration, however moto hands them on."""
    names = ("function_version", "description", "routing_config")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    return given.get(names[0]), given.get(names[1]), given.get(names[2])


def install(settings: ControlSettings) -> None:
    """Make moto use `LocalLambda`, for every account and region, from now on."""
    LocalLambda.settings = settings
    lambda_backends.backend = LocalLambda
    lambda_function.install(settings.plane.provisioned)
