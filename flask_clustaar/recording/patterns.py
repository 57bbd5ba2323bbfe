"""E-mail addresses and long numbers, which are personal data of any owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final


def find_patterns(text: str) -> Iterator[re.Match[str]]:
    """Yield the e-mail addresses and the long numbers in a text."""
    if "@" in text or _NUMBER.search(text):
        for match in _PATTERNS.finditer(text):
            if "@" in match[0] or _is_long_number(match[0]):
                yield match


def may_have_pattern(document: bytes) -> bool:
    """Return whether :func:`find_patterns` may find a match in a JSON document.

    :param document: in UTF-8, without unnecessary escapes.
    """
    at = document.find(b"@")
    while at >= 0:
        if document[at - 1 : at] != b"{":  # As in '{{@user.FirstName}}'.
            return True
        at = document.find(b"@", at + 1)
    if _NINE not in document.translate(_ZEROS, _BETWEEN):
        return False
    return _NUMBER.search(_QUOTED_ID.sub("", document.decode())) is not None


def is_email(value: str) -> bool:
    """Return whether a value is an e-mail address."""
    return "@" in value and _EMAIL.fullmatch(value) is not None


def is_object_id(value: str) -> bool:
    """Return whether a value is an object id of the platform."""
    return _OBJECT_ID.fullmatch(value) is not None


def hide_patterns(text: str, known: str) -> str:
    """Replace e-mail addresses and long numbers by placeholders.

    Their pseudonyms depend not only on the user. So recorded and new texts are compared
    without them.

    :param known: values that occur in this text are kept.
    """
    pieces, position = [], 0
    for match in find_patterns(text):
        if match[0] not in known:
            kind = "<e-mail>" if "@" in match[0] else "<number>"
            pieces += [text[position : match.start()], kind]
            position = match.end()
    return "".join([*pieces, text[position:]])


def _is_long_number(text: str) -> bool:
    """Return whether a text has at least 9 digits, and is not an object id."""
    digits = sum(map(str.isdecimal, text))
    return digits >= 9 and not (digits == 24 and is_object_id(text))


_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_QUOTED_ID: Final = re.compile(f'"{_OBJECT_ID.pattern}"')

_EMAIL: Final = re.compile(r"[^\s@<>\"'(),:;\[\]{}]+@[\w-]+(?:\.[\w-]+)+")
_PATTERNS: Final = re.compile(
    rf"{_EMAIL.pattern}"
    r"|(?<![^\W_])(?:"
    # An account number (IBAN).
    r"[A-Za-z]{2}\d\d(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?|"
    # A telephone number, with or without a country code.
    r"(?:\+|00)\d{1,3}(?:[ .\-/()]{1,3}\d{1,4}){2,7}"
    r"|0\d{1,4}(?P<a>[ .\-/])\d{2,4}(?:(?P=a)\d{2,4}){1,4}"
    r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"
    # A card number, or any other long number.
    r"|\d{4}(?P<b>[ -])\d{4}(?P=b)\d{4}(?:(?P=b)\d{1,7})?"
    r"|\+?\d{9,}"
    r")(?![^\W_])"
)
#: Every long number contains a match of this.
_NUMBER: Final = re.compile(r"\d(?:[ .()/+-]{0,3}\d){8}")

# An approximation in UTF-8: digits become zeros, and separators are removed. Digits of
# other scripts become their first byte, which other characters also begin with.
_FIRST_BYTES: Final = b"\xd9\xdb\xdf\xe0\xe1\xea\xef\xf0"
_ZEROS: Final = bytes.maketrans(
    b"123456789" + _FIRST_BYTES, b"0" * (9 + len(_FIRST_BYTES))
)
_BETWEEN: Final = b" .()/+-" + bytes(range(0x80, 0xC0))
_NINE: Final = b"0" * 9
