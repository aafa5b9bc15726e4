"""The inference function: a model that is loaded and primed at INIT, behind pings and HTTP.

A direct invoke sends the model's inputs by name and gets its outputs by name:

    {"image": [[0, 3, ...], ...]}
    {"label": [7], "probabilities": [[...]], "environment": "<id>", "cold_start": false}

`{"inputs": {"image": ...}}` says the same. One item may come without its batch axis; outputs always
have theirs. Over a Function URL or an HTTP API the same JSON goes to POST / or /infer, and
GET /health answers once the model is ready.

What is no request raises ModelInputError for a direct invoke, so that Lambda says FunctionError,
and is answered with 400 and a JSON body over HTTP.

WARMER_MODEL is the model's folder or ONNX file; without it the digits model in this package.
"""

from __future__ import annotations

import os
import time

import warmer
from handlers import inference_http
from handlers.inference_request import answer_of, feeds_of
from warmer import environment, telemetry
from warmer.telemetry import Metric

MODEL_VARIABLE = "WARMER_MODEL"
DEFAULT_MODEL = f"{os.path.dirname(__file__)}/models/digits"  # noqa: PTH120 - pathlib costs 3 ms

MODEL = warmer.load(os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL)


def infer(request: object) -> dict[str, object]:
    """Answer one inference request, whatever it came by.

    Raises ModelInputError for what is no request, or does not fit the model.
    """
    outputs = MODEL.run(feeds_of(request, MODEL.signature))
    here = environment.current()
    return {
        "environment": here.id,
        "cold_start": here.in_first_invocation,
        **answer_of(outputs),
    }


@warmer.warmable
def handler(event: object, _context: object) -> dict[str, object]:
    """Answer a direct invoke, or an HTTP request in payload format 2.0."""
    began = time.perf_counter()
    try:
        if inference_http.is_request(event):
            return inference_http.respond(event, infer)
        return infer(event)
    finally:
        if environment.current().in_first_invocation:
            _emit_cold_start((time.perf_counter() - began) * 1000)


def _emit_cold_start(inference_ms: float) -> None:
    """Count a cold start that a user met; an environment that a ping started is none."""
    here = environment.current()
    telemetry.emit(
        {
            Metric.COLD_START: 1,
            Metric.INIT_DURATION: here.init_ms,
            Metric.PRIMING_DURATION: MODEL.priming.seconds * 1000,
            Metric.INFERENCE_DURATION: inference_ms,
        },
        # One dimension, the same for every function: each distinct one is billed by the month.
        dimensions={"service": "inference"},
        properties={
            "function": here.function_name,
            "function_version": here.function_version,
            "environment": here.id,
            "model": MODEL.name,
        },
    )
