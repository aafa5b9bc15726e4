"""`warmer bundle`: make a bundle of an ONNX model, and show what that brings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from warmer.bundling.build import build_bundle
from warmer.bundling.plan import ARCHITECTURES, DEFAULT_ROUNDS, Plan
from warmer.model.manifest import Manifest


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The bundle's folder: a new one, or an older bundle, which is replaced.",
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Recorded inputs: an .npz file with an array for each input.  [default: the samples.npz "
    "beside the model, else made up from its signature]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="How far an output may be from the original's, relative to its largest magnitude.  "
    "[default: 1e-4; 1e-2 for models that give floats of 16 bits or less]",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=0),
    default=DEFAULT_ROUNDS,
    show_default=True,
    help="How many processes measure each variant; with 0 none is measured and all are kept.",
)
@click.option(
    "--original/--no-original",
    default=True,
    show_default=True,
    help="Keep the original graph, for other architectures and releases of onnxruntime.",
)
@click.option(
    "--architecture",
    type=click.Choice(ARCHITECTURES),
    help="The function's. For another one than this machine's, there is the original and a graph "
    "that any processor can use, unmeasured.  [default: this machine's]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def bundle(  # noqa: PLR0913 - one for each option
    model: Path,
    output: Path,
    sample: Path | None,
    tolerance: float | None,
    rounds: int,
    original: bool,
    architecture: str | None,
    as_json: bool,
) -> None:
    """Make a bundle of MODEL, an ONNX file: a folder that `warmer.load` opens sooner.

    Its graph is optimised now rather than at every cold start, its weights are mapped rather than
    read, and every variant is run in a process of its own and compared with the original before it
    is kept. Make it with the onnxruntime of the function, and on its architecture: for another one
    little can be made, and nothing measured.
    """
    plan = Plan(model, output, sample, tolerance, rounds, original, architecture)
    manifest = build_bundle(plan)
    if as_json:
        click.echo(manifest.to_json(), nl=False)
    else:
        _show(manifest, output)


def _show(manifest: Manifest, output: Path) -> None:
    console = Console()
    size = sum(file.size for file in manifest.files.values()) / 2**20
    console.print(
        f"{output}: {size:.1f} MB for {manifest.architecture}, onnxruntime {manifest.onnxruntime}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    table = Table("variant", "ready", "inference", "peak memory", "differs by", "used on")
    for variant in manifest.variants:
        figures = variant.figures
        table.add_row(
            variant.name,
            _ready(figures),
            _ratio(figures.get("steady_ratio")),
            _ratio(figures.get("peak_ratio")),
            f"{figures['largest_difference']:.1g}",
            "any CPU" if variant.cpu_features is None else "this kind of CPU",
        )
    console.print(table)
    unmeasured = {variant.figures.get("unmeasured") for variant in manifest.variants} - {None}
    for text in unmeasured:
        console.print(f"unmeasured: {text}", highlight=False)
    for name, rejected in manifest.build["rejected"].items():
        console.print(f"not kept: {name}: {escape(rejected['reason'])}", highlight=False)
    sources = ", ".join(f"{name} {source}" for name, source in manifest.build["samples"].items())
    console.print(
        f"outputs agree within {manifest.tolerance:g} for "
        f"{manifest.build['sets_of_inputs_compared']} sets of inputs ({escape(sources)})",
        highlight=False,
    )
    console.print(json.dumps(manifest.build["measured_with"]), highlight=False, markup=False)


def _ready(figures: Any) -> str:
    if "ready_ms" not in figures:
        return "-"
    return f"{figures['ready_ms']:.1f} ms ({figures['ready_ratio']:.2f} x)"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} x"
