"""What Lambda's own settings say of a function: its alias, and concurrency that is set apart.

Lambda answers 15 of these requests a second for a whole account and region, deployments among them
("Lambda quotas", Lambda API requests): ask seldom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warmer.aws.service import Service
from warmer.errors import FunctionNotFound, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AccountConcurrency", "Alias", "Configuration", "FunctionSettings"]

NOT_FOUND = "ResourceNotFoundException"
NO_PROVISIONED = "ProvisionedConcurrencyConfigNotFoundException"


@dataclass(frozen=True)
class Alias:
    """Where an alias leads: to `version`, save the shares in `additional` (version -> 0.0 to 1.0).

    API reference, GetAlias: RoutingConfig.AdditionalVersionWeights; one more version at most.
    """

    version: str
    additional: Mapping[str, float] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, float]:
        """Each live version's share of the requests; those without a share are left out."""
        rest = 1.0 - sum(self.additional.values())
        shares = {self.version: rest, **self.additional}
        return {version: share for version, share in shares.items() if share > 1e-9}


@dataclass(frozen=True)
class AccountConcurrency:
    """An account's concurrent executions in a region: `limit`, and what no function reserved."""

    limit: int
    unreserved: int


@dataclass(frozen=True)
class Configuration:
    """A version's memory in MB, how Lambda starts it, its environment variables and its
    architecture, as a template names it."""

    memory_mb: int
    snap_start: bool
    managed_instances: bool
    variables: Mapping[str, str]
    architecture: str = "x86_64"


class FunctionSettings:
    """Reads settings of functions. Every method raises ServiceError where Lambda refuses."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("lambda", region=region, endpoint_url=endpoint_url)

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def alias(self, function: str, name: str) -> Alias:
        """GetAlias. Raises FunctionNotFound where there is no such function or alias."""
        try:
            answer = self._service.ask(
                "get_alias", "lambda:GetAlias", FunctionName=function, Name=name
            )
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise
            raise FunctionNotFound(
                f"{function} has no alias {name}, or does not exist; check both names, the account"
                f" and the region ({error})"
            ) from error
        routing = answer.get("RoutingConfig") or {}
        return Alias(answer["FunctionVersion"], routing.get("AdditionalVersionWeights") or {})

    def provisioned(self, function: str, qualifier: str) -> int:
        """Provisioned environments that are ready, 0 without any: GetProvisionedConcurrencyConfig.

        `qualifier` is the alias or version for which they were asked for.
        """
        try:
            answer = self._service.ask(
                "get_provisioned_concurrency_config",
                "lambda:GetProvisionedConcurrencyConfig",
                FunctionName=function,
                Qualifier=qualifier,
            )
        except ServiceError as error:
            if error.code != NO_PROVISIONED:
                raise
            return 0
        return int(answer.get("AvailableProvisionedConcurrentExecutions", 0))

    def reserved(self, function: str) -> int | None:
        """Reserved concurrency, None without any: GetFunctionConcurrency."""
        answer = self._service.ask(
            "get_function_concurrency", "lambda:GetFunctionConcurrency", FunctionName=function
        )
        found = answer.get("ReservedConcurrentExecutions")
        return None if found is None else int(found)

    def account(self) -> AccountConcurrency:
        """The account's limits: GetAccountSettings."""
        answer = self._service.ask("get_account_settings", "lambda:GetAccountSettings")
        limits = answer["AccountLimit"]
        return AccountConcurrency(
            int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
        )

    def configuration(self, function: str, qualifier: str | None = None) -> Configuration:
        """What a version is configured to be: GetFunctionConfiguration.

        Raises FunctionNotFound where there is no such function, version or alias.
        """
        qualified = {} if qualifier is None else {"Qualifier": qualifier}
        try:
            answer = self._service.ask(
                "get_function_configuration",
                "lambda:GetFunctionConfiguration",
                FunctionName=function,
                **qualified,
            )
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise
            raise FunctionNotFound(f"{function} does not exist ({error})") from error
        return Configuration(
            memory_mb=int(answer["MemorySize"]),
            snap_start=answer.get("SnapStart", {}).get("OptimizationStatus") == "On",
            managed_instances=bool(answer.get("CapacityProviderConfig")),
            variables=answer.get("Environment", {}).get("Variables", {}),
            architecture=(answer.get("Architectures") or ["x86_64"])[0],
        )
