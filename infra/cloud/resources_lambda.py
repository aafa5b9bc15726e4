"""CloudFormation resource types of Lambda.

Where moto has a class of the same type, the later one, ours, is taken.
"""

from __future__ import annotations

import base64
import io
import platform
import zipfile
from contextlib import suppress
from typing import Any, Self, cast

from moto.awslambda.exceptions import UnknownAliasException, UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.cloudformation.exceptions import ValidationError
from moto.codedeploy.models import codedeploy_backends
from moto.core.common_models import CloudFormationModel

from infra.cloud.codedeploy import Hooks, LocalCodeDeploy, Shift
from infra.cloud.declared import Declared, Properties
from infra.cloud.event_invoke import EventInvokeConfig, merged
from infra.cloud.functions import LocalLambda, split_reference
from infra.cloud.provisioned import settled

# What Lambda calls the processors that Linux names differently.
_ARCHITECTURES = {"aarch64": "arm64"}


class _OfLambda(Declared):
    @property
    def backend(self) -> LocalLambda:
        return cast(LocalLambda, lambda_backends[self.account_id][self.region])

    def function_name(self, key: str = "FunctionName") -> str:
        return split_reference(self.properties[key])[0]

    def function_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name()}"

    def provision(self, qualifier: str, properties: Properties) -> None:
        """Put or delete the qualifier's provisioned concurrency, and wait until it is ready."""
        name, provisioned = self.function_name(), self.backend.provisioned
        count = _provisioned_count(properties)
        if count is None:
            provisioned.remove(name, qualifier)
            return
        config = provisioned.configured(name).get(qualifier)
        if config is None or config.count != count:
            self.backend.put_provisioned(name, qualifier, count)
        if why := provisioned.settle(name, qualifier):
            provisioned.remove(name, qualifier)
            raise ValidationError(message=f"Provisioned concurrency of {qualifier}: {why}")


class Function(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Function."""

    TYPE = "AWS::Lambda::Function"
    NAME_PROPERTY = "FunctionName"
    REPLACED_BY = frozenset({"FunctionName", "PackageType"})

    def without_effect(self) -> tuple[str, ...]:
        """An architecture that is not this machine's, whose processors run the function anyway."""
        machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
        declared = self.properties.get("Architectures", [machine])
        return () if declared == [machine] else ("Architectures",)

    def create(self) -> None:
        """CreateFunction."""
        self.backend.create_function(_function_spec(self.name, self.properties))
        arn = f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"
        self.attributes = {"Arn": arn}

    def change(self, properties: Properties) -> None:
        """UpdateFunctionCode, then UpdateFunctionConfiguration."""
        spec = _function_spec(self.name, properties)
        self.backend.check(spec)
        if properties["Code"] != self.properties["Code"]:
            self.backend.update_function_code(self.name, cast(str, None), spec["Code"])
        self.backend.replace_configuration(self.name, spec)

    def remove(self) -> None:
        """DeleteFunction, with all its versions and aliases; it may have been done by hand."""
        with suppress(UnknownFunctionException):
            self.backend.delete_function(self.name)


def _function_spec(name: str, properties: Properties) -> dict[str, Any]:
    """CreateFunction's request for a resource's properties."""
    spec = {**properties, "FunctionName": name, "Code": dict(properties["Code"])}
    spec["Tags"] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    for key in ("MemorySize", "Timeout", "ReservedConcurrentExecutions"):
        if key in spec:
            spec[key] = int(spec[key])
    variables = (properties.get("Environment") or {}).get("Variables")
    if variables:
        spec["Environment"] = {"Variables": {key: _text(value) for key, value in variables.items()}}
    if "ZipFile" in spec["Code"]:
        # In a template it is the text of one module, not a zip (AWS::Lambda::Function Code).
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", spec["Code"]["ZipFile"])
        spec["Code"]["ZipFile"] = base64.b64encode(packed.getvalue()).decode()
    return spec


def _text(value: Any) -> str:
    """A number or boolean where CloudFormation expects text: it takes one for the other."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Version(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Version: made once; a new one has another logical id, or another description."""

    TYPE = "AWS::Lambda::Version"
    REPLACED_BY = frozenset({"Description", "FunctionName"})
    replaced: Version | None = None

    def create(self) -> None:
        """PublishVersion; under SnapStart it is waited for, since requests to it would be."""
        published: Any = self.backend.publish_version(
            self.function_name(), self.properties.get("Description", "")
        )
        self.attributes = {"Version": str(published.version)}
        if published.is_snap_start:
            state = settled(self.backend.settings.plane, published.as_version())
            if state is not None and state.status == "FAILED":
                raise ValidationError(message=f"{self.physical_resource_id}: {state.reason}")
        self.provision(self.attributes["Version"], self.properties)

    def change(self, properties: Properties) -> None:
        """Nothing of a published version changes but its provisioned concurrency."""
        self.provision(self.attributes["Version"], properties)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Self:
        """Change a version, or publish one in its place, which goes when the stack is settled."""
        given = (new_resource_name, cloudformation_json, account_id, region_name)
        properties = cloudformation_json["Properties"]
        if not _differ(original_resource, properties):
            return super().update_from_cloudformation_json(original_resource, *given)
        before = cast("Self | None", original_resource.replaced)
        if before is not None and not _differ(before, properties):  # a rollback
            original_resource.replaced = None
            made = before
        else:
            made = cls.create_from_cloudformation_json(*given)
        if made.attributes["Version"] != original_resource.attributes["Version"]:
            made.replaced = original_resource
        return made

    def clean_up(self) -> None:
        """Remove the version that this one replaced: no alias leads there any more."""
        replaced, self.replaced = self.replaced, None
        if replaced is not None:
            replaced.remove()

    def remove(self) -> None:
        """DeleteFunction with the version as qualifier; it may have gone with the function."""
        with suppress(UnknownFunctionException):
            self.backend.delete_function(self.function_name(), self.attributes["Version"])

    @property
    def physical_resource_id(self) -> str:
        """The version's ARN."""
        return f"{self.function_arn()}:{self.attributes['Version']}"


def _differ(version: Version, properties: Properties) -> bool:
    return any(version.properties.get(key) != properties.get(key) for key in version.REPLACED_BY)


class Alias(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Alias."""

    TYPE = "AWS::Lambda::Alias"
    REPLACED_BY = frozenset({"FunctionName", "Name"})

    def create(self) -> None:
        """CreateAlias."""
        self.backend.create_alias(**self._request(self.properties))
        try:
            self.provision(self.properties["Name"], self.properties)
        except Exception:
            self.remove()
            raise

    def change(self, properties: Properties) -> None:
        """UpdateAlias, or a CodeDeploy deployment where the UpdatePolicy says so.

        With provisioned concurrency the alias moves when the new version's environments are ready.
        """
        request = self._request(properties)
        current: Any = self.backend.get_alias(request["name"], request["function_name"])
        policy = self.update_policy.get("CodeDeployLambdaAliasUpdate")
        moves = str(current.function_version) != request["function_version"]
        if policy and moves:
            self._deploy(policy, str(current.function_version), request["function_version"])
        elif moves and _provisioned_count(properties) is not None:
            self._prepare(request["function_version"], properties)
        self.backend.update_alias(**request)
        self.provision(request["name"], properties)

    def remove(self) -> None:
        """DeleteAlias; it may have gone with the function."""
        with suppress(UnknownFunctionException, UnknownAliasException):
            self.backend.delete_alias(self.properties["Name"], self.function_name())

    @property
    def physical_resource_id(self) -> str:
        """The alias's ARN."""
        return f"{self.function_arn()}:{self.properties['Name']}"

    def _prepare(self, version: str, properties: Properties) -> None:
        function: Any = self.backend.get_function(self.function_name(), version)
        count = _provisioned_count(properties) or 0
        state = self.backend.provisioned.prepare(function.as_version(), count)
        if state is not None and state.status == "FAILED":
            raise ValidationError(message=f"Provisioned concurrency of {version}: {state.reason}")

    def _deploy(self, policy: Properties, old: str, new: str) -> None:
        deploy = cast(LocalCodeDeploy, codedeploy_backends[self.account_id][self.region])
        name, alias = self.function_name(), self.properties["Name"]

        def move(version: str, weights: dict[str, float]) -> None:
            routing: Any = {"AdditionalVersionWeights": weights} if weights else {}
            self.backend.update_alias(alias, name, version, None, routing)

        deploy.shift(
            policy["ApplicationName"],
            policy["DeploymentGroupName"],
            Shift(name, alias, old, new, move),
            Hooks(policy.get("BeforeAllowTrafficHook"), policy.get("AfterAllowTrafficHook")),
        )

    def _request(self, properties: Properties) -> dict[str, Any]:
        shares = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights", [])
        weights = {str(item["FunctionVersion"]): float(item["FunctionWeight"]) for item in shares}
        return {
            "name": properties["Name"],
            "function_name": self.function_name(),
            "function_version": str(properties["FunctionVersion"]),
            "description": properties.get("Description", ""),
            "routing_config": {"AdditionalVersionWeights": weights} if weights else {},
        }


def _provisioned_count(properties: Properties) -> int | None:
    config = properties.get("ProvisionedConcurrencyConfig")
    return None if not config else int(config["ProvisionedConcurrentExecutions"])


class LayerVersion(_OfLambda, CloudFormationModel):
    """AWS::Lambda::LayerVersion: every change makes another version."""

    TYPE = "AWS::Lambda::LayerVersion"
    NAME_PROPERTY = "LayerName"
    REPLACED_BY = frozenset(
        {
            "CompatibleArchitectures",
            "CompatibleRuntimes",
            "Content",
            "Description",
            "LayerName",
            "LicenseInfo",
        }
    )

    def create(self) -> None:
        """PublishLayerVersion."""
        spec = {**self.properties, "LayerName": self.name}
        published = self.backend.publish_layer_version(spec)
        self.attributes = {"LayerVersionArn": published.arn}

    def remove(self) -> None:
        """DeleteLayerVersion: functions that use it keep it."""
        version = self.attributes["LayerVersionArn"].rpartition(":")[2]
        self.backend.delete_layer_version(self.name, version)

    @property
    def physical_resource_id(self) -> str:
        """The layer version's ARN."""
        return str(self.attributes["LayerVersionArn"])


class Url(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Url."""

    TYPE = "AWS::Lambda::Url"
    REPLACED_BY = frozenset({"TargetFunctionArn", "Qualifier"})

    def create(self) -> None:
        """CreateFunctionUrlConfig, on the alias where one is named."""
        target, qualifier = self.properties["TargetFunctionArn"], self.properties.get("Qualifier")
        address = self.backend.open_url(target, qualifier, self.properties)
        self.attributes = {"FunctionUrl": address, "FunctionArn": self.physical_resource_id}

    def change(self, properties: Properties) -> None:
        """UpdateFunctionUrlConfig: the address stays."""
        urls = self.backend.urls_of_functions
        urls.update(urls.by_address(self.attributes["FunctionUrl"]), {"Cors": None, **properties})

    def remove(self) -> None:
        """DeleteFunctionUrlConfig."""
        self.backend.urls_of_functions.remove(self.attributes["FunctionUrl"])

    @property
    def physical_resource_id(self) -> str:
        """The ARN of the function."""
        return str(self.properties["TargetFunctionArn"])


class Permission(_OfLambda, CloudFormationModel):
    """AWS::Lambda::Permission: recorded; who may invoke is not checked here."""

    TYPE = "AWS::Lambda::Permission"

    def create(self) -> None:
        """Nothing to do."""

    def remove(self) -> None:
        """Nothing to undo."""


class EventInvoke(_OfLambda, CloudFormationModel):
    """AWS::Lambda::EventInvokeConfig."""

    TYPE = "AWS::Lambda::EventInvokeConfig"
    REPLACED_BY = frozenset({"FunctionName", "Qualifier"})

    def create(self) -> None:
        """PutFunctionEventInvokeConfig."""
        config = merged(EventInvokeConfig(), self.properties)
        self.backend.event_invoke[self._key()] = config

    def remove(self) -> None:
        """DeleteFunctionEventInvokeConfig."""
        self.backend.event_invoke.pop(self._key(), None)

    def _key(self) -> tuple[str, str]:
        return self.function_name(), self.properties["Qualifier"]
