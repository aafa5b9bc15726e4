"""A bundle's manifest: what is in it, made where and how, checked by what, and how it measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from warmer.errors import ModelCorrupt
from warmer.model.checksum import checksum
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMAT", "BundleFile", "Manifest", "Variant", "read_manifest"]

FORMAT = 1
"""The version of the manifest that is written, and the only one that is read."""


class BundleFile(Record):
    """A file of the bundle: its `name`, without folders, `size` in bytes, SHA-256 and checksum."""

    name: str
    size: int
    sha256: str
    checksum: str


class Variant(Record):
    """One form of the model.

    `graph` is its ONNX file and `weights` the file that the graph refers to, or None. `optimised`
    says how far ONNX Runtime's graph optimisations were made at build time: "all", "extended" (the
    rest is made when the session is), or "none" (the original graph). `packed`: its matrices are
    also stored as the kernels want them. `cpu_features`: the processor must have these of
    `processor.layout_features` and no others, or None where any processor of the architecture will
    do. `safe_because` says why it is right wherever it is used. `figures` are the build's
    measurements.
    """

    name: str
    graph: str
    weights: str | None
    optimised: str
    packed: bool
    cpu_features: tuple[str, ...] | None
    safe_because: str
    figures: Mapping[str, Any]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that it is made of."""
        return (self.graph,) if self.weights is None else (self.graph, self.weights)


class Manifest(Record):
    """What manifest.json says.

    `architecture` and `onnxruntime` (its version) are those of the build. `variants` come in the
    order in which they are to be tried. `tolerance` is how far an output may be from the golden one
    (see `golden.difference`); `golden_inputs` and `golden_outputs` name the tensors in the file
    `golden`, which is None where no output can be compared. `samples` is the file with recorded
    inputs, or None, and `inputs` that with complete warm-up inputs (see `Samples.read`). `build`
    holds what only people read. `digest` is the checksum of the manifest.
    """

    architecture: str
    onnxruntime: str
    variants: tuple[Variant, ...]
    files: Mapping[str, BundleFile]
    tolerance: float
    golden: str | None
    golden_inputs: tuple[str, ...]
    golden_outputs: tuple[str, ...]
    samples: str | None
    build: Mapping[str, Any]
    inputs: str | None = None
    digest: str = ""

    def to_json(self) -> str:
        """The manifest as the text of manifest.json."""
        content = self.fields() | {
            "variants": [variant.fields() for variant in self.variants],
            "files": [file.fields() for file in self.files.values()],
        }
        del content["digest"]
        return json.dumps({"format": FORMAT} | content, indent=2) + "\n"


def read_manifest(path: str) -> Manifest:
    """Read and check the manifest at `path`.

    Raises ModelCorrupt, which names the field, for what is no manifest of this format.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 3 ms of INIT
        content = file.read()
    reader = _Reader(path)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise reader.refuse(f"is not JSON ({error})") from error
    top = reader.object(document, "the manifest")
    if top.get("format") != FORMAT:
        raise reader.refuse(f"has format {top.get('format')!r}; this Warmer reads {FORMAT}")
    files = [reader.file(item) for item in reader.items(top, "files")]
    variants = tuple(reader.variant(item) for item in reader.items(top, "variants"))
    manifest = Manifest(
        architecture=reader.text(top, "architecture"),
        onnxruntime=reader.text(top, "onnxruntime"),
        variants=variants,
        files={file.name: file for file in files},
        tolerance=reader.number(top, "tolerance"),
        golden=reader.file_name(top, "golden", optional=True),
        golden_inputs=reader.texts(top, "golden_inputs"),
        golden_outputs=reader.texts(top, "golden_outputs"),
        samples=reader.file_name(top, "samples", optional=True),
        build=reader.object(top.get("build"), "build"),
        inputs=reader.file_name(top, "inputs", optional=True),
        digest=checksum(content),
    )
    reader.check_references(manifest)
    return manifest


class _Reader:
    """Takes fields out of JSON objects, or says which is amiss."""

    def __init__(self, path: str) -> None:
        self._path = path

    def refuse(self, fault: str) -> ModelCorrupt:
        return ModelCorrupt(f"{self._path} {fault}: make the bundle again with `warmer bundle`")

    def object(self, value: object, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.refuse(f"has {name} of type {type(value).__name__}; expected an object")
        return value

    def items(self, source: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
        value = source.get(key)
        if not isinstance(value, list) or not value:
            raise self._misfit(source, key, "a list of one or more objects")
        return [self.object(item, f"an item of {key}") for item in value]

    def text(self, source: Mapping[str, Any], key: str) -> str:
        value = source.get(key)
        if not isinstance(value, str):
            raise self._misfit(source, key, "text")
        return value

    def texts(self, source: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = source.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._misfit(source, key, "a list of text")
        return tuple(value)

    def number(self, source: Mapping[str, Any], key: str) -> float:
        value = source.get(key)
        # Not-a-number is not 0 or more either.
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise self._misfit(source, key, "a number of 0 or more")
        return value

    def file_name(self, source: Mapping[str, Any], key: str, *, optional: bool = False) -> Any:
        value = source.get(key)
        if value is None and optional and key in source:
            return None
        if not isinstance(value, str) or not value or "/" in value or value in {".", ".."}:
            raise self._misfit(source, key, "a file's name, without folders")
        return value

    def file(self, item: Mapping[str, Any]) -> BundleFile:
        return BundleFile(
            name=self.file_name(item, "name"),
            size=int(self.number(item, "size")),
            sha256=self.text(item, "sha256"),
            checksum=self.text(item, "checksum"),
        )

    def variant(self, item: Mapping[str, Any]) -> Variant:
        features = None if item.get("cpu_features") is None else self.texts(item, "cpu_features")
        return Variant(
            name=self.file_name(item, "name"),
            graph=self.file_name(item, "graph"),
            weights=self.file_name(item, "weights", optional=True),
            optimised=self.text(item, "optimised"),
            packed=bool(item.get("packed")),
            cpu_features=features,
            safe_because=self.text(item, "safe_because"),
            figures=self.object(item.get("figures"), "figures"),
        )

    def check_references(self, manifest: Manifest) -> None:
        used = [name for variant in manifest.variants for name in variant.files]
        used += [
            name
            for name in (manifest.golden, manifest.samples, manifest.inputs)
            if name is not None
        ]
        for name in used:
            if name not in manifest.files:
                raise self.refuse(f"has no {name!r} among its files")

    def _misfit(self, source: Mapping[str, Any], key: str, expected: str) -> ModelCorrupt:
        return self.refuse(f"has {key} {source.get(key)!r}; expected {expected}")
