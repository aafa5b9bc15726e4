"""boto3 clients: how they are made, and what their errors have in common.

boto3 is imported when a client is first needed, since that takes some 100 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmer.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import Any

    import boto3.session
    from botocore.config import Config

__all__ = ["ACCESS_CODES", "CONNECT_TIMEOUT_SECONDS", "new_client", "new_session"]

CONNECT_TIMEOUT_SECONDS = 3.0
"""From a subnet without a route to AWS a connection never opens: say so soon."""

ACCESS_CODES = frozenset(
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
"""Codes of an answer to a caller without permission or without valid credentials ("Common
Errors" in the API references)."""


def new_session(region: str | None = None) -> boto3.session.Session:
    """A session with credentials; `region` defaults to what the environment and files say.

    Raises ConfigurationError where there are no credentials, or no such profile.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.session.Session(region_name=region)
        if session.get_credentials() is None:
            raise ConfigurationError(
                "AWS credentials", None, "some: set AWS_PROFILE or run `aws configure`"
            )
    except BotoCoreError as error:
        raise ConfigurationError("AWS settings", str(error), "a usable profile") from error
    return session


def new_client(
    service: str,
    config: Config,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: boto3.session.Session | None = None,
) -> Any:
    """A boto3 client. Raises ConfigurationError where region, credentials or endpoint lack."""
    from botocore.exceptions import BotoCoreError, NoRegionError

    try:
        # mypy knows the services by their names' literals.
        create: Any = (session or new_session(region)).client
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
