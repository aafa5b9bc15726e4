"""`sam deploy` and `sam delete` against the local cloud."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.deployed.conftest import Deployed, Finished

UNSUPPORTED = """
Resources:
  Machine: { Type: AWS::EC2::Instance }
  Topic: { Type: AWS::SNS::Topic }
"""


class Story:
    """A stack that is deployed, updated, updated in vain, and deleted; and what was seen."""

    def __init__(self, sample: Deployed) -> None:
        self._sample = sample
        self.created = sample.deploy(stack="story")
        self.first = self._seen()
        sample.write(2)
        self.updated = sample.deploy("--parameter-overrides", "Word=second", stack="story")
        self.second = self._seen()
        sample.write(3)
        self.failed = sample.deploy("--parameter-overrides", "AliasVersion=77", stack="story")
        self.third = self._seen()
        events = sample.client("cloudformation").describe_stack_events(StackName="story")
        self.reasons = [item.get("ResourceStatusReason") for item in events["StackEvents"]]
        self.deleted = sample.sam("delete", "--stack-name", "story", "--no-prompts")

    def _seen(self) -> dict[str, Any]:
        configuration = self._sample.client("lambda").get_function_configuration(
            FunctionName="story-echo"
        )
        return {
            "live": self._sample.invoke("story-echo:live")["Payload"],
            "word": configuration["Environment"]["Variables"]["WORD"],
        }


@pytest.fixture(scope="module")
def story(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Told once."""
    return Story(Deployed(deployed.cloud, tmp_path_factory.mktemp("story")))


def said(result: Finished) -> str:
    """All that a command printed."""
    return result.stdout + result.stderr


def test_a_first_deploy_publishes_version_1(story: Story) -> None:
    """And the alias is on it."""
    assert story.created.returncode == 0, said(story.created)
    assert (story.first["live"]["version"], story.first["live"]["release"]) == ("1", 1)


def test_an_update_reaches_the_alias_as_version_2(story: Story) -> None:
    """Published after the code had changed."""
    assert story.updated.returncode == 0, said(story.updated)
    assert (story.second["live"]["version"], story.second["live"]["release"]) == ("2", 2)


def test_parameters_that_are_not_given_again_keep_their_values(story: Story) -> None:
    """`sam` asks for the previous value of each."""
    assert [seen["word"] for seen in (story.first, story.second, story.third)] == [
        "first",
        "second",
        "second",
    ]


def test_an_update_that_fails_says_why_and_changes_nothing(story: Story) -> None:
    """It is rolled back, and the alias has version 2 still."""
    assert story.failed.returncode == 1
    assert "UPDATE_ROLLBACK_COMPLETE" in said(story.failed)
    arn = "arn:aws:lambda:us-east-1:123456789012:function:story-echo:77"
    assert f"Function not found: {arn}" in story.reasons
    assert (story.third["live"]["version"], story.third["live"]["release"]) == ("2", 2)


def test_a_deleted_stack_leaves_no_function(story: Story, deployed: Deployed) -> None:
    """Nor environments of one; other stacks go on."""
    assert story.deleted.returncode == 0, said(story.deleted)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        deployed.invoke("story-echo")
    alive = [item for item in deployed.environments("story-echo") if item["ended_at"] is None]
    assert alive == []
    assert "FunctionError" not in deployed.invoke("sample-echo")


@pytest.mark.aws(
    "CloudFormation template reference", "Resource types without an imitation", how="refused"
)
def test_an_unsupported_resource_type_is_refused(deployed: Deployed, tmp_path: Path) -> None:
    """By name, with a remedy, before anything is created."""
    template = tmp_path / "unsupported.yaml"
    template.write_text(UNSUPPORTED)
    result = deployed.deploy("--template", str(template), stack="unsupported")
    assert result.returncode == 1
    assert "Machine (AWS::EC2::Instance)" in said(result)
    assert "Put them under a condition" in said(result)
    assert deployed.client("sns").list_topics()["Topics"] == []
    assert "FunctionError" not in deployed.invoke("sample-echo")


@pytest.mark.aws(
    "Lambda developer guide: Lambda quotas", "A package over 250 MB unzipped is refused"
)
def test_a_package_over_the_limit_is_refused(deployed: Deployed, tmp_path: Path) -> None:
    """With the limit, the size and the largest folder; there is no such function afterwards."""
    package = tmp_path / "large.zip"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", "")
        with archive.open("torch/lib.so", "w") as entry:
            for _ in range(263):
                entry.write(bytes(1_000_000))
    result = deployed.aws(
        *("lambda", "create-function", "--function-name", "large", "--handler", "app.handler"),
        *("--runtime", json.loads(_configuration(deployed))["Runtime"]),
        *("--role", deployed.outputs()["Role"], "--zip-file", f"fileb://{package}"),
    )
    assert result.returncode == 255
    assert "Unzipped size must be smaller than 262144000 bytes" in result.stderr
    assert "torch (263 MB)" in result.stderr
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        deployed.invoke("large")


def _configuration(deployed: Deployed) -> str:
    return deployed.aws(
        "lambda", "get-function-configuration", "--function-name", "sample-echo"
    ).stdout
