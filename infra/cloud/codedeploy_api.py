"""The actions of CodeDeploy's API that moto has not, or not whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from moto.codedeploy import urls
from moto.codedeploy.models import codedeploy_backends
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult

from infra.cloud.codedeploy import DeploySettings, LocalCodeDeploy

__all__ = ["LocalCodeDeployResponse", "install"]


class LocalCodeDeployResponse(CodeDeployResponse):
    """Answers CodeDeploy's API."""

    @property
    def _local(self) -> LocalCodeDeploy:
        return cast(LocalCodeDeploy, self.codedeploy_backend)

    def put_lifecycle_event_hook_execution_status(self) -> ActionResult:
        """PutLifecycleEventHookExecutionStatus."""
        execution_id = self._local.put_hook_status(
            self._get_param("deploymentId"),
            self._get_param("lifecycleEventHookExecutionId"),
            self._get_param("status"),
        )
        return ActionResult({"lifecycleEventHookExecutionId": execution_id})

    def get_deployment(self) -> ActionResult:
        """GetDeployment, with why it failed."""
        answer = super().get_deployment()
        info = cast(dict[str, Any], answer.result)["deploymentInfo"]
        if why := self._local.failures.get(info["deploymentId"]):
            info["errorInformation"] = {"code": "HEALTH_CONSTRAINTS", "message": why}
        return answer


def install(settings: DeploySettings) -> None:
    """Make moto use `LocalCodeDeploy`, for every account and region, from now on."""
    LocalCodeDeploy.settings = settings
    LocalCodeDeploy.urls_of_api = SimpleNamespace(
        url_bases=urls.url_bases,
        url_paths={**urls.url_paths, "{0}/$": LocalCodeDeployResponse.dispatch},
    )
    codedeploy_backends.backend = LocalCodeDeploy
