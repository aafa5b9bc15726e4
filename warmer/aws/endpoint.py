"""Where Lambda's API is, and who asks: region, URL, credentials and TLS, as boto3 finds them.

Nothing here is decided by us: botocore reads its variables and files (AWS_ENDPOINT_URL_LAMBDA,
AWS_PROFILE, AWS_CA_BUNDLE and all the others), and a client of its own is asked for the result.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from warmer.aws.client import new_client, new_session
from warmer.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import Any

    from botocore.credentials import Credentials

__all__ = ["LambdaEndpoint"]


@dataclass(frozen=True)
class LambdaEndpoint:
    """Lambda's API in one region, for one caller.

    `ca_bundle` is the file of trusted certificates for https.
    """

    url: str
    region: str
    credentials: Credentials = field(repr=False)
    ca_bundle: str

    @classmethod
    def find(cls, region: str | None, endpoint_url: str | None) -> LambdaEndpoint:
        """The endpoint; arguments win over what boto3 finds.

        Raises ConfigurationError if there is no region, no credentials or no usable endpoint, or
        if it would be reached through a proxy.
        """
        session: Any = new_session(region)
        from botocore.config import Config
        from botocore.httpsession import get_cert_path

        client = new_client("lambda", Config(), endpoint_url=endpoint_url, session=session)
        url, region_name = client.meta.endpoint_url, client.meta.region_name
        client.close()
        _refuse_proxy(url)
        # boto3's session hides what botocore's tells.
        bundle = session._session.get_config_variable("ca_bundle") or get_cert_path(True)
        return cls(url, region_name, session.get_credentials(), str(bundle))

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The TCP port."""
        return urlsplit(self.url).port or (443 if self.is_https else 80)

    @property
    def is_https(self) -> bool:
        """True if connections are encrypted."""
        return urlsplit(self.url).scheme == "https"

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """What connections are encrypted with; None for http."""
        if not self.is_https:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_bundle)
        except OSError as error:  # SSLError is one
            expected = "a readable file of PEM certificates"
            raise ConfigurationError("AWS_CA_BUNDLE", self.ca_bundle, expected) from error
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as botocore does: not all CAs comply
        context.set_alpn_protocols(["http/1.1"])
        return context


def _refuse_proxy(url: str) -> None:
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        raise ConfigurationError(
            f"{parts.scheme}_proxy", proxy, f"none for pings: add {parts.hostname} to NO_PROXY"
        )
