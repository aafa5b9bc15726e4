"""Functions, versions and layers: made, changed, published and removed.

What Lambda or this machine would refuse is refused before anything changes, or undone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from moto.awslambda import urls
from moto.awslambda.exceptions import (
    FunctionAlreadyExists,
    InvalidParameterValueException,
    UnknownFunctionException,
)
from moto.awslambda.models import LambdaBackend, LambdaFunction, LayerVersion

from infra.cloud.account import Commitments
from infra.cloud.aliases import shares
from infra.cloud.configuration import check_layers, check_runtime, check_settings, layer_folders
from infra.cloud.event_invoke import EventInvokeConfig
from infra.cloud.function import FunctionVersion
from infra.cloud.function_urls import FunctionUrl, FunctionUrls
from infra.cloud.isolation import refuse_unisolated
from infra.cloud.packages import PackageStore
from infra.cloud.provisioned import Plane, ProvisionedConcurrency
from infra.cloud.references import split_reference
from infra.cloud.settings import Isolation
from warmer.errors import CloudError

__all__ = ["ControlSettings", "FunctionLifecycle"]


@dataclass(frozen=True)
class ControlSettings:
    """What the control plane needs to know of this machine.

    account_concurrency: concurrent executions of all functions of a region.
    isolation: as in `CloudSettings`.
    chance: decides which version of a weighted alias gets a request.
    """

    packages: PackageStore
    python: str
    any_python: bool
    url_base: str
    plane: Plane
    account_concurrency: int = 1000
    isolation: Isolation = "namespaces"
    chance: random.Random = field(default_factory=random.Random)
    urls: dict[str, FunctionUrl] = field(default_factory=dict)


class FunctionLifecycle(LambdaBackend):
    """The part of Lambda's control plane that changes functions."""

    settings: ClassVar[ControlSettings]
    # What answers the API's requests, by path, as moto has it.
    paths: ClassVar[Mapping[str, Any]] = urls.url_paths

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.event_invoke: dict[tuple[str, str], EventInvokeConfig] = {}
        self.urls_of_functions = FunctionUrls(self.settings.urls, self.settings.url_base)
        self.provisioned = ProvisionedConcurrency(self.settings.plane, self.shares)
        self._published: dict[str, int] = {}

    @property
    def _url_module(self) -> Any:
        # moto derives it from the name of the class's module, which is ours.
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=self.paths)

    def create_function(self, spec: dict[str, Any]) -> LambdaFunction:
        """CreateFunction: refuses what the data plane could not run, leaving nothing behind."""
        name, _ = split_reference(spec["FunctionName"])
        self.check(spec)
        if name in self._lambdas._functions:
            raise FunctionAlreadyExists(name)
        reserved = spec.get("ReservedConcurrentExecutions")
        if reserved is not None:
            self.commitments.check_reserved(name, int(reserved))
        try:
            created = super().create_function({**spec, "FunctionName": name, "Publish": False})
        except ValueError as error:  # how moto says that there is no such bucket or object
            raise InvalidParameterValueException(str(error.args[-1])) from error
        try:
            self._unpack(created)
        except (CloudError, InvalidParameterValueException) as error:
            self.delete_function(created.function_name)
            raise InvalidParameterValueException(_message(error)) from error
        self._reserve(name, reserved)
        return (self.publish_version(name) or created) if spec.get("Publish") else created

    def update_function_code(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """UpdateFunctionCode: a package that Lambda would refuse leaves the old code in place."""
        function: Any = self.get_function(function_name, qualifier)
        before = function.snapshot()
        publish = body.get("Publish", False)
        answer = super().update_function_code(function_name, qualifier, {**body, "Publish": False})
        self._complete(function, before)
        if publish:
            published = self.publish_version(split_reference(function_name)[0])
            return published.get_configuration() if published else answer
        return answer

    def update_function_configuration(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """UpdateFunctionConfiguration."""
        function: Any = self.get_function(function_name, qualifier)
        self.check(
            {
                "Handler": function.handler,
                "Runtime": function.run_time,
                "SnapStart": {"ApplyOn": function.snap_start},
                "EphemeralStorage": {"Size": function.ephemeral_storage},
                **body,
            }
        )
        before = function.snapshot()
        answer = super().update_function_configuration(function_name, qualifier, body)
        self._complete(function, before)
        return answer

    def replace_configuration(self, name: str, spec: Mapping[str, Any]) -> None:
        """Give a function all of a configuration, as CloudFormation does."""
        function: Any = self.get_function(name)
        self.check(spec)
        self.set_reserved(name, spec.get("ReservedConcurrentExecutions"))
        before = function.snapshot()
        function.configure(spec)
        self._complete(function, before)

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        """DeleteFunction: its environments end too, and all that hangs on its name."""
        super().delete_function(function_name, qualifier)
        name, in_name = split_reference(function_name)
        version = qualifier or in_name
        self.provisioned.remove(name, version)
        self.settings.plane.retire(name, version=version)
        if version is None:
            self.settings.plane.reserve(self.arn(name), None)
            self._published.pop(name, None)
            self.event_invoke = {k: v for k, v in self.event_invoke.items() if k[0] != name}
            for url in self.urls_of_functions.of(name):
                self.urls_of_functions.remove(url.id)

    def publish_version(self, function_name: str, description: str = "") -> LambdaFunction | None:
        """PublishVersion: under SnapStart an environment is prepared and parked for it."""
        name, _ = split_reference(function_name)
        versions = self._lambdas._functions.get(name, {"versions": []})["versions"]
        known = len(versions)
        published: Any = super().publish_version(function_name, description)
        if published is None or len(versions) == known:
            return cast(LambdaFunction | None, published)
        self._renumber(name, published)
        if published.is_snap_start:
            self.settings.plane.provision(published.as_version(), 1)
        return cast(LambdaFunction, published)

    def publish_layer_version(self, spec: dict[str, Any]) -> LayerVersion:
        """PublishLayerVersion: what could not be unpacked is refused."""
        try:
            # moto has methods of its base class that nothing calls: to mypy it is abstract.
            layer = cast(Any, LayerVersion)(spec, self.account_id, self.region_name)
            unpacked = self.settings.packages.unpack(layer.code_bytes)
        except (ValueError, CloudError) as error:
            raise InvalidParameterValueException(str(error.args[-1])) from error
        published: Any = super().publish_layer_version(spec)
        published.unpacked, published.code_bytes = unpacked, b""
        return cast(LayerVersion, published)

    def layers_versions_by_arn(self, layer_version_arn: str) -> LayerVersion | None:
        """GetLayerVersionByArn; None where there is none. Other accounts' layers are not here."""
        found = super().layers_versions_by_arn(layer_version_arn)
        return found if found is not None and found.arn == layer_version_arn else None

    def put_function_concurrency(self, function_name: str, reserved_concurrency: Any) -> Any:
        """PutFunctionConcurrency."""
        name, _ = split_reference(function_name)
        self.set_reserved(name, int(reserved_concurrency))
        return int(reserved_concurrency)

    def delete_function_concurrency(self, function_name: str) -> None:
        """DeleteFunctionConcurrency."""
        self.set_reserved(split_reference(function_name)[0], None)

    def set_reserved(self, name: str, count: Any) -> None:
        """Reserve concurrency for a function, or none (None); refuses to take too much."""
        function: Any = self.get_function(name)
        if count is not None:
            self.commitments.check_reserved(name, int(count))
        function.reserved_concurrency = None if count is None else int(count)
        self._reserve(name, count)

    @property
    def commitments(self) -> Commitments:
        """What functions have of the account's concurrency."""
        functions: Any = self.list_functions()
        reserved = {
            item.function_name: int(item.reserved_concurrency)
            for item in functions
            if item.reserved_concurrency is not None
        }
        return Commitments(self.settings.account_concurrency, reserved, self.provisioned.totals())

    def shares(self, name: str, qualifier: str) -> list[tuple[FunctionVersion, float]]:
        """The versions behind a version or alias, each with its share; empty where it is gone."""
        found: list[tuple[FunctionVersion, float]] = []
        with suppress(UnknownFunctionException):
            aliases: Any = {alias.name: alias for alias in self.list_aliases(name)}
            for version, share in shares(qualifier, aliases):
                function: Any = self.get_function(name, version)
                found.append((function.as_version(), share))
        return found

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, or of its version or alias."""
        arn = f"arn:aws:lambda:{self.region_name}:{self.account_id}:function:{name}"
        return f"{arn}:{qualifier}" if qualifier else arn

    def check(self, spec: Mapping[str, Any]) -> None:
        """Refuse a function's configuration that Lambda or the data plane could not run."""
        check_runtime(spec, self.settings.python, self.settings.any_python)
        check_settings(spec)
        check_layers(spec.get("Layers") or [], self.layers_versions_by_arn)

    def _complete(self, function: Any, before: Mapping[str, Any]) -> None:
        """Unpack what a change brought; or put back what was there before, and say why."""
        try:
            self._unpack(function)
        except (CloudError, InvalidParameterValueException) as error:
            vars(function).update(before)
            raise InvalidParameterValueException(_message(error)) from error
        # Environments of $LATEST that still have the code or configuration of before.
        latest = function.as_version()
        self.settings.plane.retire(latest.name, version="$LATEST", keep=latest.key)

    def _unpack(self, function: Any) -> None:
        # Once for each package: an invoke has no time to read it again. Its bytes are let go of.
        packages = self.settings.packages
        package = vars(function).pop("code_bytes", None)
        if package is not None:
            function.unpacked = packages.unpack(package)
        arns = [layer["Arn"] for layer in function.layers]
        function.layer_folders = layer_folders(
            arns, self.layers_versions_by_arn, function.unpacked, packages
        )
        if self.settings.isolation == "process":
            refuse_unisolated(function.as_version())

    def _renumber(self, name: str, published: Any) -> None:
        """A version's number is never used again; moto counts those that are left."""
        number = max(self._published.get(name, 0) + 1, int(published.version))
        self._published[name] = number
        if number != int(published.version):
            published.set_version(number)
            self._lambdas._arns[published.function_arn] = published

    def _reserve(self, name: str, count: Any) -> None:
        self.settings.plane.reserve(self.arn(name), None if count is None else int(count))


def _message(error: Exception) -> str:
    return str(getattr(error, "message", None) or error)
