"""One local cloud and one deployed stack, shared by many tests; and the real command lines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config

from infra.cloud.process import CloudProcess

ROOT = Path(__file__).resolve().parents[3]
RUNTIME = ROOT / ".tools" / "runtime"
RUNTIME_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
STACK = "sample"
IDLE_SECONDS = 3.0

# Answers with what it was given; the event says what else it does.
HANDLER = """
import os
import time

RELEASE = {release}


def handler(event, context):
    print("the event is", event)
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        os._exit(event["exit"])
    time.sleep(event.get("sleep", 0))
    if event.get("version") == "2.0":
        if event["rawPath"] == "/raise":
            raise ValueError("asked to")
        return {{"statusCode": 201, "headers": {{"X-Path": event["rawPath"]}}, "body": event}}
    custom = getattr(context.client_context, "custom", None)
    return {{
        "release": RELEASE,
        "event": event,
        "custom": custom,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "stream": context.log_stream_name,
    }}
"""

TEMPLATE = f"""
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  AliasVersion: {{ Type: String, Default: "" }}
  Word: {{ Type: String, Default: first }}
Conditions:
  Broken: !Not [!Equals [!Ref AliasVersion, ""]]
Globals:
  Function: {{ Runtime: {RUNTIME_PYTHON}, Timeout: 10, MemorySize: 256 }}
Resources:
  Sample:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-echo
      Handler: app.handler
      CodeUri: src
      AutoPublishAlias: live
      Environment: {{ Variables: {{ WORD: !Ref Word }} }}
      FunctionUrlConfig: {{ AuthType: NONE }}
  Signed:
    Type: AWS::Serverless::Function
    Properties: {{ Handler: app.handler, CodeUri: src, FunctionUrlConfig: {{ AuthType: AWS_IAM }} }}
  Wrong:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-wrong-name
      Handler: app.nothing
      CodeUri: src
  Missing:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-wrong-module
      Handler: nothing.handler
      CodeUri: src
  Reserved:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-reserved
      Handler: app.handler
      CodeUri: src
      ReservedConcurrentExecutions: 1
  BrokenAlias:
    Type: AWS::Lambda::Alias
    Condition: Broken
    DependsOn: SampleAliaslive
    Properties: {{ Name: broken, FunctionName: !Ref Sample, FunctionVersion: !Ref AliasVersion }}
Outputs:
  Url: {{ Value: !GetAtt SampleUrl.FunctionUrl }}
  SignedUrl: {{ Value: !GetAtt SignedUrl.FunctionUrl }}
  Role: {{ Value: !GetAtt SampleRole.Arn }}
"""

Finished = subprocess.CompletedProcess[str]


def wait_for(look: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What `look` finds once that is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.02)
    return found


class Deployed:
    """A running cloud with the stack `sample`, and AWS's tools pointed at it."""

    def __init__(self, cloud: CloudProcess, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self.environment = {**cloud.environment(), "SAM_CLI_POLL_DELAY": "0.2"}
        self.write(1)

    def write(self, release: int) -> None:
        """Have the function's source say that it is this release."""
        source = self.folder / "src"
        source.mkdir(exist_ok=True)
        (source / "app.py").write_text(HANDLER.format(release=release))
        (self.folder / "template.yaml").write_text(TEMPLATE)

    def sam(self, *arguments: str) -> Finished:
        """Run the real `sam` in the template's folder."""
        return self._run("sam", *arguments)

    def deploy(self, *arguments: str, stack: str = STACK) -> Finished:
        """`sam deploy`."""
        return self.sam(
            *("deploy", "--stack-name", stack, "--resolve-s3", "--no-progressbar"),
            *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", *arguments),
        )

    def aws(self, *arguments: str) -> Finished:
        """Run the real `aws`."""
        return self._run("aws", *arguments)

    def client(self, service: str) -> Any:
        """A boto3 client that never retries."""
        return boto3.client(
            cast(Any, service),
            endpoint_url=self.cloud.endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}

    def invoke(self, reference: str, event: Any = None, **options: Any) -> dict[str, Any]:
        """Invoke with boto3; the answer has its payload read as JSON."""
        payload = json.dumps({} if event is None else event).encode()
        answer = self.client("lambda").invoke(FunctionName=reference, Payload=payload, **options)
        return {**answer, "Payload": json.loads(answer["Payload"].read() or b"null")}

    def together(self, count: int, reference: str, event: Any) -> list[dict[str, Any]]:
        """Invoke `count` times at once."""
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self.invoke(reference, event), range(count)))

    def invocations(self, function: str) -> list[dict[str, Any]]:
        """What the cloud's ledger has of a function."""
        records = self.cloud.ledger()["invocations"]
        return [record for record in records if record["function"] == function]

    def environments(self, function: str) -> list[dict[str, Any]]:
        """What the cloud's ledger has of a function's environments."""
        records = self.cloud.ledger()["environments"]
        return [record for record in records if record["function"] == function]

    def messages(self, function: str) -> list[str]:
        """All that a function has logged to CloudWatch Logs so far."""
        logs = self.client("logs")
        group = f"/aws/lambda/{function}"
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if group not in [item["logGroupName"] for item in found]:
            return []
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def _run(self, tool: str, *arguments: str) -> Finished:
        return subprocess.run(
            [ROOT / ".tools" / "sam" / "bin" / tool, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A cloud whose clock runs twenty times as fast, so that minutes are seconds."""
    assert (RUNTIME / "ready").exists(), "run `make setup` first"
    folder = tmp_path_factory.mktemp("deployed")
    options = ("--clock-rate", "20", "--idle-lifetime", str(20 * IDLE_SECONDS))
    with CloudProcess(options, directory=ROOT, log=folder / "cloud.log") as cloud:
        running = Deployed(cloud, folder)
        result = running.deploy()
        assert result.returncode == 0, result.stdout + result.stderr
        yield running
