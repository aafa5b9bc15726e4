"""CodeDeploy's steps, hooks, alarms and refusals, without functions that run.

Sources: AWS CodeDeploy user guide, "Deployment configurations on an AWS Lambda compute platform"
and "AppSpec 'hooks' section for an AWS Lambda deployment".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moto.cloudwatch.models import cloudwatch_backends
from moto.codedeploy.exceptions import CodeDeployException
from moto.codedeploy.models import AlarmConfiguration, codedeploy_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.cloud import codedeploy_api
from infra.cloud.clock import Clock
from infra.cloud.codedeploy import (
    DeploymentFailed,
    DeploySettings,
    Hooks,
    LocalCodeDeploy,
    Shift,
    traffic,
)
from infra.cloud.refusal import InvokeRefused
from tests.cloud.control_plane.conftest import REGION, ControlPlane
from warmer.errors import ConfigurationError

# An hour of cloud time in 36 ms.
RATE = 100_000.0


class Deploying:
    """CodeDeploy with a deployment group; remembers where the alias went and who was asked."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, dict[str, float]]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, str] = {}
        self.settings = DeploySettings(Clock(RATE), self._invoke)
        codedeploy_api.install(self.settings)
        self.backend = cast(LocalCodeDeploy, codedeploy_backends[DEFAULT_ACCOUNT_ID][REGION])
        self.backend.create_application("app", "Lambda", [])
        self.group("CodeDeployDefault.LambdaAllAtOnce")

    def group(self, config: str) -> Any:
        """CreateDeploymentGroup, in the place of the one before; returns it."""
        self.backend.deployment_groups.clear()
        self.backend.create_deployment_group(
            "app", "group", config, None, None, None, "arn:aws:iam::123456789012:role/role"
        )
        return self.backend.get_deployment_group("app", "group")

    def deploy(self, hooks: Hooks | None = None) -> None:
        """From version 1 to version 2."""

        def move(version: str, weights: dict[str, float]) -> None:
            self.moves.append((version, weights))

        shift = Shift("sample", "live", "1", "2", move)
        self.backend.shift("app", "group", shift, hooks or Hooks())

    def failure(self, hooks: Hooks | None = None) -> str:
        """Why a deployment fails; the alias is on version 1 then, and the deployment says it."""
        with pytest.raises(DeploymentFailed) as error:
            self.deploy(hooks)
        assert self.moves[-1] == ("1", {})
        assert [item.status for item in self.backend.deployments.values()] == ["Failed"]
        assert next(iter(self.backend.failures.values())) in str(error.value)
        return str(error.value)

    def _invoke(self, region: str, function: str, payload: bytes) -> None:
        assert region == REGION
        event = json.loads(payload)
        self.asked.append((function, event))
        answer = self.answers.get(function, "Succeeded")
        if answer == "absent":
            raise InvokeRefused(404, "ResourceNotFoundException", f"Function not found: {function}")
        if answer != "silent":
            self.backend.put_hook_status(
                event["DeploymentId"], event["LifecycleEventHookExecutionId"], answer
            )


@pytest.fixture
def deploying(control: ControlPlane) -> Iterator[Deploying]:
    """Nothing is deployed yet; moto is as it was afterwards."""
    kept = codedeploy_backends.backend
    yield Deploying()
    codedeploy_backends.backend = kept


@pytest.mark.aws(
    "CodeDeploy user guide: Deployment configurations on an AWS Lambda compute platform",
    "A deployment configuration's name says how traffic moves",
)
@pytest.mark.parametrize(
    ("config", "steps"),
    [
        ("CodeDeployDefault.LambdaAllAtOnce", [(1, 0)]),
        ("CodeDeployDefault.LambdaCanary10Percent5Minutes", [(0.1, 5), (1, 0)]),
        ("CodeDeployDefault.LambdaCanary10Percent30Minutes", [(0.1, 30), (1, 0)]),
        (
            "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
            [*((share / 100, 1) for share in range(10, 100, 10)), (1, 0)],
        ),
    ],
)
def test_a_configurations_name_says_how_traffic_moves(
    config: str, steps: list[tuple[float, int]]
) -> None:
    """Shares of the new version, each with its minutes.

    AWS page: "Deployment configurations on an AWS Lambda compute platform".
    """
    assert traffic(config) == steps


@pytest.mark.parametrize("config", ["CodeDeployDefault.OneAtATime", "MyOwn", ""])
def test_another_configuration_is_refused(config: str) -> None:
    """With its name, and what would do."""
    with pytest.raises(ConfigurationError, match=f"{config}.*CodeDeployDefault.LambdaAllAtOnce"):
        traffic(config)


@pytest.mark.aws(
    "CodeDeploy user guide: Deployment configurations on an AWS Lambda compute platform",
    "Traffic moves linearly, in ten steps",
)
def test_traffic_moves_linearly(deploying: Deploying) -> None:
    """In ten steps, the last of which is a plain alias.

    AWS page: "Deployment configurations on an AWS Lambda compute platform".
    """
    deploying.group("CodeDeployDefault.LambdaLinear10PercentEvery10Minutes")
    begun = deploying.settings.clock.now()
    deploying.deploy()
    minutes = (deploying.settings.clock.now() - begun).total_seconds() / 60
    assert minutes >= 90
    assert [weights.get("2") for _, weights in deploying.moves[:-1]] == [
        share / 10 for share in range(1, 10)
    ]
    assert deploying.moves[-1] == ("2", {})


@pytest.mark.aws(
    "CodeDeploy user guide: AppSpec 'hooks' section",
    "Hooks are asked before and after the traffic moves",
)
def test_hooks_are_asked_before_and_after(deploying: Deploying) -> None:
    """Each with an execution id of its own, and the deployment's.

    AWS page: "AppSpec 'hooks' section for an AWS Lambda deployment".
    """
    deploying.deploy(Hooks("before", "after"))
    (first, one), (second, two) = deploying.asked
    assert (first, second, deploying.moves) == ("before", "after", [("2", {})])
    assert one["DeploymentId"] == two["DeploymentId"]
    assert one["DeploymentId"].startswith("d-")
    assert one["LifecycleEventHookExecutionId"] != two["LifecycleEventHookExecutionId"]
    (deployment,) = deploying.backend.deployments.values()
    assert deployment.status == "Succeeded"


@pytest.mark.aws(
    "CodeDeploy user guide: AppSpec 'hooks' section",
    "A hook that does not succeed stops the deployment",
)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Failed", "before reported Failed"),
        ("absent", "before cannot be invoked: Function not found"),
        ("silent", "before did not call PutLifecycleEventHookExecutionStatus within 60 minutes"),
    ],
)
def test_a_hook_that_does_not_succeed_stops_the_deployment(
    deploying: Deploying, answer: str, said: str
) -> None:
    """It says why.

    AWS page: "AppSpec 'hooks' section for an AWS Lambda deployment" (one hour).
    """
    deploying.answers["before"] = answer
    assert said in deploying.failure(Hooks("before"))


@pytest.mark.aws(
    "CodeDeploy user guide: AppSpec 'hooks' section",
    "A failing PostTraffic hook brings the alias back",
)
def test_a_hook_after_the_traffic_can_bring_it_back(deploying: Deploying) -> None:
    """The alias had moved, and is back.

    AWS page: "AppSpec 'hooks' section for an AWS Lambda deployment".
    """
    deploying.answers["after"] = "Failed"
    assert "AfterAllowTraffic hook after reported Failed" in deploying.failure(Hooks(None, "after"))
    assert deploying.moves == [("2", {}), ("1", {})]


@pytest.mark.aws(
    "CodeDeploy user guide: Stopping a deployment by using CloudWatch alarms",
    "An alarm stops the deployment",
)
def test_an_alarm_stops_the_deployment(deploying: Deploying) -> None:
    """One of the deployment group's.

    AWS page: "Stopping a deployment by using CloudWatch alarms in CodeDeploy".
    """
    group = deploying.group("CodeDeployDefault.LambdaAllAtOnce")
    group.alarm_configuration = AlarmConfiguration([{"Name": "errors"}], enabled=True)
    alarms = cast(Any, cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION]).alarms
    alarms["errors"] = SimpleNamespace(state_value="ALARM")
    assert "alarm errors is in ALARM" in deploying.failure()


@pytest.mark.aws(
    "CodeDeploy API reference: PutLifecycleEventHookExecutionStatus",
    "A hook's status is given once",
)
def test_a_status_is_given_once(deploying: Deploying) -> None:
    """For an execution of that deployment, and only Succeeded or Failed.

    AWS page: API reference, "PutLifecycleEventHookExecutionStatus".
    """
    deploying.deploy(Hooks("before"))
    _, event = deploying.asked[0]
    deployment, execution = event["DeploymentId"], event["LifecycleEventHookExecutionId"]
    for arguments, kind in (
        ((deployment, execution, "Failed"), "LifecycleEventAlreadyCompleted"),
        ((deployment, execution, "Skipped"), "InvalidLifecycleEventHookExecutionStatus"),
        ((deployment, "other", "Failed"), "InvalidLifecycleEventHookExecutionId"),
        (("d-OTHER", execution, "Failed"), "DeploymentDoesNotExist"),
    ):
        with pytest.raises(CodeDeployException) as error:
            deploying.backend.put_hook_status(*arguments)
        assert error.value.error_type == f"{kind}Exception"


def test_a_cloud_that_closes_waits_for_nobody(deploying: Deploying) -> None:
    """What waits for a hook fails."""
    deploying.answers["before"] = "silent"
    deploying.settings.clock = Clock(1)
    told: list[str] = []
    waiting = Thread(target=lambda: told.append(deploying.failure(Hooks("before"))))
    waiting.start()
    deploying.settings.close()
    waiting.join(10)
    assert "the local cloud is closing" in told[0]
