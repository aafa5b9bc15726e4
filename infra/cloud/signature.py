"""AWS Signature Version 4 of a request to a Function URL, verified.

Sources: AWS Identity and Access Management user guide, "Create a signed AWS API request" (the
algorithm) and "Troubleshoot Signature Version 4 signing for AWS API requests" (the messages);
AWS Lambda developer guide, "Control access to Lambda function URLs".
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from moto.iam.access_control import CreateAccessKeyFailure, create_access_key
from werkzeug.wrappers import Request

from infra.cloud.credentials import OF_FUNCTIONS, OF_USERS

__all__ = ["Caller", "SignatureRefused", "verify"]

_SERVICE = "lambda"
_ALGORITHM = "AWS4-HMAC-SHA256"
_SKEW_SECONDS = 5 * 60
_SCOPE = re.compile(
    r"(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
)
_STAMP = "%Y%m%dT%H%M%SZ"


class SignatureRefused(Exception):
    """HTTP status 403, with an error type and message of Lambda's."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


@dataclass(frozen=True)
class Caller:
    """Who signed a request."""

    access_key: str
    account_id: str
    arn: str


@dataclass(frozen=True)
class _Signature:
    """What an Authorization header says."""

    key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str


def verify(request: Request, body: bytes, region: str, account_id: str) -> Caller:
    """Who signed this request, whose signature is right and new; raises SignatureRefused."""
    given = _parse(request.headers.get("Authorization", ""))
    stamp = _stamp(request)
    _check_scope(given, region)
    _check_age(stamp)
    if given.date != stamp[:8]:
        raise SignatureRefused(
            "InvalidSignatureException",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{given.date}' != '{stamp[:8]}', from '{stamp}'.",
        )
    secret, caller = _secret(request, given.key, account_id)
    if "host" not in given.signed_headers:
        raise SignatureRefused(
            "InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        )
    expected = _sign(request, body, given, stamp, secret)
    if not hmac.compare_digest(expected, given.value):
        raise SignatureRefused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details.",
        )
    return caller


def _parse(header: str) -> _Signature:
    if not header.startswith(f"{_ALGORITHM} "):
        raise SignatureRefused("AccessDeniedException", "Forbidden")
    parts = dict(part.strip().partition("=")[::2] for part in header[len(_ALGORITHM) :].split(","))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise SignatureRefused(
                "IncompleteSignatureException",
                f"Authorization header requires '{name}' parameter. Authorization={_ALGORITHM}",
            )
    scope = _SCOPE.fullmatch(parts["Credential"])
    if scope is None:
        raise SignatureRefused(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{parts['Credential']}'",
        )
    headers = tuple(parts["SignedHeaders"].lower().split(";"))
    return _Signature(**scope.groupdict(), signed_headers=headers, value=parts["Signature"])


def _stamp(request: Request) -> str:
    stamp = request.headers.get("X-Amz-Date", "")
    try:
        datetime.strptime(stamp, _STAMP)
    except ValueError as error:
        raise SignatureRefused(
            "IncompleteSignatureException",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, "
            "such as 20260131T235959Z.",
        ) from error
    return stamp


def _check_scope(given: _Signature, region: str) -> None:
    if given.region != region:
        raise SignatureRefused(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not '{given.region}'.",
        )
    if given.service != _SERVICE:
        raise SignatureRefused(
            "InvalidSignatureException",
            f"Credential should be scoped to correct service: '{_SERVICE}'.",
        )


def _check_age(stamp: str) -> None:
    """Clocks of clients are real, whatever the cloud's clock rate is."""
    now = time.time()
    signed = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
    limit = _format(now - _SKEW_SECONDS if signed < now else now + _SKEW_SECONDS)
    span = f"({_format(now)} {'-' if signed < now else '+'} 5 min.)"
    if signed < now - _SKEW_SECONDS:
        why = f"Signature expired: {stamp} is now earlier than {limit} {span}"
    elif signed > now + _SKEW_SECONDS:
        why = f"Signature not yet current: {stamp} is still later than {limit} {span}"
    else:
        return
    raise SignatureRefused("InvalidSignatureException", why)


def _format(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def _secret(request: Request, key: str, account_id: str) -> tuple[str, Caller]:
    """The secret of an access key: a local one, or one of this cloud's IAM users and roles."""
    token = request.headers.get("X-Amz-Security-Token", "")
    for local in (OF_USERS, OF_FUNCTIONS):
        if (key, token) == (local.access_key, local.token):
            return local.secret_key, Caller(key, account_id, f"arn:aws:iam::{account_id}:root")
    headers = {"X-Amz-Security-Token": token} if token else {}
    try:
        found = create_access_key(account_id, "aws", key, headers)
    except CreateAccessKeyFailure as error:
        raise SignatureRefused(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        ) from error
    return str(found.create_credentials().secret_key), Caller(key, account_id, found.arn)


def _sign(request: Request, body: bytes, given: _Signature, stamp: str, secret: str) -> str:
    digest = hashlib.sha256(body).hexdigest()
    path, _, query = _target(request).partition("?")
    canonical = "\n".join(
        (
            request.method,
            _canonical_path(path),
            "&".join(f"{key}={value}" for key, value in sorted(_pairs(query))),
            *(f"{name}:{_canonical_value(request, name)}" for name in given.signed_headers),
            "",
            ";".join(given.signed_headers),
            digest,
        )
    )
    scope = f"{given.date}/{given.region}/{given.service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashed))
    key = f"AWS4{secret}".encode()
    for part in (given.date, given.region, given.service, "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _target(request: Request) -> str:
    """Path and query as they stand in the request line, which may be a whole address."""
    target = str(request.environ.get("RAW_URI") or quote(request.path))
    return target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2]


def _canonical_path(path: str) -> str:
    """Without `.`, `..` and doubled slashes, and percent-encoded once more than it was sent."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    ending = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + ending, safe="/~")


def _pairs(query: str) -> list[tuple[str, str]]:
    split = (pair.partition("=") for pair in query.split("&") if pair)
    return [(key, value) for key, _, value in split]


def _canonical_value(request: Request, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in request.headers.getlist(name))
