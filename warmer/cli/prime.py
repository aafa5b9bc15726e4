"""`warmer prime`: load and prime a model on this machine, and show what that took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from warmer.model import load
from warmer.model.priming import DEFAULT_RUNS

if TYPE_CHECKING:
    from warmer.model import Model


@click.command()
@click.argument("model", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=DEFAULT_RUNS,
    show_default=True,
    help="The most warm-up inferences.",
)
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0),
    default=None,
    help="The time for priming in milliseconds.  [default: what INIT has on Lambda, 9000]",
)
def prime(model: str, as_json: bool, runs: int, budget_ms: float | None) -> None:
    """Load MODEL, run its warm-up inferences, and report.

    MODEL is a folder that holds a model.onnx (and perhaps a samples.npz with recorded inputs) or an
    ONNX file. This is what happens to it at INIT on Lambda.
    """
    loaded = load(model, runs=runs, budget_ms=budget_ms)
    if as_json:
        click.echo(json.dumps(describe(loaded)))
    else:
        _show(loaded)


def describe(model: Model) -> dict[str, object]:
    """The model's inputs with the source of their samples, and its priming report, JSON-able."""
    sources = model.samples().sources
    return {
        "model": model.name,
        "path": model.path,
        "inputs": [
            {
                "name": spec.name,
                "dtype": spec.type_name,
                "shape": list(spec.shape),
                "samples": sources[spec.name],
            }
            for spec in model.signature.inputs
        ],
        **model.report(),
    }


def _show(model: Model) -> None:
    console = Console()
    console.print(f"{model.name} ({model.path})", markup=False, highlight=False, soft_wrap=True)
    inputs = Table("input", "dtype", "shape", "samples")
    sources = model.samples().sources
    for spec in model.signature.inputs:
        shape = ", ".join("?" if size is None else str(size) for size in spec.shape)
        inputs.add_row(escape(spec.name), spec.type_name, escape(f"({shape})"), sources[spec.name])
    console.print(inputs)
    figures = Table("priming", "", show_header=False)
    for name, value in model.report().items():
        if value is not None:
            figures.add_row(name, escape(_text(value)))
    console.print(figures)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
