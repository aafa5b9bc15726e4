"""Function URLs that there are: where, of which alias, and how they are answered.

Source: AWS Lambda API reference, "CreateFunctionUrlConfig".
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.exceptions import (
    GenericResourcNotFound,
    InvalidParameterValueException,
    LambdaClientError,
)

__all__ = ["FunctionUrl", "FunctionUrls"]

_AUTH_TYPES = ("AWS_IAM", "NONE")


@dataclass(frozen=True)
class FunctionUrl:
    """A Function URL: the function and qualifier behind it, and who may call it.

    cors: as in the API (AllowOrigins and so on), or None where the function itself sees to it.
    created, modified: ISO 8601.
    """

    id: str
    function: str
    qualifier: str | None
    auth_type: str
    cors: Mapping[str, Any] | None = None
    created: str = ""
    modified: str = ""


class UrlExists(LambdaClientError):
    """There is one already."""

    code = 409

    def __init__(self, arn: str) -> None:
        super().__init__(
            "ResourceConflictException",
            f"Failed to create function url config for [functionArn = {arn}]. Error message:  "
            "FunctionUrlConfig exists for this Lambda function",
        )


class FunctionUrls:
    """Function URLs of one region.

    urls: of all regions, by id, for who answers them. base: address of this cloud.
    """

    def __init__(self, urls: dict[str, FunctionUrl], base: str) -> None:
        self._urls = urls
        self._base = base

    def create(
        self, function: str, qualifier: str | None, config: Mapping[str, Any], arn: str
    ) -> FunctionUrl:
        """CreateFunctionUrlConfig; a function and each of its aliases can have one."""
        if any(url.qualifier == qualifier for url in self.of(function)):
            raise UrlExists(arn)
        now = _now()
        blank = FunctionUrl(uuid.uuid4().hex, function, qualifier, "AWS_IAM", None, now, now)
        self._urls[blank.id] = _merged(blank, config)
        return self._urls[blank.id]

    def find(self, function: str, qualifier: str | None) -> FunctionUrl:
        """The one of a function or an alias; raises moto's error where there is none."""
        found = [url for url in self.of(function) if url.qualifier == qualifier]
        if not found:
            raise GenericResourcNotFound
        return found[0]

    def update(self, url: FunctionUrl, config: Mapping[str, Any]) -> FunctionUrl:
        """UpdateFunctionUrlConfig: the address stays."""
        self._urls[url.id] = replace(_merged(url, config), modified=_now())
        return self._urls[url.id]

    def remove(self, address_or_id: str) -> None:
        """DeleteFunctionUrlConfig."""
        self._urls.pop(address_or_id.rstrip("/").rsplit("/", 1)[-1], None)

    def of(self, function: str) -> list[FunctionUrl]:
        """All of a function and its aliases."""
        return [url for url in list(self._urls.values()) if url.function == function]

    def address(self, url: FunctionUrl) -> str:
        """Where it is answered."""
        return f"{self._base}/lambda-url/{url.id}/"

    def by_address(self, address: str) -> FunctionUrl:
        """The one that is answered there."""
        return self._urls[address.rstrip("/").rsplit("/", 1)[-1]]

    def describe(self, url: FunctionUrl, arn: str) -> dict[str, Any]:
        """As GetFunctionUrlConfig answers."""
        return {
            "FunctionUrl": self.address(url),
            "FunctionArn": arn,
            "AuthType": url.auth_type,
            "Cors": url.cors,
            "CreationTime": url.created,
            "LastModifiedTime": url.modified,
            "InvokeMode": "BUFFERED",
        }


def _merged(url: FunctionUrl, config: Mapping[str, Any]) -> FunctionUrl:
    auth = config.get("AuthType", url.auth_type)
    if auth not in _AUTH_TYPES:
        raise InvalidParameterValueException(f"AuthType is {auth}; expected AWS_IAM or NONE")
    if config.get("InvokeMode", "BUFFERED") != "BUFFERED":
        raise InvalidParameterValueException(
            f"InvokeMode is {config['InvokeMode']}; the local cloud answers BUFFERED ones only"
        )
    return replace(url, auth_type=auth, cors=config.get("Cors", url.cors) or None)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
