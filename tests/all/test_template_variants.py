"""The template's variants, built by `sam build`, deployed one over the other to a local cloud."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import Sam, overrides
from infra.cloud.sam_build import build, build_environment
from warmer.errors import CloudError

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
MODEL = TEMPLATE.parent / "handlers" / "models" / "digits"
INFERENCE, HOOK = "local-inference", "local-pre-traffic"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:models:1"
ENABLED = dict.fromkeys(("Alarms", "Memory", "TargetsByTag", "TargetsParameter"), "ENABLED")
VARIANTS: dict[str, dict[str, str]] = {
    "everything on": {
        **ENABLED,
        "Dashboard": "ENABLED",
        "MetricsNamespace": "Warmer",
        "Tracing": "Active",
        "LogLevel": "WARNING",
        "KmsKey": "arn:aws:kms:us-east-1:123456789012:key/0a",
        "VpcSubnets": "subnet-0a,subnet-0b",
        "VpcSecurityGroups": "sg-0a",
        "LambdaEndpoint": "vpce-0a",
    },
    "public, with larger /tmp": {"FunctionUrlAuth": "NONE", "EphemeralStorage": "1024"},
    "reserved": {"ReservedConcurrency": "20"},
    "provisioned": {"ProvisionedConcurrency": "2"},
    "SnapStart": {"SnapStart": "ENABLED"},
    "canary": {"DeploymentType": "Canary10Percent5Minutes", "InferenceMemory": "1024"},
    "linear": {"DeploymentType": "Linear10PercentEvery1Minute", "InferenceMemory": "1536"},
    "model in a layer": {"ModelSource": "LAYER", "ModelLayer": LAYER},
    "model in S3": {"ModelSource": "S3", "ModelPath": "models-bucket/models/digits"},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[DeployedStack]:
    """The template's defaults; a minute of the cloud's is a quarter of a second."""
    with deployed(TEMPLATE, any_python=True, arguments=("--clock-rate", "240")) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="models-bucket")
        for file in MODEL.iterdir():
            s3.upload_file(str(file), "models-bucket", f"models/digits/{file.name}")
        running.client("lambda").publish_layer_version(
            LayerName="models", Content={"ZipFile": packed_model()}
        )
        yield running


def packed_model() -> bytes:
    """The model as a layer's content, below /opt/models/digits."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in MODEL.iterdir():
            archive.write(file, f"models/digits/{file.name}")
    return packed.getvalue()


@pytest.fixture(scope="module")
def built() -> Path:
    """What `sam build` makes."""
    return build(TEMPLATE, {}, environment=build_environment(True))


@pytest.fixture(scope="module")
def sam(stack: DeployedStack, tmp_path_factory: pytest.TempPathFactory) -> Sam:
    """The real command line, for stacks beside that one."""
    return Sam(stack.environment(), tmp_path_factory.mktemp("sam") / "sam.log")


def answered(stack: DeployedStack, function: str = INFERENCE) -> dict[str, Any]:
    """What the alias of a function answers to one blank image."""
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 8, 8], "data": [0] * 64}
    answer = stack.client("lambda").invoke(
        FunctionName=function, Qualifier="live", Payload=json.dumps({"inputs": [tensor]})
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def live(stack: DeployedStack) -> str:
    """The version that the alias is on."""
    alias = stack.client("lambda").get_alias(FunctionName=INFERENCE, Name="live")
    return str(alias["FunctionVersion"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_deployed_and_answers(stack: DeployedStack, built: Path, variant: str) -> None:
    """As an update of the one before: another version, which the hook has primed."""
    before, hooks = live(stack), len(stack.invocations(HOOK))
    stack.update(built, VARIANTS[variant])
    assert answered(stack)["model_name"] == "digits"
    # Reserved concurrency is the function's, and provisioned concurrency the alias's: no version's.
    if variant not in ("reserved", "provisioned"):
        assert int(live(stack)) > int(before)
        assert len(stack.invocations(HOOK)) == hooks + 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_sam_deploys_a_variant(
    stack: DeployedStack, built: Path, sam: Sam, request: pytest.FixtureRequest, variant: str
) -> None:
    """As a stack of its own, of what `sam build` made; it is gone when it is deleted."""
    name = f"variant-{list(VARIANTS).index(variant)}"
    formation = stack.client("cloudformation")
    request.addfinalizer(lambda: formation.delete_stack(StackName=name))
    sam.run(
        *("deploy", "--template-file", str(built), "--stack-name", name, "--resolve-s3"),
        *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
        *overrides(VARIANTS[variant]),
    )
    assert answered(stack, f"{name}-inference")["model_name"] == "digits"


def test_a_combination_that_aws_refuses_is_refused(stack: DeployedStack, built: Path) -> None:
    """With the rule's remedy, and the stack as it was."""
    with pytest.raises(CloudError, match="Set ProvisionedConcurrency to 0"):
        stack.update(built, {"SnapStart": "ENABLED", "ProvisionedConcurrency": "2"})
    assert answered(stack)["model_name"] == "digits"
