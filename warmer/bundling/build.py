"""From an ONNX model to a bundle."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from warmer.bundling.candidates import (
    Candidate,
    Expectation,
    chosen,
    make_candidates,
    measure,
    validate,
)
from warmer.bundling.plan import Plan
from warmer.bundling.trial import Failed, Form, Trials
from warmer.bundling.weights import Weights, read_graph
from warmer.errors import ModelCorrupt
from warmer.model.checksum import checksum_of_file
from warmer.model.golden import DEFAULT_TOLERANCE, Golden, write_golden
from warmer.model.manifest import BundleFile, Manifest, Variant
from warmer.model.model import Model
from warmer.model.processor import architecture, layout_features
from warmer.model.session import Threads, onnxruntime_version
from warmer.model.signature import TensorSpec
from warmer.model.store import (
    INPUTS_NAME,
    MANIFEST_NAME,
    MODEL_NAME,
    SAMPLES_NAME,
    SPECIFICATION_NAME,
    WEIGHTS_NAME,
    ModelFiles,
    locate,
)

__all__ = ["HALF_TOLERANCE", "build_bundle"]

HALF_TOLERANCE = 1e-2
"""The default tolerance of a model that gives 16-bit or narrower floats."""

GOLDEN_NAME = "golden.npz"

MOST_BYTES = 16 << 20
"""Warm-up inputs that take more than that are found again at INIT, rather than stored."""


def build_bundle(plan: Plan) -> Manifest:
    """Build a bundle, and move it to its place when it is whole.

    Raises ConfigurationError, ModelNotFound, ModelCorrupt, ModelInputError (a sample does not fit).
    """
    plan.check()
    files = locate(plan.model)
    source = Path(files.model)
    checked = _check_model(source)
    plan.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=plan.output.parent, prefix=".warmer-bundle-") as folder:
        whole = Path(folder) / "bundle"
        whole.mkdir()
        sample = files.samples if plan.sample is None else str(plan.sample)
        files = ModelFiles(files.name, files.model, sample, files.specification)
        build = _Build(plan, files, Path(folder))
        manifest = build.into(whole, checked)
        plan.put(whole)
    return manifest


class _Build:
    """One build, in a folder of its own."""

    def __init__(self, plan: Plan, files: ModelFiles, folder: Path) -> None:
        self._plan = plan
        self._files = files
        self._source = source = Path(files.model)
        self._folder = folder
        self._trials = Trials(folder)
        self._original = Candidate("original", "none", packed=False, graph=source)
        self._try_original()
        model = Model(files, policy="raise", least_runs=1, most_runs=1)
        self._signature = model.signature
        self._samples = model.samples()
        self._expectation = self._expect()

    def into(self, whole: Path, checked: str | None) -> Manifest:
        """Fill the folder `whole`, and return its manifest."""
        plan = self._plan
        candidates = make_candidates(
            self._source,
            self._folder,
            self._trials,
            self._expectation,
            foreign=plan.target if plan.is_foreign else None,
        )
        if plan.rounds and not plan.is_foreign:
            feeds = self._expectation.feeds
            measure(self._original, candidates, self._trials, feeds, plan.rounds)
        kept = self._assemble(chosen(candidates), whole)
        golden = self._write_golden(whole)
        inputs = self._write_inputs(whole)
        manifest = Manifest(
            architecture=plan.target,
            onnxruntime=onnxruntime_version(),
            variants=tuple(self._variant(candidate) for candidate in kept),
            files={file.name: _described(file) for file in sorted(whole.iterdir())},
            tolerance=self._expectation.tolerance,
            golden=GOLDEN_NAME if golden else None,
            golden_inputs=tuple(golden.inputs) if golden else (),
            golden_outputs=tuple(golden.outputs) if golden else (),
            samples=SAMPLES_NAME if self._files.samples else None,
            inputs=inputs,
            build=self._for_people(candidates, checked),
        )
        (whole / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
        return manifest

    def _try_original(self) -> None:
        """Make a session of the original where it can do no harm."""
        try:
            self._trials.run(Form(self._source), [])
        except Failed as error:
            message = str(error)
            raise ModelCorrupt(
                message if str(self._source) in message else f"{self._source}: {message}"
            ) from error

    def _expect(self) -> Expectation:
        feeds = self._samples.feeds
        tolerance = self._plan.tolerance
        if tolerance is None:
            half = any(_is_half(spec) for spec in self._signature.outputs)
            tolerance = HALF_TOLERANCE if half else DEFAULT_TOLERANCE
        try:
            first, second = (self._trials.run(Form(self._source), feeds) for _ in range(2))
        except Failed as error:
            raise ModelCorrupt(
                f"{self._source} does not run with its samples: {error}; record inputs that it "
                "takes (--sample)"
            ) from error
        everything = Expectation(feeds, first.outputs, tolerance, frozenset())
        unsteady = frozenset(
            name
            for name in (spec.name for spec in self._signature.outputs)
            if not _only(everything, name).largest_difference(second.outputs) <= tolerance
        )
        return Expectation(feeds, first.outputs, tolerance, unsteady)

    def _assemble(self, candidates: list[Candidate], whole: Path) -> list[Candidate]:
        """Move the chosen to `whole`, with their weights in one file; run each there once more."""
        weights = Weights(whole / WEIGHTS_NAME)
        base = next((one for one in candidates if one.packed), None)
        if base is not None:
            weights.begin_with(base.graph, base.graph.parent / WEIGHTS_NAME)
        kept = []
        for candidate in [*candidates, *([self._original] if self._plan.keep_original else [])]:
            graph = whole / (MODEL_NAME if candidate is self._original else candidate.graph.name)
            if candidate is base:
                shutil.copyfile(candidate.graph, graph)
            else:
                weights.move(candidate.graph, graph)
            moved = Candidate(candidate.name, candidate.level, candidate.packed, graph)
            moved.bound, moved.steady_ratio = candidate.bound, candidate.steady_ratio
            moved.answers = candidate.answers
            validate(moved, self._trials, self._expectation)
            if moved.rejected is None:
                kept.append(moved)
            else:
                candidate.rejected = moved.rejected
                graph.unlink()
        if not (whole / WEIGHTS_NAME).stat().st_size:
            (whole / WEIGHTS_NAME).unlink()
        if not kept:
            raise ModelCorrupt(
                f"{self._source}: no variant is right ({self._original.rejected}), and the "
                "original graph is left out; make the bundle with it"
            )
        return kept

    def _write_golden(self, whole: Path) -> Golden | None:
        """Keep the first sample with the original's outputs, those that arrays can hold."""
        inputs, outputs = self._expectation.feeds[0], self._expectation.outputs[0]
        comparable = {
            name: value
            for name, value in outputs.items()
            if isinstance(value, np.ndarray) and name not in self._expectation.unsteady
        }
        if not comparable or not all(isinstance(value, np.ndarray) for value in inputs.values()):
            return None
        golden = Golden(inputs, comparable)
        write_golden(str(whole / GOLDEN_NAME), golden)
        return golden

    def _write_inputs(self, whole: Path) -> str | None:
        """Keep what was recorded, and what the warm-up takes of that, specifications and synthesis,
        so that INIT need not look for it again; its file's name, or None where that must be done.
        """
        if self._files.samples is not None:
            shutil.copyfile(self._files.samples, whole / SAMPLES_NAME)
        arrays = self._samples.arrays()
        if arrays is not None and sum(array.nbytes for array in arrays.values()) <= MOST_BYTES:
            _save(whole / INPUTS_NAME, arrays)
            return INPUTS_NAME
        if self._files.specification is not None:
            shutil.copyfile(self._files.specification, whole / SPECIFICATION_NAME)
        return None

    def _variant(self, candidate: Candidate) -> Variant:
        uses_weights = any(
            tensor.data_location == onnx.TensorProto.EXTERNAL
            for tensor in _initializers(candidate.graph)
        )
        return Variant(
            name=candidate.name,
            graph=candidate.graph.name,
            weights=WEIGHTS_NAME if uses_weights else None,
            optimised=candidate.level,
            packed=candidate.packed,
            cpu_features=layout_features() if candidate.bound else None,
            safe_because=_safety(candidate),
            figures=candidate.figures(self._original) | self._unmeasured(),
        )

    def _unmeasured(self) -> dict[str, str]:
        """What there is to say of figures that are missing: nothing where they were measured."""
        plan = self._plan
        if not plan.is_foreign:
            return {}
        return {
            "unmeasured": f"made on {architecture()}, and neither run nor measured on {plan.target}"
        }

    def _for_people(self, candidates: list[Candidate], checked: str | None) -> dict[str, Any]:
        content = self._source.read_bytes() if self._source.stat().st_size < 2**31 else b""
        threads = Threads.here()
        return {
            "source": {
                "file": self._source.name,
                "size": self._source.stat().st_size,
                "sha256": hashlib.sha256(content).hexdigest() if content else None,
            },
            "checker": checked or "the onnx package finds no fault",
            "processor_features": list(layout_features()),
            "measured_with": {
                "threads": threads.intra_op,
                "rounds": 0 if self._plan.is_foreign else self._plan.rounds,
            },
            "inputs": [_listed(spec) for spec in self._signature.inputs],
            "outputs": [_listed(spec) for spec in self._signature.outputs],
            "samples": dict(self._samples.sources),
            "sets_of_inputs_compared": len(self._expectation.feeds),
            "outputs_not_compared": sorted(self._expectation.unsteady),
            "rejected": {
                one.name: {"reason": one.rejected, **one.figures(self._original)}
                for one in candidates
                if one.rejected is not None
            },
        }


def _safety(candidate: Candidate) -> str:
    """Why a variant is right wherever it is used."""
    if candidate.level == "none":
        return "the graph is the original's; onnxruntime optimises it for whatever it runs on"
    if candidate.bound:
        safe = (
            "its graph has data laid out for one kind of processor; it is used only where the "
            "processor's features are those listed"
        )
    else:
        safe = "its graph has no data laid out for one kind of processor"
    if candidate.packed:
        safe += (
            "; onnxruntime packs each matrix when it makes the session and uses the stored form "
            "only where both have the same hash"
        )
    return f"{safe}; the golden outputs are compared before it answers"


def _check_model(path: Path) -> str | None:
    """What the onnx package's checker says of the model, or None. Raises ModelCorrupt.

    Its complaint alone is no refusal: it knows no operators of others, and ONNX Runtime may.
    """
    read_graph(path)
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError) as error:
        return str(error).strip().partition("\n")[0]
    return None


def _only(expectation: Expectation, name: str) -> Expectation:
    """The same for one output."""
    outputs = [{name: one[name]} for one in expectation.outputs]
    return Expectation(expectation.feeds, outputs, expectation.tolerance, frozenset())


def _is_half(spec: TensorSpec) -> bool:
    return spec.narrow is not None or spec.dtype == np.float16


def _initializers(graph: Path) -> list[Any]:
    return list(read_graph(graph).graph.initializer)


def _save(file: Path, feeds: Mapping[str, Any]) -> None:
    """Write arrays as an .npz file: numpy.savez takes one by the name "file" for its argument."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in feeds.items():
            # Strings are Python's objects in numpy, which would be written as pickles.
            array = value.astype(np.str_) if value.dtype == object else value
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _listed(spec: TensorSpec) -> Mapping[str, Any]:
    return {"name": spec.name, "type": spec.type, "shape": list(spec.shape)}


def _described(file: Path) -> BundleFile:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return BundleFile(file.name, file.stat().st_size, digest, checksum_of_file(file))
