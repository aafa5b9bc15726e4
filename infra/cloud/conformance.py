"""The conformance table: which behaviour of AWS is imitated, from which page, and by which test.

`python -m infra.cloud.conformance` prints it; with --write it replaces the one in the README. Rows
are the tests' own markers, so the table says nothing that no test shows:

    @pytest.mark.aws("Lambda developer guide: Lambda quotas", "Responses end at 6 MB")
    @pytest.mark.aws("...", "...", how="option")

how: "imitated" (the default), "option" (imitated where it is asked for, or where the machine allows
it), "recorded" (accepted without effect, and said so), "refused" (with a clear error).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from warmer.errors import ConfigurationError

__all__ = ["BEGIN", "END", "Conformance", "How", "conformances", "replaced", "table"]

How = Literal["imitated", "option", "recorded", "refused"]
PROJECT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- conformance: python -m infra.cloud.conformance --write -->\n"
END = "<!-- end of conformance -->\n"


@dataclass(frozen=True)
class Conformance:
    """One behaviour that one test shows. file: relative to the project."""

    page: str
    behaviour: str
    how: How
    test: str
    file: str


def conformances(project: Path = PROJECT) -> list[Conformance]:
    """The markers of all tests of the cloud, by page; each page's in the order of files and lines.

    Raises ConfigurationError for a marker that is not as this module says.
    """
    files = sorted((project / "tests").rglob("test_*.py"))
    found = [item for file in files for item in _in_file(file, project)]
    return sorted(found, key=lambda item: item.page)


def _in_file(file: Path, project: Path) -> Iterator[Conformance]:
    name = file.relative_to(project).as_posix()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.FunctionDef):
            for marker in filter(_is_marker, node.decorator_list):
                yield _read(marker, node.name, name)


def _is_marker(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.aws"


def _read(marker: ast.expr, test: str, file: str) -> Conformance:
    assert isinstance(marker, ast.Call)
    texts = [item.value for item in marker.args if isinstance(item, ast.Constant)]
    named = {item.arg: ast.literal_eval(item.value) for item in marker.keywords}
    how = named.pop("how", "imitated")
    if len(texts) != 2 or named or how not in get_args(How) or not all(texts):
        expected = f'@pytest.mark.aws("page", "behaviour", how={" | ".join(get_args(How))})'
        raise ConfigurationError(f"{file}, {test}", ast.unparse(marker), expected)
    return Conformance(str(texts[0]), str(texts[1]), how, test, file)


def table(rows: Iterable[Conformance]) -> str:
    """The table in Markdown, one line a row."""
    lines = ["| behaviour | source | here | test |", "|---|---|---|---|"]
    for row in rows:
        link = f"[{row.test.removeprefix('test_').replace('_', ' ')}]({row.file})"
        lines.append(f"| {row.behaviour} | {row.page} | {row.how} | {link} |")
    return "\n".join(lines) + "\n"


def replaced(readme: str, rows: Iterable[Conformance]) -> str:
    """`readme` with its table renewed; ConfigurationError where it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigurationError("README", "no conformance table", f"lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table(rows)}\n{END}{after}"


def main(arguments: list[str]) -> None:
    """Print the table, or write it into the README."""
    rows = conformances()
    if arguments == ["--write"]:
        readme = PROJECT / "README.md"
        readme.write_text(replaced(readme.read_text(encoding="utf-8"), rows), encoding="utf-8")
    elif not arguments:
        sys.stdout.write(table(rows))
    else:
        sys.exit("usage: python -m infra.cloud.conformance [--write]")


if __name__ == "__main__":
    main(sys.argv[1:])
