"""Make text from users and servers safe to print in terminals and logs."""

from __future__ import annotations

import re
from typing import Final

#: Control characters (with them all terminal escapes), line and paragraph separators,
#: bidirectional controls, and halves of surrogate pairs, which have no encoding.
_UNSAFE: Final = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ud800-\udfff]"
)
_SHORT: Final = {"\n": r"\n", "\r": r"\r"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return *text* with unsafe characters escaped as in JSON, such as ``\u001b``.

    The result is one line. It cannot move the cursor, change colours, set the
    clipboard or reverse the order of what follows. JSON stays the same JSON.

    :param lines: True to keep the line breaks of a text of several lines.
    """
    if lines:
        rows = text.replace("\r\n", "\n").split("\n")
        return "\n".join(_UNSAFE.sub(_escape, row) for row in rows)
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"
