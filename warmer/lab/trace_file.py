"""A trace's file, line by line, with errors that say where."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from warmer.errors import TraceError

__all__ = ["TraceFile"]

GZIP = b"\x1f\x8b"


class TraceFile:
    """A text file, perhaps compressed by gzip, as rows of comma-separated fields.

    columns: the names in its first line. line: the number of the row that was read last, from 1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 1
        self._lines = self._read()
        first = next(self._lines, b"")
        self.first_line = first.decode("utf-8-sig", errors="replace").strip()
        self.columns: Sequence[str] = [name.strip() for name in self.first_line.split(",")]
        if not self.first_line:
            raise self.error("", "the file is empty; expected a line of column names")

    def error(self, column: str, problem: str) -> TraceError:
        """An error at the line that was read last."""
        return TraceError(str(self.path), self.line, column, problem)

    def lines(self) -> Iterator[bytes]:
        """The lines after the first that hold anything, without their ends."""
        for line in self._lines:
            self.line += 1
            if stripped := line.rstrip(b"\r\n"):
                yield stripped

    def rows(self) -> Iterator[list[str]]:
        """The fields of each line after the first.

        Raises TraceError for a line that has not as many fields as there are columns.
        """
        for line in self.lines():
            try:
                fields = line.decode("utf-8").split(",")
            except UnicodeDecodeError as error:
                raise self.error(str(error.start + 1), "this is not UTF-8 text") from None
            if len(fields) != len(self.columns):
                raise self.wrong_length(len(fields))
            yield fields

    def wrong_length(self, found: int) -> TraceError:
        """An error for a line with another number of fields than there are columns."""
        wanted = len(self.columns)
        column = self.columns[found] if found < wanted else ""
        return self.error(
            column,
            f"{found} fields; expected {wanted}, one for each column (is the file truncated?)",
        )

    def rest(self) -> bytes:
        """The whole content, from the first line on. It can be read once."""
        return self.first_line.encode() + b"\n" + b"".join(self._lines)

    def number(self, text: str, column: str, least: float = 0.0) -> float:
        """A finite number of at least `least`. Raises TraceError."""
        try:
            value = float(text)
        except ValueError:
            raise self.error(column, f"{_shown(text)}; expected a number") from None
        if not math.isfinite(value) or value < least:
            raise self.error(column, f"{_shown(text)}; expected a number from {least:g}")
        return value

    def moment(self, text: str, column: str) -> float:
        """Unix seconds, or a date and time (UTC if it names no zone). Raises TraceError."""
        try:
            value = float(text)
        except ValueError:
            try:
                found = datetime.fromisoformat(text.strip())
            except ValueError:
                problem = "expected seconds or a date and time such as 2026-01-31 12:00:00.5"
                raise self.error(column, f"{_shown(text)}; {problem}") from None
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
            value = found.timestamp()
        if not math.isfinite(value) or value < 0:
            raise self.error(column, f"{_shown(text)}; expected a time from 0")
        return value

    def name(self, text: str, column: str) -> str:
        """A name that is not empty. Raises TraceError."""
        if not text.strip():
            raise self.error(column, "it is empty; expected the name of a function")
        return text.strip()

    def _read(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as plain:
                packed = plain.read(2) == GZIP
                plain.seek(0)
                yield from gzip.GzipFile(fileobj=plain) if packed else plain
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.error("", f"the compressed file is truncated or damaged: {error}") from error
        except OSError as error:
            raise TraceError(str(self.path), self.line, "", str(error.strerror or error)) from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
