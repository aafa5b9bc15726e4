"""`warmer prime`: load and prime a model on this machine, and show what that took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from warmer.model.loading import load
from warmer.runs import DEFAULT_MOST_RUNS

if TYPE_CHECKING:
    from warmer.model.model import Model
    from warmer.model.priming import BucketReport, PrimingReport


@click.command()
@click.argument("model", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=DEFAULT_MOST_RUNS,
    show_default=True,
    help="The most warm-up inferences of each shape.",
)
@click.option(
    "--least-runs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The least of them, for a model whose slow start looks steady.",
)
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0),
    default=None,
    help="Time for priming in milliseconds.  [default: WARMER_PRIME_BUDGET_MS, else 9000 as INIT]",
)
def prime(model: str, as_json: bool, runs: int, least_runs: int, budget_ms: float | None) -> None:
    """Load MODEL, run its warm-up inferences, and report.

    MODEL is a folder that holds a model.onnx (and perhaps a samples.npz with recorded inputs), an
    ONNX file, or s3://BUCKET/PREFIX. This is what happens to it at INIT on Lambda.
    """
    loaded = load(model, runs=runs, least_runs=least_runs, budget_ms=budget_ms)
    if as_json:
        click.echo(json.dumps(describe(loaded)))
    else:
        _show(loaded)


def describe(model: Model) -> dict[str, object]:
    """The model's inputs with the source of their samples, and its priming report, JSON-able."""
    sources = model.sources
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
    sources = model.sources
    for spec in model.signature.inputs:
        shape = ", ".join("?" if size is None else str(size) for size in spec.shape)
        inputs.add_row(escape(spec.name), spec.type_name, escape(f"({shape})"), sources[spec.name])
    console.print(inputs)
    console.print(_figures(model.priming))


def _figures(report: PrimingReport) -> Table:
    """The report: one column for all, and where there are several shapes, one for each."""
    columns = [("priming", report.fields())]
    if len(report.buckets) > 1:
        columns += [(_shapes(bucket), bucket.report.fields()) for bucket in report.buckets]
    figures = Table("", *(escape(title) for title, _ in columns), show_header=len(columns) > 1)
    for name in report.fields():
        if name != "buckets" and any(fields[name] is not None for _, fields in columns):
            figures.add_row(name, *(escape(_text(fields[name])) for _, fields in columns))
    return figures


def _shapes(bucket: BucketReport) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in bucket.shapes.items())


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
