"""AWS's own emulator of the runtime interface, which ships with SAM, agrees with the cloud."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cloud.deployed.conftest import RUNTIME_PYTHON, Deployed
from tests.cloud.deployed.emulator import (
    ABSENT,
    MEMORY_MB,
    CloudFunction,
    Request,
    emulated,
    observe,
)
from tests.cloud.deployed.emulator_differences import (
    DIFFERENCES,
    Observed,
    listing,
    obsolete,
    unexplained,
)
from tests.cloud.deployed.emulator_handler import ACTIONS, VALUES

EVENT = {"text": 'café \N{FIRE} " \\ \n', "number": 1.5e-9, "many": [1, None, True, {"a": {}}]}
CONTEXT = {"custom": {"key": "café"}, "client": {"app_title": "title"}, "env": {"locale": "de"}}
MODULES = {
    "cases": Path(__file__).with_name("emulator_handler.py").read_text(),
    "imports": "import nothing_of_that_name\n",
    "syntax": "def handler(:\n",
    "raises": "raise ValueError('at import')\n",
    "exits": "import sys\nsys.exit(4)\n",
}
# Name, which differences are told by, handler and time-out in seconds.
FUNCTIONS = [
    ("emulated-cases", "cases.handler", 10),
    ("time-out", "cases.handler", 1),
    ("handler-absent", "cases.absent", 3),
    ("handler-malformed", "cases", 3),
    ("module-absent", "absent.handler", 3),
    ("module-imports", "imports.handler", 3),
    ("module-syntax", "syntax.handler", 3),
    ("module-raises", "raises.handler", 3),
    ("module-exits", "exits.handler", 3),
]


def encoded(context: bytes) -> dict[str, str]:
    """The header that carries a client context."""
    return {"X-Amz-Client-Context": base64.b64encode(context).decode()}


def requests(function: str) -> list[Request]:
    """What is asked of a function, in this order."""
    if function == "time-out":
        return [Request("time-out", b'{"case": "sleep"}')]
    if function != "emulated-cases":
        return [Request(function, b"{}")]
    cases = [name for name in (*VALUES, *ACTIONS, "context") if name != "sleep"]
    return [
        *(Request(name, json.dumps({"case": name}).encode()) for name in cases),
        Request("event as sent", json.dumps(EVENT).encode()),
        Request("event escaped", json.dumps(EVENT, ensure_ascii=False).encode()),
        Request("client context", b'{"case": "context"}', encoded(json.dumps(CONTEXT).encode())),
        Request("client context: a list", b'{"case": "context"}', encoded(b"[1]")),
        Request("client context: not Base64", b"{}", {"X-Amz-Client-Context": "###"}),
        Request("no event", b""),
        Request("event: not JSON", b"{"),
        Request("dry run", b"{}", {"X-Amz-Invocation-Type": "DryRun"}),
    ]


@dataclass(frozen=True)
class Answers:
    """What came of every request, by its name: in the cloud, and in the emulator."""

    cloud: dict[str, dict[str, str]]
    emulator: dict[str, dict[str, str]]

    def differences(self) -> list[Observed]:
        """Every field in which the two differ."""
        return [
            Observed(name, key, one.get(key, ABSENT), other.get(key, ABSENT))
            for name, one in self.cloud.items()
            for other in [self.emulator[name]]
            for key in sorted(one.keys() | other.keys())
            if one.get(key) != other.get(key)
        ]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the modules."""
    folder = tmp_path_factory.mktemp("emulator") / "package"
    folder.mkdir()
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def functions(deployed: Deployed, package: Path) -> Iterator[str]:
    """The functions, in the cloud, whose host and port this gives."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in package.iterdir():
            archive.write(path, path.name)
    client, role = deployed.client("lambda"), deployed.outputs()["Role"]
    for name, handler, timeout in FUNCTIONS:
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME_PYTHON,
            Handler=handler,
            Timeout=timeout,
            MemorySize=MEMORY_MB,
            Role=role,
            Code={"ZipFile": content.getvalue()},
        )
    yield deployed.cloud.endpoint.removeprefix("http://")
    for name, _, _ in FUNCTIONS:
        client.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def answers(functions: str, package: Path) -> Answers:
    """Every request, sent to both: one after the other, as the emulator needs it."""
    found = Answers({}, {})
    for name, handler, timeout in FUNCTIONS:
        with emulated(package, handler, name, timeout) as emulator:
            for request in requests(name):
                found.cloud[request.name] = observe(CloudFunction(functions, name), request)
                found.emulator[request.name] = observe(emulator, request)
    return found


def test_the_cloud_differs_from_the_emulator_only_as_listed(answers: Answers) -> None:
    """Payloads, errors, context, variables, statuses, headers and logs; the list says why."""
    unknown = "\n".join(map(str, unexplained(answers.differences())))
    assert not unknown, f"not in the list of known differences, which is:\n{listing()}"


def test_every_listed_difference_occurs(answers: Answers) -> None:
    """What a newer emulator does as Lambda does must leave the list."""
    assert [item.what for item in obsolete(answers.differences())] == []


@pytest.mark.aws(
    "Lambda API reference: Invoke", "What a function returns is passed on byte for byte"
)
@pytest.mark.parametrize(
    "name", ["none", "float", "not a number", "unicode", "half a character", "bytes", "large"]
)
def test_what_a_function_returns_is_passed_on_byte_for_byte(answers: Answers, name: str) -> None:
    """AWS Lambda API reference, Invoke: Payload."""
    assert answers.cloud[name]["body"] == answers.emulator[name]["body"]


@pytest.mark.aws(
    "Lambda developer guide: AWS Lambda function errors in Python",
    "An error's payload is the runtime's own, and the same as in AWS's emulator",
)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("set", "Runtime.MarshalError"),
        ("custom error", "CustomError"),
        ("system exit", "Runtime.ExitError"),
        ("handler-absent", "Runtime.HandlerNotFound"),
        ("handler-malformed", "Runtime.MalformedHandlerName"),
        ("module-absent", "Runtime.ImportModuleError"),
        ("module-imports", "Runtime.ImportModuleError"),
        ("module-syntax", "Runtime.UserCodeSyntaxError"),
        ("module-raises", "ValueError"),
    ],
)
def test_an_error_is_the_same_payload(answers: Answers, name: str, kind: str) -> None:
    """AWS Lambda developer guide, "AWS Lambda function errors in Python"."""
    both = answers.cloud[name], answers.emulator[name]
    ours, theirs = ({k: v for k, v in one.items() if k.startswith("body")} for one in both)
    assert ours == theirs
    assert ours["body.errorType"] == kind
    assert answers.cloud[name]["header.x-amz-function-error"] == "Unhandled"


@pytest.mark.aws(
    "Lambda developer guide: Using the Lambda context object to retrieve Python function "
    "information",
    "The context has the function, its version, log and memory, and the time that is left",
)
def test_the_context_has_what_lambda_says(answers: Answers) -> None:
    """AWS Lambda developer guide, "Using the Lambda context object to retrieve Python ..."."""
    found = {
        key.removeprefix("body."): value
        for key, value in answers.cloud["client context"].items()
        if key.startswith("body.")
    }
    assert json.loads(found.pop("client_context"))["custom"] == CONTEXT["custom"]
    assert json.loads(found.pop("methods")) == ["get_remaining_time_in_millis", "log", "w3c"]
    assert found == {
        "described": "context",
        "aws_request_id": "<uuid>",
        "function_name": "emulated-cases",
        "function_version": "$LATEST",
        "identity": '{"cognito_identity_id": null, "cognito_identity_pool_id": null}',
        "invoked_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:emulated-cases",
        "log_group_name": "/aws/lambda/emulated-cases",
        "log_stream_name": "<date>/[$LATEST]<environment>",
        "memory_limit_in_mb": str(MEMORY_MB),
        "remaining_time": "falls, from 10 s",
        "tenant_id": "null",
    }


def test_a_difference_that_is_not_listed_is_told() -> None:
    """And explains nothing else: neither another field nor another value."""
    known = Observed("none", "header.x-amz-executed-version", "$LATEST", ABSENT)
    others = [
        Observed("none", "body", "null", "None"),
        Observed("none", "header.x-amz-executed-version", "1", ABSENT),
        Observed("unicode error", "body.errorMessage", "caf\xe9", "caf?"),
        Observed("system exit", "body.errorType", "Runtime.ExitError", "Runtime.Unknown"),
    ]
    assert unexplained([known, *others]) == others
    assert len(obsolete([known])) == len(DIFFERENCES) - 1


def test_the_list_names_each_difference_with_its_source() -> None:
    """As `python -m tests.cloud.deployed.emulator_differences` prints it."""
    lines = listing().splitlines()
    assert len(lines) == 2 * len(DIFFERENCES)
    assert all(line.startswith("- The emulator ") for line in lines[::2])
    assert all(line.startswith("  A") for line in lines[1::2])
