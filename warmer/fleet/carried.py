"""What a run hands over to the next one in the input of the schedule that starts both.

It costs nothing to write, and comes with the event: a new process of the warmer has what the last
one knew without asking a table.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from warmer.errors import ConfigurationError
from warmer.fleet.knowledge import FORMAT, Knowledge, knowledge_fields, knowledge_from_fields

__all__ = ["MOST_CHARACTERS", "packed", "unpacked"]

MOST_CHARACTERS = 100_000
"""What is handed over at most. AWS names no bound for a schedule's input; an asynchronous event may
have 256 KB everywhere (Lambda developer guide, "Lambda quotas"; more in most regions)."""

MOST_BYTES = 100_000
"""Of one version, unpacked: nobody's input is to fill the memory."""


def packed(known: Knowledge) -> str:
    """Knowledge as a short text of letters and digits; times to the millisecond."""
    fields = knowledge_fields(known)
    fields["policy"] = {name: _rounded(value) for name, value in known.policy.items()}
    text = json.dumps({"format": FORMAT, **fields}, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(place: str, text: object) -> Knowledge:
    """The knowledge that `packed` made a text of.

    Raises ConfigurationError that names the place, and shows the text's beginning.
    """
    return knowledge_from_fields(place, _fields(place, text))


def _fields(place: str, text: object) -> Mapping[str, Any]:
    try:
        if not isinstance(text, str):
            raise TypeError("no text")
        inflating = zlib.decompressobj()
        found = json.loads(inflating.decompress(base64.b64decode(text, validate=True), MOST_BYTES))
    except (TypeError, ValueError, RecursionError, zlib.error) as error:
        shown = repr(text)[:80]
        raise ConfigurationError(place, shown, "what a run of the warmer handed over") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ConfigurationError(place, repr(found)[:80], f"an object with format {FORMAT}")
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.13g}")
