"""Answers requests of the protocol: HTTP in payload format 2.0, and direct invokes.

Routes are those of Open Inference Protocol: HTTP/REST: server and model metadata, liveness,
readiness, inference. A model's version is that of the function which it came with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from warmer import telemetry
from warmer.errors import ModelError, ModelInputError, RequestError
from warmer.inference.bodies import LENGTH_HEADER, answer_of, read_body
from warmer.inference.datatypes import datatype_of, is_tensor
from warmer.inference.requests import read_request
from warmer.inference.responses import infer_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warmer.environment import Environment
    from warmer.inference.responses import Content
    from warmer.model.model import Model
    from warmer.model.signature import TensorSpec

    Event = dict[str, Any]
    Response = dict[str, Any]

__all__ = ["Endpoint", "is_http"]

VERSION = "0.1.0"
"""Warmer's version, as server metadata tell it; the package's own is not in a function."""

_PLATFORM = "onnx_onnxv1"  # V2 Inference Protocol, "Platforms"
_EXTENSIONS = ["binary_tensor_data"]
_PATHS = (
    "/v2, /v2/health/live, /v2/health/ready, /v2/models/MODEL[/versions/VERSION] and that with "
    "/ready or /infer"
)


def is_http(event: object) -> TypeGuard[Event]:
    """Whether an event is an HTTP request in payload format 2.0."""
    try:
        http = event["requestContext"]["http"]  # type: ignore[index]  # the except clause is for it
        return isinstance(http["method"], str) and isinstance(event["rawPath"], str)  # type: ignore[index]  # same
    except (KeyError, TypeError, IndexError):
        return False


class Endpoint:
    """The models of this environment, as a server of the protocol."""

    def __init__(self, models: Sequence[Model], here: Environment) -> None:
        self._models = {model.name: model for model in models}
        self._here = here
        self._version = here.function_version or "$LATEST"

    def invoke(self, event: object) -> Response:
        """Answer a direct invoke, whose event is an inference request.

        `model_name` says which model, where there are several. Raises RequestError and ModelError.
        """
        name = event.get("model_name") if isinstance(event, dict) else None
        if name is None and len(self._models) == 1:
            (model,) = self._models.values()
        else:
            model = self._model(name)
        return self._infer(model, event, None)[0]

    def respond(self, event: Event) -> Response:
        """Answer an HTTP request; what is wrong with it gives 4xx, a failing inference 500."""
        try:
            return self._route(event, _segments(event), event["requestContext"]["http"]["method"])
        except RequestError as error:
            response = answer_of(error.status, {"error": str(error)})
            response["headers"].update(error.headers)
            return response
        except ModelInputError as error:
            return answer_of(400, {"error": str(error)})
        except ModelError as error:
            telemetry.log("inference failed", {"error": str(error)}, level="ERROR")
            return answer_of(500, {"error": str(error)})

    def _route(self, event: Event, segments: Sequence[str], method: str) -> Response:
        match segments:
            case ["v2", "models", name, "infer"]:
                return self._infer_over_http(event, method, name)
            case ["v2", "models", name, "versions", version, "infer"]:
                return self._infer_over_http(event, method, name, version)
            case ["v2"]:
                _require(method, "GET")
                server = {"name": "warmer", "version": VERSION, "extensions": _EXTENSIONS}
                return answer_of(200, server)
            case ["v2", "health", "live"]:
                _require(method, "GET")
                return answer_of(200, {"live": True})
            case ["v2", "health", "ready"]:
                _require(method, "GET")
                return _readiness({"live": True}, list(self._models.values()))
            case ["v2", "models", name, "ready"]:
                return self._model_readiness(method, name)
            case ["v2", "models", name, "versions", version, "ready"]:
                return self._model_readiness(method, name, version)
            case ["v2", "models", name]:
                return self._metadata(method, name)
            case ["v2", "models", name, "versions", version]:
                return self._metadata(method, name, version)
        raise RequestError(f"there is no /{'/'.join(segments)[:100]}; there are {_PATHS}", 404)

    def _infer_over_http(
        self, event: Event, method: str, name: str, version: str | None = None
    ) -> Response:
        _require(method, "POST")
        model = self._model(name, version)
        headers = event.get("headers")
        headers = headers if isinstance(headers, dict) else {}
        _refuse_compression(headers.get("content-encoding"))
        request, content = read_body(
            event.get("body"),
            encoded=event.get("isBase64Encoded") is True,
            header_length=headers.get(LENGTH_HEADER),
        )
        return answer_of(200, *self._infer(model, request, content))

    def _infer(
        self, model: Model, request: object, content: memoryview | None
    ) -> tuple[Response, Content]:
        read = read_request(request, model.signature, content)
        return infer_response(
            read,
            model.run(read.feeds),
            model_name=model.name,
            model_version=self._version,
            parameters={
                "environment": self._here.id,
                "cold_start": self._here.in_first_invocation,
            },
        )

    def _model_readiness(self, method: str, name: str, version: str | None = None) -> Response:
        _require(method, "GET")
        model = self._model(name, version)
        return _readiness({"name": model.name}, [model])

    def _metadata(self, method: str, name: str, version: str | None = None) -> Response:
        _require(method, "GET")
        model = self._model(name, version)
        metadata = {
            "name": model.name,
            "versions": [self._version],
            "platform": _PLATFORM,
            "inputs": [_tensor_metadata(spec) for spec in model.signature.inputs],
            "outputs": [_output_metadata(spec) for spec in model.signature.outputs],
        }
        return answer_of(200, metadata)

    def _model(self, name: object, version: str | None = None) -> Model:
        model = self._models.get(name) if isinstance(name, str) else None
        if model is None:
            found = "missing" if name is None else repr(name)[:64]
            raise RequestError(
                f"the model's name is {found}; there is {', '.join(map(repr, self._models))}", 404
            )
        if version is not None and version != self._version:
            raise RequestError(
                f"there is no version {version[:64]!r} of {model.name!r} here; there is "
                f"{self._version!r}, the function's",
                404,
            )
        return model


def _readiness(answer: Response, models: Sequence[Model]) -> Response:
    """200 once the models are primed, 503 until then: the first ping finishes what INIT left."""
    pending = [model.name for model in models if model.pending]
    if not pending:
        return answer_of(200, answer | {"ready": True})
    error = f"not primed yet: {', '.join(pending)}"
    return answer_of(503, answer | {"ready": False, "error": error})


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    shape = (
        [-1] if spec.sequence else [size if isinstance(size, int) else -1 for size in spec.shape]
    )
    return {"name": spec.name, "datatype": datatype_of(spec), "shape": shape}


def _output_metadata(spec: TensorSpec) -> dict[str, Any]:
    """A sequence, or maps, come as JSON texts in a tensor of BYTES."""
    if is_tensor(spec):
        return _tensor_metadata(spec)
    return {"name": spec.name, "datatype": "BYTES", "shape": [-1]}


def _segments(event: Event) -> list[str]:
    """The parts of the path, without the stage that an HTTP API may put before it."""
    path: str = event["rawPath"]
    stage = event["requestContext"].get("stage")
    if isinstance(stage, str) and stage != "$default" and f"{path}/".startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    segments = path.strip("/").split("/")
    if "%" not in path:
        return segments
    from urllib.parse import unquote  # not for plain paths, which nearly all are

    return [unquote(segment) for segment in segments]


def _require(method: str, allowed: str) -> None:
    if method != allowed:
        raise RequestError(
            f"the method is {method[:20]!r}; expected {allowed}", 405, {"allow": allowed}
        )


def _refuse_compression(encoding: object) -> None:
    """No body is decompressed here: a small one could be any size."""
    if encoding is not None and encoding != "identity":
        raise RequestError(
            f"content-encoding is {str(encoding)[:64]!r}; send the body as it is",
            415,
            {"accept-encoding": "identity"},
        )
