"""Objects in S3: listed and read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warmer.aws.client import CONNECT_TIMEOUT_SECONDS, new_client
from warmer.errors import ModelError, ModelNotFound, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from botocore.exceptions import BotoCoreError, ClientError

__all__ = ["ObjectStore", "StoredObject"]

READ_TIMEOUT_SECONDS = 10.0
"""The longest silence of S3 within an answer."""

READ_ATTEMPTS = 4
"""How often a read from S3 is tried in all."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket: its `key`, `size` in bytes, and `etag`, which changes with content."""

    key: str
    size: int
    etag: str


class ObjectStore:
    """Reads from one S3 bucket, from up to `connections` threads at a time.

    Region and endpoint are what boto3 finds in the environment and its files. Raises
    ConfigurationError where there are no credentials.
    """

    def __init__(self, bucket: str, connections: int = 1) -> None:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": READ_ATTEMPTS, "mode": "standard"},
            max_pool_connections=connections,
        )
        self._bucket = bucket
        self._client = new_client("s3", config)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def list(self, prefix: str) -> tuple[list[StoredObject], bool]:
        """The first 1,000 objects whose keys begin with `prefix`, and whether there are more.

        Raises ModelNotFound where there is no such bucket, ModelUnavailable where it may not be
        listed or S3 cannot be reached.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        except (BotoCoreError, ClientError) as error:
            raise self._failure(prefix, error) from error
        found = page.get("Contents", ())
        objects = [StoredObject(item["Key"], item["Size"], item["ETag"]) for item in found]
        return objects, bool(page["IsTruncated"])

    def read(
        self, stored: StoredObject, start: int, end: int, write: Callable[[bytes, int], object]
    ) -> None:
        """Read the bytes from `start` up to `end` and pass them to `write(content, offset)`.

        A connection that breaks is tried again, from the start of the range. Raises
        ModelUnavailable where the object is another one by now, may not be read, or cannot be.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                response = self._client.get_object(
                    Bucket=self._bucket,
                    Key=stored.key,
                    IfMatch=stored.etag,
                    Range=f"bytes={start}-{end - 1}",
                )
                offset = start
                for content in response["Body"].iter_chunks(_CHUNK_BYTES):
                    write(content, offset)
                    offset += len(content)
                if offset == end:
                    return
                raise ModelUnavailable(f"s3://{self._bucket}/{stored.key} came in the wrong size")
            except ClientError as error:  # tried again already, where that could help
                raise self._failure(stored.key, error) from error
            except BotoCoreError as error:
                if attempt == READ_ATTEMPTS:
                    raise self._failure(stored.key, error) from error
                time.sleep(0.1 * 2 ** (attempt - 1))

    def _failure(self, key: str, error: BotoCoreError | ClientError) -> ModelError:
        """What an error of S3 means; codes as in the API reference, "Error responses"."""
        response: Any = getattr(error, "response", {})
        code = response.get("Error", {}).get("Code", "")
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        place = f"s3://{self._bucket}/{key}"
        if code == "NoSuchBucket":
            return ModelNotFound(f"{place}: there is no such bucket; check its name")
        if status in (401, 403):
            return ModelUnavailable(
                f"{place} may not be read ({code}): allow this role s3:ListBucket on"
                f" arn:aws:s3:::{self._bucket} and s3:GetObject on what is in it; the bucket of"
                " another account must allow it too"
            )
        if status in (404, 412):
            return ModelUnavailable(
                f"{place} was changed or deleted while it was read ({code}): load it again, and"
                " give each version of a model a prefix of its own"
            )
        return ModelUnavailable(f"{place} cannot be read: {error}")
