"""The command group: every entry point of `warmer.commands` is a subcommand."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points, version
from typing import cast

import click

from warmer.errors import WarmerError

ENTRY_POINT_GROUP = "warmer.commands"


class Commands(click.Group):
    """A click group that imports a subcommand when it is asked for, never before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all subcommands, sorted."""
        return sorted(_found())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The subcommand, or a stand-in that says why it cannot run here."""
        entry = _found().get(name)
        if entry is None:
            return None
        try:
            return cast(click.Command, entry.load())
        except ModuleNotFoundError as error:
            return _unavailable(name, error.name or str(error), ctx)

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; an error of ours is one line, not a traceback."""
        try:
            return super().invoke(ctx)
        except WarmerError as error:
            raise click.ClickException(str(error)) from error


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _unavailable(name: str, module: str, ctx: click.Context) -> click.Command:
    remedy = (
        "it is part of a clone of the project: run it there after `make setup`"
        if module.split(".")[0] == "infra"
        else f"it needs {module}: pip install 'warmer[cloud]'"
    )

    def refuse() -> None:
        raise click.ClickException(f"`warmer {name}` cannot run here: {remedy}")

    del ctx
    return click.Command(name, callback=refuse, help=f"(unavailable: {remedy})")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("warmer"), message="warmer %(version)s")
def warmer() -> None:
    """Keep ONNX models on AWS Lambda warm, and prove it.

    Start with `warmer demo`: it builds, deploys and warms a real model on this machine, without an
    AWS account.
    """
