"""Signature Version 4 of requests to Function URLs; botocore is who signs.

Source: AWS Identity and Access Management user guide, "Create a signed AWS API request".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from infra.cloud.credentials import OF_FUNCTIONS, OF_USERS
from infra.cloud.signature import Caller, SignatureRefused, verify
from tests.cloud.control_plane.conftest import REGION, ControlPlane

HOST = "localhost:4599"
USER = Credentials(OF_USERS.access_key, OF_USERS.secret_key)


def signed(
    target: str = "/", body: bytes = b"", credentials: Credentials = USER, **options: Any
) -> Request:
    """A POST to a path and query, signed by botocore.

    Options: service and region that it is signed for; changes: headers to replace afterwards.
    """
    request = AWSRequest(
        "POST",
        f"http://{HOST}{target}",
        headers={"X-Word": "a  b"},
        data=body,
    )
    service, region = options.get("service", "lambda"), options.get("region", REGION)
    SigV4Auth(credentials, service, region).add_auth(request)
    headers = {**dict(request.headers.items()), "Host": HOST, **options.get("changes", {})}
    _, _, query = target.partition("?")
    environ = EnvironBuilder(
        query_string=query, method="POST", data=body, headers=list(headers.items())
    ).get_environ()
    # As the server has it, the bytes of the request line; not every path is one to EnvironBuilder.
    environ["RAW_URI"] = environ["REQUEST_URI"] = target
    return Request(environ)


def caller(request: Request, body: bytes = b"") -> Caller:
    """Who signed it, if it is right."""
    return verify(request, body, REGION, DEFAULT_ACCOUNT_ID)


def refused(request: Request, body: bytes = b"") -> tuple[str, str]:
    """Error type and message of what is refused."""
    with pytest.raises(SignatureRefused) as error:
        caller(request, body)
    return error.value.kind, str(error.value)


_PATH = st.text(st.characters(codec="ascii", exclude_characters="?# %", categories=["L", "P", "N"]))


@given(
    st.lists(_PATH, max_size=3).map("/".join),
    st.dictionaries(st.text("ab-", min_size=1), st.text("xyz~0", max_size=3), max_size=3),
    st.binary(max_size=20),
)
def test_what_botocore_signs_is_right(path: str, query: dict[str, str], body: bytes) -> None:
    """Whatever path, query and body."""
    text = "&".join(f"{key}={value}" for key, value in query.items())
    request = signed(f"/{path}" + (f"?{text}" if text else ""), body)
    assert caller(request, body).access_key == OF_USERS.access_key


@pytest.mark.aws(
    "IAM user guide: Create a signed AWS API request", "A path is signed percent-encoded"
)
@pytest.mark.parametrize(
    "target", ["/caf%C3%A9", "/a%20b", "/a/../b/./c//d/", "//a", "/?a&b=%2F", "/x%2Fy"]
)
def test_a_path_is_signed_as_it_is_sent(target: str) -> None:
    """Percent-encoded, with what a server would take away.

    AWS page: "Create a signed AWS API request" (canonical URI: each segment encoded twice).
    """
    assert caller(signed(target)).account_id == DEFAULT_ACCOUNT_ID


@pytest.mark.aws(
    "Lambda developer guide: Control access to Lambda function URLs",
    "A function can sign with its environment's credentials",
)
def test_a_function_can_sign_with_what_it_has() -> None:
    """Access key, secret and session token of its environment.

    AWS page: "Control access to Lambda function URLs".
    """
    own = Credentials(OF_FUNCTIONS.access_key, OF_FUNCTIONS.secret_key, OF_FUNCTIONS.token)
    assert caller(signed(credentials=own)).access_key == OF_FUNCTIONS.access_key


@pytest.mark.aws(
    "Lambda developer guide: Control access to Lambda function URLs",
    "An access key of IAM is known by its user's name",
)
def test_an_access_key_of_iam_is_known(control: ControlPlane) -> None:
    """By the name of its user.

    AWS page: "Control access to Lambda function URLs".
    """
    iam: Any = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_user("us-east-1", "jane")
    key = iam.create_access_key("jane")
    found = caller(signed(credentials=Credentials(key.access_key_id, key.secret_access_key)))
    assert found.arn == f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/jane"


@pytest.mark.aws(
    "Lambda API reference: Common errors", "An unknown access key is UnrecognizedClientException"
)
def test_a_key_that_nobody_has_is_refused(control: ControlPlane) -> None:
    """As is a session token that is not the key's.

    AWS page: Lambda API reference, "Common errors" (UnrecognizedClientException).
    """
    expected = ("UnrecognizedClientException", "The security token included in the request is inv")
    stranger = Credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    stolen = Credentials(OF_FUNCTIONS.access_key, OF_FUNCTIONS.secret_key, "another token")
    for credentials in (stranger, stolen):
        kind, message = refused(signed(credentials=credentials))
        assert (kind, message[:49]) == expected


@pytest.mark.aws(
    "IAM user guide: Troubleshoot Signature Version 4 signing for AWS API requests",
    "A wrong secret makes another signature",
)
def test_a_wrong_secret_is_refused() -> None:
    """The signature is another one then.

    AWS page: "Troubleshoot Signature Version 4 signing for AWS API requests".
    """
    kind, message = refused(signed(credentials=Credentials(OF_USERS.access_key, "wrong")))
    assert kind == "InvalidSignatureException"
    assert message.startswith("The request signature we calculated does not match")


@pytest.mark.aws(
    "IAM user guide: Troubleshoot Signature Version 4 signing for AWS API requests",
    "What was changed after signing is refused",
)
@pytest.mark.parametrize(
    ("target", "body", "changes"),
    [
        ("/other", b"body", {}),
        ("/path?x=1", b"body", {}),
        ("/path", b"other", {}),
        ("/path", b"body", {"X-Word": "c"}),
        ("/path", b"body", {"Host": "elsewhere"}),
    ],
)
def test_what_was_changed_after_signing_is_refused(
    target: str, body: bytes, changes: dict[str, str]
) -> None:
    """Path, query, body, and every signed header.

    AWS page: "Troubleshoot Signature Version 4 signing for AWS API requests".
    """
    request = signed("/path", b"body", changes=changes)
    request.environ["RAW_URI"] = target
    assert "does not match the signature" in refused(request, body)[1]


@pytest.mark.aws(
    "IAM user guide: Troubleshoot Signature Version 4 signing for AWS API requests",
    "A signature lives for five minutes",
)
@pytest.mark.parametrize(
    ("minutes", "said"),
    [(-6, "Signature expired: {} is now earlier than"), (6, "Signature not yet current: {} is")],
)
def test_a_signature_lives_for_five_minutes(minutes: int, said: str) -> None:
    """Before its time and after.

    AWS page: "Troubleshoot Signature Version 4 signing for AWS API requests" (expired).
    """
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{OF_USERS.access_key}/{stamp[:8]}/{REGION}/lambda/aws4_request"
    header = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    changes = {"X-Amz-Date": stamp, "Authorization": header}
    kind, message = refused(signed(changes=changes))
    assert (kind, message.startswith(said.format(stamp))) == ("InvalidSignatureException", True)


@pytest.mark.aws(
    "IAM user guide: Troubleshoot Signature Version 4 signing for AWS API requests",
    "A malformed signature is refused with what is wrong",
)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"service": "execute-api"}, "Credential should be scoped to correct service: 'lambda'"),
        ({"region": "eu-west-1"}, "Credential should be scoped to a valid region, not 'eu-west-1'"),
        ({"changes": {"Authorization": "Bearer x"}}, "Forbidden"),
        ({"changes": {"Authorization": "AWS4-HMAC-SHA256 Credential=a"}}, "requires 'Signature'"),
        ({"changes": {"X-Amz-Date": "yesterday"}}, "either a 'X-Amz-Date' or a 'Date' header"),
        ({"changes": {"X-Amz-Date": "20200101T000000Z"}}, "Signature expired"),
    ],
)
def test_what_cannot_be_right_is_refused(options: dict[str, Any], said: str) -> None:
    """With a message that says what is wrong.

    AWS page: "Troubleshoot Signature Version 4 signing for AWS API requests".
    """
    assert said in refused(signed(**options))[1]


@given(st.text())
def test_any_header_is_read_or_refused(text: str) -> None:
    """Nothing else is raised."""
    request = signed()
    request.environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 {text}"
    assert refused(request)[0].endswith("Exception")
