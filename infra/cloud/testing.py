"""A local cloud with your template deployed, as a pytest fixture.

In a conftest.py: `pytest_plugins = ["infra.cloud.testing"]`. Then, in a test:

    def test_the_second_request_is_warm(local_cloud):
        stack = local_cloud(template="template.yaml", parameters={"Stage": "test"})
        for _ in range(2):
            stack.client("lambda").invoke(FunctionName=stack.outputs["Function"])
        assert stack.cold_starts(stack.outputs["Function"]) == 1

Without pytest: `infra.cloud.deployed.deployed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from infra.cloud.deployed import DeployedStack, deployed

__all__ = ["DeployedStack", "LocalCloudFactory", "deployed", "local_cloud"]


class LocalCloudFactory(Protocol):
    """What the fixture `local_cloud` gives: arguments and errors as of `deployed`."""

    def __call__(
        self,
        template: str | Path = "template.yaml",
        parameters: Mapping[str, str] | None = None,
        **options: Any,
    ) -> DeployedStack:
        """A running cloud with the template deployed."""


@pytest.fixture(scope="session")
def local_cloud(request: pytest.FixtureRequest) -> Iterator[LocalCloudFactory]:
    """Deploys templates to local clouds, which all end with the test session.

    Called again with the same arguments it gives the same cloud. Paths are relative to pytest's
    root folder. Arguments and errors are those of `infra.cloud.deployed.deployed`.
    """
    running: dict[str, DeployedStack] = {}
    with ExitStack() as stacks:

        def deploy(
            template: str | Path = "template.yaml",
            parameters: Mapping[str, str] | None = None,
            **options: Any,
        ) -> DeployedStack:
            path = request.config.rootpath / template
            given = dict(parameters or {})
            key = json.dumps([str(path), given, options], sort_keys=True, default=str)
            if key not in running:
                running[key] = stacks.enter_context(deployed(path, given, **options))
            return running[key]

        yield deploy
