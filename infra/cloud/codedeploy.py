"""CodeDeploy for Lambda aliases: hooks, and traffic that moves at once, by canary or linearly.

Sources: AWS CodeDeploy user guide, "AppSpec 'hooks' section for an AWS Lambda deployment" and
"Deployment configurations on an AWS Lambda compute platform"; AWS CloudFormation user guide,
"UpdatePolicy attribute" (CodeDeployLambdaAliasUpdate).
"""

from __future__ import annotations

import json
import logging
import random
import re
import string
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from moto.cloudwatch.models import cloudwatch_backends
from moto.codedeploy.exceptions import CodeDeployException
from moto.codedeploy.models import CodeDeployBackend, DeploymentInfo
from moto.core.utils import utcnow

from infra.cloud.clock import Clock
from infra.cloud.refusal import InvokeRefused
from warmer.errors import CloudError, ConfigurationError

__all__ = ["DeploySettings", "DeploymentFailed", "Hooks", "LocalCodeDeploy", "Shift", "traffic"]

log = logging.getLogger("warmer.cloud")

# A hook function has to say how it went within one hour ("AppSpec 'hooks' section").
_HOOK_LIMIT_SECONDS = 3600.0
_ALARM_CHECK_SECONDS = 10.0
_CONFIG = re.compile(
    r"CodeDeployDefault\.Lambda(?:AllAtOnce"
    r"|Canary(?P<canary>\d+)Percent(?P<canary_minutes>\d+)Minutes?"
    r"|Linear(?P<linear>\d+)PercentEvery(?P<linear_minutes>\d+)Minutes?)"
)

# Moves an alias to a version, with weights for another.
Move = Callable[[str, dict[str, float]], None]


class DeploymentFailed(CloudError):
    """A deployment ended with its alias where it was before."""


@dataclass(frozen=True)
class Shift:
    """An alias that is to go from one version to another, and how that is done."""

    function: str
    alias: str
    old: str
    new: str
    move: Move


@dataclass(frozen=True)
class Hooks:
    """Functions that judge a deployment before its traffic moves and after; None for none."""

    before: str | None = None
    after: str | None = None


@dataclass
class DeploySettings:
    """What CodeDeploy needs of this cloud.

    invoke: asynchronously, a function of a region with a payload; raises InvokeRefused.
    """

    clock: Clock
    invoke: Callable[[str, str, bytes], None]
    changed: threading.Condition = field(default_factory=threading.Condition)
    closed: bool = False

    def close(self) -> None:
        """Let deployments that wait fail, now."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


@dataclass
class _HookExecution:
    deployment: str
    status: str = "InProgress"


class LocalCodeDeploy(CodeDeployBackend):
    """CodeDeploy for one account and region."""

    settings: ClassVar[DeploySettings]
    # What answers the API's requests, by path, as moto has it.
    urls_of_api: ClassVar[Any]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.failures: dict[str, str] = {}
        self._executions: dict[str, _HookExecution] = {}

    @property
    def _url_module(self) -> Any:
        # moto derives it from the name of the class's module, which is ours.
        return self.urls_of_api

    def shift(self, application: str, group: str, shift: Shift, hooks: Hooks) -> None:
        """Deploy: returns when the alias is on its new version, and raises DeploymentFailed if not.

        Steps of a canary or linear deployment, and the limit for hooks, pass in cloud time.
        """
        deployed: Any = self.get_deployment_group(application, group)
        steps = traffic(str(deployed.deployment_config_name))
        deployment = self._begin(application, group, shift)
        try:
            self._check_alarms(deployed)
            self._run_hook(deployment, "BeforeAllowTraffic", hooks.before)
            for share, minutes in steps:
                shift.move(*((shift.new, {}) if share == 1 else (shift.old, {shift.new: share})))
                self._wait(minutes * 60, deployed)
            self._run_hook(deployment, "AfterAllowTraffic", hooks.after)
        except Exception as error:
            shift.move(shift.old, {})
            self._finish(deployment, "Failed")
            self.failures[deployment.deployment_id] = str(error)
            message = f"CodeDeploy deployment {deployment.deployment_id} failed: {error}"
            raise DeploymentFailed(message) from error
        self._finish(deployment, "Succeeded")

    def put_hook_status(self, deployment_id: str, execution_id: str, status: str) -> str:
        """PutLifecycleEventHookExecutionStatus."""
        self.get_deployment(deployment_id)
        execution = self._executions.get(execution_id)
        if execution is None or execution.deployment != deployment_id:
            raise CodeDeployException(
                "InvalidLifecycleEventHookExecutionIdException",
                f"There is no lifecycle event hook execution {execution_id} of {deployment_id}",
            )
        if status not in ("Succeeded", "Failed"):
            raise CodeDeployException(
                "InvalidLifecycleEventHookExecutionStatusException",
                f"The status is {status}; expected Succeeded or Failed",
            )
        with self.settings.changed:
            if execution.status != "InProgress":
                raise CodeDeployException(
                    "LifecycleEventAlreadyCompletedException",
                    f"Lifecycle event hook execution {execution_id} has ended: {execution.status}",
                )
            execution.status = status
            self.settings.changed.notify_all()
        return execution_id

    def _begin(self, application: str, group: str, shift: Shift) -> DeploymentInfo:
        content = json.dumps({"function": shift.function, "alias": shift.alias, "to": shift.new})
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
        deployment = self.get_deployment(self.create_deployment(application, group, revision))
        del self.deployments[deployment.deployment_id]
        letters = random.choices(string.ascii_uppercase + string.digits, k=9)
        deployment.deployment_id = "d-" + "".join(letters)
        deployment.creator = "CloudFormation"
        deployment.status, deployment.start_time = "InProgress", utcnow()
        self.deployments[deployment.deployment_id] = deployment
        log.info(
            "%s: %s:%s goes from version %s to %s",
            *(deployment.deployment_id, shift.function, shift.alias, shift.old, shift.new),
        )
        return deployment

    def _finish(self, deployment: DeploymentInfo, status: str) -> None:
        deployment.status, deployment.complete_time = status, utcnow()
        log.info("%s: %s", deployment.deployment_id, status)

    def _run_hook(self, deployment: DeploymentInfo, event: str, function: str | None) -> None:
        if function is None:
            return
        execution_id = str(uuid.uuid4())
        execution = _HookExecution(deployment.deployment_id)
        self._executions[execution_id] = execution
        payload = {
            "DeploymentId": deployment.deployment_id,
            "LifecycleEventHookExecutionId": execution_id,
        }
        try:
            self.settings.invoke(self.region_name, function, json.dumps(payload).encode())
        except InvokeRefused as error:
            execution.status = "Failed"
            raise DeploymentFailed(f"{event} hook {function} cannot be invoked: {error}") from error
        limit = self.settings.clock.real_seconds(_HOOK_LIMIT_SECONDS)
        with self.settings.changed:
            self.settings.changed.wait_for(
                lambda: execution.status != "InProgress" or self.settings.closed, limit
            )
            if execution.status == "InProgress":
                execution.status = "Unknown"
        if self.settings.closed and execution.status == "Unknown":
            raise DeploymentFailed("the local cloud is closing")
        if execution.status == "Unknown":
            raise DeploymentFailed(
                f"{event} hook {function} did not call PutLifecycleEventHookExecutionStatus within "
                f"{_HOOK_LIMIT_SECONDS / 60:.0f} minutes"
            )
        if execution.status != "Succeeded":
            raise DeploymentFailed(f"{event} hook {function} reported {execution.status}")

    def _wait(self, cloud_seconds: float, group: Any) -> None:
        clock = self.settings.clock
        until = clock.now().timestamp() + cloud_seconds
        while (left := until - clock.now().timestamp()) > 0:
            pause = clock.real_seconds(min(left, _ALARM_CHECK_SECONDS))
            with self.settings.changed:
                if self.settings.changed.wait_for(lambda: self.settings.closed, pause):
                    raise DeploymentFailed("the local cloud is closing")
            self._check_alarms(group)

    def _check_alarms(self, group: Any) -> None:
        """Stop where one of the deployment group's alarms is raised."""
        watched = group.alarm_configuration
        if not watched or not watched.enabled:
            return
        known = cast(Any, cloudwatch_backends[self.account_id][self.region_name]).alarms
        for name in [alarm["Name"] for alarm in watched.alarms]:
            if name in known and known[name].state_value == "ALARM":
                raise DeploymentFailed(f"alarm {name} is in ALARM")


def traffic(config: str) -> list[tuple[float, int]]:
    """Shares of the new version, each with the minutes until the next, from a configuration's name.

    Raises ConfigurationError for what is not one of CodeDeploy's own for Lambda.
    """
    match = _CONFIG.fullmatch(config)
    if match is None:
        raise ConfigurationError(
            "DeploymentConfigName",
            config,
            "one of CodeDeploy's own for Lambda, such as CodeDeployDefault.LambdaAllAtOnce or "
            "CodeDeployDefault.LambdaCanary10Percent5Minutes",
        )
    if match["canary"]:
        return [(int(match["canary"]) / 100, int(match["canary_minutes"])), (1, 0)]
    if match["linear"]:
        step, minutes = int(match["linear"]), int(match["linear_minutes"])
        return [*((share / 100, minutes) for share in range(step, 100, step)), (1, 0)]
    return [(1, 0)]
