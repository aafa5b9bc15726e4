"""Layers: published, unpacked in /opt, limited.

Source: AWS Lambda developer guide, "Managing Lambda dependencies with layers".
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.behaviour.conftest import Account, package

IMPORTS = """
import words
def handler(event, context):
    return words.WORD
"""


def layer(account: Account, **files: str) -> str:
    """Publish a layer of a name of its own; returns the version's ARN."""
    answer = account.functions.publish_layer_version(
        LayerName=f"l-{uuid.uuid4().hex[:12]}", Content={"ZipFile": package(**files)}
    )
    return str(answer["LayerVersionArn"])


@pytest.mark.aws(
    "Lambda developer guide: Packaging your layer content", "A function imports from its layers"
)
def test_a_function_imports_from_its_layers(account: Account) -> None:
    """The folder `python` of each is on the path; of equal files the later layer's is there.

    AWS page: "Packaging your layer content".
    """
    first = layer(account, python__words="WORD = 'first'")
    second = layer(account, python__words="WORD = 'second'")
    name = account.function(IMPORTS, Layers=[first, second])
    assert account.invoke(name)["Payload"] == "second"
    described = account.functions.get_function_configuration(FunctionName=name)
    assert [item["Arn"] for item in described["Layers"]] == [first, second]
    account.functions.update_function_configuration(FunctionName=name, Layers=[first])
    assert account.invoke(name)["Payload"] == "first"


@pytest.mark.aws(
    "Lambda developer guide: Creating and deleting layers in Lambda",
    "A deleted layer stays with its functions",
)
def test_a_deleted_layer_stays_with_its_functions(account: Account) -> None:
    """Nobody else can add it.

    AWS page: "Creating and deleting layers in Lambda".
    """
    arn = layer(account, python__words="WORD = 'kept'")
    name = account.function(IMPORTS, Layers=[arn])
    account.functions.delete_layer_version(
        LayerName=arn.split(":")[6], VersionNumber=int(arn.rsplit(":", 1)[1])
    )
    assert account.invoke(name)["Payload"] == "kept"
    with pytest.raises(ClientError, match="does not exist"):
        account.function(Layers=[arn])


def template(account: Account, word: str) -> dict[str, Any]:
    """A function with a layer, as SAM packages one."""
    account.client("s3").create_bucket(Bucket="layers")
    content = package(python__words=f"WORD = {word!r}")
    account.client("s3").put_object(Bucket="layers", Key=f"{word}.zip", Body=content)
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "L": {
                "Type": "AWS::Serverless::LayerVersion",
                "Properties": {
                    "LayerName": "words",
                    "ContentUri": f"s3://layers/{word}.zip",
                    "CompatibleRuntimes": ["python3.13"],
                },
            },
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": "layered",
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "InlineCode": IMPORTS,
                    "Role": account.role,
                    "Layers": [{"Ref": "L"}],
                },
            },
        },
    }


@pytest.mark.aws(
    "SAM developer guide: AWS::Serverless::LayerVersion",
    "A template's new layer content is a new version",
)
def test_a_template_can_have_layers(account: Account) -> None:
    """New content is a new version of the layer, which the function has then.

    AWS page: SAM developer guide, "AWS::Serverless::LayerVersion".
    """
    assert account.deploy("layered", template(account, "one")) == "CREATE_COMPLETE"
    assert account.invoke("layered")["Payload"] == "one"
    assert account.deploy("layered", template(account, "two")) == "UPDATE_COMPLETE"
    assert account.invoke("layered")["Payload"] == "two"


@pytest.mark.aws(
    "Lambda developer guide: Managing Lambda dependencies with layers",
    "A function has at most five layers",
)
def test_a_function_has_at_most_five(account: Account) -> None:
    """And none of them twice, in whatever version.

    AWS page: "Managing Lambda dependencies with layers"; quotas page.
    """
    arns = [layer(account, python__words="") for _ in range(6)]
    with pytest.raises(ClientError, match="Cannot reference more than 5 layers"):
        account.function(Layers=arns)
    with pytest.raises(ClientError, match="Two different versions of the same layer"):
        account.function(Layers=[arns[0], arns[0]])
    account.function(Layers=arns[:5])


@pytest.mark.aws("Lambda API reference: PublishLayerVersion", "What cannot be unpacked is no layer")
def test_what_cannot_be_unpacked_is_no_layer(account: Account) -> None:
    """It is refused when it is published.

    AWS page: API reference, "PublishLayerVersion".
    """
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        account.functions.publish_layer_version(LayerName="bad", Content={"ZipFile": b"no zip"})
    assert account.functions.list_layer_versions(LayerName="bad")["LayerVersions"] == []
