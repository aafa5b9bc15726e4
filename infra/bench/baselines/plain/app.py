"""A plain handler: the session is made once, at INIT, as ONNX Runtime's documentation shows it."""

import os
from typing import Any

import numpy as np
import onnxruntime

SESSION = onnxruntime.InferenceSession(os.environ["MODEL_FILE"], providers=["CPUExecutionProvider"])
TYPES = {
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one inference: inputs by name in, outputs by name out."""
    feeds = {
        node.name: np.array(event[node.name], TYPES[node.type]) for node in SESSION.get_inputs()
    }
    outputs = SESSION.run(None, feeds)
    return {
        node.name: value.tolist()
        for node, value in zip(SESSION.get_outputs(), outputs, strict=True)
    }
