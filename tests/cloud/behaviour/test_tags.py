"""Functions found by their tags.

Source: AWS Resource Groups Tagging API reference, "GetResources".
"""

from __future__ import annotations

import pytest

from tests.cloud.behaviour.conftest import ECHO, Account


def found(account: Account, key: str, *values: str) -> dict[str, dict[str, str]]:
    """Functions with such a tag, one to a page, each with all its tags."""
    client = account.client("resourcegroupstaggingapi")
    pages = client.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["lambda:function"],
        TagFilters=[{"Key": key, "Values": list(values)}],
        ResourcesPerPage=1,
    )
    return {
        item["ResourceARN"].rsplit(":", 1)[-1]: {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        for page in pages
        for item in page["ResourceTagMappingList"]
    }


@pytest.mark.aws(
    "Resource Groups Tagging API reference: GetResources", "Functions are found by their tags"
)
def test_functions_are_found_by_key_and_value(account: Account) -> None:
    """Tagged when they were made or later; untagged ones are not found.

    AWS page: "GetResources" (TagFilters, ResourceTypeFilters); Lambda API reference, "TagResource".
    """
    one, two, other = account.function(Tags={"team": "a"}), account.function(), account.function()
    for name, team in ((two, "b"), (other, "a")):
        arn = account.functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        account.functions.tag_resource(Resource=arn, Tags={"team": team, "word": "x"})
    account.functions.untag_resource(Resource=arn, TagKeys=["team"])
    assert set(found(account, "team")) == {one, two}
    assert found(account, "team", "b") == {two: {"team": "b", "word": "x"}}
    account.functions.delete_function(FunctionName=one)
    assert set(found(account, "team")) == {two}


@pytest.mark.aws(
    "CloudFormation user guide: Resource tag",
    "Tags of the template and of the stack are the function's",
)
def test_a_templates_and_a_stacks_tags_are_the_functions(account: Account) -> None:
    """The function's own win; an update changes them; CloudFormation adds its own.

    AWS page: CloudFormation, "Resource tag".
    """

    def template(colour: str) -> dict[str, object]:
        return {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {
                "F": {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {
                        "FunctionName": "tagged",
                        "Runtime": "python3.13",
                        "Handler": "index.handler",
                        "InlineCode": ECHO,
                        "Role": account.role,
                        "Tags": {"colour": colour},
                    },
                }
            },
        }

    stack_tags = [{"Key": "colour", "Value": "grey"}, {"Key": "stage", "Value": "test"}]
    account.deploy("tagged", template("red"), Tags=stack_tags)
    tags = found(account, "stage", "test")["tagged"]
    assert (tags["colour"], tags["aws:cloudformation:logical-id"]) == ("red", "F")
    assert tags["aws:cloudformation:stack-name"] == "tagged"
    account.deploy("tagged", template("blue"), Tags=stack_tags)
    assert set(found(account, "colour", "blue")) == {"tagged"}
    assert account.invoke("tagged")["StatusCode"] == 200
