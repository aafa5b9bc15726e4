"""Signatures of requests to Function URLs, with the credentials of the AWS settings.

Source: AWS Lambda developer guide, "Control access to Lambda function URLs": requests to a URL with
AWS_IAM are signed (Signature Version 4) for the service `lambda`. botocore's own signer makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from warmer.errors import ConfigurationError

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = ["UrlSigner"]

_HOST_OF_URLS = ".on.aws"


class UrlSigner:
    """Signs requests to the Function URL `url`.

    The region is the URL's own; for an address that tells none, that of the AWS settings. Raises
    ConfigurationError for an address that is no URL, and where region or credentials lack.
    """

    def __init__(self, url: str) -> None:
        import botocore.session

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("url", url, "a Function URL: https://...lambda-url...on.aws/")
        session: Session = botocore.session.Session()
        self._region = _region(parts.hostname) or session.get_config_variable("region")
        if not self._region:
            raise ConfigurationError("AWS_DEFAULT_REGION", None, "a region such as eu-west-1")
        credentials = session.get_credentials()
        if credentials is None:
            raise ConfigurationError(
                "AWS credentials", None, "some: set AWS_PROFILE or run `aws configure`"
            )
        self._credentials = credentials

    def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """The headers that sign a request, with its host; good for five minutes.

        Credentials are asked for each time, since they may have been renewed.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method, url, {"Host": urlsplit(url).netloc}, body)
        frozen = self._credentials.get_frozen_credentials()
        SigV4Auth(frozen, "lambda", str(self._region)).add_auth(request)
        return dict(request.headers.items())


def _region(host: str) -> str | None:
    """The region in `ID.lambda-url.REGION.on.aws`."""
    labels = host.removesuffix(_HOST_OF_URLS).split(".")
    own = host.endswith(_HOST_OF_URLS) and len(labels) == 3 and labels[1] == "lambda-url"
    return labels[2] if own else None
