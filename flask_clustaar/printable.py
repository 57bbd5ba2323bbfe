"""Make text from users and servers safe to print in terminals and logs."""

from __future__ import annotations

import re
from traceback import TracebackException
from typing import Final

#: Control characters (which begin terminal escapes), line and paragraph separators,
#: bidirectional controls, lone surrogates, which cannot be encoded, and noncharacters,
#: which XML does not allow.
_UNSAFE: Final = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
    r"\ud800-\udfff\ufffe\uffff]"
)
_SHORT: Final = {"\n": r"\n", "\r": r"\r"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""Escape unsafe characters of *text* as in JSON, such as ``\u001b``.

    The result is one line. It cannot move the cursor, change colours, set the
    clipboard or reverse the text after it. The meaning of JSON does not change.

    :param lines: True to keep line breaks.
    """
    if lines:
        rows = text.replace("\r\n", "\n").split("\n")
        return "\n".join(_UNSAFE.sub(_escape, row) for row in rows)
    return _UNSAFE.sub(_escape, text)


def printable_traceback(error: BaseException) -> str:
    """Format the traceback of an exception, with each message on one line.

    A message may contain a user's text.
    """
    whole = TracebackException.from_exception(error)
    pending = [whole]
    for each in pending:
        # Each line of a note would be a separate part.
        notes = getattr(each, "__notes__", None)
        each.__notes__ = notes and [printable(str(note)) for note in notes]
        linked = (each.__cause__, each.__context__, *(each.exceptions or ()))
        pending += [other for other in linked if other is not None]
    return "".join(map(_printable_part, whole.format()))


#: Matches the parts of a traceback that are not messages: places in the source, and
#: headings.
_PLACE: Final = re.compile(
    r"[ |+-]*(?:File \"|\[Previous line|(?:Exception Group )?Traceback \()|\n"
)


def _printable_part(part: str) -> str:
    if _PLACE.match(part):
        return printable(part, lines=True)
    return printable(part.removesuffix("\n")) + "\n"


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"
