"""The kinds of strings that recur on the wire, as marshmallow validators.

Every pattern is written so that Python's ``re`` and JSON Schema read it alike; the
``(?!\\n)`` at an end keeps Python's ``$`` from matching before a last newline.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError
from marshmallow.validate import Regexp, Validator


class Pattern(Regexp):
    """A string that matches a regular expression from its beginning to its end.

    :param pattern: without the anchors.
    :param error: the sentence for what does not match.
    """

    def __init__(self, pattern: str, *, error: str) -> None:
        whole = rf"^(?:{pattern})$(?!\n)"
        super().__init__(whole, error=error)
        #: Takes a string; what it gives is true if the string will do.
        self.question: Callable[[str], object] = re.compile(whole).match

    def __call__(self, value: Any) -> Any:
        if not self.question(value):
            raise ValidationError(self.error or "")
        return value


class URL(Pattern):
    """A URL as the platform takes it: a scheme and a host part (PROTOCOL 5).

    :param http: only the schemes http and https; otherwise any but those that run
        code in the page (javascript, data, vbscript).
    :param blank: the empty string will do too.
    """

    def __init__(self, *, http: bool, blank: bool = False) -> None:
        scheme = f"{_either_case('http')}[sS]?" if http else _HARMLESS
        name = r"[^/?#\[\]\t\r\n]*"
        host = rf"(?=[^/?#]){name}(?:\[[0-9A-Fa-f:.]+\]{name})?"
        pattern = rf"{scheme}://{host}(?:[/?#][\s\S]*)?"
        kind = "an http or https URL" if http else "a URL with a scheme and a host"
        super().__init__(
            f"|{pattern}" if blank else pattern,
            error=f"Not {kind}, such as 'https://example.com/a'.",
        )
        self._match = self.question
        self.question: Callable[[str], object] = self._accepts

    def _accepts(self, value: str) -> bool:
        if not self._match(value):
            return False
        if value.isascii() and "[" not in value:
            return True
        try:
            urlsplit(value)
        except ValueError:
            return False
        return True


def _either_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


_HARMLESS: Final = (
    "(?!(?:" + "|".join(map(_either_case, ("javascript", "data", "vbscript"))) + "):)"
    "[A-Za-z][A-Za-z0-9+.-]*"
)


class Compiles(Validator):
    """A valid regular expression; the field for regular expressions does the work."""

    def __call__(self, value: str) -> str:
        return value


OBJECT_ID: Final = Pattern(
    "[a-zA-Z0-9]{24}", error="Not an object id: 24 letters and digits."
)
NAME: Final = Pattern(
    r"\w+", error="Must be letters, digits and underscores: no space, dot or dash."
)
DIGITS: Final = Pattern(r"\d*", error="Must be digits.")
NOT_ID: Final = Pattern(
    r"(?![iI][dD]$)\w+",
    error="Must be letters, digits and underscores, and not 'id'.",
)
NOT_OURS: Final = Pattern(
    rf"(?![\s\S]*@{_either_case('clustaar')}\.)[\s\S]*",
    error="Must not be an address of the platform ('@clustaar.').",
)

#: The id of a step, a story or an intent.
ObjectID = Annotated[str, OBJECT_ID]
