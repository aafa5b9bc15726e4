"""The event with which CodeDeploy invokes a deployment's lifecycle hook."""

from __future__ import annotations

from dataclasses import dataclass

from warmer.errors import ConfigurationError

__all__ = ["LifecycleEvent"]

LONGEST_ID = 1024


@dataclass(frozen=True)
class LifecycleEvent:
    """Which deployment waits, and for which execution of its hook.

    Source: AWS CodeDeploy user guide, "AppSpec 'hooks' section for an AWS Lambda deployment": the
    event has `DeploymentId` and `LifecycleEventHookExecutionId`, and nothing that names the version
    or the alias.
    """

    deployment_id: str
    execution_id: str

    @classmethod
    def read(cls, event: object) -> LifecycleEvent:
        """The event's ids. Raises ConfigurationError, which names the key, for any other event."""
        if not isinstance(event, dict):
            expected = "an object with DeploymentId and LifecycleEventHookExecutionId"
            raise ConfigurationError("the event", _shown(event), f"{expected}, as CodeDeploy sends")
        return cls(_id(event, "DeploymentId"), _id(event, "LifecycleEventHookExecutionId"))


def _id(event: dict[object, object], key: str) -> str:
    value = event.get(key)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable():
        return value
    expected = "the id that CodeDeploy sends; invoke this function from a deployment only"
    raise ConfigurationError(key, _shown(value), expected)


def _shown(value: object) -> object:
    """A stranger's value as an error shows it: short, and never failing."""
    if isinstance(value, str):
        return value[:80].encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool | float):
        return value
    return f"of type {type(value).__name__}"
