"""What the inference endpoint adds to the model's own run, and what it costs at INIT.

`python -m infra.bench.endpoint` calls the deployed function's handler in this process, with the
events that a Function URL makes. The handler and the model alone take turns, so that both meet the
same machine; what the handler adds is the difference of the medians. A 1 MB tensor is followed by
its address: where base64 was decoded, and where the model reads it. INIT is measured in processes
of their own, with compiled byte-code.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np

from infra.cloud.sam import PROJECT
from warmer.inference.bodies import LENGTH_HEADER

MOST_ADDED_MS = 0.3
"""What the handler may add to the model's own run of a small request."""

_ROUNDS = 20
_ELEMENTS = 262_144  # 1 MiB of FP32
_DIGITS = PROJECT / "handlers" / "models" / "digits"


def event(model: str, request: Mapping[str, Any], content: bytes = b"") -> dict[str, Any]:
    """An inference request as a Function URL delivers it; with `content`, in base64."""
    text = json.dumps(request)
    headers = {"content-type": "application/json"}
    body = text
    if content:
        headers = {"content-type": "application/octet-stream", LENGTH_HEADER: str(len(text))}
        body = base64.b64encode(text.encode() + content).decode()
    path = f"/v2/models/{model}/infer"
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": headers,
        "requestContext": {"http": {"method": "POST", "path": path}, "stage": "$default"},
        "body": body,
        "isBase64Encoded": bool(content),
    }


def tensor(name: str, shape: Sequence[int], **members: Any) -> dict[str, Any]:
    """An FP32 input of a request."""
    return {"name": name, "shape": list(shape), "datatype": "FP32", **members}


def in_turns(first: Callable[[], Any], second: Callable[[], Any], count: int) -> tuple[float, ...]:
    """Median milliseconds of each of two calls that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(-1, _ROUNDS):
        for call, taken in zip((first, second), times, strict=True):
            for _ in range(max(1, count // _ROUNDS)):
                began = time.perf_counter()
                call()
                if turn >= 0:  # the first is not counted
                    taken.append((time.perf_counter() - began) * 1000)
    return tuple(statistics.median(taken) for taken in times)


def small_requests(handler: Callable[..., Any], model: Any, count: int) -> bool:
    """One image for the digits model, as JSON and as bytes; whether both meet the goal."""
    with np.load(_DIGITS / "samples.npz") as samples:
        image = samples["image"][:1]
    as_json = tensor("image", image.shape, data=image.reshape(-1).tolist())
    as_bytes = tensor("image", image.shape, parameters={"binary_data_size": image.nbytes})
    everything = {"binary_data_output": True}
    events = {
        "JSON": event("digits", {"inputs": [as_json]}),
        "binary": event(
            "digits", {"inputs": [as_bytes], "parameters": everything}, image.tobytes()
        ),
    }
    met = True
    for name, request in events.items():
        assert handler(request, None)["statusCode"] == 200
        whole, alone = in_turns(
            partial(handler, request, None),
            lambda: model.run({"image": image}),
            count,
        )
        click.echo(
            f"one image, {name:<7} handler {whole:.3f} ms   model alone {alone:.3f} ms   "
            f"added {whole - alone:.3f} of {MOST_ADDED_MS:.3f} ms: "
            f"{'met' if whole - alone <= MOST_ADDED_MS else 'MISSED'}"
        )
        met = met and whole - alone <= MOST_ADDED_MS
    return met


def large_tensor(handler: Callable[..., Any], model: Any, count: int) -> bool:
    """1 MB, to a model that gives one number of it; whether it is read where it was decoded."""
    numbers = np.arange(_ELEMENTS, dtype=np.float32)
    size = {"binary_data_size": numbers.nbytes}
    wanted = [{"name": "y", "parameters": {"binary_data": True}}]
    asked = {"inputs": [tensor("x", [_ELEMENTS], parameters=size)], "outputs": wanted}
    request = event("first", asked, numbers.tobytes())
    read: list[int] = []
    decoded: list[tuple[int, int]] = []
    run, decode = type(model).run, binascii.a2b_base64

    def spy(self: Any, feeds: Any) -> Any:
        read.append(feeds["x"].__array_interface__["data"][0])
        return run(self, feeds)

    def remember(*given: Any, **options: Any) -> bytes:
        octets: bytes = decode(*given, **options)
        begins = np.frombuffer(octets, np.uint8).__array_interface__["data"][0]
        decoded.append((begins, begins + len(octets)))
        return octets

    with (
        mock.patch.object(type(model), "run", spy),
        mock.patch.object(binascii, "a2b_base64", remember),
    ):
        assert handler(request, None)["statusCode"] == 200
    (address,), (begins, ends) = read, decoded[-1]
    copied = not begins <= address <= ends - numbers.nbytes
    whole, alone = in_turns(
        lambda: handler(request, None), lambda: model.run({"x": numbers}), count // 10
    )
    text = request["body"]
    bare, _ = in_turns(lambda: decode(text), lambda: None, count // 10)
    click.echo(
        f"1 MB, binary       handler {whole:.3f} ms   model alone {alone:.3f} ms   added "
        f"{whole - alone:.3f} ms, of which base64 takes {bare:.3f}; copied after it: "
        f"{'yes' if copied else 'no'} (decoded at {begins:#x}, read at {address:#x})"
    )
    return not copied


def start() -> None:
    """What the endpoint's modules add to INIT, and Powertools to the first answer, if it emits."""
    code = (
        "import time, warmer.model.model, warmer.telemetry as telemetry, os\n"
        "from warmer.model.session import runtime; runtime()\n"
        "began = time.perf_counter(); import warmer.inference.endpoint\n"
        "loaded = time.perf_counter(); os.environ['WARMER_METRICS_NAMESPACE'] = 'Warmer'\n"
        "telemetry.emit({telemetry.Metric.COLD_START: 1}, {'service': 'inference'})\n"
        "print((loaded - began) * 1000, (time.perf_counter() - loaded) * 1000)"
    )
    variables = {
        key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
    }
    runs = []
    for _ in range(11):
        finished = subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            env=variables,
            capture_output=True,
            check=True,
        )
        runs.append([float(text) for text in finished.stdout.split()[-2:]])
    modules, emission = (statistics.median(column) for column in zip(*runs[1:], strict=True))
    click.echo(f"INIT: the endpoint's modules {modules:.2f} ms")
    click.echo(f"first answer, with a metrics namespace only: Powertools and EMF {emission:.1f} ms")


def _first_number(folder: Path) -> Path:
    """A model that takes any number of floats and gives the first."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    zero = numpy_helper.from_array(np.zeros(1, np.int64), "zero")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Gather", ["x", "zero"], ["y"])],
        "graph",
        [value("x", TensorProto.FLOAT, ["count"])],
        [value("y", TensorProto.FLOAT, [1])],
        [zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "first.onnx"
    onnx.save(model, path)
    return path


def main() -> None:
    """Measure, and print the figures; exits with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=4000, help="of each kind (default 4000)")
    count = parser.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as folder:
        os.environ["WARMER_MODEL"] = f"{_DIGITS},{_first_number(Path(folder))}"
        from handlers import inference

        digits, first = inference.MODELS
        click.echo(f"the handler in this process, medians, {os.cpu_count()} CPUs")
        met = small_requests(inference.handler, digits, count)
        met = large_tensor(inference.handler, first, count) and met
        start()
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
