"""The dashboards of the project's templates, made of `warmer.dashboard`.

`python -m infra.build.dashboard --write` renews what stands in the templates; a test compares.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from warmer.dashboard.body import dashboard_body
from warmer.dashboard.widgets import Names, widgets
from warmer.errors import BuildError

__all__ = ["TEMPLATES", "renewed"]

ROOT = Path(__file__).resolve().parents[2]

# Substitutions, which CloudFormation fills in.
_ALONE = Names(namespace="${MetricsNamespace}", warmer="${WarmerFunction}")
_WITH_INFERENCE = Names(
    namespace="${MetricsNamespace}",
    warmer="${WarmerFunction}",
    function="${InferenceFunction}",
    hook="${PreTrafficFunction}",
    memory_mb="${InferenceMemory}",
    gb_second="${GbSecond}",
)
TEMPLATES = {
    ROOT / "template.yaml": _WITH_INFERENCE,
    ROOT / "infra" / "warmer" / "template.yaml": _ALONE,
}
"""Each template that has a dashboard, and what that shows."""

_BODY = re.compile(r'^( +)\{"widgets": \[\n(?:.*\n)*?\1\]\}\n', re.MULTILINE)


def renewed(text: str, names: Names) -> str:
    """A template's text with the body of its dashboard as it is to be.

    Raises BuildError where there is no such body, or several.
    """
    found = _BODY.findall(text)
    if len(found) != 1:
        raise BuildError(f'the template has {len(found)} texts from {{"widgets": [ to ]}}, not one')
    body = dashboard_body("${AWS::StackName}", widgets(names), "${AWS::Region}")
    indented = "".join(f"{found[0]}{line}\n" for line in body.splitlines())
    return _BODY.sub(lambda _: indented, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, or write; exit code 1 where a template's dashboard is not what it is to be."""
    parser = argparse.ArgumentParser(prog="python -m infra.build.dashboard", description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew the templates")
    write = parser.parse_args(arguments).write
    stale = False
    for path, names in TEMPLATES.items():
        text = path.read_text(encoding="utf-8")
        wanted = renewed(text, names)
        if text != wanted:
            stale = True
            sys.stdout.write(f"{path.relative_to(ROOT)}: {'renewed' if write else 'is stale'}\n")
            if write:
                path.write_text(wanted, encoding="utf-8")
    return int(stale and not write)


if __name__ == "__main__":
    sys.exit(main())
