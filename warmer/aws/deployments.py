"""CodeDeploy: how a lifecycle hook says what it found."""

from __future__ import annotations

from typing import Literal

from warmer.aws.service import Service
from warmer.errors import ServiceError

__all__ = ["Deployments", "HookStatus"]

HookStatus = Literal["Succeeded", "Failed"]

ALREADY_COMPLETED = "LifecycleEventAlreadyCompletedException"


class Deployments:
    """Reports to CodeDeploy; `region` and `endpoint_url` default to what boto3 finds."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("codedeploy", region=region, endpoint_url=endpoint_url)

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def put_hook_status(self, deployment_id: str, execution_id: str, status: HookStatus) -> bool:
        """PutLifecycleEventHookExecutionStatus, which takes a status and no reason.

        False where the lifecycle event had its status already: from an attempt whose answer was
        lost, or since CodeDeploy has given up waiting. Raises ServiceError for any other refusal.
        """
        try:
            self._service.ask(
                "put_lifecycle_event_hook_execution_status",
                "codedeploy:PutLifecycleEventHookExecutionStatus",
                deploymentId=deployment_id,
                lifecycleEventHookExecutionId=execution_id,
                status=status,
            )
        except ServiceError as error:
            if error.code != ALREADY_COMPLETED:
                raise
            return False
        return True
