"""Which log events match a filter pattern of terms.

Source: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters,
filter log events, and Live Tail". Terms are case-sensitive and found anywhere in the text. Patterns
for JSON, for columns and with regular expressions are not evaluated: they match every event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

__all__ = ["Matches", "matcher"]

Matches = Callable[[str], bool]

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')


def matcher(pattern: str | None) -> Matches:
    """Says of a text whether it matches: all terms, none with `-`; of those with `?` any, if all
    terms have one (beside others they say nothing). No pattern matches every text."""
    text = (pattern or "").strip()
    if text[:1] in ("{", "[", "%"):
        return _every
    terms = [(sign, _plain(quoted) if quoted else bare) for sign, quoted, bare in _found(text)]
    wanted = [term for sign, term in terms if not sign]
    unwanted = [term for sign, term in terms if sign == "-"]
    optional = [term for sign, term in terms if sign == "?"]
    if optional and not wanted and not unwanted:
        return lambda message: any(term in message for term in optional)
    return lambda message: (
        all(term in message for term in wanted) and not any(term in message for term in unwanted)
    )


def _found(text: str) -> Sequence[tuple[str, str, str]]:
    return [(found[1], found[2] or "", found[3] or "") for found in _TERM.finditer(text)]


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _every(message: str) -> bool:
    del message
    return True
