"""Takes apart what a function writes: lines of text, and log records framed by awslambdaric.

A frame is a 4-byte type that begins with a5 5a 00, a 4-byte length, an 8-byte time in microseconds
(all big-endian), and the message. No UTF-8 text holds the first two bytes in that order, so both
can share one pipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["OutputParser"]

_FRAME = b"\xa5\x5a\x00"
_HEADER_BYTES = 16
# CloudWatch Logs takes events of up to 1 MiB (PutLogEvents).
_LONGEST = 1024 * 1024


class OutputParser:
    """Bytes in, log events out; total over any bytes, in pieces of any size.

    clock: Unix seconds, for text, which carries no time of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, str]]:
        """Events (Unix milliseconds, message) completed by `data`; messages end with a newline."""
        self._rest += data
        events: list[tuple[int, str]] = []
        while (event := self._next()) is not None:
            events.append(event)
        return events

    def finish(self) -> list[tuple[int, str]]:
        """What is left over as an event: an unfinished line, or a frame that was cut off."""
        rest, self._rest = self._rest, b""
        return [self._text(rest)] if rest else []

    def _next(self) -> tuple[int, str] | None:
        rest = self._rest
        if rest.startswith(_FRAME) and len(rest) < _HEADER_BYTES:
            return None
        length = int.from_bytes(rest[4:8], "big")
        if rest.startswith(_FRAME) and length <= _LONGEST:
            return self._frame(_HEADER_BYTES + length)
        # A frame follows the text at once when a line was begun but not ended.
        frame = rest.find(_FRAME, 1)
        newline = rest.find(b"\n")
        if newline >= 0 and (frame < 0 or newline < frame):
            end = newline + 1
        elif frame > 0:
            end = frame
        elif len(rest) > _LONGEST:
            end = _LONGEST
        else:
            return None
        self._rest = rest[end:]
        return self._text(rest[:end])

    def _frame(self, end: int) -> tuple[int, str] | None:
        if len(self._rest) < end:
            return None
        frame, self._rest = self._rest[:end], self._rest[end:]
        milliseconds = int.from_bytes(frame[8:_HEADER_BYTES], "big") // 1000
        return milliseconds, _ended(frame[_HEADER_BYTES:].decode(errors="replace"))

    def _text(self, line: bytes) -> tuple[int, str]:
        return int(self._clock() * 1000), _ended(line.decode(errors="replace"))


def _ended(message: str) -> str:
    return message if message.endswith("\n") else message + "\n"
