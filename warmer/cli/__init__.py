"""The `warmer` command: finds its subcommands by entry point and imports only the one that runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exit code 1 for an error of ours, 2 for wrong usage."""
    try:
        from warmer.cli.group import warmer
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f"The warmer command needs {error.name}: pip install 'warmer[cli]'")
    warmer()
