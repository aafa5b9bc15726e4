"""Functions that could not be run are refused when they are made or changed."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from moto.awslambda.exceptions import (
    FunctionAlreadyExists,
    InvalidParameterValueException,
    UnknownFunctionException,
)

from infra.cloud import functions
from infra.cloud.functions import EventInvokeConfig
from tests.cloud.control_plane.conftest import ControlPlane, package


@pytest.mark.aws(
    "Lambda developer guide: Lambda runtimes",
    "Runtimes other than Python, and container images",
    how="refused",
)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Runtime": "nodejs22.x"}, "runs Python functions; Runtime is nodejs22.x"),
        ({"Runtime": None}, "Runtime is None"),
        ({"Runtime": "python3.13"}, "make PYTHON=python3.13 setup.*--any-python"),
        ({"PackageType": "Image"}, "PackageType is Image"),
        ({"Handler": None}, "such as app.handler"),
        ({"Code": {"ZipFile": "bm8gemlw"}}, "Could not unzip uploaded file"),
        ({"Code": {"S3Bucket": "nowhere", "S3Key": "k"}}, "bucket does not exist"),
        ({"Code": {"S3Bucket": "packages", "S3Key": "nothing"}}, "no such object in S3"),
    ],
)
def test_a_function_that_cannot_be_run_is_refused(
    control: ControlPlane, changes: dict[str, Any], said: str
) -> None:
    """With a remedy, and it does not exist afterwards."""
    with pytest.raises(InvalidParameterValueException, match=said):
        control.create_function("sample", **changes)
    with pytest.raises(UnknownFunctionException):
        control.functions.resolve("sample", None)


@pytest.mark.parametrize("change", ["create", "update"])
def test_what_needs_namespaces_is_refused_without_them(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """When it is deployed, not when it is first invoked."""
    settings = replace(control.settings, isolation="process")
    monkeypatch.setattr(type(control.functions), "settings", settings)
    larger = {"EphemeralStorage": {"Size": 1024}}
    with pytest.raises(InvalidParameterValueException, match="1024 MB of ephemeral storage"):
        if change == "create":
            control.create_function("sample", **larger)
        else:
            control.create_function("sample")
            control.functions.update_function_configuration("sample", "$LATEST", larger)
    if change == "update":
        assert control.functions.resolve("sample", None).version.ephemeral_storage_mb == 512


def test_layers_are_refused_without_namespaces(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the function is deployed: there would be no /opt of its own."""
    settings = replace(control.settings, isolation="process")
    monkeypatch.setattr(type(control.functions), "settings", settings)
    layer = {
        "LayerName": "layer",
        "Content": {"ZipFile": base64.b64encode(package()).decode()},
        "CompatibleRuntimes": [],
        "CompatibleArchitectures": [],
        "LicenseInfo": "",
    }
    arn = control.functions.publish_layer_version(layer).get_layer_version()["LayerVersionArn"]
    with pytest.raises(InvalidParameterValueException, match=r"has layers.*no /opt"):
        control.create_function("sample", Layers=[arn])


def test_a_name_is_used_once(control: ControlPlane) -> None:
    """The second function of a name is refused."""
    control.create_function("sample")
    with pytest.raises(FunctionAlreadyExists):
        control.create_function("sample")


def test_bad_code_leaves_the_old_code_in_place(control: ControlPlane) -> None:
    """What is refused has no effect."""
    control.create_function("sample")
    before = control.functions.resolve("sample", None).version
    body = {"ZipFile": "bm8gemlw"}
    with pytest.raises(InvalidParameterValueException, match="Could not unzip"):
        control.functions.update_function_code("sample", "$LATEST", body)
    assert control.functions.resolve("sample", None).version == before


def test_a_bad_configuration_leaves_the_old_one_in_place(control: ControlPlane) -> None:
    """What is refused has no effect."""
    control.create_function("sample")
    body = {"Runtime": "nodejs22.x", "MemorySize": 512}
    with pytest.raises(InvalidParameterValueException, match="Runtime is nodejs22"):
        control.functions.update_function_configuration("sample", "$LATEST", body)
    assert control.functions.resolve("sample", None).version.memory_mb == 128


def test_a_change_ends_environments_with_the_old_configuration(control: ControlPlane) -> None:
    """All of $LATEST but those with the new one."""
    control.create_function("sample")
    control.functions.update_function_configuration("sample", "$LATEST", {"MemorySize": 512})
    key = control.functions.resolve("sample", None).version.key
    assert control.retired == [("sample", "$LATEST", key)]


def test_a_deleted_function_takes_everything_with_it(control: ControlPlane) -> None:
    """Its environments, its URLs and its event-invoke configurations."""
    control.create_function("sample")
    control.functions.add_url("sample", None, "NONE")
    control.functions.event_invoke["sample", "$LATEST"] = EventInvokeConfig(0)
    control.functions.delete_function("sample")
    assert control.retired == [("sample", None, None)]
    assert (control.settings.urls, control.functions.event_invoke) == ({}, {})


def test_any_python_is_for_those_who_ask(control: ControlPlane) -> None:
    """Then a function of another version is taken."""
    functions.install(replace(control.settings, any_python=True))
    control.create_function("sample", Runtime="python3.13")
    assert control.functions.resolve("sample", None).version.runtime == "python3.13"
