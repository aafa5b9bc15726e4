"""What a cloud that runs for long need not keep in memory."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.cloud.objects import objects_to_disk
from tests.cloud.control_plane.conftest import BUCKET, ControlPlane, package

_TRACKED = """
import gc, weakref
from infra.cloud.moto_import import import_moto
import_moto()
from moto.logs.models import LogEvent
event = LogEvent(0, {"timestamp": 0, "message": "said"})
gone = weakref.ref(event)
del event
assert gone() is None
"""


def test_what_moto_deleted_is_not_kept_in_a_list() -> None:
    """Its classes would remember each of their instances."""
    subprocess.run([sys.executable, "-c", _TRACKED], check=True)


def test_a_package_is_let_go_of_when_it_is_unpacked(control: ControlPlane) -> None:
    """Of the function and of its versions; changing the configuration needs it no more."""
    function = control.create_function(Publish=True)
    control.functions.update_function_configuration("sample", "$LATEST", {"MemorySize": 512})
    versions: Any = control.functions.list_versions_by_function("sample")
    assert [name for item in versions for name in vars(item) if name == "code_bytes"] == []
    assert (function.unpacked / "app.py").exists()
    assert control.functions.resolve("sample", None).version.memory_mb == 512


def test_a_layers_package_is_let_go_of_too(control: ControlPlane) -> None:
    """Functions find it unpacked."""
    code = {"S3Bucket": BUCKET, "S3Key": "layer"}
    control.upload("layer", "shared = 1\n")
    layer: Any = control.functions.publish_layer_version({"LayerName": "shared", "Content": code})
    function = control.create_function(Layers=[layer.arn])
    assert layer.code_bytes == b""
    assert [(path / "app.py").exists() for path in function.layer_folders] == [True]


def test_large_objects_of_s3_move_to_disk(control: ControlPlane) -> None:
    """Once; they read the same, and small ones stay where they are."""
    large = package("x" * 2_000_000)
    control.s3.put_object(BUCKET, "large", large)
    control.s3.put_object(BUCKET, "small", b"small")
    etag = control.s3.get_object(BUCKET, "large").etag
    assert [objects_to_disk(DEFAULT_ACCOUNT_ID), objects_to_disk(DEFAULT_ACCOUNT_ID)] == [1, 0]
    assert control.s3.get_object(BUCKET, "large").value == large
    assert control.s3.get_object(BUCKET, "large").etag == etag


def test_an_object_that_was_replaced_meanwhile_stops_no_other(control: ControlPlane) -> None:
    """A deploy may put packages while those of the one before are moved."""
    for name in ("first", "second"):
        control.s3.put_object(BUCKET, name, package("x" * 2_000_000))
    control.s3.get_object(BUCKET, "first").dispose()
    assert objects_to_disk(DEFAULT_ACCOUNT_ID) == 1


@pytest.mark.aws(
    "CloudFormation user guide: Execute a change set for a CloudFormation stack",
    "An executed change set makes the stack's others invalid, and they are removed",
)
def test_a_change_removes_the_stacks_other_change_sets(control: ControlPlane) -> None:
    """Each has a whole template, parsed."""
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    for number in range(3):
        control.deploy({**template, "Description": f"Release {number}"})
    assert len(control.stacks.change_sets) == 1
