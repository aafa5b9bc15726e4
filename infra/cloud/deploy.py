"""A template into a running local cloud, through S3 and CloudFormation, without `sam deploy`."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.cloud.artifacts import BUCKET, Packaged
from infra.cloud.client import local_client
from warmer.errors import CloudError

__all__ = ["deploy"]

_UPLOAD_SECONDS = 60.0
# A change may wait for hooks and gradual deployments.
_CHANGE_SECONDS = 900.0
_POLL_SECONDS = 0.1


def deploy(
    endpoint: str, packages: Packaged, parameters: Mapping[str, str], stack: str
) -> dict[str, str]:
    """Create or update a stack; returns its outputs.

    The same transform and engine as with `sam deploy`. A parameter that is not given has its
    default.
    Raises CloudError, with the reasons that CloudFormation gives, where the template is refused or
    a resource fails.
    """
    formation = local_client(endpoint, "cloudformation")
    # Only now: it looks for boto3, and says how to get it.
    from botocore.exceptions import ClientError

    _upload(endpoint, packages.contents)
    request = {
        "StackName": stack,
        # What YAML takes for a date is text to CloudFormation.
        "TemplateBody": json.dumps(packages.template, default=str),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    }
    try:
        if _exists(formation, stack):
            formation.update_stack(**request)
        else:
            formation.create_stack(**request)
        described = _settled(formation, stack)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        raise CloudError(f"Stack {stack} cannot be deployed: {message}") from error
    if described["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        reasons = "; ".join(_reasons(formation, stack))
        raise CloudError(f"Stack {stack} is {described['StackStatus']}: {reasons}")
    return {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}


def _upload(endpoint: str, contents: Mapping[str, bytes]) -> None:
    s3 = local_client(endpoint, "s3")
    s3.create_bucket(Bucket=BUCKET)

    def put(key: str, content: bytes) -> None:
        # boto3's own PutObject waits a second to be asked for the body, and hashes it twice.
        place = {"Bucket": BUCKET, "Key": key}
        address = s3.generate_presigned_url("put_object", Params=place)
        headers = {"Content-Type": "application/zip"}
        request = urllib.request.Request(address, content, headers, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=_UPLOAD_SECONDS):
                pass
        except (urllib.error.URLError, TimeoutError) as error:
            raise CloudError(f"A package cannot be put into S3 at {endpoint}: {error}") from error

    with ThreadPoolExecutor(max(len(contents), 1), thread_name_prefix="upload") as threads:
        list(threads.map(put, contents, contents.values()))


def _settled(formation: Any, stack: str) -> dict[str, Any]:
    """The stack once its change has ended; CloudError where that takes too long."""
    deadline = time.monotonic() + _CHANGE_SECONDS
    while True:
        described: dict[str, Any] = formation.describe_stacks(StackName=stack)["Stacks"][0]
        if not described["StackStatus"].endswith("_IN_PROGRESS"):
            return described
        if time.monotonic() > deadline:
            raise CloudError(
                f"Stack {stack} is {described['StackStatus']} after {_CHANGE_SECONDS:g} s"
            )
        time.sleep(_POLL_SECONDS)


def _exists(formation: Any, stack: str) -> bool:
    pages = formation.get_paginator("list_stacks").paginate()
    return any(
        item["StackName"] == stack and item["StackStatus"] != "DELETE_COMPLETE"
        for page in pages
        for item in page["StackSummaries"]
    )


def _reasons(formation: Any, stack: str) -> Iterator[str]:
    """Why resources failed, in the order in which they did."""
    events = formation.describe_stack_events(StackName=stack)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("_FAILED"):
            said = event.get("ResourceStatusReason", "")
            yield f"{event['LogicalResourceId']} {event['ResourceStatus']}: {said}"
