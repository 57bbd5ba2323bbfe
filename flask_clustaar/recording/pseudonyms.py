"""Generate pseudonyms, and replace values in texts by them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Any, Final, NamedTuple


class Pseudonyms:
    """Generates pseudonyms with a key: the same value always gets the same one.

    Without the key, nobody can recover a value, or link pseudonyms of two keys.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def word(self, value: str, label: str) -> str:
        """Return a word that begins with *label*, with the case of *value*."""
        pseudonym = label + self._letters(value.lower(), 5)
        if value.islower():
            return pseudonym.lower()
        return pseudonym.upper() if value.isupper() and len(value) > 1 else pseudonym

    def email(self, value: str) -> str:
        """Return an e-mail address that does not exist."""
        return f"{self._letters(value.lower(), 10)}@example.invalid"

    def host(self, value: str) -> str:
        """Return the name of a host that does not exist."""
        return f"{self._letters(value.lower(), 10)}.invalid"

    def shaped(self, value: str) -> str:
        """Replace letters and digits by others; keep all other characters.

        A number with 9 or more digits, such as a telephone number, begins with 000, so
        that it cannot be called.
        """
        if _OBJECT_ID.fullmatch(value):
            return self._bytes(value, 12).hex()
        alphanumeric = [char for char in value if char.isalnum()]
        count = len(alphanumeric)
        if count >= 16 and _HEX.fullmatch(value):
            hex_digits = iter(self._bytes(value, (count + 1) // 2).hex())
            return "".join(next(hex_digits) if c.isalnum() else c for c in value)
        stream = self._bytes("".join(alphanumeric).lower(), count)
        digits = sum(map(str.isdecimal, alphanumeric))
        zeros = 3 if digits == count >= 9 else 0
        shaped, index = [], 0
        for char in value:
            if not char.isalnum():
                shaped.append(char)
                continue
            byte = stream[index]
            index += 1
            if not char.isdecimal():
                letter = _LETTERS[byte % 26]
                shaped.append(letter.upper() if char.isupper() else letter)
            elif index <= zeros:
                shaped.append("0")
            elif index == 1 and char != "0":
                shaped.append(_DIGITS[1 + byte % 9])
            else:
                shaped.append(_DIGITS[byte % 10])
        return "".join(shaped)

    def _letters(self, value: str, count: int) -> str:
        return self._bytes(value, count).translate(_TO_LETTERS).decode("ascii")

    def _bytes(self, value: str, count: int) -> bytes:
        return hashlib.shake_128(
            self._key + value.encode("utf-8", "surrogatepass")
        ).digest(count)


class Table:
    """The pseudonyms of one request and its reply."""

    def __init__(
        self, pseudonyms: Pseudonyms, entries: dict[str, Entry] | None = None
    ) -> None:
        self.pseudonyms = pseudonyms
        self.entries: dict[str, Entry] = {} if entries is None else entries
        #: The entries that may occur in the current document; None for all.
        self._present: list[Entry] | None = None

    def add(self, value: str, pseudonym: str, *, anywhere: bool = False) -> str:
        """Add a value, and return its pseudonym. A value keeps its first pseudonym.

        :param anywhere: whether to replace it also inside words.
        """
        known = self.entries.get(value)
        if known is not None:
            return known.pseudonym
        anywhere = anywhere or _is_unspaced(value)
        for form in [value] if value.isascii() else [value, *_variants(value)]:
            if form not in self.entries:
                low = lower(form)
                in_json = lower(json.dumps(form, ensure_ascii=False)[1:-1])
                self.entries[form] = Entry(value, low, in_json, pseudonym, anywhere)
        return pseudonym

    def look_for(self, document: str | None) -> bool:
        """Return whether a JSON document may contain values to replace.

        Until the next call, :meth:`text` looks only for these values.

        :param document: the document in lower case, without unnecessary escapes; None
            for any.
        """
        if document is None:
            self._present = None
            return True
        entries = self.entries.values()
        self._present = [entry for entry in entries if entry.in_json in document]
        return bool(self._present) or _may_be_personal(document)

    def exactly(self, value: str) -> str:
        """Return the pseudonym of a value, or the value if it has none."""
        entry = self.entries.get(value)
        return value if entry is None else entry.pseudonym

    def text(self, text: str) -> str:
        """Replace the values that occur in a text: longest first, exact ones first."""
        low = lower(text)
        found = []
        entries = self.entries.values() if self._present is None else self._present
        for order, entry in enumerate(entries):
            start = low.find(entry.low)
            while start >= 0:
                end = start + len(entry.low)
                if entry.anywhere or _is_whole(text, start, end):
                    occurrence = text[start:end]
                    rank = (start - end, occurrence != entry.value, order)
                    new = _in_case_of(occurrence, entry.value, entry.pseudonym)
                    found.append((rank, start, end, new))
                start = low.find(entry.low, start + 1)
        for match in _PATTERNS.finditer(text) if _may_be_personal(low) else ():
            personal = self._personal(match[0])
            if personal is not None:
                start, end = match.span()
                found.append(((start - end, True, len(found)), start, end, personal))
        return _spliced(text, found) if found else text

    def _personal(self, text: str) -> str | None:
        """Return the pseudonym of an e-mail address or a long number."""
        if "@" in text:
            return self.pseudonyms.email(text)
        return self.pseudonyms.shaped(text) if _is_long_number(text) else None


class Entry(NamedTuple):
    """The pseudonym of one spelling of a value."""

    value: str
    #: The spelling in lower case, as text and in JSON.
    low: str
    in_json: str
    pseudonym: str
    anywhere: bool


def lower(text: str) -> str:
    """Return a text in lower case, of the same length."""
    return text.lower() if text.isascii() else text.replace("İ", "i").lower()


def is_email(value: str) -> bool:
    """Return whether a value is an e-mail address."""
    return "@" in value and _EMAIL.fullmatch(value) is not None


def hide_patterns(text: str, known: str) -> str:
    """Replace e-mail addresses and long numbers by placeholders.

    Their pseudonyms depend not only on the user. So recorded and new texts are compared
    without them.

    :param known: values that occur in this text are kept.
    """
    if not _may_be_personal(text):
        return text

    def kind(match: re.Match[str]) -> str:
        found = match[0]
        if found in known:
            return found
        if "@" in found:
            return "<e-mail>"
        return "<number>" if _is_long_number(found) else found

    return _PATTERNS.sub(kind, text)


_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_TO_LETTERS: Final = bytes(ord(_LETTERS[byte % 26]) for byte in range(256))
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_HEX: Final = re.compile(r"[0-9-]*[a-f][0-9a-f-]*")

_EMAIL: Final = re.compile(r"[^\s@<>\"'(),:;\[\]]+@[\w-]+(?:\.[\w-]+)+")
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
#: Every match of the patterns contains an '@' or this, also in JSON.
_NUMBER: Final = re.compile(r"\d(?:[ .()/+-]{0,3}\d){8}")


def _is_long_number(text: str) -> bool:
    """Return whether a text has at least 9 digits, and is not an object id."""
    digits = sum(map(str.isdecimal, text))
    return digits >= 9 and not (digits == 24 and _OBJECT_ID.fullmatch(text))


def _may_be_personal(text: str) -> bool:
    return "@" in text or _NUMBER.search(text) is not None


def _is_unspaced(value: str) -> bool:
    """Return whether a value may be in a script without spaces between words."""
    return not value.isascii() and max(value) >= "\u0900"


def _variants(value: str) -> set[str]:
    """Return other spellings of a value that a reply may contain."""
    forms = {unicodedata.normalize(form, value) for form in ("NFC", "NFD", "NFKC")}
    return (forms | {value.upper()}) - {value}


def _is_whole(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return not (before.isalnum() or after.isalnum())


def _in_case_of(occurrence: str, value: str, pseudonym: str) -> str:
    """Return a pseudonym with the case of the value's occurrence."""
    if occurrence == value:
        return pseudonym
    if occurrence.isupper():
        return pseudonym.upper()
    if occurrence.islower():
        return pseudonym.lower()
    return pseudonym.capitalize() if occurrence.istitle() else pseudonym


def _spliced(text: str, found: list[tuple[Any, int, int, str]]) -> str:
    """Apply replacements to a text; of overlapping ones, the first in rank wins."""
    taken: list[tuple[int, int, str]] = []
    for _, start, end, new in sorted(found):
        if all(end <= other[0] or other[1] <= start for other in taken):
            taken.append((start, end, new))
    pieces, position = [], 0
    for start, end, new in sorted(taken):
        pieces += [text[position:start], new]
        position = end
    return "".join([*pieces, text[position:]])
