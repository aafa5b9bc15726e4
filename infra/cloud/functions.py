"""The Lambda control plane: moto's functions, versions and aliases, and what moto has not.

Function URLs on any qualifier, event-invoke configurations, and the step from a name, ARN and
qualifier to the exact version that the data plane runs.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar, Protocol

from moto.awslambda import urls
from moto.awslambda.exceptions import (
    FunctionAlreadyExists,
    InvalidParameterValueException,
    UnknownFunctionException,
)
from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends

from infra.cloud.function import FunctionVersion
from infra.cloud.packages import PackageStore
from warmer.errors import CloudError

# The forms in which Invoke takes FunctionName: name, partial ARN or ARN, each with or without a
# qualifier (AWS Lambda API reference, Invoke).
_REFERENCE = re.compile(
    r"(?:arn:[\w-]+:lambda:(?P<region>[\w-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[\w-]{1,140})(?::(?P<qualifier>\$LATEST|[\w-]{1,128}))?"
)


@dataclass(frozen=True)
class FunctionUrl:
    """A Function URL: the function and qualifier behind it, and who may call it."""

    id: str
    function: str
    qualifier: str | None
    auth_type: str


@dataclass(frozen=True)
class EventInvokeConfig:
    """How asynchronous invokes of one qualifier are retried (defaults are Lambda's)."""

    retry_attempts: int = 2
    maximum_age_seconds: int = 21_600


@dataclass(frozen=True)
class Resolved:
    """What an invoke reaches: the version that runs, and the ARN that it was asked for by."""

    version: FunctionVersion
    invoked_arn: str
    reserved_concurrency: int | None
    event_invoke: EventInvokeConfig


class Retire(Protocol):
    """Ends environments of a function that no invoke can reach any more."""

    def __call__(
        self, function: str, *, version: str | None = None, keep: str | None = None
    ) -> None:
        """Of one version, or of all; `keep` is the key of those that stay."""


@dataclass(frozen=True)
class ControlSettings:
    """What the control plane needs to know of this machine."""

    packages: PackageStore
    python: str
    any_python: bool
    url_base: str
    retire: Retire
    urls: dict[str, FunctionUrl] = field(default_factory=dict)


class LocalLambda(LambdaBackend):
    """Lambda's control plane for one account and region."""

    settings: ClassVar[ControlSettings]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.event_invoke: dict[tuple[str, str], EventInvokeConfig] = {}

    @property
    def _url_module(self) -> ModuleType:
        # moto derives it from the name of the class's module, which is ours.
        return urls

    def create_function(self, spec: dict[str, Any]) -> LambdaFunction:
        """CreateFunction: refuses what the data plane could not run, leaving nothing behind."""
        name, _ = split_reference(spec["FunctionName"])
        self.check(spec)
        if name in self._lambdas._functions:
            raise FunctionAlreadyExists(name)
        try:
            created = super().create_function({**spec, "FunctionName": name, "Publish": False})
        except ValueError as error:  # how moto says that there is no such bucket or object
            raise InvalidParameterValueException(str(error.args[-1])) from error
        created.logs_group_name = (spec.get("LoggingConfig") or {}).get(
            "LogGroup", created.logs_group_name
        )
        try:
            self._unpack(created)
        except CloudError as error:
            self.delete_function(created.function_name)
            raise InvalidParameterValueException(str(error)) from error
        return (self.publish_version(name) or created) if spec.get("Publish") else created

    def update_function_code(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """UpdateFunctionCode: a package that Lambda would refuse leaves the old code in place."""
        function: Any = self.get_function(function_name, qualifier)
        before = {
            name: getattr(function, name)
            for name in ("code_bytes", "code_size", "code_sha_256", "code_digest")
        }
        answer = super().update_function_code(function_name, qualifier, body)
        try:
            self._unpack(function)
        except CloudError as error:
            vars(function).update(before)
            raise InvalidParameterValueException(str(error)) from error
        self.changed(function_name)
        return answer

    def update_function_configuration(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """UpdateFunctionConfiguration."""
        function: Any = self.get_function(function_name, qualifier)
        self.check({"Handler": function.handler, "Runtime": function.run_time, **body})
        answer = super().update_function_configuration(function_name, qualifier, body)
        self.changed(function_name)
        return answer

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        """DeleteFunction: its environments end too, and all that hangs on its name."""
        super().delete_function(function_name, qualifier)
        name, in_name = split_reference(function_name)
        version = qualifier or in_name
        self.settings.retire(name, version=version)
        if version is None:
            self.event_invoke = {k: v for k, v in self.event_invoke.items() if k[0] != name}
            for url in [url for url in self.settings.urls.values() if url.function == name]:
                del self.settings.urls[url.id]

    def changed(self, function_name: str) -> None:
        """End the environments of $LATEST that still have the code or configuration of before."""
        name, _ = split_reference(function_name)
        latest = self._version(self.get_function(name))
        self.settings.retire(name, version="$LATEST", keep=latest.key)

    def create_function_url_config(self, name_or_arn: str, config: dict[str, Any]) -> Any:
        """CreateFunctionUrlConfig, on the unqualified function."""
        created: Any = super().create_function_url_config(name_or_arn, config)
        created.url = self.add_url(name_or_arn, None, config.get("AuthType", "AWS_IAM"))
        return created

    def add_url(self, function: str, qualifier: str | None, auth_type: str) -> str:
        """Open a Function URL and give its address."""
        name, in_name = split_reference(function)
        url = FunctionUrl(uuid.uuid4().hex, name, qualifier or in_name, auth_type)
        self.settings.urls[url.id] = url
        return f"{self.settings.url_base}/lambda-url/{url.id}/"

    def remove_url(self, address: str) -> None:
        """Close a Function URL, given its address."""
        self.settings.urls.pop(address.rstrip("/").rsplit("/", 1)[-1], None)

    def resolve(self, reference: str, qualifier: str | None) -> Resolved:
        """The version that an invoke of `reference` runs; raises moto's UnknownFunctionException.

        An alias with weights is resolved anew, by chance, at each call.
        """
        name, in_name = split_reference(reference)
        self._check_place(reference)
        if qualifier and in_name and qualifier != in_name:
            raise InvalidParameterValueException(
                f"The derived qualifier from the function name does not match the specified "
                f"qualifier: {in_name} and {qualifier}"
            )
        qualifier = in_name or qualifier
        function = self.get_function(name, self._routed(name, qualifier))
        latest: Any = self.get_function(name)
        arn = f"arn:aws:lambda:{self.region_name}:{self.account_id}:function:{name}"
        reserved = latest.reserved_concurrency
        return Resolved(
            version=self._version(function),
            invoked_arn=f"{arn}:{qualifier}" if qualifier else arn,
            reserved_concurrency=None if reserved is None else int(reserved),
            event_invoke=self.event_invoke.get((name, qualifier or "$LATEST"), EventInvokeConfig()),
        )

    def _routed(self, name: str, qualifier: str | None) -> str | None:
        aliases = {alias.name: alias for alias in self.list_aliases(name)} if qualifier else {}
        alias: Any = aliases.get(qualifier or "")
        weights = ((alias.routing_config if alias else None) or {}).get("AdditionalVersionWeights")
        chance = random.random()
        for version, weight in (weights or {}).items():
            if chance < float(weight):
                return str(version)
            chance -= float(weight)
        return qualifier

    def _version(self, function: Any) -> FunctionVersion:
        return FunctionVersion(
            account_id=self.account_id,
            region=self.region_name,
            name=function.function_name,
            version=str(function.version),
            handler=function.handler,
            runtime=function.run_time,
            memory_mb=int(function.memory_size),
            timeout_seconds=int(function.timeout),
            variables=dict(function.environment_vars),
            code=function.unpacked,
            code_sha256=function.code_sha_256,
            ephemeral_storage_mb=int(function.ephemeral_storage),
            log_group=function.logs_group_name,
        )

    def _check_place(self, reference: str) -> None:
        """Lambda reaches functions of the endpoint's own region and account only."""
        match = _REFERENCE.fullmatch(reference)
        region, account = (match["region"], match["account"]) if match else (None, None)
        if region not in (None, self.region_name) or account not in (None, self.account_id):
            raise UnknownFunctionException(reference)

    def _unpack(self, function: Any) -> None:
        # Once for each update: an invoke has no time to read the package again.
        function.unpacked = self.settings.packages.unpack(function.code_bytes)

    def check(self, spec: Mapping[str, Any]) -> None:
        """Refuse a function's configuration that the data plane could not run."""
        package_type, runtime = spec.get("PackageType", "Zip"), spec.get("Runtime")
        if package_type != "Zip":
            raise InvalidParameterValueException(
                f"The local cloud runs zip packages; PackageType is {package_type}"
            )
        if not spec.get("Handler"):
            raise InvalidParameterValueException("Handler must be given, such as app.handler")
        if not runtime or not runtime.startswith("python3."):
            raise InvalidParameterValueException(
                f"The local cloud runs Python functions; Runtime is {runtime}"
            )
        if runtime != f"python{self.settings.python}" and not self.settings.any_python:
            raise InvalidParameterValueException(
                f"The function wants {runtime}, and this machine's runtime environment is Python "
                f"{self.settings.python}: make it with the other one (make clean; make "
                f"PYTHON={runtime} setup), or start the cloud with --any-python to run every "
                f"function on Python {self.settings.python}, which AWS would not do"
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


def install(settings: ControlSettings) -> None:
    """Make moto use `LocalLambda`, for every account and region, from now on."""
    LocalLambda.settings = settings
    lambda_backends.backend = LocalLambda
