"""The endpoint, with real models of every kind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import warmer
from tests.handlers.http_event import http_event
from tests.inference.requests import answer, binary, infer, infer_event, tensor
from tests.warmer import graphs
from warmer import environment
from warmer.environment import Environment
from warmer.errors import ModelError, ModelInputError, RequestError
from warmer.inference.datatypes import DTYPES
from warmer.inference.endpoint import Endpoint, is_http
from warmer.model.model import Model

Serve = Callable[..., Endpoint]
VALUES: dict[str, list[Any]] = {
    "BOOL": [True, False, True],
    "BYTES": ["a", "", "é"],
    "FP16": [0.5, -2.0, 1.0],
    "FP32": [0.5, -2.0, 1.0],
    "FP64": [0.1, -2.0, 1e300],
    "UINT64": [0, 1, 2**64 - 1],
}


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Loads models in a new environment and serves them."""
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    monkeypatch.setattr(environment, "_current", Environment())

    def load(*paths: Path, **options: Any) -> Endpoint:
        return Endpoint([warmer.load(path, **options) for path in paths], environment.current())

    return load


def http(endpoint: Endpoint, event: Any) -> tuple[int, dict[str, Any], bytes]:
    """Status, JSON and bytes of an answer."""
    response = endpoint.respond(event)
    return (response["statusCode"], *answer(response))


def get(endpoint: Endpoint, path: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a GET."""
    return http(endpoint, http_event("GET", path))[:2]


def _identity(folder: Path, datatype: str) -> Path:
    if datatype == "BF16":
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"])],
            "graph",
            [value("x", TensorProto.BFLOAT16, ["batch", 3])],
            [value("y", TensorProto.BFLOAT16, ["batch", 3])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, folder / "same.onnx")
        return folder / "same.onnx"
    dtype = "string" if datatype == "BYTES" else DTYPES[datatype].name
    return graphs.identity(folder / "same.onnx", dtype)


@pytest.mark.parametrize("datatype", [*DTYPES, "BF16"])
def test_every_datatype_goes_in_and_out(serve: Serve, tmp_path: Path, datatype: str) -> None:
    """As JSON and as bytes, through ONNX Runtime: the same model, the same answer."""
    endpoint = serve(_identity(tmp_path, datatype))
    values = VALUES.get(datatype, [1, 2, 3])
    request = infer(tensor("x", values, datatype, [1, 3]), parameters={"binary_data_output": True})
    status, said, content = http(endpoint, infer_event("same", request))
    assert (status, len(said["outputs"])) == (200, 1)
    assert said["outputs"][0]["parameters"]["binary_data_size"] == len(content) > 0
    again = infer(binary("x", len(content), datatype, [1, 3]))
    status, said, _ = http(endpoint, infer_event("same", again, [content]))
    output = {"name": "y", "datatype": datatype, "shape": [1, 3], "data": values}
    assert (status, said["outputs"]) == (200, [output])
    (metadata,) = get(endpoint, "/v2/models/same")[1]["inputs"]
    assert metadata == {"name": "x", "datatype": datatype, "shape": [-1, 3]}


def test_the_answer_says_what_answered(serve: Serve, tmp_path: Path) -> None:
    """Model, version, the request's id, the environment, and whether it was a cold start."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    request = infer(tensor("x", [1, 2, 3], shape=[1, 3]), id="42")
    here = environment.current()
    assert http(endpoint, infer_event("same", request))[1] == {
        "model_name": "same",
        "model_version": "7",
        "id": "42",
        "parameters": {"environment": here.id, "cold_start": False},
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [1.0, 2.0, 3.0]}],
    }


def test_a_batch_is_one_run(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole batch goes to the model at once."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    seen: list[Any] = []
    run = Model.run

    def spy(model: Model, feeds: Any) -> Any:
        seen.append(feeds)
        return run(model, feeds)

    monkeypatch.setattr(Model, "run", spy)
    request = infer(tensor("x", list(range(96)), shape=[32, 3]))
    status, said, _ = http(endpoint, infer_event("same", request))
    assert (status, said["outputs"][0]["data"]) == (200, list(range(96)))
    assert len(seen) == 1


def test_inputs_take_their_bytes_in_order(serve: Serve, tmp_path: Path) -> None:
    """One after the other, as they are listed; JSON inputs in between take none."""
    endpoint = serve(graphs.addition(tmp_path / "sum.onnx"))
    right, left = struct.pack("<3f", 1, 2, 3), struct.pack("<3f", 10, 20, 30)
    both = infer(binary("right", 12, shape=[1, 3]), binary("left", 12, shape=[1, 3]))
    assert http(endpoint, infer_event("sum", both, [right, left]))[1]["outputs"][0]["data"] == [
        11,
        22,
        33,
    ]
    mixed = infer(tensor("left", [1, 1, 1], shape=[1, 3]), binary("right", 12, shape=[1, 3]))
    said = http(endpoint, infer_event("sum", mixed, [right]))[1]
    assert said["outputs"][0]["data"] == [2, 3, 4]


def test_outputs_come_as_they_are_asked_for() -> None:
    """Those alone, in that order, each as bytes or JSON; binary_data wins over the default."""
    environment.current()
    endpoint = Endpoint([warmer.load("handlers/models/digits")], environment.current())
    asked = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
    request = infer(tensor("image", [0] * 64, shape=[1, 8, 8]), outputs=asked)
    _, said, content = http(endpoint, infer_event("digits", request))
    probabilities, label = said["outputs"]
    assert (probabilities["name"], probabilities["parameters"]) == (
        "probabilities",
        {"binary_data_size": 40},
    )
    assert np.frombuffer(content, np.float32).sum() == pytest.approx(1)
    assert (label["name"], len(label["data"]), label["shape"]) == ("label", 1, [1])
    request["parameters"] = {"binary_data_output": True}
    request["outputs"] = [{"name": "label", "parameters": {"binary_data": False}}]
    _, said, content = http(endpoint, infer_event("digits", request))
    assert (said["outputs"][0]["data"], content) == (label["data"], b"")


def test_the_server_tells_of_itself(serve: Serve, tmp_path: Path) -> None:
    """Name, version, and the binary extension."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    status, said = get(endpoint, "/v2")
    assert (status, said["name"]) == (200, "warmer")
    assert said["extensions"] == ["binary_tensor_data"]
    assert get(endpoint, "/v2/") == (200, said)


def test_the_version_is_the_packages() -> None:
    """A function has no metadata of packages to read it from."""
    from importlib.metadata import version

    from warmer.inference.endpoint import VERSION

    assert version("warmer") == VERSION


def test_it_is_ready_once_it_is_primed(serve: Serve, tmp_path: Path) -> None:
    """Live from the beginning; ready when no priming is left to do, for each model and for all."""
    endpoint = serve(
        graphs.identity(tmp_path / "same.onnx"),
        graphs.addition(tmp_path / "sum.onnx"),
        budget_ms=0.001,
    )
    assert get(endpoint, "/v2/health/live") == (200, {"live": True})
    status, said = get(endpoint, "/v2/health/ready")
    assert (status, said["ready"], said["error"]) == (503, False, "not primed yet: same, sum")
    for model in environment.current().models.values():
        model.prime(10)
        assert get(endpoint, "/v2/models/same/ready") == (200, {"name": "same", "ready": True})
    assert get(endpoint, "/v2/health/ready")[0] == 200


def test_several_models_are_told_apart(serve: Serve, tmp_path: Path) -> None:
    """By the path, or in a direct invoke by model_name."""
    endpoint = serve(
        graphs.identity(tmp_path / "same.onnx"), graphs.addition(tmp_path / "sum.onnx")
    )
    request = infer(tensor("x", [1, 2, 3], shape=[1, 3]))
    assert http(endpoint, infer_event("same", request))[0] == 200
    assert endpoint.invoke({**request, "model_name": "same"})["model_name"] == "same"
    with pytest.raises(RequestError, match="name is missing; there is 'same', 'sum'"):
        endpoint.invoke(request)


def test_a_version_is_the_functions(serve: Serve, tmp_path: Path) -> None:
    """Another one is not here."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    request = infer(tensor("x", [1, 2, 3], shape=[1, 3]))
    assert get(endpoint, "/v2/models/same")[1]["versions"] == ["7"]
    assert get(endpoint, "/v2/models/same/versions/7/ready")[0] == 200
    assert get(endpoint, "/v2/models/same/versions/7")[0] == 200
    assert http(endpoint, infer_event("same", request, path="/versions/7"))[0] == 200
    for path in ("", "/ready"):
        status, said = get(endpoint, f"/v2/models/same/versions/8{path}")
        assert (status, "there is '7'" in said["error"]) == (404, True)


def test_a_name_may_be_escaped(serve: Serve, tmp_path: Path) -> None:
    """Clients escape what is no plain character."""
    endpoint = serve(graphs.identity(tmp_path / "my model.onnx"))
    assert get(endpoint, "/v2/models/my%20model/ready")[0] == 200
    assert get(endpoint, "/v2/models/my model/ready")[0] == 200


@pytest.mark.parametrize("path", ["/prod/v2", "/prod/v2/models/same"])
def test_the_stage_of_an_http_api_is_no_part_of_the_path(
    serve: Serve, tmp_path: Path, path: str
) -> None:
    """HTTP APIs put the stage's name before the path."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    assert endpoint.respond(http_event("GET", path, stage="prod"))["statusCode"] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/infer", 404),
        ("GET", "/v1/models/same", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("GET", "/v2/models", 404),
        ("POST", "/v2", 405),
        ("GET", "/v2/models/same/infer", 405),
        ("DELETE", "/v2/models/same", 405),
    ],
)
def test_what_is_not_there_is_told(
    serve: Serve, tmp_path: Path, method: str, path: str, status: int
) -> None:
    """404 says what there is; 405 which method."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    response = endpoint.respond(http_event(method, path))
    assert response["statusCode"] == status
    assert isinstance(answer(response)[0]["error"], str)
    assert ("allow" in response["headers"]) == (status == 405)


def test_no_compressed_body_is_taken(serve: Serve, tmp_path: Path) -> None:
    """A small one could unpack to any size."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    event = infer_event("same", infer())
    event["headers"]["content-encoding"] = "gzip"
    assert http(endpoint, event)[:2] == (
        415,
        {"error": "content-encoding is 'gzip'; send the body as it is"},
    )


def test_what_is_no_tensor_comes_as_json_text(serve: Serve, tmp_path: Path) -> None:
    """A sequence, as BYTES: the protocol has tensors only."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x", "x"], ["y"])],
        "graph",
        [value("x", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, ["batch"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "twice.onnx")
    endpoint = serve(tmp_path / "twice.onnx")
    said = endpoint.invoke(infer(tensor("x", [1, 2])))
    assert said["outputs"] == [
        {"name": "y", "datatype": "BYTES", "shape": [2], "data": ["[1.0, 2.0]", "[1.0, 2.0]"]}
    ]
    (metadata,) = get(endpoint, "/v2/models/twice")[1]["outputs"]
    assert metadata == {"name": "y", "datatype": "BYTES", "shape": [-1]}


def test_an_answer_that_json_cannot_carry_is_told(serve: Serve, tmp_path: Path) -> None:
    """Infinity: 400 with the remedy; as bytes it is no trouble."""
    endpoint = serve(graphs.division(tmp_path / "inverse.onnx"))
    request = infer(tensor("x", [0.0]))
    status, said, _ = http(endpoint, infer_event("inverse", request))
    assert (status, "output 'y' is NaN or infinite" in said["error"]) == (400, True)
    request["parameters"] = {"binary_data_output": True}
    status, _, content = http(endpoint, infer_event("inverse", request))
    assert (status, struct.unpack("<f", content)) == (200, (np.inf,))


def test_a_failing_inference_is_a_server_error(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """500, and a line in the log; a direct invoke raises."""
    endpoint = serve(graphs.square_only(tmp_path / "square.onnx"))
    request = infer(tensor("x", [1, 2, 3, 4, 5, 6], shape=[2, 3]))
    status, said, _ = http(endpoint, infer_event("square", request))
    assert (status, "the inference failed" in said["error"]) == (500, True)
    assert '"inference failed"' in capsys.readouterr().out
    with pytest.raises(ModelError):
        endpoint.invoke(request)


def test_what_the_model_refuses_is_a_bad_request(serve: Serve, tmp_path: Path) -> None:
    """400: a row that is not in the table."""
    endpoint = serve(graphs.lookup(tmp_path / "table.onnx"))
    status, said, _ = http(endpoint, infer_event("table", infer(tensor("ids", [9], "INT64"))))
    assert (status, "the model refuses the input" in said["error"]) == (400, True)
    with pytest.raises(ModelInputError):
        endpoint.invoke(infer(tensor("ids", [9], "INT64")))


def test_a_direct_invoke_carries_json_only(serve: Serve, tmp_path: Path) -> None:
    """It has no bytes after its event."""
    endpoint = serve(graphs.identity(tmp_path / "same.onnx"))
    with pytest.raises(RequestError, match="a direct invoke carries JSON only"):
        endpoint.invoke(infer(binary("x", 12, shape=[1, 3])))
    with pytest.raises(RequestError, match="the answer to a direct invoke is JSON"):
        endpoint.invoke(
            infer(tensor("x", [1, 2, 3], shape=[1, 3]), parameters={"binary_data_output": True})
        )


@pytest.mark.parametrize("event", [None, [], {}, {"requestContext": {"http": None}}, "text"])
def test_other_events_are_no_http_requests(event: object) -> None:
    """They are direct invokes."""
    assert not is_http(event)
