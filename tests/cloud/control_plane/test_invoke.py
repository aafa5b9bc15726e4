"""What Lambda checks before a function sees anything, and how it answers."""

from __future__ import annotations

import base64
import json
from typing import Any, cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.cloud.background import EventInvokes
from infra.cloud.dataplane import DataPlane
from infra.cloud.function import FunctionVersion, Invocation, Outcome
from infra.cloud.functions import Resolved, split_reference
from infra.cloud.http_request import HttpRequest, HttpResponse
from infra.cloud.invoke import (
    ASYNCHRONOUS_LIMIT_BYTES,
    CLIENT_CONTEXT_LIMIT_BYTES,
    SYNCHRONOUS_LIMIT_BYTES,
    InvokeEndpoint,
    Invoker,
    client_context,
)
from infra.cloud.refusal import InvokeRefused, refusal
from tests.cloud.control_plane.conftest import REGION, ControlPlane
from warmer.errors import CloudError, Throttled

ARN = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function:sample"
DEEP = b"[" * 2000 + b"]" * 2000


class Plane:
    """Stands for the data plane: remembers what it was asked, and answers or raises."""

    def __init__(self) -> None:
        self.asked: list[tuple[FunctionVersion, Invocation, int | None]] = []
        self.error: Exception | None = None
        self.function_error: Any = None

    def invoke(
        self, version: FunctionVersion, invocation: Invocation, reserved: int | None = None
    ) -> Outcome:
        """As DataPlane.invoke."""
        self.asked.append((version, invocation, reserved))
        if self.error is not None:
            raise self.error
        return Outcome(
            request_id=invocation.request_id,
            payload=invocation.payload,
            function_error=self.function_error,
            executed_version=version.version,
            environment_id="e",
            cold=False,
            init_ms=None,
            duration_ms=1,
            billed_ms=1,
            max_memory_mb=1,
            log_tail=b"tail",
        )


class Queue:
    """Stands for the queue of asynchronous invokes."""

    def __init__(self) -> None:
        self.queued: list[tuple[str, Resolved, bytes]] = []

    def submit(self, region: str, target: Resolved, payload: bytes) -> str:
        """As EventInvokes.submit."""
        self.queued.append((region, target, payload))
        return "the request's id"


class Endpoint:
    """The Invoke API of a control plane with the function `sample`, version 1 and alias `live`."""

    def __init__(self, control: ControlPlane) -> None:
        control.create_function("sample", Publish=True)
        control.functions.create_alias("live", "sample", "1", "", weighted({}))
        self.control = control
        self.plane = Plane()
        self.queue = Queue()
        invoker = Invoker(cast(DataPlane, self.plane), DEFAULT_ACCOUNT_ID)
        self._endpoint = InvokeEndpoint(invoker, cast(EventInvokes, self.queue), REGION)

    def post(
        self, body: bytes = b"{}", reference: str = "sample", qualifier: str = "", **headers: str
    ) -> HttpResponse:
        """Send one request; underscores in header names are hyphens."""
        named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        query = f"?Qualifier={quote(qualifier)}" if qualifier else ""
        return self._endpoint(HttpRequest("POST", query, named, body, len(body)), reference)


def weighted(weights: Any) -> Any:
    """A routing configuration; moto's annotation says text."""
    return {"AdditionalVersionWeights": weights} if weights else {}


@pytest.fixture
def endpoint(control: ControlPlane) -> Endpoint:
    """With nothing asked so far."""
    return Endpoint(control)


@pytest.mark.parametrize(
    ("reference", "qualifier", "version", "arn"),
    [
        ("sample", "", "$LATEST", ARN),
        ("sample", "$LATEST", "$LATEST", f"{ARN}:$LATEST"),
        ("sample", "1", "1", f"{ARN}:1"),
        ("sample", "live", "1", f"{ARN}:live"),
        ("sample:live", "", "1", f"{ARN}:live"),
        ("sample:live", "live", "1", f"{ARN}:live"),
        (f"function:{'sample'}", "", "$LATEST", ARN),
        (f"{DEFAULT_ACCOUNT_ID}:function:sample", "1", "1", f"{ARN}:1"),
        (f"{DEFAULT_ACCOUNT_ID}:function:sample:1", "", "1", f"{ARN}:1"),
        (ARN, "", "$LATEST", ARN),
        (f"{ARN}:live", "", "1", f"{ARN}:live"),
    ],
)
def test_every_form_of_reference_resolves(
    endpoint: Endpoint, reference: str, qualifier: str, version: str, arn: str
) -> None:
    """To a version, and to the ARN that the function is told."""
    response = endpoint.post(reference=reference, qualifier=qualifier)
    ((reached, invocation, _),) = endpoint.plane.asked
    assert (response.status, reached.version, invocation.invoked_arn) == (200, version, arn)


@pytest.mark.parametrize(
    ("reference", "qualifier", "status", "kind"),
    [
        ("nobody", "", 404, "ResourceNotFoundException"),
        ("sample", "2", 404, "ResourceNotFoundException"),
        ("sample", "nobody", 404, "ResourceNotFoundException"),
        (ARN.replace(REGION, "eu-west-1"), "", 404, "ResourceNotFoundException"),
        (ARN.replace(DEFAULT_ACCOUNT_ID, "999999999999"), "", 404, "ResourceNotFoundException"),
        ("sample:live", "1", 400, "InvalidParameterValueException"),
        ("not a name", "", 400, "InvalidParameterValueException"),
        ("", "", 400, "InvalidParameterValueException"),
        ("a" * 200, "", 400, "InvalidParameterValueException"),
    ],
)
def test_a_reference_to_nothing_is_refused(
    endpoint: Endpoint, reference: str, qualifier: str, status: int, kind: str
) -> None:
    """With Lambda's status and error type, and a JSON body."""
    response = endpoint.post(reference=reference, qualifier=qualifier)
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (status, kind)
    assert json.loads(response.body)["Type"] == "User"
    assert endpoint.plane.asked == []


@given(st.text() | st.text("arn:lmbdfuctio-$LATES012_"))
def test_any_reference_is_read_or_refused(reference: str) -> None:
    """No text makes the reader raise anything else."""
    try:
        name, _ = split_reference(reference)
    except InvalidParameterValueException:
        return
    assert name


def test_an_unknown_region_is_refused(endpoint: Endpoint) -> None:
    """The one that the request was signed for."""
    signed = "AWS4-HMAC-SHA256 Credential=key/20261122/mars/lambda/aws4_request"
    assert endpoint.post(Authorization=signed).status == 400


def test_a_request_reaches_the_region_that_it_was_signed_for(endpoint: Endpoint) -> None:
    """There is no such function there."""
    signed = "AWS4-HMAC-SHA256 Credential=key/20261122/eu-west-1/lambda/aws4_request"
    assert endpoint.post(Authorization=signed).status == 404


@pytest.mark.aws(
    "Lambda developer guide: Implement Lambda canary deployments using a weighted alias",
    "A weighted alias shares its invokes",
)
def test_the_weights_of_an_alias_share_its_invokes(endpoint: Endpoint) -> None:
    """All of them where the weight is 1."""
    functions = endpoint.control.functions
    functions.get_function("sample").code_or_config_updated = True
    functions.publish_version("sample")
    functions.create_alias("new", "sample", "1", "", weighted({"2": 1.0}))
    endpoint.post(reference="sample:new")
    assert endpoint.plane.asked[0][0].version == "2"


def test_the_answer_has_lambdas_headers(endpoint: Endpoint) -> None:
    """The payload as it is, the version, and the tail where it was asked for."""
    response = endpoint.post(b'{"a": 1}', X_Amz_Log_Type="Tail")
    assert response.body == b'{"a": 1}'
    assert response.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert base64.b64decode(response.headers["X-Amz-Log-Result"]) == b"tail"
    assert response.headers["x-amzn-RequestId"] == endpoint.plane.asked[0][1].request_id
    assert "X-Amz-Function-Error" not in response.headers


def test_a_function_error_is_a_header(endpoint: Endpoint) -> None:
    """The status is 200."""
    endpoint.plane.function_error = "Unhandled"
    response = endpoint.post()
    assert (response.status, response.headers["X-Amz-Function-Error"]) == (200, "Unhandled")


def test_no_payload_is_an_empty_object(endpoint: Endpoint) -> None:
    """As the function sees it."""
    endpoint.post(b"")
    assert endpoint.plane.asked[0][1].payload == b"{}"


@pytest.mark.aws("Lambda API reference: Invoke", "A payload that is no JSON is refused")
@pytest.mark.parametrize("body", [b"{", b"\xff", b"NaN", '"a"'.encode("utf-16"), DEEP])
def test_a_payload_that_is_no_json_is_refused(endpoint: Endpoint, body: bytes) -> None:
    """400, whatever the invocation type."""
    for kind in ("RequestResponse", "Event"):
        response = endpoint.post(body, X_Amz_Invocation_Type=kind)
        kinds = (response.status, response.headers["x-amzn-ErrorType"])
        assert kinds == (400, "InvalidRequestContentException")
    assert (endpoint.plane.asked, endpoint.queue.queued) == ([], [])


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("RequestResponse", SYNCHRONOUS_LIMIT_BYTES), ("Event", ASYNCHRONOUS_LIMIT_BYTES)],
)
def test_a_payload_over_the_limit_is_refused(endpoint: Endpoint, kind: str, limit: int) -> None:
    """One byte below is taken."""
    body = b'"' + b"a" * (limit - 2) + b'"'
    assert endpoint.post(body, X_Amz_Invocation_Type=kind).status in (200, 202)
    response = endpoint.post(body + b" ", X_Amz_Invocation_Type=kind)
    assert response.status == 413
    assert response.headers["x-amzn-ErrorType"] == "RequestTooLargeException"


@pytest.mark.aws("Lambda API reference: Invoke", "Asynchronous invokes have no client context")
def test_an_event_is_queued_without_its_client_context(endpoint: Endpoint) -> None:
    """202, and nothing has run yet."""
    context = base64.b64encode(b'{"custom": {}}').decode()
    response = endpoint.post(X_Amz_Invocation_Type="Event", X_Amz_Client_Context=context)
    assert (response.status, response.body) == (202, b"")
    ((region, target, payload),) = endpoint.queue.queued
    assert (region, target.invoked_arn, payload) == (REGION, ARN, b"{}")
    assert endpoint.plane.asked == []


@pytest.mark.aws("Lambda API reference: Invoke", "A dry run runs nothing")
def test_a_dry_run_runs_nothing(endpoint: Endpoint) -> None:
    """204 where it could have run."""
    assert endpoint.post(X_Amz_Invocation_Type="DryRun").status == 204
    assert endpoint.plane.asked == []


def test_another_invocation_type_is_refused(endpoint: Endpoint) -> None:
    """By its name."""
    response = endpoint.post(X_Amz_Invocation_Type="Later")
    assert (response.status, b"Later" in response.body) == (400, True)


def test_a_throttle_gives_its_reason(endpoint: Endpoint) -> None:
    """429, in the body and not in a header."""
    endpoint.plane.error = Throttled("Rate Exceeded.", "ConcurrentInvocationLimitExceeded")
    response = endpoint.post()
    assert response.status == 429
    assert response.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert json.loads(response.body)["Reason"] == "ConcurrentInvocationLimitExceeded"


def test_a_failure_of_the_cloud_is_no_error_of_the_function(endpoint: Endpoint) -> None:
    """500, with what the cloud says."""
    endpoint.plane.error = CloudError("no namespaces here")
    response = endpoint.post()
    assert (response.status, b"no namespaces" in response.body) == (500, True)
    assert response.headers["x-amzn-ErrorType"] == "ServiceException"


def test_reserved_concurrency_is_handed_on(endpoint: Endpoint) -> None:
    """That of the function, for its versions too."""
    endpoint.control.functions.put_function_concurrency("sample", "3")
    endpoint.post(reference="sample:live")
    assert endpoint.plane.asked[0][2] == 3


@pytest.mark.parametrize(
    ("content", "ping"),
    [
        ({"custom": {"warmer": {}}}, True),
        ({"custom": {}}, False),
        ({"custom": "warmer"}, False),
        ({"custom": None}, False),
        ({}, False),
    ],
)
def test_a_ping_is_told_by_its_client_context(
    endpoint: Endpoint, content: dict[str, Any], ping: bool
) -> None:
    """The context reaches the function as one line of JSON."""
    encoded = base64.b64encode(json.dumps(content, indent=2).encode()).decode()
    endpoint.post(X_Amz_Client_Context=encoded)
    invocation = endpoint.plane.asked[0][1]
    line = invocation.client_context or ""
    assert (json.loads(line), invocation.ping) == (content, ping)
    assert "\n" not in line


def test_no_client_context_is_none() -> None:
    """As the Runtime API has it."""
    assert client_context(None) is None


headers = st.one_of(
    st.text(),
    st.binary().map(lambda data: base64.b64encode(data).decode()),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: base64.b64encode(json.dumps(value).encode()).decode()),
)


@given(headers)
def test_any_header_is_a_json_object_or_refused(header: str) -> None:
    """400 in Lambda's words, or one line of ASCII that is strict JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    try:
        text = client_context(header)
    except InvokeRefused as error:
        assert (error.status, error.kind) == (400, "InvalidRequestContentException")
        return
    assert text is not None
    assert text.isascii()
    assert "\n" not in text
    assert isinstance(json.loads(text, parse_constant=refuse), dict)


@pytest.mark.parametrize(
    "content",
    [DEEP[:2000], DEEP[1400:2600], b'{"a": NaN}', b'{"a": 1e999}', b'{"\xff": 1}'],
    ids=["deep", "list", "nan", "infinite", "not-utf-8"],
)
def test_json_that_others_could_not_read_is_refused(content: bytes) -> None:
    """Too deeply nested, or with numbers that JSON has not."""
    with pytest.raises(InvokeRefused, match="valid Base64-encoded JSON object"):
        client_context(base64.b64encode(content).decode())


@pytest.mark.aws("Lambda API reference: Invoke", "A client context has at most 3,583 bytes")
def test_a_client_context_has_a_longest_size() -> None:
    """3,583 bytes in base64."""
    text = json.dumps({"a": "b" * 2676})
    assert len(base64.b64encode(text.encode())) <= CLIENT_CONTEXT_LIMIT_BYTES
    assert client_context(base64.b64encode(text.encode()).decode()) == text
    longer = json.dumps({"a": "b" * 2700})
    with pytest.raises(InvokeRefused, match="at most 3583 bytes"):
        client_context(base64.b64encode(longer.encode()).decode())


def test_a_refusal_says_type_message_and_reason() -> None:
    """In the fields that AWS's SDKs read."""
    response = refusal(InvokeRefused(429, "TooManyRequestsException", "Rate Exceeded.", "Why"))
    body = json.loads(response.body)
    assert (body["Type"], body["message"], body["Reason"]) == ("User", "Rate Exceeded.", "Why")
    assert response.headers == {"x-amzn-ErrorType": "TooManyRequestsException"}
