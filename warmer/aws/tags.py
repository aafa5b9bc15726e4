"""Functions by their tags, in one call for all: the Resource Groups Tagging API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warmer.aws.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TaggedFunction", "TaggedFunctions"]

PAGE = 100
"""The most that one page may have (API reference of GetResources, ResourcesPerPage)."""


@dataclass(frozen=True)
class TaggedFunction:
    """A function's ARN and all its tags."""

    arn: str
    tags: Mapping[str, str]


class TaggedFunctions:
    """Finds functions of this account and region by a tag's key."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service(
            "resourcegroupstaggingapi", region=region, endpoint_url=endpoint_url
        )

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def with_tag(self, key: str) -> list[TaggedFunction]:
        """All functions that have a tag `key`, by ARN: GetResources, a call for each hundred.

        Raises ServiceError.
        """
        found: list[TaggedFunction] = []
        token = ""
        while True:
            answer = self._service.ask(
                "get_resources",
                "tag:GetResources",
                ResourceTypeFilters=["lambda:function"],
                TagFilters=[{"Key": key}],
                ResourcesPerPage=PAGE,
                PaginationToken=token,
            )
            for item in answer["ResourceTagMappingList"]:
                tags = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
                found.append(TaggedFunction(item["ResourceARN"], tags))
            token = answer.get("PaginationToken") or ""
            if not token:
                return sorted(found, key=lambda function: function.arn)
