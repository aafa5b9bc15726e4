"""What a deployed function reaches: the cloud, and by default nothing else."""

from __future__ import annotations

import io
import json
import socket
import zipfile

from tests.cloud.deployed.conftest import RUNTIME_PYTHON, Deployed

_SOURCE = """
import os
import socket
import boto3

def handler(event, context):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="from-inside")
    s3.put_object(Bucket="from-inside", Key="word", Body=event["word"].encode())
    body = s3.get_object(Bucket="from-inside", Key="word")["Body"].read().decode()
    invoke = boto3.client("lambda").invoke(FunctionName="sample-echo", Payload=b'{"a": 1}')
    with socket.socket() as connection:
        machine = connection.connect_ex(("127.0.0.1", event["port"]))
    return {
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "body": body,
        "status": invoke["StatusCode"],
        "machine": os.strerror(machine),
    }
"""


def test_boto3_reaches_the_cloud_and_nothing_else_from_inside(deployed: Deployed) -> None:
    """S3 and Lambda answer through AWS_ENDPOINT_URL, the same as outside; a local service not."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", _SOURCE)
    deployed.client("lambda").create_function(
        FunctionName="reaching",
        Runtime=RUNTIME_PYTHON,
        Handler="app.handler",
        Role=deployed.outputs()["Role"],
        Code={"ZipFile": package.getvalue()},
        Timeout=30,
    )
    with socket.create_server(("127.0.0.1", 0)) as service:
        event = {"word": "cold", "port": service.getsockname()[1]}
        answer = deployed.invoke("reaching", event)["Payload"]
    assert answer == {
        "endpoint": deployed.cloud.endpoint,
        "body": "cold",
        "status": 200,
        "machine": "Connection refused",
    }, json.dumps(answer)
    found = deployed.client("s3").get_object(Bucket="from-inside", Key="word")
    assert found["Body"].read() == b"cold"
    deployed.client("lambda").delete_function(FunctionName="reaching")
