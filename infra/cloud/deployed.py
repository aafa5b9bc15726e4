"""A template, built and deployed to a local cloud of its own: for tests and scripts.

with deployed("template.yaml", {"FunctionUrlAuth": "NONE"}) as stack:
    stack.client("lambda").invoke(FunctionName=stack.outputs["Function"])
    assert stack.cold_starts(stack.outputs["Function"]) == 1
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.cloud.artifacts import packaged
from infra.cloud.client import load_clients, local_client
from infra.cloud.deploy import deploy
from infra.cloud.process import CloudProcess
from infra.cloud.sam import PROJECT
from infra.cloud.sam_build import build as sam_build
from infra.cloud.sam_build import build_environment
from infra.cloud.template_file import read_template

__all__ = ["DEFAULT_STACK", "DeployedStack", "deployed"]

DEFAULT_STACK = "local"


class DeployedStack:
    """One stack in one local cloud.

    endpoint: for `AWS_ENDPOINT_URL` or boto3's `endpoint_url`.
    pid: of the cloud's process.
    outputs: of the stack, by name.
    Functions are named as deployed (`FunctionName`), not by their logical ids.
    """

    def __init__(self, cloud: CloudProcess, name: str, outputs: Mapping[str, str]) -> None:
        self._cloud = cloud
        self.name = name
        self.endpoint = cloud.endpoint
        self.pid = cloud.pid
        self.outputs = dict(outputs)

    def client(self, service: str) -> Any:
        """A boto3 client, such as `client("lambda")`; it never retries, so throttles are seen."""
        return local_client(self.endpoint, service)

    def environment(self) -> dict[str, str]:
        """Environment variables with which AWS's tools speak to this cloud and to no other."""
        return self._cloud.environment()

    def update(self, template: Path, parameters: Mapping[str, str] | None = None) -> None:
        """Deploy a template, built already, in the place of this one; `outputs` are its own then.

        Raises CloudError; the stack is then as it was.
        """
        given = dict(parameters or {})
        self.outputs = deploy(self.endpoint, packaged(template), given, self.name)

    def ledger(self) -> dict[str, Any]:
        """Environments and invocations, the latest 20,000 of each, as the cloud counted them.

        Fields as in `infra.cloud.ledger`; times are real, in Unix seconds. `tallies` has the
        numbers of all, by function.
        """
        return self._cloud.ledger()

    def status(self) -> dict[str, Any]:
        """What `warmer cloud status --json` prints."""
        return self._cloud.status()

    def mark(self) -> int:
        """A place in the order of invocations: `since` for what begins after it."""
        return int(self.ledger()["mark"])

    def invocations(self, function: str, since: int = 0) -> list[dict[str, Any]]:
        """The ledger's records of a function's invocations from mark `since` on."""
        records = self.ledger()["invocations"]
        return [
            item for item in records if item["function"] == function and item["sequence"] >= since
        ]

    def cold_starts(self, function: str, since: int = 0) -> int:
        """How many of a function's invocations from mark `since` on waited for an INIT."""
        return sum(item["cold"] for item in self.invocations(function, since))

    def environments(self, function: str) -> list[dict[str, Any]]:
        """A function's environments that are alive now, oldest first, as `status` has them."""
        found = self.status()["environments"]
        return [item for item in found if item["function"] == function]


@contextmanager
def deployed(
    template: str | Path = "template.yaml",
    parameters: Mapping[str, str] | None = None,
    *,
    build: bool = True,
    sources: Sequence[str | Path] | None = None,
    stack: str = DEFAULT_STACK,
    any_python: bool = False,
    arguments: Sequence[str] = (),
) -> Iterator[DeployedStack]:
    """A cloud with `template` deployed; both are gone afterwards.

    parameters: for the template; its defaults serve for the rest.
    build: run `sam build` first, where sources have changed (see `infra.cloud.sam_build.build`);
        False for a template whose code folders are complete as they are.
    sources: what the build reads, where the template's code folders do not tell.
    stack: the stack's name.
    any_python: run functions of every Python runtime on the one that this machine has; this
        project's own build then builds for that one.
    arguments: further options of `warmer cloud up`, such as `("--clock-rate", "60")`.

    Raises ConfigurationError where there is no template; CloudError where there is no `sam`, the
    build or the deployment fails, or the cloud does not start.
    """
    path, given = Path(template), dict(parameters or {})
    read_template(path)  # what is no template is said before anything starts
    listed = None if sources is None else [Path(item) for item in sources]
    kept = ("--packages", str(PROJECT / "build/packages"))
    options = [*(["--any-python"] if any_python else []), *kept, *arguments]
    with tempfile.TemporaryDirectory(prefix="warmer-deployed-") as folder:
        log = Path(folder) / "cloud.log"
        with ThreadPoolExecutor(1) as threads:
            # Side by side: the cloud takes some two seconds to start.
            starting = threads.submit(CloudProcess, options, directory=PROJECT, log=log)
            try:
                if build:
                    path = sam_build(
                        path, given, environment=build_environment(any_python), sources=listed
                    )
                packages = packaged(path)
                load_clients("s3", "cloudformation")
            except BaseException:
                starting.result().stop()
                raise
        with starting.result() as cloud:
            yield DeployedStack(cloud, stack, deploy(cloud.endpoint, packages, given, stack))
