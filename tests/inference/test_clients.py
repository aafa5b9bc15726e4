"""Real clients of the protocol, unchanged, against the deployed function."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.inference.conftest import schemathesis
from tests.inference.requests import infer, tensor
from tests.inference.test_requests import REQUEST
from tests.warmer.test_ping import PINGS
from warmer.ping import Ping, client_context

if TYPE_CHECKING:
    from infra.cloud.testing import DeployedStack

INFER = "v2/models/digits/infer"
with np.load("handlers/models/digits/samples.npz") as _samples:
    IMAGES = _samples["image"]


@contextmanager
def triton_client(address: str) -> Iterator[InferenceServerClient]:
    """NVIDIA's client, for a server at this address."""
    with InferenceServerClient(address.removeprefix("http://").rstrip("/")) as client:
        yield client


@pytest.fixture
def triton(stack: DeployedStack) -> Iterator[InferenceServerClient]:
    """NVIDIA's client of the Function URL."""
    with triton_client(stack.outputs["InferenceUrl"]) as client:
        yield client


def _images(*, binary: bool = True) -> InferInput:
    image = InferInput("image", list(IMAGES.shape), "FP32")
    image.set_data_from_numpy(IMAGES, binary_data=binary)
    return image


def test_triton_sees_a_server_that_is_ready(triton: InferenceServerClient) -> None:
    """Live, ready, its model ready, and no other."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("digits")
    assert triton.is_model_ready("digits", "1")
    assert not triton.is_model_ready("digits", "9")
    assert not triton.is_model_ready("letters")


def test_triton_reads_metadata(triton: InferenceServerClient) -> None:
    """The server's extension and the model's tensors."""
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("digits")
    assert metadata["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 8]}]
    assert [output["name"] for output in metadata["outputs"]] == ["label", "probabilities"]


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("received", [True, False])
def test_triton_infers(triton: InferenceServerClient, sent: bool, received: bool) -> None:
    """A batch, as bytes or as JSON, in either direction."""
    outputs = [InferRequestedOutput(name, received) for name in ("probabilities", "label")]
    result = triton.infer("digits", [_images(binary=sent)], outputs=outputs, request_id="42")
    assert result.as_numpy("label").tolist() == list(range(10))
    assert result.as_numpy("probabilities").sum() == pytest.approx(10)
    assert result.get_response()["id"] == "42"


def test_triton_gets_all_outputs_as_bytes_by_default(triton: InferenceServerClient) -> None:
    """It sets binary_data_output where no outputs are named."""
    result = triton.infer("digits", [_images()], model_version="1")
    assert result.as_numpy("label").tolist() == list(range(10))
    assert result.get_output("probabilities")["parameters"] == {"binary_data_size": 400}


def test_triton_is_told_what_is_wrong(triton: InferenceServerClient) -> None:
    """Its exception has our message and status."""
    wrong = InferInput("image", [1, 2], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 2), np.float32))
    with pytest.raises(InferenceServerException) as caught:
        triton.infer("digits", [wrong])
    assert caught.value.status() == "400"
    assert "expected float32 of shape (batch, 8, 8)" in str(caught.value.message())
    with pytest.raises(InferenceServerException, match="content-encoding is 'gzip'"):
        triton.infer("digits", [_images()], request_compression_algorithm="gzip")


def test_triton_reaches_a_signed_url_through_the_proxy(stack: DeployedStack) -> None:
    """It cannot sign; `warmer proxy` does, with the credentials of the AWS settings."""
    function = stack.outputs["InferenceFunctionName"]
    url = stack.client("lambda").create_function_url_config(
        FunctionName=function, AuthType="AWS_IAM"
    )["FunctionUrl"]
    assert _send(url, "GET", "v2/health/ready")[0] == 403
    with (
        subprocess.Popen(
            [sys.executable, "-u", "-m", "warmer", "proxy", url, "--port", "0"],
            env=stack.environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            with triton_client(process.stdout.readline().split()[0]) as client:
                assert client.is_server_ready()
                result = client.infer("digits", [_images()])
                assert result.as_numpy("label").tolist() == list(range(10))
                assert not client.is_model_ready("two words")
        finally:
            process.terminate()


def _readme(language: str) -> str:
    """A block of the README, by what stands at its beginning."""
    text = Path("README.md").read_text()
    return str(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[-1])


def test_the_readmes_request_is_answered_as_it_says(stack: DeployedStack) -> None:
    """The same curl, the same answer, but for the environment that gave it."""
    finished = subprocess.run(
        ["bash", "-c", _readme("sh-curl")],
        env={**os.environ, "URL": stack.outputs["InferenceUrl"]},
        capture_output=True,
        text=True,
        check=False,
    )
    shown, answer = json.loads(_readme("json-answer")), json.loads(finished.stdout)
    assert answer["parameters"].keys() == shown["parameters"].keys()
    assert {**answer, "parameters": None} == {**shown, "parameters": None}


def test_the_readmes_client_works(stack: DeployedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python example, as it is."""
    exec(_readme("py-triton"), {"url": stack.outputs["InferenceUrl"], "images": IMAGES})
    assert capsys.readouterr().out == "[0 1 2 3 4 5 6 7 8 9]\n"


def test_the_commands_of_the_stack_work(stack: DeployedStack) -> None:
    """CurlCommand and InvokeCommand classify a zero, over HTTP and by a direct invoke."""
    tools = f"{os.getcwd()}/.tools/sam/bin:{os.environ['PATH']}"  # noqa: PTH109 - a PATH is text
    for name in ("CurlCommand", "InvokeCommand"):
        finished = subprocess.run(
            ["bash", "-c", stack.outputs[name]],
            env={**stack.environment(), "PATH": tools},
            capture_output=True,
            text=True,
            check=False,
        )
        assert '"name": "label", "datatype": "INT64", "shape": [1], "data": [0]' in finished.stdout


def _send(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """Status and body of an answer."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, f"{parts.path}{path}", body or None, named)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _bad_bodies() -> dict[str, tuple[bytes, str]]:
    """Bodies, and what is said of each."""
    flat = IMAGES[:1].reshape(-1).tolist()

    def image(**members: Any) -> bytes:
        return json.dumps(infer({**tensor("image", flat, shape=[1, 8, 8]), **members})).encode()

    large = b'{"inputs": [{"name": "image", "shape": [1, 8, 8], "datatype": "FP32", "data": ['
    return {
        "dtype": (image(datatype="INT64"), "inputs[0] 'image'.datatype is 'INT64'"),
        "rank": (image(shape=[64]), "input 'image' is float32 of shape (64,)"),
        "size": (image(shape=[2, 8, 8]), "inputs[0] 'image'.data has 64 elements; expected 128"),
        "NaN": (b'{"inputs": [NaN]}', "NaN is not a JSON number"),
        "nesting": (b"[" * 10_000, "the body is not JSON"),
        "nested data": (image(data=json.loads("[" * 900 + "]" * 900)), "'image'.data"),
        "overflow": (image(shape=[2**63, 2**63]), "expected about 2^126"),
        "duplicate": (
            json.dumps(infer(*[tensor("image", flat, shape=[1, 8, 8])] * 2)).encode(),
            "inputs[1] 'image' is there twice",
        ),
        "missing": (b'{"inputs": []}', "input 'image' is missing"),
        "the limit": (large + b"0," * 3_000_000 + b"0]}]}", "has 3000001 elements"),
        "empty lists": (large + b"[]," * 2_000_000 + b"[]]}]}", "'image'.data has 2000001 lists"),
        "long and short text": (
            large + b'"' + b"x" * 3_000_000 + b'"' + b',""' * 900_000 + b"]}]}",
            "'image'.data has 900001 elements",
        ),
    }


@pytest.mark.parametrize("kind", _bad_bodies())
def test_bad_input_costs_no_environment(stack: DeployedStack, kind: str) -> None:
    """400 with what is wrong; the same environment answers the next request, by the ledger."""
    function, url = stack.outputs["InferenceFunctionName"], stack.outputs["InferenceUrl"]
    _send(url, "GET", "v2/health/ready")
    since = stack.mark()
    body, said = _bad_bodies()[kind]
    status, answer = _send(url, "POST", INFER, body, content_type="application/json")
    assert (status, said in answer["error"]) == (400, True), answer
    assert _send(url, "GET", "v2/health/ready")[0] == 200
    seen = stack.invocations(function, since)
    assert [item["status"] for item in seen] == ["success", "success"]
    assert not any(item["cold"] for item in seen)
    assert len({item["environment"] for item in seen}) == 1


LARGEST_BODY_MB = 6.3
"""What Lambda takes (Lambda quotas), which is less in base64."""


def test_the_largest_bodies_take_bounded_memory(stack: DeployedStack) -> None:
    """Sixty times their size at the very most: empty lists are the costliest JSON there is.

    The peak of the environment's whole life, its model and libraries included, as REPORT has it.
    """
    url = stack.outputs["InferenceUrl"]
    for kind in ("the limit", "empty lists", "long and short text", "nesting"):
        body, said = _bad_bodies()[kind]
        assert said in _send(url, "POST", INFER, body, content_type="application/json")[1]["error"]
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["InferenceFunctionName"],
        Qualifier="live",
        Payload=b'{"inputs": []}',
        LogType="Tail",
    )
    report = base64.b64decode(answer["LogResult"]).decode()
    (peak_mb,) = re.findall(r"Max Memory Used: (\d+) MB", report)
    assert int(peak_mb) < 60 * LARGEST_BODY_MB


@pytest.mark.parametrize("length", ["", "-1", "1e3", "999999999", "0", "5, 5"])
def test_a_wrong_header_length_costs_no_environment(stack: DeployedStack, length: str) -> None:
    """400, whatever it says."""
    status, answer = _send(
        stack.outputs["InferenceUrl"],
        "POST",
        INFER,
        b'{"inputs": []}',
        content_type="application/octet-stream",
        inference_header_content_length=length,
    )
    assert (status, isinstance(answer["error"], str)) == (400, True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REQUEST | st.binary(max_size=50))
def test_any_body_is_answered(stack: DeployedStack, body: Any) -> None:
    """Whatever a stranger sends, the function answers it itself."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = _send(
        stack.outputs["InferenceUrl"], "POST", INFER, octets, content_type="application/json"
    )
    assert status in {200, 400}
    assert ("error" in answer) == (status == 400)


@pytest.fixture
def invoke(stack: DeployedStack) -> Callable[[Ping, str], Any]:
    """Pings the live alias, with an event; gives what comes back."""
    client = stack.client("lambda")

    def ping(ping: Ping, event: str) -> Any:
        reply = client.invoke(
            FunctionName=stack.outputs["InferenceFunctionName"],
            Qualifier="live",
            ClientContext=client_context(ping),
            Payload=event.encode(),
        )
        assert "FunctionError" not in reply
        return json.loads(reply["Payload"].read())

    return ping


def _json(value: object) -> str:
    """A value as JSON has it, without the infinities that Python would write."""
    return json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: 0))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # Held until a moment that is past: not at all.
    PINGS.map(lambda ping: Ping(1, ping.wave, ping.index, ping.size, 0.0, ping.prime)),
    REQUEST.map(_json),
)
def test_any_ping_is_answered_and_never_seen_by_the_endpoint(
    invoke: Callable[[Ping, str], Any], ping: Ping, event: str
) -> None:
    """Whatever its event is: a request in it is not run."""
    assert set(invoke(ping, event)) == {"warmer"}


def test_schemathesis_finds_nothing(stack: DeployedStack) -> None:
    """Requests made from the OpenAPI description: examples, and 15 of every operation."""
    finished = schemathesis(stack.outputs["InferenceUrl"], 15, "examples", "fuzzing")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Tested: 9" in finished.stdout
