"""The inference function, with the model that ships."""

from __future__ import annotations

import base64
import contextlib
import gc
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
from tests.inference.requests import answer, infer, infer_event, tensor
from tests.inference.test_requests import REQUEST
from tests.warmer import graphs
from tests.warmer.invocation import context
from tests.warmer.test_ping import JSON
from warmer import environment
from warmer.environment import Environment
from warmer.errors import ConfigurationError, ModelError, RequestError
from warmer.ping import Ping, Reply, parse_reply

FUNCTION = "handlers.inference"
with np.load("handlers/models/digits/samples.npz") as _samples:
    IMAGES: list[Any] = _samples["image"].tolist()


def _images(*digits: int) -> dict[str, Any]:
    """A request with an image of each of these digits."""
    return infer(tensor("image", [IMAGES[digit] for digit in digits], shape=[len(digits), 8, 8]))


def _labels(said: dict[str, Any]) -> list[int]:
    return next(output["data"] for output in said["outputs"] if output["name"] == "label")


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


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """INIT sets it for a process of its own."""
    yield
    gc.unfreeze()
    gc.enable()


def _http(function: ModuleType, event: object) -> tuple[int, Any]:
    response = function.handler(event, context())
    return response["statusCode"], answer(response)[0]


def test_a_direct_invoke_is_answered(function: ModuleType) -> None:
    """One image gives its label, probabilities, and where it was computed."""
    said = function.handler(_images(7), context())
    assert (said["model_name"], _labels(said)) == ("digits", [7])
    assert sum(said["outputs"][1]["data"]) == pytest.approx(1)
    assert said["parameters"]["environment"] == environment.current().id


def test_a_batch_is_answered_in_order(function: ModuleType) -> None:
    """Many images are one request."""
    assert _labels(function.handler(_images(*range(10)), context())) == list(range(10))


def test_only_the_first_request_is_a_cold_start(
    function: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so; the average of ColdStart is the share, and INIT is measured once."""
    capsys.readouterr()
    answers = [function.handler(_images(0), context()) for _ in range(3)]
    assert [said["parameters"]["cold_start"] for said in answers] == [True, False, False]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ColdStart"] for line in lines] == [[1.0], [0.0], [0.0]]
    assert all(line["InferenceDuration"][0] > 0 for line in lines)
    of_init = {"InitDuration", "PrimingDuration"}
    assert [of_init & set(line) for line in lines] == [of_init, set(), set()]


def test_what_metrics_need_is_imported_at_init() -> None:
    """A user's request would wait for it else."""
    code = f"import sys, {FUNCTION}\nprint({{'aws_lambda_powertools.metrics'}} & set(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.splitlines()[-1] == "{'aws_lambda_powertools.metrics'}"


def test_a_cold_start_counts_whatever_its_answer(
    function: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user of a bad request waited for INIT too."""
    capsys.readouterr()
    with pytest.raises(RequestError):
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
    capsys.readouterr()
    assert function.handler(_images(0), context())["parameters"]["cold_start"] is False
    assert '"ColdStart":[0.0]' in capsys.readouterr().out


def test_http_requests_are_answered(function: ModuleType) -> None:
    """The same request object, and the same response object."""
    status, said = _http(function, infer_event("digits", _images(5)))
    assert (status, _labels(said)) == (200, [5])


def test_an_http_api_that_has_verified_a_token_is_answered(function: ModuleType) -> None:
    """It adds the token's claims, and names its own host and stage; the rest is as a URL's.

    AWS page: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
    """
    event = http_event("POST", "/prod/v2/models/digits/infer", _images(5), stage="prod")
    request_context: Any = event["requestContext"]
    request_context["domainName"] = "abc.execute-api.us-east-1.amazonaws.com"
    request_context["authorizer"] = {"jwt": {"claims": {"aud": "models"}, "scopes": None}}
    status, said = _http(function, event)
    assert (status, _labels(said)) == (200, [5])


def test_an_encoded_body_is_decoded(function: ModuleType) -> None:
    """Lambda sends a body in base64 where its content type is not text."""
    body = base64.b64encode(json.dumps(_images(5)).encode()).decode()
    event = http_event("POST", "/v2/models/digits/infer", body, encoded=True)
    assert _http(function, event)[0] == 200


def test_a_primed_function_is_ready(function: ModuleType) -> None:
    """Load balancers ask for it."""
    assert _http(function, http_event("GET", "/v2/health/ready"))[0] == 200


@pytest.mark.parametrize("event", [None, [], "text", 5, {}, {"image": IMAGES[0]}, {"inputs": 1}])
def test_a_direct_invoke_that_is_no_request_raises(function: ModuleType, event: object) -> None:
    """Lambda then answers with FunctionError, which is how a direct caller is told."""
    with pytest.raises(RequestError):
        function.handler(event, context())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | REQUEST)
def test_any_direct_event_is_answered_or_an_input_error(
    function: ModuleType, event: object
) -> None:
    """Whatever a stranger sends."""
    with contextlib.suppress(RequestError, ModelError):
        json.dumps(function.handler(event, context()), allow_nan=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", ""]) | st.text(),
    path=st.sampled_from(["/v2", "/v2/models/digits", "/v2/models/digits/infer"]) | st.text(),
    body=JSON | REQUEST.map(lambda request: json.dumps(request)),
    headers=JSON | st.dictionaries(st.just("inference-header-content-length"), JSON | st.just("9")),
    flag=JSON,
    stage=JSON,
)
def test_any_http_event_is_answered(
    function: ModuleType,
    method: str,
    path: str,
    body: object,
    headers: object,
    flag: object,
    stage: object,
) -> None:
    """Every field of the event may hold anything: the answer is always a status with JSON."""
    event = http_event(method, path)
    event |= {"body": body, "headers": headers, "isBase64Encoded": flag}
    request_context = event["requestContext"]
    assert isinstance(request_context, dict)
    request_context["stage"] = stage
    status, _ = _http(function, event)
    assert status in {200, 400, 404, 405, 415}


def test_other_models_need_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WARMER_MODEL lists them, some by a name; inputs and outputs go by their own."""
    total = graphs.addition(tmp_path / "sum.onnx")
    same = graphs.identity(tmp_path / "a=b" / "same.onnx")
    monkeypatch.setenv("WARMER_MODEL", f"total={total}, {same}")
    function = _initialise(monkeypatch)
    sides = [tensor(name, [1, 2, 3], shape=[1, 3]) for name in ("left", "right")]
    said = function.handler(infer(*sides, model_name="total"), context())
    assert said["outputs"][0]["data"] == [2, 4, 6]
    assert _http(function, http_event("GET", "/v2/models/same/ready"))[0] == 200


def test_two_models_of_one_name_fail_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests could not tell them apart."""
    paths = [graphs.identity(tmp_path / folder / "same.onnx") for folder in "ab"]
    monkeypatch.setenv("WARMER_MODEL", ",".join(map(str, paths)))
    with pytest.raises(ConfigurationError, match="a name of its own"):
        _initialise(monkeypatch)


def test_requests_collect_their_own_garbage_and_not_what_init_made(function: ModuleType) -> None:
    """Else the first request would look through all that was imported."""
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(vars(function))
    assert not any(one is function.ENDPOINT for one in gc.get_objects())


def test_init_imports_only_what_a_request_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the AWS SDK nor an event loop is part of a cold start; nor Powertools, unasked."""
    monkeypatch.delenv("WARMER_METRICS_NAMESPACE")
    code = (
        f"import sys, {FUNCTION}\n"
        "unwanted = {'boto3', 'botocore', 'aws_lambda_powertools', 'asyncio', 'click', 'rich',"
        " 'pathlib', 'zipfile', 'uuid', 'statistics', 'base64', 'urllib',"
        " 'warmer.fleet', 'warmer.aws'}\n"
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
