"""CloudFormation resource types of CodeDeploy, as SAM's DeploymentPreference makes them."""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.codedeploy.models import AlarmConfiguration, codedeploy_backends
from moto.core.common_models import CloudFormationModel

from infra.cloud.codedeploy import traffic
from infra.cloud.declared import Declared, Properties
from warmer.errors import ConfigurationError

_DEFAULT_CONFIG = "CodeDeployDefault.LambdaAllAtOnce"


class _OfCodeDeploy(Declared):
    @property
    def backend(self) -> Any:
        return codedeploy_backends[self.account_id][self.region]


class Application(_OfCodeDeploy, CloudFormationModel):
    """AWS::CodeDeploy::Application, of Lambda functions."""

    TYPE = "AWS::CodeDeploy::Application"
    NAME_PROPERTY = "ApplicationName"
    REPLACED_BY = frozenset({"ApplicationName", "ComputePlatform"})

    def create(self) -> None:
        """CreateApplication."""
        platform = self.properties.get("ComputePlatform", "Server")
        if platform != "Lambda":
            raise ValidationError(
                message=f"ComputePlatform of {self.name} is {platform}; the local cloud deploys "
                "Lambda"
            )
        self.backend.create_application(self.name, platform, [])

    def change(self, properties: Properties) -> None:
        """Nothing of it changes."""

    def remove(self) -> None:
        """DeleteApplication."""
        self.backend.applications.pop(self.name, None)
        self.backend.deployment_groups.pop(self.name, None)


class DeploymentGroup(_OfCodeDeploy, CloudFormationModel):
    """AWS::CodeDeploy::DeploymentGroup: how an alias's traffic moves, and which alarms stop it."""

    TYPE = "AWS::CodeDeploy::DeploymentGroup"
    NAME_PROPERTY = "DeploymentGroupName"
    REPLACED_BY = frozenset({"ApplicationName", "DeploymentGroupName"})

    def create(self) -> None:
        """CreateDeploymentGroup."""
        config = self._config(self.properties)
        self.backend.create_deployment_group(
            application_name=self.properties["ApplicationName"],
            deployment_group_name=self.name,
            deployment_config_name=config,
            ec2_tag_filters=None,
            on_premises_instance_tag_filters=None,
            auto_scaling_groups=None,
            service_role_arn=self.properties["ServiceRoleArn"],
            auto_rollback_configuration=self.properties.get("AutoRollbackConfiguration"),
            deployment_style=self.properties.get("DeploymentStyle"),
        )
        self._watch(self.properties)

    def change(self, properties: Properties) -> None:
        """UpdateDeploymentGroup."""
        self._group().deployment_config_name = self._config(properties)
        self._watch(properties)

    def remove(self) -> None:
        """DeleteDeploymentGroup, which may have gone with its application."""
        groups = self.backend.deployment_groups.get(self.properties["ApplicationName"], {})
        groups.pop(self.name, None)

    def _group(self) -> Any:
        return self.backend.get_deployment_group(self.properties["ApplicationName"], self.name)

    def _watch(self, properties: Properties) -> None:
        given = properties.get("AlarmConfiguration") or {}
        enabled = str(given.get("Enabled", False)).lower() == "true"
        self._group().alarm_configuration = AlarmConfiguration(given.get("Alarms"), enabled)

    def _config(self, properties: Properties) -> str:
        config = str(properties.get("DeploymentConfigName", _DEFAULT_CONFIG))
        try:
            traffic(config)
        except ConfigurationError as error:
            raise ValidationError(message=str(error)) from error
        return config
