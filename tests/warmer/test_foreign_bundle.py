"""Bundles for another architecture than this machine's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import warmer
from tests.warmer import graphs
from warmer.bundling.build import build_bundle
from warmer.bundling.plan import Plan
from warmer.bundling.weights import depends_on_processor
from warmer.cli.bundle import bundle
from warmer.errors import ConfigurationError
from warmer.model.manifest import Manifest
from warmer.model.processor import architecture

DIGITS = Path("handlers/models/digits").resolve()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The digits model's bundle for the other one of Lambda's architectures."""
    output = tmp_path_factory.mktemp("bundles") / "foreign"
    other = {"x86_64": "arm64", "arm64": "x86_64"}[architecture()]
    return output, build_bundle(Plan(DIGITS, output, architecture=other))


def test_a_bundle_for_another_architecture_has_what_any_processor_can_use(
    foreign: tuple[Path, Manifest],
) -> None:
    """Nothing laid out or packed for the processor on which it was made; labelled unmeasured."""
    output, manifest = foreign
    assert manifest.architecture != architecture()
    assert [variant.name for variant in manifest.variants] == ["portable", "original"]
    for variant in manifest.variants:
        assert variant.cpu_features is None
        assert not variant.packed
        assert not depends_on_processor(output / variant.graph)
        label = f"neither run nor measured on {manifest.architecture}"
        assert label in variant.figures["unmeasured"]
        assert "ready_ms" not in variant.figures
    reasons = {name: one["reason"] for name, one in manifest.build["rejected"].items()}
    assert set(reasons) == {"native", "packed"}
    assert all(f"make it on {manifest.architecture}" in reason for reason in reasons.values())


def test_it_is_used_there_and_its_original_here(
    foreign: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden outputs of this machine are compared before it answers on the other."""
    here = warmer.load(foreign[0], name="here")
    assert here.report()["variant"] == "original"
    assert f"it was made for {foreign[1].architecture}" in str(here.report()["passed_over"])
    monkeypatch.setattr("warmer.model.bundle.architecture", lambda: foreign[1].architecture)
    with np.load(DIGITS / "samples.npz") as samples:
        image = samples["image"]
    there = warmer.load(foreign[0], name="here")
    assert there.report()["variant"] == "portable"
    assert (
        there.run({"image": image})["label"].tolist()
        == here.run({"image": image})["label"].tolist()
    )


def test_an_architecture_that_lambda_has_not_is_refused(tmp_path: Path) -> None:
    """The error says which it has."""
    with pytest.raises(ConfigurationError, match="architecture is 'riscv64'; expected x86_64 or"):
        build_bundle(Plan(DIGITS, tmp_path / "bundle", architecture="riscv64"))


def test_the_command_says_what_is_unmeasured(tmp_path: Path) -> None:
    """Beside the variants, which have no figures."""
    other = {"x86_64": "arm64", "arm64": "x86_64"}[architecture()]
    arguments = [str(graphs.addition(tmp_path / "sum.onnx")), "-o", str(tmp_path / "sum")]
    result = CliRunner().invoke(bundle, [*arguments, "--architecture", other])
    assert result.exit_code == 0, result.output
    assert f"neither run nor measured on {other}" in " ".join(result.output.split())
