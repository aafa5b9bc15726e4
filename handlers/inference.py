"""The inference function: models that are loaded and primed at INIT, behind pings and HTTP.

It speaks the Open Inference Protocol (version 2), over a Function URL or an HTTP API; openapi.yaml
describes it:

    POST /v2/models/digits/infer
    {"inputs": [{"name": "image", "shape": [1, 8, 8], "datatype": "FP32", "data": [0, 0, 5, ...]}]}

A direct invoke has the same request object as its event, with a `model_name` in it where several
models are loaded, and gets the same response object; what is wrong with it is raised, so that
Lambda says FunctionError.

WARMER_MODEL is where the model is, or several of them with commas between, each as PATH or
NAME=PATH; without it the digits model in this package.
"""

from __future__ import annotations

import gc
import os
import time

import warmer
from warmer import environment, telemetry
from warmer.telemetry import Metric

# What INIT makes, it keeps: looking for garbage in it takes a tenth of its processor time.
gc.disable()

MODEL_VARIABLE = "WARMER_MODEL"
DEFAULT_MODEL = f"{os.path.dirname(__file__)}/models/digits"  # noqa: PTH120 - pathlib costs 3 ms


def start_load(setting: str) -> list[warmer.Loading]:
    """Begin to load the models that WARMER_MODEL lists. Raises as `warmer.start_load` does."""
    loading = []
    for item in setting.split(","):
        name, is_named, path = item.strip().partition("=")
        # A path may have an equals sign too; a name has no slash.
        if is_named and "/" not in name:
            loading.append(warmer.start_load(path, name=name))
        else:
            loading.append(warmer.start_load(item.strip()))
    return loading


LOADING = start_load(os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL)

# While the models are being opened.
from warmer.inference.endpoint import Endpoint, is_http  # noqa: E402

telemetry.prepare()

MODELS = [loading.model() for loading in LOADING]
ENDPOINT = Endpoint(MODELS, environment.current())

# From here on only what requests make is looked through, in the first of them too.
gc.freeze()
gc.enable()


@warmer.warmable
def handler(event: object, _context: object) -> dict[str, object]:
    """Answer a direct invoke, or an HTTP request in payload format 2.0."""
    began = time.perf_counter()
    try:
        return ENDPOINT.respond(event) if is_http(event) else ENDPOINT.invoke(event)
    finally:
        _emit_request((time.perf_counter() - began) * 1000)


def _emit_request(inference_ms: float) -> None:
    """Measure a user's request; only one that began with an INIT is cold, not a pinged one's."""
    here = environment.current()
    metrics = {
        Metric.COLD_START: float(here.in_first_invocation),
        Metric.INFERENCE_DURATION: inference_ms,
    }
    if here.in_first_invocation:
        priming = sum(model.priming.seconds for model in MODELS)
        metrics |= {Metric.INIT_DURATION: here.init_ms, Metric.PRIMING_DURATION: priming * 1000}
    telemetry.emit(
        metrics,
        # One dimension, and few of its values: each distinct one is billed by the month.
        dimensions={"service": here.function_name or "inference"},
        properties={
            "function": here.function_name,
            "function_version": here.function_version,
            "environment": here.id,
            "models": [model.name for model in MODELS],
        },
    )
