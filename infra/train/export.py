"""Export the digits network to ONNX: one self-contained file, the same bytes every time."""

from __future__ import annotations

import io
import warnings

import onnx
import torch
from torch import nn

from infra.train.dataset import SIDE

OPSET = 18


def to_onnx(network: nn.Module) -> bytes:
    """The network as an ONNX file with its weights inside and a symbolic batch dimension.

    Input `image` float32 (batch, 8, 8); outputs `label` int64 (batch,) and `probabilities`
    float32 (batch, 10).
    """
    buffer = io.BytesIO()
    names = {"input_names": ["image"], "output_names": ["label", "probabilities"]}
    axes = {name: {0: "batch"} for name in ("image", "label", "probabilities")}
    with warnings.catch_warnings():
        # The tracing exporter is enough for this graph; its successor needs onnxscript as well.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.zeros(2, SIDE, SIDE),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            dynamic_axes=axes,
            **names,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _drop_descriptions(model)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _drop_descriptions(model: onnx.ModelProto) -> None:
    # Descriptions and metadata hold stack traces and paths of the machine that trained.
    parts = [model, model.graph, *model.graph.node, *model.graph.initializer]
    for part in [*parts, *model.graph.input, *model.graph.output]:
        part.ClearField("doc_string")
        if hasattr(part, "metadata_props"):
            part.ClearField("metadata_props")
