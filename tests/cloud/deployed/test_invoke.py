"""`aws lambda invoke` reaches functions as on AWS."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.deployed.conftest import IDLE_SECONDS, Deployed, wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:sample-echo"
CONTEXT = base64.b64encode(json.dumps({"custom": {"warmer": {"version": 1}}}).encode()).decode()


@pytest.mark.aws(
    "Lambda API reference: Invoke",
    "A function is named by name, ARN or partial ARN, with or without a qualifier",
)
@pytest.mark.parametrize(
    ("reference", "options", "version", "arn"),
    [
        ("sample-echo", {}, "$LATEST", ARN),
        ("sample-echo", {"Qualifier": "1"}, "1", f"{ARN}:1"),
        ("sample-echo:live", {}, "1", f"{ARN}:live"),
        (f"{ARN}:live", {}, "1", f"{ARN}:live"),
        (
            "123456789012:function:sample-echo",
            {"Qualifier": "$LATEST"},
            "$LATEST",
            f"{ARN}:$LATEST",
        ),
    ],
)
def test_every_form_of_reference_reaches_its_version(
    deployed: Deployed, reference: str, options: dict[str, str], version: str, arn: str
) -> None:
    """The context says by which ARN, and the answer which version ran."""
    answer = deployed.invoke(reference, **options)
    assert (answer["Payload"]["version"], answer["Payload"]["arn"]) == (version, arn)
    assert answer["ExecutedVersion"] == version


def test_the_aws_command_line_invokes(deployed: Deployed, tmp_path: Path) -> None:
    """With a payload, a client context and the tail of the log."""
    out = tmp_path / "out.json"
    result = deployed.aws(
        *("lambda", "invoke", "--function-name", "sample-echo:live", "--log-type", "Tail"),
        *("--payload", '{"a": 1}'),
        *("--client-context", CONTEXT, str(out)),
    )
    assert result.returncode == 0, result.stderr
    said, payload = json.loads(result.stdout), json.loads(out.read_text())
    assert (said["StatusCode"], payload["event"]) == (200, {"a": 1})
    assert payload["custom"] == {"warmer": {"version": 1}}
    tail = base64.b64decode(said["LogResult"]).decode()
    assert [line.split(" ")[0] for line in tail.splitlines()] == ["START", "the", "END", "REPORT"]


def test_an_error_of_the_function_is_a_function_error(deployed: Deployed) -> None:
    """Status 200, the error as payload, and the header that says so."""
    answer = deployed.invoke("sample-echo", {"raise": "no good"})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert answer["Payload"]["errorType"] == "ValueError"
    assert answer["Payload"]["errorMessage"] == "no good"


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("sample-wrong-name", "Runtime.HandlerNotFound"),
        ("sample-wrong-module", "Runtime.ImportModuleError"),
    ],
)
def test_a_wrong_handler_fails_alone(deployed: Deployed, function: str, kind: str) -> None:
    """In the runtime's own words; the other functions go on."""
    answer = deployed.invoke(function)
    assert (answer["FunctionError"], answer["Payload"]["errorType"]) == ("Unhandled", kind)
    assert "FunctionError" not in deployed.invoke("sample-echo")


def test_a_crash_costs_one_environment(deployed: Deployed) -> None:
    """The next request gets another."""
    before = deployed.invoke("sample-echo")["Payload"]["stream"]
    answer = deployed.invoke("sample-echo", {"exit": 3})
    assert answer["Payload"]["errorType"] == "Runtime.ExitError"
    assert deployed.invoke("sample-echo")["Payload"]["stream"] != before


def test_an_asynchronous_invoke_drops_its_client_context(deployed: Deployed) -> None:
    """It is answered at once with 202, and runs without."""
    mark = len(deployed.invocations("sample-echo"))
    answer = deployed.invoke(
        "sample-echo", {"mark": "async"}, InvocationType="Event", ClientContext=CONTEXT
    )
    assert (answer["StatusCode"], answer["Payload"]) == (202, None)

    def ended() -> Any:
        records = deployed.invocations("sample-echo")[mark:]
        return [record for record in records if record["ended"] is not None]

    (record,) = wait_for(ended, "the asynchronous invoke")
    assert (record["kind"], record["ping"], record["status"]) == ("event", False, "success")


def test_the_ledger_tells_pings_from_requests(deployed: Deployed) -> None:
    """By the client context, as the cloud itself saw it."""
    deployed.invoke("sample-echo", ClientContext=CONTEXT)
    deployed.invoke("sample-echo")
    pings = [record["ping"] for record in deployed.invocations("sample-echo")[-2:]]
    assert pings == [True, False]


def refused(deployed: Deployed, **request: Any) -> tuple[int, str]:
    """HTTP status and error code of an invoke that fails."""
    with pytest.raises(ClientError) as caught:
        deployed.client("lambda").invoke(**{"FunctionName": "sample-echo", **request})
    response: Any = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"FunctionName": "nobody"}, 404, "ResourceNotFoundException"),
        ({"Qualifier": "nobody"}, 404, "ResourceNotFoundException"),
        ({"Qualifier": "99"}, 404, "ResourceNotFoundException"),
        ({"ClientContext": "not base64!"}, 400, "InvalidRequestContentException"),
        (
            {"ClientContext": "W10="},
            400,
            "InvalidRequestContentException",
        ),
        ({"Payload": b"{"}, 400, "InvalidRequestContentException"),
        ({"Payload": b'"' + bytes([65]) * 6_300_000 + b'"'}, 413, "RequestTooLargeException"),
    ],
    ids=["function", "alias", "version", "base64", "object", "payload", "size"],
)
def test_what_lambda_refuses_is_refused(
    deployed: Deployed, request_: dict[str, Any], status: int, code: str
) -> None:
    """Before the function sees anything, with Lambda's status and error code."""
    mark = len(deployed.invocations("sample-echo"))
    assert refused(deployed, **request_) == (status, code)
    assert len(deployed.invocations("sample-echo")) == mark


@pytest.mark.aws(
    "Lambda API reference: Invoke",
    "A throttled invoke says TooManyRequestsException and its reason",
)
def test_reserved_concurrency_throttles(deployed: Deployed) -> None:
    """429 with the reason, for whoever comes while the one environment is busy."""
    mark = len(deployed.invocations("sample-reserved"))
    deployed.invoke("sample-reserved", {"sleep": 1}, InvocationType="Event")
    wait_for(
        lambda: any(item["environment"] for item in deployed.invocations("sample-reserved")[mark:]),
        "the function being busy",
    )
    with pytest.raises(ClientError) as caught:
        deployed.invoke("sample-reserved")
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Error"]["Code"] == "TooManyRequestsException"
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    wait_for(
        lambda: all(item["ended"] for item in deployed.invocations("sample-reserved")),
        "the function being free",
    )


def test_the_most_recently_used_environment_comes_first(deployed: Deployed) -> None:
    """Two are warm; one after the other, requests use the same."""
    deployed.together(2, "sample-echo", {"sleep": 0.4})
    streams = {deployed.invoke("sample-echo")["Payload"]["stream"] for _ in range(5)}
    assert len(streams) == 1


def test_an_idle_environment_ends_after_its_lifetime(deployed: Deployed) -> None:
    """Not before; the ledger says why."""
    deployed.invoke("sample-reserved")

    def ended() -> Any:
        (*_, last) = deployed.environments("sample-reserved")
        return last if last["ended_at"] else None

    environment = wait_for(ended, "the end of the environment")
    last = max(
        item["ended"]
        for item in deployed.invocations("sample-reserved")
        if item["environment"] == environment["id"]
    )
    assert environment["end_reason"] == "idle"
    assert IDLE_SECONDS - 0.1 <= environment["ended_at"] - last <= IDLE_SECONDS + 5


def test_reports_reach_cloudwatch_logs(deployed: Deployed) -> None:
    """With the memory, and the INIT of the request that waited for it, as the ledger has it."""
    deployed.together(2, "sample-echo:1", {"sleep": 0.2})
    records = deployed.invocations("sample-echo")
    record = [item for item in records if item["cold"] and item["status"] == "success"][-1]

    def report() -> Any:
        found = [line for line in deployed.messages("sample-echo") if line.startswith("REPORT")]
        return [line for line in found if record["request_id"] in line]

    (line,) = wait_for(report, "the REPORT line")
    assert "Memory Size: 256 MB" in line
    assert f"Init Duration: {record['init_ms']:.2f} ms" in line


def test_sam_logs_shows_what_functions_logged(deployed: Deployed) -> None:
    """Of the whole stack."""
    deployed.invoke("sample-echo", {"word": "find me"})
    wait_for(lambda: "find me" in str(deployed.messages("sample-echo")), "the log line")
    result = deployed.sam("logs", "--stack-name", "sample")
    assert result.returncode == 0, result.stderr
    assert "find me" in result.stdout
    assert "REPORT RequestId" in result.stdout
