"""The inference function, with the model that ships."""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.handlers.http_event import http_event
from tests.warmer import graphs
from tests.warmer.invocation import context
from tests.warmer.test_ping import JSON
from warmer import environment
from warmer.environment import Environment
from warmer.errors import ModelInputError
from warmer.ping import Ping, Reply, parse_reply

FUNCTION = "handlers.inference"
with np.load("handlers/models/digits/samples.npz") as _samples:
    IMAGES: list[Any] = _samples["image"].tolist()


def _initialise(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run INIT: import the function in a new execution environment."""
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    monkeypatch.setattr(environment, "_current", Environment())
    monkeypatch.delitem(sys.modules, FUNCTION, raising=False)
    return importlib.import_module(FUNCTION)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The function after INIT."""
    monkeypatch.delenv("WARMER_MODEL", raising=False)
    yield _initialise(monkeypatch)
    sys.modules.pop(FUNCTION, None)


def _http(function: ModuleType, event: object) -> tuple[int, Any]:
    response = function.handler(event, context())
    assert response["headers"]["content-type"] == "application/json"
    return response["statusCode"], json.loads(response["body"])


def test_a_direct_invoke_is_answered(function: ModuleType) -> None:
    """One image gives its label, probabilities, and where it was computed."""
    answer = function.handler({"image": IMAGES[7]}, context())
    assert answer["label"] == [7]
    assert sum(answer["probabilities"][0]) == pytest.approx(1)
    assert answer["environment"] == environment.current().id


def test_a_batch_is_answered_in_order(function: ModuleType) -> None:
    """Many images are one request."""
    assert function.handler({"image": IMAGES}, context())["label"] == list(range(10))


def test_inputs_may_be_nested(function: ModuleType) -> None:
    """`inputs` says the same as the inputs themselves."""
    assert function.handler({"inputs": {"image": IMAGES[3]}}, context())["label"] == [3]


def test_only_the_first_request_is_a_cold_start(
    function: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and emits the metrics of a cold start, once."""
    capsys.readouterr()
    answers = [function.handler({"image": IMAGES[0]}, context()) for _ in range(3)]
    assert [answer["cold_start"] for answer in answers] == [True, False, False]
    (line,) = capsys.readouterr().out.splitlines()
    metrics = json.loads(line)
    assert metrics["ColdStart"] == [1.0]
    assert {"InitDuration", "PrimingDuration", "InferenceDuration"} <= set(metrics)


def test_a_cold_start_counts_whatever_its_answer(
    function: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user of a bad request waited for INIT too."""
    capsys.readouterr()
    with pytest.raises(ModelInputError):
        function.handler({}, context())
    assert '"ColdStart":[1.0]' in capsys.readouterr().out


def test_a_pinged_environment_has_no_cold_start(
    function: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ping met it; its reply reports the primed model."""
    capsys.readouterr()
    reply = parse_reply(json.dumps(function.handler({}, context(Ping()))).encode())
    assert isinstance(reply, Reply)
    assert reply.models["digits"]["primed"] is True
    assert function.handler({"image": IMAGES[0]}, context())["cold_start"] is False
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("path", ["/", "/infer", "/infer/"])
def test_http_requests_are_answered(function: ModuleType, path: str) -> None:
    """POST the same JSON."""
    status, answer = _http(function, http_event("POST", path, {"image": IMAGES[5]}))
    assert (status, answer["label"]) == (200, [5])


def test_an_encoded_body_is_decoded(function: ModuleType) -> None:
    """Lambda sends a body in base64 where its content type is not text."""
    body = base64.b64encode(json.dumps({"image": IMAGES[5]}).encode()).decode()
    assert _http(function, http_event("POST", "/", body, encoded=True))[0] == 200


@pytest.mark.parametrize("path", ["/prod", "/prod/infer"])
def test_the_stage_of_an_http_api_is_no_part_of_the_path(function: ModuleType, path: str) -> None:
    """HTTP APIs put the stage's name before the path."""
    event = http_event("POST", path, {"image": IMAGES[5]}, stage="prod")
    assert _http(function, event)[0] == 200


def test_health_is_told(function: ModuleType) -> None:
    """Load balancers ask for it."""
    assert _http(function, http_event("GET", "/health")) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("body", "encoded", "kind", "message"),
    [
        (None, False, "BadRequest", "the body is empty"),
        ("", False, "BadRequest", "the body is empty"),
        ("{", False, "BadRequest", "the body is not JSON"),
        ("[" * 100_000, False, "BadRequest", "the body is not JSON"),
        ('{"image": NaN}', False, "BadRequest", "NaN is not a JSON number"),
        ("1" * 5000, False, "BadRequest", "the body is not JSON"),
        ("%%%", True, "BadRequest", "the body is not JSON"),
        ("/w==", True, "BadRequest", "the body is not JSON"),
        ("[]", False, "ModelInputError", "the request is of type list"),
        ("{}", False, "ModelInputError", "'image' is missing"),
        ('{"image": [1, 2]}', False, "ModelInputError", "expected float32 of shape (batch, 8, 8)"),
        ('{"image": "x"}', False, "ModelInputError", "is string of shape ()"),
        ('{"image": 1, "\\ud800": 2}', False, "ModelInputError", "is unknown"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    function: ModuleType, body: str, encoded: bool, kind: str, message: str
) -> None:
    """400, with a JSON body that names the error."""
    status, answer = _http(function, http_event("POST", "/", body, encoded=encoded))
    assert (status, answer["error"]["type"]) == (400, kind)
    assert message in answer["error"]["message"]


def test_an_unknown_path_is_not_found(function: ModuleType) -> None:
    """404 says what there is."""
    status, answer = _http(function, http_event("GET", "/v1/predict"))
    assert (status, answer["error"]["type"]) == (404, "NotFound")
    assert "POST /infer" in answer["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PUT", "/infer"), ("POST", "/health")])
def test_a_wrong_method_is_not_allowed(function: ModuleType, method: str, path: str) -> None:
    """405 says which method is."""
    response = function.handler(http_event(method, path), context())
    assert response["statusCode"] == 405
    assert response["headers"]["allow"] in {"GET", "POST"}


@pytest.mark.parametrize(
    "event", [None, [], "text", 5, {}, {"image": None}, {"requestContext": {"http": None}}]
)
def test_a_direct_invoke_that_is_no_request_raises(function: ModuleType, event: object) -> None:
    """Lambda then answers with FunctionError, which is how a direct caller is told."""
    with pytest.raises(ModelInputError):
        function.handler(event, context())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(JSON | st.dictionaries(st.sampled_from(["image", "inputs", "body"]), JSON))
def test_any_direct_event_is_answered_or_an_input_error(
    function: ModuleType, event: object
) -> None:
    """Whatever a stranger sends."""
    with contextlib.suppress(ModelInputError):
        json.dumps(function.handler(event, context()), allow_nan=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", ""]) | st.text(),
    path=st.sampled_from(["/", "/infer", "/health"]) | st.text(),
    body=JSON,
    raw=st.booleans(),
    flag=JSON,
    stage=JSON,
)
def test_any_http_event_is_answered(
    function: ModuleType,
    method: str,
    path: str,
    body: object,
    raw: bool,
    flag: object,
    stage: object,
) -> None:
    """Every field of the event may hold anything: the answer is always a status with JSON."""
    event = http_event(method, path, None if raw else body)
    if raw:
        event["body"] = body
    event["isBase64Encoded"] = flag
    request_context = event["requestContext"]
    assert isinstance(request_context, dict)
    request_context["stage"] = stage
    status, _ = _http(function, event)
    assert status in {200, 400, 404, 405}


def test_another_model_needs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WARMER_MODEL names it; inputs and outputs go by its own names."""
    monkeypatch.setenv("WARMER_MODEL", str(graphs.addition(tmp_path / "sum.onnx")))
    function = _initialise(monkeypatch)
    answer = function.handler({"left": [1, 2, 3], "right": [1, 1, 1]}, context())
    assert answer["sum"] == [[2, 3, 4]]


def test_an_answer_that_json_cannot_carry_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Infinity is no JSON number; the runtime would fail on it."""
    monkeypatch.setenv("WARMER_MODEL", str(graphs.division(tmp_path / "inverse.onnx")))
    function = _initialise(monkeypatch)
    status, answer = _http(function, http_event("POST", "/", {"x": [0.0]}))
    assert (status, answer["error"]["type"]) == (400, "ModelInputError")
    assert "output 'y'" in answer["error"]["message"]


def test_a_failing_inference_is_a_server_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 with a JSON body, and a line in the log."""
    monkeypatch.setenv("WARMER_MODEL", str(graphs.square_only(tmp_path / "model.onnx")))
    function = _initialise(monkeypatch)
    status, answer = _http(function, http_event("POST", "/", {"x": [[1, 2, 3], [4, 5, 6]]}))
    assert (status, answer["error"]["type"]) == (500, "ModelError")
    assert '"inference failed"' in capsys.readouterr().out


def test_init_imports_only_what_a_request_needs() -> None:
    """Neither the AWS SDK nor Powertools nor an event loop is part of a cold start."""
    code = (
        f"import sys, {FUNCTION}\n"
        "unwanted = {'boto3', 'botocore', 'aws_lambda_powertools', 'asyncio', 'click', 'rich',"
        " 'pathlib', 'zipfile', 'uuid', 'statistics', 'warmer.fleet', 'warmer.aws'}\n"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_missing_model_fails_init(tmp_path: Path) -> None:
    """The runtime reports the error's name and message, before any request."""
    result = subprocess.run(
        [sys.executable, "-c", f"import {FUNCTION}"],
        env={"WARMER_MODEL": str(tmp_path / "none"), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "warmer.errors.ModelNotFound: there is no model at" in result.stderr
