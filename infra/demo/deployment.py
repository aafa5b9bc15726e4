"""The stack that the demo deploys, and what it asks AWS's APIs about it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import boto3

from infra.cloud.process import CloudProcess
from infra.cloud.sam import Sam, overrides
from warmer.environment import Primed
from warmer.errors import CloudError

STACK = "warmer-demo"
DEADLINE_SECONDS = 120.0
POLL_SECONDS = 0.1


class Deployment:
    """One stack in one local cloud, built in a folder of its own."""

    def __init__(
        self, cloud: CloudProcess, sam: Sam, parameters: dict[str, str], folder: Path
    ) -> None:
        self._cloud = cloud
        self._sam = sam
        self._folder = folder
        self._parameters = parameters
        self._session = boto3.session.Session(
            aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1"
        )

    def build(self) -> None:
        """`sam build`."""
        self._sam.run("build", "--build-dir", str(self._folder), *overrides(self._parameters))

    def deploy(self, **changes: str) -> None:
        """`sam deploy`, with these template parameters changed from now on."""
        self._parameters = {**self._parameters, **changes}
        self._sam.run(
            "deploy",
            *("--template-file", str(self._folder / "template.yaml")),
            *("--stack-name", STACK, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--no-progressbar", "--no-fail-on-empty-changeset"),
            *overrides(self._parameters),
        )

    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        stacks = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {item["OutputKey"]: item["OutputValue"] for item in stacks[0]["Outputs"]}

    def memory_mb(self, function: str) -> int:
        """The memory of a function, in MB."""
        found = self._client("lambda").get_function_configuration(FunctionName=function)
        return int(found["MemorySize"])

    def log_events(self, function: str) -> list[str]:
        """Everything that a function logged so far, oldest first."""
        return [event["message"] for event in self._events(function)]

    def primed(self, function: str) -> dict[str, tuple[Primed, ...]]:
        """What each environment of a function logged of its priming, by the ledger's id of it.

        The environment is known by its log stream, whose name ends in the id.
        """
        found: dict[str, tuple[Primed, ...]] = {}
        for event in self._events(function):
            for line in _objects([event["message"]]):
                if line.get("message") == "primed":
                    environment = event["logStreamName"].rpartition("]")[2]
                    told = tuple(Primed(**stretch) for stretch in line["primed"])
                    found[environment] = found.get(environment, ()) + told
        return found

    def waves(self, warmer: str) -> list[dict[str, Any]]:
        """The reports that the warmer logged, oldest first."""
        return [line for line in _objects(self.log_events(warmer)) if line.get("message") == "wave"]

    def invocations(self, function: str, since: int = 0) -> list[dict[str, Any]]:
        """The ledger's records of a function's invocations from sequence number `since` on."""
        found = self._cloud.ledger()["invocations"]
        return [
            item for item in found if item["function"] == function and item["sequence"] >= since
        ]

    def ledger(self) -> dict[str, Any]:
        """Everything that the cloud has counted so far."""
        return self._cloud.ledger()

    def mark(self) -> int:
        """A sequence number that no invocation has yet."""
        return int(self._cloud.ledger()["mark"])

    def alive(self, function: str) -> int:
        """How many environments of a function the cloud has now."""
        environments = self._cloud.ledger()["environments"]
        return sum(
            1 for item in environments if item["function"] == function and item["ended_at"] is None
        )

    def lost(self, function: str, since: float) -> dict[str, int]:
        """How many environments of a function have ended since a Unix second, by the reason."""
        return dict(
            Counter(
                item["end_reason"]
                for item in self._cloud.ledger()["environments"]
                if item["function"] == function and (item["ended_at"] or 0.0) > since
            )
        )

    def ready(self, function: str) -> set[str]:
        """The ids of all environments of a function that ever finished INIT."""
        return {
            item["id"]
            for item in self._cloud.ledger()["environments"]
            if item["function"] == function and item["ready_at"] is not None
        }

    def _events(self, function: str) -> list[dict[str, Any]]:
        client = self._client("logs")
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}"
        )
        events = [event for page in pages for event in page["events"]]
        return sorted(events, key=lambda item: int(item["timestamp"]))

    def _client(self, service: str) -> Any:
        return self._session.client(cast(Any, service), endpoint_url=self._cloud.endpoint)


def _objects(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue  # a function may log what looks like JSON and is not
            if isinstance(found, dict):
                yield found


def wait_until(done: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Look again and again until `done()`; raises CloudError, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise CloudError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(POLL_SECONDS)
