"""The AWS adapter: the only module that imports boto3, and only when a client is first needed.

The world is behind `Invoker.invoke` and ObjectStore: whoever needs Lambda or S3 takes one of them.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from warmer.errors import (
    AccessDenied,
    AnswerTimeout,
    ConfigurationError,
    EndpointUnreachable,
    FunctionNotFound,
    InvokeError,
    ModelError,
    ModelNotFound,
    ModelUnavailable,
    Throttled,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationResponseTypeDef

__all__ = [
    "InvokeReply",
    "InvokeRequest",
    "Invoker",
    "LambdaInvoker",
    "ObjectStore",
    "StoredObject",
]

CONNECT_TIMEOUT_SECONDS = 3.0
"""From a subnet without a route to Lambda a connection never opens: say so soon."""

READ_TIMEOUT_SECONDS = 10.0
"""The longest silence of S3 within an answer."""

READ_ATTEMPTS = 4
"""How often a read from S3 is tried in all."""

_CHUNK_BYTES = 1 << 20

_ACCESS_CODES = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """One synchronous invoke.

    `function` is a name or ARN, `qualifier` a version or alias (None: `$LATEST`).
    `client_context` is the base64 text of Invoke's ClientContext; `payload` is the event as JSON.
    `timeout_seconds` bounds the wait for the answer, connecting included.
    """

    function: str
    qualifier: str | None
    client_context: str
    payload: bytes = b"{}"
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class InvokeReply:
    """What Lambda answered.

    `status` is the HTTP status, `function_error` Lambda's `FunctionError` (None: the function
    returned), `payload` the returned value or error as JSON, `executed_version` the version that
    ran ("" if unknown). `sent_at` (just before the request went to the connection) and
    `received_at` are seconds of the monotonic clock.
    """

    status: int
    function_error: str | None
    payload: bytes
    executed_version: str
    sent_at: float
    received_at: float


class Invoker(Protocol):
    """Invokes functions, from many threads at a time."""

    def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Invoke once, without a retry.

        Raises Throttled, FunctionNotFound, AccessDenied, EndpointUnreachable, AnswerTimeout, or
        another InvokeError for whatever else went wrong before the function ran.
        """
        ...


class LambdaInvoker:
    """The real `Invoker`: boto3's Lambda client with retries off.

    A retry would ping into a throttle, or reach an environment after the others were released.
    `region` and `endpoint_url` default to what boto3 finds in the environment and its files.
    """

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._connections = 10  # botocore's own default
        self._clients: dict[float, LambdaClient] = {}
        self._lock = threading.Lock()
        self._sent = threading.local()

    def prepare(self, connections: int, timeout_seconds: float = 60.0) -> None:
        """Make ready for `connections` invokes at a time; call it once before each run.

        Loads boto3, finds the credentials and creates the client, so that the first wave does not
        wait for that. Drops connections kept from an earlier run: a function that was frozen does
        not notice that the other side closed them, and without retries the first use would fail.
        Raises ConfigurationError if there is no region, no credentials or no usable endpoint.
        """
        with self._lock:
            if connections > self._connections:
                self._connections = connections
                self._drop(self._clients)
            for client in self._clients.values():
                client.close()
        self._client(timeout_seconds)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._drop(self._clients)

    def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Invoke once; see `Invoker.invoke`. Raises ConfigurationError as `prepare` does."""
        client = self._client(request.timeout_seconds)
        from botocore.exceptions import BotoCoreError, ClientError

        self._sent.at = time.monotonic()  # the hook gives the better value, unless it never ran
        try:
            if request.qualifier is None:
                response = client.invoke(
                    FunctionName=request.function,
                    ClientContext=request.client_context,
                    Payload=request.payload,
                )
            else:
                response = client.invoke(
                    FunctionName=request.function,
                    Qualifier=request.qualifier,
                    ClientContext=request.client_context,
                    Payload=request.payload,
                )
            return self._reply(response)
        except ClientError as error:
            raise _refusal(request, error) from error
        except BotoCoreError as error:
            raise _failure(request, error) from error

    def _reply(self, response: InvocationResponseTypeDef) -> InvokeReply:
        payload = response["Payload"].read()
        return InvokeReply(
            status=response["StatusCode"],
            function_error=response.get("FunctionError"),
            payload=payload,
            executed_version=response.get("ExecutedVersion", ""),
            sent_at=self._sent.at,
            received_at=time.monotonic(),
        )

    def _client(self, timeout_seconds: float) -> LambdaClient:
        """The client whose time-outs fit: botocore sets them for a client, not for a call."""
        bound = _whole(timeout_seconds)
        with self._lock:
            client = self._clients.get(bound)
            if client is None:
                client = self._clients[bound] = self._create(bound)
        return client

    def _create(self, timeout_seconds: float) -> LambdaClient:
        from botocore.config import Config

        config = Config(
            connect_timeout=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds / 2),
            read_timeout=max(timeout_seconds - CONNECT_TIMEOUT_SECONDS, timeout_seconds / 2),
            retries={"total_max_attempts": 1},
            max_pool_connections=self._connections,
        )
        client: LambdaClient = _new_client("lambda", config, self._region, self._endpoint_url)
        client.meta.events.register("before-send.lambda.Invoke", self._note_sent)
        return client

    def _note_sent(self, **_: object) -> None:
        self._sent.at = time.monotonic()

    def _drop(self, clients: dict[float, LambdaClient]) -> None:
        for client in clients.values():
            client.close()
        clients.clear()


def _new_client(
    service: str, config: Config, region: str | None = None, endpoint_url: str | None = None
) -> Any:
    """A boto3 client. Raises ConfigurationError where region, credentials or endpoint lack."""
    import boto3
    from botocore.exceptions import BotoCoreError, NoRegionError

    try:
        session = boto3.session.Session(region_name=region)
        if session.get_credentials() is None:
            raise ConfigurationError(
                "AWS credentials", None, "some: set AWS_PROFILE or run `aws configure`"
            )
        # mypy knows the services by their names' literals.
        create: Any = session.client
        return create(service, endpoint_url=endpoint_url, config=config)
    except NoRegionError as error:
        raise ConfigurationError(
            "AWS_DEFAULT_REGION", None, "a region such as eu-west-1"
        ) from error
    except ValueError as error:  # botocore's answer to an endpoint that is no URL
        expected = "a URL such as http://localhost:4566"
        raise ConfigurationError("endpoint_url", endpoint_url, expected) from error
    except BotoCoreError as error:
        raise ConfigurationError("AWS settings", str(error), "a usable profile") from error


def _whole(seconds: float) -> float:
    """Round down, so that a run needs few clients: to 5 s from 10 s on, else to 1 s, at least 1."""
    step = 5 if seconds >= 10 else 1
    return max(float(int(seconds) // step * step), 1.0)


def _name(request: InvokeRequest) -> str:
    return f"{request.function}:{request.qualifier}" if request.qualifier else request.function


def _refusal(request: InvokeRequest, error: ClientError) -> InvokeError:
    """What an error answer of Lambda means; codes as in the API reference of Invoke."""
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    name = _name(request)
    if status == 429 or code == "TooManyRequestsException":
        reason = str(error.response.get("Reason") or "")
        return Throttled(f"Lambda throttled {name}: {reason or message or code}", reason)
    if code == "ResourceNotFoundException":
        return FunctionNotFound(
            f"{name} does not exist; check its name, its qualifier, the account and the region"
            f" ({message})"
        )
    if code in _ACCESS_CODES:
        return AccessDenied(
            f"{name} may not be invoked; allow lambda:InvokeFunction on exactly that ARN, and"
            f" check the credentials ({code}: {message})"
        )
    return InvokeError(f"Lambda did not run {name}: {code}: {message}")


def _failure(request: InvokeRequest, error: BotoCoreError) -> InvokeError:
    """What went wrong without an answer from Lambda."""
    from botocore import exceptions

    name = _name(request)
    if isinstance(error, exceptions.ConnectTimeoutError):
        return EndpointUnreachable(
            f"{name}: no connection to Lambda; from a VPC this needs a NAT gateway or an interface"
            f" endpoint for Lambda ({error})"
        )
    if isinstance(error, exceptions.ReadTimeoutError):
        return AnswerTimeout(f"{name}: no answer in {request.timeout_seconds:.0f} s ({error})")
    unreachable = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
    )
    if isinstance(error, unreachable):
        return EndpointUnreachable(f"{name}: the connection to Lambda failed ({error})")
    return InvokeError(f"{name}: {error}")


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
        self._client = _new_client("s3", config)

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
