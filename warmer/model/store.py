"""Where a model's files are."""

# pathlib would add 3 ms to INIT.
# ruff: noqa: PTH100, PTH109, PTH112, PTH113, PTH118, PTH119, PTH120, PTH122, PTH202, PTH208

from __future__ import annotations

import os

from warmer.errors import ConfigurationError, ModelNotFound
from warmer.record import Record

__all__ = [
    "INPUTS_NAME",
    "MANIFEST_NAME",
    "MODEL_NAME",
    "SAMPLES_NAME",
    "SPECIFICATION_NAME",
    "WEIGHTS_NAME",
    "ModelFiles",
    "locate",
]

MODEL_NAME = "model.onnx"

MANIFEST_NAME = "manifest.json"
"""A folder that holds a file of this name is a bundle."""

WEIGHTS_NAME = "weights.bin"
"""A bundle's file of this name holds the weights of its variants."""

SAMPLES_NAME = "samples.npz"
"""A file of this name beside the model holds recorded inputs: arrays by input name."""

INPUTS_NAME = "inputs.npz"
"""A bundle's file of this name holds complete samples, as `Samples.arrays` gives them."""

SPECIFICATION_NAME = "warmup.json"
"""A file of this name beside the model specifies inputs: see `warmer.model.specification`."""

_LAYERS = "/opt"

_SMALL_BYTES = 1 << 20  # larger are only weights, samples that are not read, and the original graph


class ModelFiles(Record):
    """The files of one model: absolute paths; all but `model` are None where there is none.

    A folder with a `manifest` is a bundle; its `model` is the original graph, if that is there.
    `name` is the folder's for `digits/model.onnx`, else the file's without its ending.
    """

    name: str
    model: str
    samples: str | None
    specification: str | None = None
    manifest: str | None = None

    def to_open(self) -> list[str]:
        """What is read to open the model, in an order in which nothing waits long: of a bundle the
        small files, then the weights."""
        if self.manifest is None:
            return [self.model]
        folder = os.path.dirname(self.manifest)
        found = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        files = [path for path in found if os.path.isfile(path)]  # no link to nowhere
        small = [path for path in files if os.path.getsize(path) < _SMALL_BYTES]
        weights = os.path.join(folder, WEIGHTS_NAME)
        return [*(path for path in small if path != weights), weights]


def locate(path: str | os.PathLike[str]) -> ModelFiles:
    """Find the model at `path`: a bundle, a folder with a model.onnx, or an ONNX file itself.

    A relative path is looked up from the working directory, then from LAMBDA_TASK_ROOT, where
    Lambda unpacks a function's code, then from /opt, where it unpacks layers (Lambda developer
    guide, "Accessing layer content in your function"). `s3://bucket/prefix` is brought to /tmp
    first: see `download`. Raises ModelNotFound, which names every place that was looked at, and
    what `download` raises.
    """
    text = os.fspath(path)
    if text.startswith("s3:"):
        if not isinstance(path, str):
            raise ConfigurationError("path", path, "s3://bucket/prefix as text: paths lose a slash")
        # Only who has a model there pays for boto3, which takes longer to import than onnxruntime.
        from warmer.model.download import download

        text = download(path)
    task_root = os.environ.get("LAMBDA_TASK_ROOT", "")
    roots = [os.getcwd(), task_root, _LAYERS if task_root else ""]
    # Joining an absolute path gives that path, whatever the root.
    places = list(dict.fromkeys(os.path.join(root, text) for root in roots if root))
    for place in places:
        if os.path.isfile(os.path.join(place, MANIFEST_NAME)):
            return _files(os.path.abspath(os.path.join(place, MODEL_NAME)), MANIFEST_NAME)
        file = os.path.join(place, MODEL_NAME) if os.path.isdir(place) else place
        if os.path.isfile(file):
            return _files(os.path.abspath(file))
    raise ModelNotFound(
        f"there is no model at {text!r}: looked for an ONNX file, or a folder that holds "
        f"{MODEL_NAME}, at {' and '.join(places)}"
    )


def _files(model: str, manifest: str | None = None) -> ModelFiles:
    folder, file_name = os.path.split(model)
    stem = os.path.splitext(file_name)[0]
    samples = os.path.join(folder, SAMPLES_NAME)
    specification = os.path.join(folder, SPECIFICATION_NAME)
    return ModelFiles(
        name=os.path.basename(folder) or stem if file_name == MODEL_NAME else stem,
        model=model,
        samples=samples if os.path.isfile(samples) else None,
        specification=specification if os.path.isfile(specification) else None,
        manifest=None if manifest is None else os.path.join(folder, manifest),
    )
