"""One cloud for all of these tests, in which an hour of cloud time is six seconds."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.client import local_client
from infra.cloud.process import CloudProcess

ROOT = Path(__file__).resolve().parents[3]
CLOCK_RATE = 600
ACCOUNT = "123456789012"
REGION = "us-east-1"

# Says who it is; the event says what else it does.
ECHO = """
import os
import time


def handler(event, context):
    if "raise" in event:
        raise ValueError(event["raise"])
    time.sleep(event.get("sleep", 0))
    return {
        "event": event,
        "version": context.function_version,
        "init_type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
    }
"""


def package(**files: str) -> bytes:
    """A zip of Python files, by module name; two underscores are a slash."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, source in files.items():
            archive.writestr(name.replace("__", "/") + ".py", source)
    return packed.getvalue()


def wait_for(look: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What `look` finds once that is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.01)
    return found


class Account:
    """A running cloud, and boto3 clients of it."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.cloud = cloud
        self._clients: dict[str, Any] = {}
        role = self.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        self.role = role["Role"]["Arn"]

    def client(self, service: str) -> Any:
        """A client that never retries."""
        if service not in self._clients:
            self._clients[service] = local_client(self.cloud.endpoint, service)
        return self._clients[service]

    @property
    def functions(self) -> Any:
        """Lambda's client."""
        return self.client("lambda")

    def function(self, source: str = ECHO, **settings: Any) -> str:
        """Create a function of a name of its own; returns that."""
        name = f"f-{uuid.uuid4().hex[:12]}"
        request = {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Role": self.role,
            "Handler": "app.handler",
            "Code": {"ZipFile": package(app=source)},
        }
        self.functions.create_function(**{**request, **settings})
        return name

    def change(self, name: str, source: str) -> str:
        """Update a function's code and publish it; returns the version."""
        self.functions.update_function_code(FunctionName=name, ZipFile=package(app=source))
        return str(self.functions.publish_version(FunctionName=name)["Version"])

    def invoke(self, reference: str, event: Any = None, **options: Any) -> dict[str, Any]:
        """Invoke; the answer has its payload read as JSON."""
        payload = json.dumps(event or {}).encode()
        answer = self.functions.invoke(FunctionName=reference, Payload=payload, **options)
        return {**answer, "Payload": json.loads(answer["Payload"].read() or b"null")}

    def send(self, reference: str, event: Any) -> str:
        """Invoke asynchronously; returns the request's id."""
        answer = self.invoke(reference, event, InvocationType="Event")
        return str(answer["ResponseMetadata"]["RequestId"])

    def queue(self) -> tuple[str, str]:
        """Create an SQS queue; returns its URL and its ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:12]}")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, attributes["Attributes"]["QueueArn"]

    def received(self, url: str) -> dict[str, Any]:
        """The next message of a queue, with its attributes."""
        sqs = self.client("sqs")

        def look() -> Any:
            return sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")

        message: dict[str, Any] = wait_for(look, f"a message in {url}")[0]
        return message

    def deploy(self, name: str, template: dict[str, Any], **options: Any) -> str:
        """Create or update a stack, and wait for its end; returns its status."""
        stacks = self.client("cloudformation")
        known = [stack["StackName"] for stack in stacks.describe_stacks()["Stacks"]]
        call = stacks.update_stack if name in known else stacks.create_stack
        call(StackName=name, TemplateBody=json.dumps(template), **options)

        def look() -> str:
            status = str(stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
            return "" if status.endswith("_IN_PROGRESS") else status

        return str(wait_for(look, f"the end of stack {name}", 60))

    def outputs(self, stack: str) -> dict[str, str]:
        """A stack's outputs."""
        described = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}

    def reasons(self, stack: str) -> str:
        """What a stack's events say."""
        events = self.client("cloudformation").describe_stack_events(StackName=stack)
        return "\n".join(item.get("ResourceStatusReason", "") for item in events["StackEvents"])

    def invocations(self, function: str) -> list[dict[str, Any]]:
        """What the cloud's ledger has of a function."""
        records = self.cloud.ledger()["invocations"]
        return [record for record in records if record["function"] == function]

    def environments(self, function: str) -> list[dict[str, Any]]:
        """A function's environments that are alive."""
        records = self.cloud.ledger()["environments"]
        return [r for r in records if r["function"] == function and r["ended_at"] is None]


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Runs every function on the Python that there is; environments live long."""
    log = tmp_path_factory.mktemp("behaviour") / "cloud.log"
    options = ("--clock-rate", str(CLOCK_RATE), "--idle-lifetime", "60000", "--any-python")
    with CloudProcess((*options, "--seed", "7"), directory=ROOT, log=log) as cloud:
        yield Account(cloud)
