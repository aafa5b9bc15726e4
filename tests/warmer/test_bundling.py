"""Making bundles."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

import warmer
from tests.warmer import graphs
from warmer.bundling.build import build_bundle
from warmer.bundling.candidates import Candidate, Expectation, chosen, measure, validate
from warmer.bundling.plan import Plan
from warmer.bundling.trial import Answer, Failed, Form, Trials
from warmer.bundling.weights import Weights, depends_on_processor
from warmer.cli.bundle import bundle
from warmer.errors import ConfigurationError, ModelCorrupt, ModelInputError, ModelNotFound
from warmer.model.manifest import Manifest

DIGITS = Path("handlers/models/digits").resolve()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The digits model's bundle, with every variant, and its manifest."""
    output = tmp_path_factory.mktemp("bundles") / "digits"
    return output, build_bundle(Plan(DIGITS, output, rounds=0))


def test_a_bundle_gives_the_originals_outputs(built: tuple[Path, Manifest]) -> None:
    """A convolutional model, in the variant that this processor gets."""
    with np.load(DIGITS / "samples.npz") as samples:
        image = samples["image"]
    original = warmer.load(DIGITS, name="original").run({"image": image})
    model = warmer.load(built[0])
    outputs = model.run({"image": image})
    assert outputs["label"].tolist() == original["label"].tolist()
    np.testing.assert_allclose(outputs["probabilities"], original["probabilities"], atol=1e-6)
    assert model.report()["passed_over"] == []
    assert model.report()["variant"] == built[1].variants[0].name != "original"


def test_the_manifest_says_what_is_in_the_bundle(built: tuple[Path, Manifest]) -> None:
    """Every file with its digests; how each variant was made, and why it is safe."""
    output, manifest = built
    assert {path.name for path in output.iterdir()} == {*manifest.files, "manifest.json"}
    assert manifest.variants[-1].name == "original"
    for variant in manifest.variants:
        assert variant.safe_because
        assert variant.figures["largest_difference"] <= manifest.tolerance
    assert manifest.build["samples"] == {"image": "recorded"}
    assert manifest.build["sets_of_inputs_compared"] == 10
    assert manifest.build["source"]["file"] == "model.onnx"


def test_what_is_laid_out_for_a_processor_is_bound_to_it(built: tuple[Path, Manifest]) -> None:
    """The blocked convolutions of this graph, and only they, are; another variant is not."""
    output, manifest = built
    for variant in manifest.variants:
        assert (variant.cpu_features is not None) == depends_on_processor(output / variant.graph)
    assert any(variant.optimised == "extended" for variant in manifest.variants)


def test_weights_that_variants_share_are_stored_once(built: tuple[Path, Manifest]) -> None:
    """Four graphs and packed matrices are less than three copies."""
    weights = built[1].files["weights.bin"].size
    assert weights < 3 * (DIGITS / "model.onnx").stat().st_size


def test_the_original_graph_is_a_model_of_its_own(built: tuple[Path, Manifest]) -> None:
    """Any tool can read it: it is ONNX with external data."""
    model = onnx.load(built[0] / "model.onnx")
    original = onnx.load(DIGITS / "model.onnx")
    assert model.graph.node == original.graph.node
    for found, expected in zip(model.graph.initializer, original.graph.initializer, strict=True):
        arrays = (onnx.numpy_helper.to_array(tensor) for tensor in (found, expected))
        np.testing.assert_array_equal(*arrays)


def test_the_command_measures_and_tells(tmp_path: Path) -> None:
    """One JSON object: the manifest, with the figures of what is kept and what is not."""
    output = tmp_path / "sum"
    np.savez(tmp_path / "requests.npz", left=np.ones((2, 3)), right=np.ones((2, 3)))
    arguments = [str(graphs.addition(tmp_path / "sum.onnx")), "-o", str(output), "--json"]
    options = ["--sample", str(tmp_path / "requests.npz"), "--rounds", "1"]
    result = CliRunner().invoke(bundle, [*arguments, *options])
    assert result.exit_code == 0, result.output
    manifest = json.loads(result.stdout)
    measured = [one["figures"] for one in manifest["variants"]]
    measured += manifest["build"]["rejected"].values()
    assert len(measured) == 4
    assert manifest["build"]["rejected"]["packed"]["reason"] == "there is no matrix to pack"
    assert {"ready_ms", "ready_ratio", "peak_ratio"} <= set(measured[0])
    assert "weights.bin" not in {file["name"] for file in manifest["files"]}
    assert manifest["build"]["samples"] == {"left": "recorded", "right": "recorded"}
    assert warmer.load(output).priming.primed


def test_inputs_that_were_synthesised_are_kept(tmp_path: Path) -> None:
    """INIT need not look for them again; and the command shows people what came of it."""
    output = tmp_path / "bundle"
    model = graphs.lookup(tmp_path / "lookup.onnx", rows=500)
    result = CliRunner().invoke(bundle, [str(model), "-o", str(output), "--rounds", "0"])
    assert result.exit_code == 0, result.output
    assert "original" in result.stdout
    assert "ids synthesised" in result.stdout
    assert _synthesis_of(output) == ["False", "synthesised"]


_SYNTHESIS = """
import sys, warmer
model = warmer.load(sys.argv[1])
print("warmer.model.synthesis" in sys.modules, *model.sources.values())
"""


def _synthesis_of(folder: Path) -> list[str]:
    """Whether a process that loads it imports the search, and the sources of its inputs."""
    command = [sys.executable, "-c", _SYNTHESIS, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.split()


def test_every_bucket_that_is_warmed_is_kept(tmp_path: Path) -> None:
    """Recorded and specified shapes, completed: the bundle warms what the folder does, at once."""
    folder = tmp_path / "sum"
    graphs.addition(folder / "model.onnx")
    np.savez(folder / "samples.npz", left=np.arange(6).reshape(2, 3))
    (folder / "warmup.json").write_text(
        '[{"left": {"shape": [4, 3]}}, {"left": {"shape": [2, 3]}}]'
    )
    build_bundle(Plan(folder, tmp_path / "bundle", rounds=0))
    expected, found = (warmer.load(path).samples() for path in (folder, tmp_path / "bundle"))
    assert found.sources == expected.sources == {"left": "recorded", "right": "synthesised"}
    assert [len(bucket) for bucket in found.buckets] == [len(one) for one in expected.buckets]
    for ours, theirs in zip(found.feeds, expected.feeds, strict=True):
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value)
    assert _synthesis_of(tmp_path / "bundle")[0] == "False"


def test_an_argument_replaces_the_buckets_that_were_specified(tmp_path: Path) -> None:
    """The bundle's recorded inputs come first, as they do for a folder."""
    folder = tmp_path / "sum"
    graphs.addition(folder / "model.onnx")
    np.savez(folder / "samples.npz", left=np.ones((1, 3)), right=np.ones((1, 3)))
    (folder / "warmup.json").write_text('[{"left": {"shape": [4, 3]}}]')
    build_bundle(Plan(folder, tmp_path / "bundle", rounds=0))
    model = warmer.load(tmp_path / "bundle", warmup=[{"left": {"shape": [8, 3]}}])
    assert [bucket.shapes["left"] for bucket in model.priming.buckets] == [[1, 3], [8, 3]]


def test_text_is_kept_as_text(tmp_path: Path) -> None:
    """Strings are Python's objects in numpy, which no bundle holds."""
    model = graphs.identity(tmp_path / "model.onnx", "string", ("batch", 2))
    build_bundle(Plan(model, tmp_path / "bundle", rounds=0))
    assert warmer.load(tmp_path / "bundle").priming.primed


def _unsupported(path: Path) -> Path:
    model = onnx.load(graphs.identity(path))
    model.opset_import[0].version = 99
    onnx.save(model, path)
    return path


def _truncated(path: Path) -> Path:
    content = graphs.lookup(path, rows=1000).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def _text(path: Path) -> Path:
    path.write_text("<html>404</html>")
    return path


def _empty(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize("make", [_unsupported, _truncated, _text, _empty])
def test_what_is_no_model_is_refused(tmp_path: Path, make: Any) -> None:
    """The error names the file, and nothing is left behind."""
    path = make(tmp_path / "model.onnx")
    with pytest.raises(ModelCorrupt, match=rf"{path}.*export or copy the model again"):
        build_bundle(Plan(path, tmp_path / "bundle"))
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_a_sample_that_does_not_fit_is_named(tmp_path: Path) -> None:
    """Before anything is made."""
    np.savez(tmp_path / "requests.npz", x=np.zeros((1, 99)))
    model = graphs.identity(tmp_path / "model.onnx")
    with pytest.raises(ModelInputError, match=r"'x' is float64 of shape \(1, 99\)"):
        build_bundle(Plan(model, tmp_path / "bundle", tmp_path / "requests.npz"))


def test_a_missing_model_is_not_found(tmp_path: Path) -> None:
    """As when it is loaded."""
    with pytest.raises(ModelNotFound):
        build_bundle(Plan(tmp_path / "none", tmp_path / "bundle"))


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    """It may be the user's work."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigurationError, match=r"output is .* or one that holds a bundle"):
        build_bundle(Plan(DIGITS, tmp_path))
    assert (tmp_path / "notes.txt").is_file()


def test_a_bundle_is_not_made_of_a_bundle(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    """Its original graph need not be there, and its figures would be compared with themselves."""
    with pytest.raises(ConfigurationError, match="the ONNX file that this bundle was made from"):
        build_bundle(Plan(built[0], tmp_path / "bundle"))


def _candidate(name: str, *cpu_ms: float, peak_mb: float = 50.0, **fields: Any) -> Candidate:
    answers = [Answer(value, value, peak_mb, []) for value in cpu_ms]
    return Candidate(name, "all", name == "packed", Path(name), answers=answers, **fields)


class _Trials(Trials):
    """Trials with these outcomes, by the name of the graph."""

    def __init__(self, outcomes: Mapping[str, Answer | Failed], ratio: float = 1.0) -> None:
        self._outcomes = outcomes
        self._ratio = ratio

    def run(self, form: Form, _: Sequence[Any]) -> Answer:
        """The outcome."""
        outcome = self._outcomes[form.graph.name]
        if isinstance(outcome, Failed):
            raise outcome
        return outcome

    def steady_ratio(self, *_: Any) -> float:
        """The ratio."""
        return self._ratio


EXPECTED = Expectation([{}], [{"y": np.ones(2)}], tolerance=0.1, unsteady=frozenset())


def test_a_variant_that_crashes_is_rejected() -> None:
    """Its process is its own."""
    candidate = _candidate("packed")
    validate(
        candidate, _Trials({"packed": Failed("it crashed the process with SIGSEGV")}), EXPECTED
    )
    assert candidate.rejected == "it crashed the process with SIGSEGV"


@pytest.mark.parametrize(("value", "kept"), [(1.05, True), (1.2, False), (float("nan"), False)])
def test_a_variant_with_other_outputs_is_rejected(value: float, kept: bool) -> None:
    """It is said by how much they differ."""
    candidate = _candidate("native")
    answer = Answer(1, 1, 1, [{"y": np.full(2, value)}])
    validate(candidate, _Trials({"native": answer}), EXPECTED)
    assert (candidate.rejected is None) is kept
    assert kept or "differs from the original's by" in str(candidate.rejected)


def test_outputs_that_differ_from_run_to_run_are_not_compared() -> None:
    """A model that draws random numbers has no golden output."""
    candidate = _candidate("native")
    expected = Expectation([{}], [{"y": np.ones(2)}], tolerance=0.1, unsteady=frozenset({"y"}))
    validate(candidate, _Trials({"native": Answer(1, 1, 1, [{"y": np.zeros(2)}])}), expected)
    assert candidate.rejected is None


@pytest.mark.parametrize(
    ("answer", "ratio", "reason"),
    [
        (Answer(5, 5, 50, []), 1.02, None),
        (Answer(11, 11, 50, []), 1.0, "its session takes 1.1 of the original's time to make"),
        (Answer(5, 5, 50, []), 1.05, "its inference takes 1.05 of the original's time"),
        (Answer(5, 5, 60, []), 1.0, "it takes 1.2 of the original's memory"),
    ],
)
def test_a_variant_that_is_worse_is_rejected(
    answer: Answer, ratio: float, reason: str | None
) -> None:
    """Sooner ready, as fast, no larger: each is needed."""
    original, candidate = _candidate("original"), _candidate("native")
    outcomes = {"original": Answer(10, 10, 50, []), "native": answer}
    measure(original, [candidate], _Trials(outcomes, ratio), [{}], rounds=2)
    assert candidate.rejected == reason


def test_the_first_ready_comes_first() -> None:
    """By the least processor time: noise only adds."""
    slow = _candidate("native", 9.0, 30.0, bound=True)
    fast = _candidate("packed", 6.0, 90.0, bound=True)
    assert [one.name for one in chosen([slow, fast])] == ["packed", "native"]


@pytest.mark.parametrize(("native", "packed"), [(20.0, 19.0), (2.0, 1.5)])
def test_packed_matrices_must_be_worth_their_space(native: float, packed: float) -> None:
    """A tenth of the time, and a millisecond."""
    kept = chosen([_candidate("native", native), _candidate("packed", packed)])
    assert [one.name for one in kept] == ["native"]


def test_of_two_for_any_processor_the_less_optimised_is_needless() -> None:
    """But where the other is for some only, both are kept."""
    names = ("native", "portable")
    kept = chosen([_candidate(name, 5.0) for name in names])
    assert [one.name for one in kept] == ["native"]
    kept = chosen([_candidate(name, 5.0, bound=name == "native") for name in names])
    assert [one.name for one in kept] == ["native", "portable"]


def test_a_process_that_crashes_is_told_by_its_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ONNX Runtime does in it."""
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))
    with pytest.raises(Failed, match="it crashed the process with SIGSEGV"):
        Trials(tmp_path).run(Form(DIGITS / "model.onnx"), [])


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time that is no build's."""
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    with pytest.raises(Failed, match=r"it gave no answer within 0\.2 s"):
        Trials(tmp_path, timeout_seconds=0.2).run(Form(DIGITS / "model.onnx"), [])


def test_tensors_of_two_graphs_are_stored_once(tmp_path: Path) -> None:
    """And each graph reads its own."""
    paths = [graphs.lookup(tmp_path / name, rows=4000) for name in ("one.onnx", "two.onnx")]
    output = tmp_path / "bundle"
    output.mkdir()
    weights = Weights(output / "weights.bin")
    for path in paths:
        weights.move(path, output / path.name)
    assert (output / "weights.bin").stat().st_size == 4000 * 2 * 4
    table = onnx.numpy_helper.to_array(onnx.load(output / "two.onnx").graph.initializer[0])
    assert table[3999].tolist() == [7998, 7999]
