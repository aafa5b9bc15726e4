"""boto3 clients of a local cloud."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from warmer.errors import CloudError

if TYPE_CHECKING:
    from boto3.session import Session

__all__ = ["load_clients", "local_client"]

# Making clients is the one thing that threads must not do at once with a session.
_making = threading.Lock()

_REGION = "us-east-1"
# Lambda's longest time-out is 900 s (AWS Lambda quotas page).
_LONGEST_ANSWER_SECONDS = 910
_CONNECTIONS = 256


@cache
def _session() -> Session:
    """A boto3 session that looks for no real credentials; CloudError without boto3.

    One for all clients: each session reads the descriptions of services anew.
    """
    try:
        from boto3.session import Session
    except ModuleNotFoundError as error:
        raise CloudError("The local cloud's clients need boto3: pip install 'warmer[cli]'") from (
            error
        )
    return Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=_REGION)


def load_clients(*services: str) -> None:
    """Load boto3 and the descriptions of services, which takes half a second, ahead of need."""
    for service in services:
        local_client("http://localhost", service).close()


def local_client(endpoint: str, service: str) -> Any:
    """A client of one AWS service in the cloud at `endpoint`.

    It never tries again, so that a throttled request is seen as one, and opens as many connections
    as there are requests at once, up to 256.
    """
    session = _session()
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS,
        read_timeout=_LONGEST_ANSWER_SECONDS,
    )
    with _making:
        return session.client(cast(Any, service), endpoint_url=endpoint, config=config)
