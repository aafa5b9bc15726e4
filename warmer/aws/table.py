"""Texts by key, with a time to live, in one DynamoDB table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from warmer.aws.service import Service
from warmer.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

__all__ = ["EXPIRY", "KEY", "TEXT", "Table"]

KEY = "key"
"""The table's hash key, a string."""
TEXT = "text"
EXPIRY = "expires"
"""The attribute of the table's time to live: Unix seconds."""

UNMET = "ConditionalCheckFailedException"
"""What DynamoDB answers where a condition is not met (API reference of PutItem)."""

MOST_READ = 100
MOST_WRITTEN = 25
ROUNDS = 3
"""Bounds of BatchGetItem and BatchWriteItem (API reference), and how often what DynamoDB left
undone is asked for again."""


class Table:
    """A table whose items are a key, a text and an expiry."""

    def __init__(
        self, name: str, *, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        self.name = name
        self._service = Service("dynamodb", region=region, endpoint_url=endpoint_url)

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def read(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The items that there are, by key: attribute -> what DynamoDB holds, such as {"S": "a"}.

        Eventually consistent, half a read unit for each item of up to 4 KB: BatchGetItem. Raises
        ServiceError.
        """
        found: dict[str, dict[str, Any]] = {}
        for first in range(0, len(keys), MOST_READ):
            wanted: Any = [{KEY: {"S": key}} for key in keys[first : first + MOST_READ]]
            for _ in range(ROUNDS):
                answer = self._service.ask(
                    "batch_get_item",
                    "dynamodb:BatchGetItem",
                    RequestItems={self.name: {"Keys": wanted}},
                )
                for item in answer["Responses"].get(self.name, ()):
                    found[item[KEY]["S"]] = item
                wanted = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys")
                if not wanted:
                    break
            else:
                raise ServiceError(f"DynamoDB left {len(wanted)} keys of {self.name} unread")
        return found

    def put(
        self,
        key: str,
        attributes: Mapping[str, str | float],
        expires: float,
        condition: str,
        values: Mapping[str, str | float],
    ) -> bool:
        """Put one item in place of what its key had, if that meets a condition; whether it did.

        `condition` is a condition expression with attributes as `#name` and `values` as `:name`;
        `expires` is Unix seconds. A write unit, met or not: PutItem. Raises ServiceError.
        """
        item: dict[str, Any] = {KEY: {"S": key}, EXPIRY: {"N": str(int(expires))}}
        item |= {name: _typed(value) for name, value in attributes.items()}
        try:
            self._service.ask(
                "put_item",
                "dynamodb:PutItem",
                TableName=self.name,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{n}": n for n in re.findall(r"#(\w+)", condition)},
                ExpressionAttributeValues={name: _typed(value) for name, value in values.items()},
            )
        except ServiceError as error:
            if error.code != UNMET:
                raise
            return False
        return True

    def write(self, texts: Mapping[str, str], expires: float) -> None:
        """Put items, each in place of what its key had, until `expires` (Unix seconds).

        A write unit for each KB of each item: BatchWriteItem. DynamoDB deletes an item within days
        of its expiry. Raises ServiceError.
        """
        items = [
            {KEY: {"S": key}, TEXT: {"S": text}, EXPIRY: {"N": str(int(expires))}}
            for key, text in texts.items()
        ]
        for first in range(0, len(items), MOST_WRITTEN):
            puts: Any = [
                {"PutRequest": {"Item": item}} for item in items[first : first + MOST_WRITTEN]
            ]
            for _ in range(ROUNDS):
                answer = self._service.ask(
                    "batch_write_item",
                    "dynamodb:BatchWriteItem",
                    RequestItems={self.name: puts},
                )
                puts = answer.get("UnprocessedItems", {}).get(self.name)
                if not puts:
                    break
            else:
                raise ServiceError(f"DynamoDB left {len(puts)} items of {self.name} unwritten")


def _typed(value: str | float) -> dict[str, str]:
    """A value as DynamoDB takes it."""
    return {"S": value} if isinstance(value, str) else {"N": repr(value)}
