"""The demo's request to the inference endpoint, and what its answer says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

INFER_PATH = "v2/models/digits/infer"
"""Where the digits model answers, below the endpoint's address."""

_DIGIT = 3


def image_request(samples: Path) -> tuple[bytes, int]:
    """A request with the image of a digit that the model was not trained on, and the digit."""
    with np.load(samples) as arrays:
        image = arrays["image"][_DIGIT : _DIGIT + 1]
    tensor = {
        "name": "image",
        "shape": list(image.shape),
        "datatype": "FP32",
        "data": image.reshape(-1).tolist(),
    }
    return json.dumps({"inputs": [tensor]}).encode(), _DIGIT


def label_of(answer: bytes) -> int | None:
    """The digit that the model saw, or None where the answer has no label."""
    outputs = {output["name"]: output for output in json.loads(answer).get("outputs", [])}
    return int(outputs["label"]["data"][0]) if "label" in outputs else None
