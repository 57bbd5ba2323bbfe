"""A table of values and their pseudonyms, and how they are replaced in texts."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from .patterns import find_patterns, may_have_pattern
from .pseudonyms import Pseudonyms


class Entry(NamedTuple):
    """The pseudonym of one spelling of a value."""

    value: str
    #: The spelling in lower case.
    low: str
    pseudonym: str
    #: Whether to replace it also inside words.
    anywhere: bool
    #: Its position in the table.
    order: int


class Table:
    """The pseudonyms of a user."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.pseudonyms = pseudonyms
        #: The entries, by spelling.
        self.entries: dict[str, Entry] = {}
        #: The entries, by a clue: a part of the spelling in lower case, which every
        #: JSON document with the spelling contains. If possible, it is ASCII, which is
        #: fast.
        self.clues: dict[str, list[Entry]] = {}
        self.texts: dict[str, list[Entry]] = {}
        #: The clues by marks (see :func:`marks_of`): one for each spelling.
        self.marks: dict[bytes, set[str]] = {}
        #: Whether each spelling has a mark.
        self.is_marked: bool = True

    def copy(self) -> Table:
        """Return a copy that can be extended."""
        table = Table(self.pseudonyms)
        table.entries = self.entries.copy()
        table.clues = {clue: each.copy() for clue, each in self.clues.items()}
        table.texts = {text: each.copy() for text, each in self.texts.items()}
        table.marks = {mark: clues.copy() for mark, clues in self.marks.items()}
        table.is_marked = self.is_marked
        return table

    def add(self, value: str, pseudonym: str, *, anywhere: bool = False) -> str:
        """Add a value, and return its pseudonym. A value keeps its first pseudonym.

        :param anywhere: True to replace it also inside words.
        """
        known = self.entries.get(value)
        if known is not None:
            return known.pseudonym
        anywhere = anywhere or _is_unspaced(value)
        lows = set()
        for form in [value] if value.isascii() else [value, *_variants(value)]:
            low = lower(form)
            entry = Entry(value, low, pseudonym, anywhere, len(self.entries))
            self.entries.setdefault(form, entry)
            if low not in lows:
                lows.add(low)
                self._add_clue(entry)
        return pseudonym

    def _add_clue(self, entry: Entry) -> None:
        clue = max(_PLAIN.findall(entry.low), key=len)
        marks = _WORD.findall(clue.encode())
        if entry.anywhere:
            marks = _grams(clue.encode()) or _INNER_WORD.findall(entry.low.encode())
        if len(clue) > 1 and marks:
            self.marks.setdefault(max(marks, key=_rarity), set()).add(clue)
        else:
            self.is_marked = False
        if len(clue) > 1:
            self.clues.setdefault(clue, []).append(entry)
        else:
            text = lower(json.dumps(entry.low, ensure_ascii=False)[1:-1])
            self.texts.setdefault(text, []).append(entry)

    def exactly(self, value: str) -> str:
        """Return the pseudonym of a value, or the value if it has none."""
        entry = self.entries.get(value)
        return value if entry is None else entry.pseudonym


class Search:
    """Finds the values of a table in a document and its parts.

    Most documents have no values to replace, or only in a few places. So a document is
    searched as bytes, which is fast, and only parts with a possible match are parsed.

    :param table: the table.
    :param document: the JSON to search, in UTF-8, without unnecessary escapes. Default:
        parse all parts of any document.
    :param clues: the clues that may occur in parts that need no search.
    """

    def __init__(
        self,
        table: Table,
        document: bytes | None = None,
        clues: Iterable[str] = (),
    ) -> None:
        self.table: Table = table
        self._parses_all = document is None
        self.has_patterns: bool = document is None or may_have_pattern(document)
        self._clues = table.clues
        self._texts = table.texts
        #: The position of the first clue; after the end without one. Clues that
        #: are not ASCII may be anywhere.
        self.first: int = sys.maxsize
        if document is not None:
            low = _lower(document).decode("latin-1")
            found = [clue for clue in table.clues if clue in low]
            if found:
                self.first = min(map(low.find, found))
            self._clues = {clue: table.clues[clue] for clue in (*found, *clues)}
            if table.texts:
                self.first = 0
                text = lower(document.decode())
                self._texts = {
                    each: entries
                    for each, entries in table.texts.items()
                    if each in text
                }

    def finds_in(self, part: bytes) -> bool:
        """Return whether a part of the document may contain values to replace."""
        if self._parses_all:
            return True
        if self._clues:
            low = _lower(part).decode("latin-1")
            for clue in self._clues:
                if clue in low:
                    return True
        if self._texts:
            text = lower(part.decode())
            if any(each in text for each in self._texts):
                return True
        return self.finds_pattern_in(part)

    def finds_pattern_in(self, part: bytes) -> bool:
        """Return whether a part may contain an e-mail address or a long number."""
        return self.has_patterns and may_have_pattern(part)

    def spliced(self, document: bytes) -> bytes | None:
        """Replace values in a part of the document.

        Only strings with a match are parsed. Values in patterns are not replaced.

        :return: None if a match is not in the value of an ordinary key or a list's
            item.
        """
        if self._texts:
            return None
        if not self._clues:
            return document
        low = _lower(document).decode("latin-1")
        if len(low) != len(document):
            return None
        pieces: list[bytes] = []
        done = 0
        last = new = b""  # Many texts occur twice in succession.
        for position in _positions(low, self._clues):
            if position < done:
                continue
            start = document.rfind(b'"', done, position)
            end = document.find(b'"', position)
            if start < 3 or end < 0 or not _is_text(document, start, end):
                return None
            string = document[start : end + 1]
            if string != last:
                last, new = string, _encode(self.replace(_decode(string)))
            pieces += document[done:start], new
            done = end + 1
        pieces.append(document[done:])
        return b"".join(pieces)

    def replace(self, text: str) -> str:
        """Replace the values that occur in a text: longest first, exact ones first."""
        low = lower(text)
        found: list[_Found] = []
        for entries in (*self._clues.values(), *self._texts.values()):
            for value, spelling, pseudonym, anywhere, order in entries:
                start = low.find(spelling)
                while start >= 0:
                    end = start + len(spelling)
                    if anywhere or _is_whole(text, start, end):
                        occurrence = text[start:end]
                        rank = start - end, occurrence != value, order
                        new = _in_case_of(occurrence, value, pseudonym)
                        found.append((rank, start, end, new))
                    start = low.find(spelling, start + 1)
        if self.has_patterns:
            found += self._patterns(text)
        return _spliced(text, found) if found else text

    def _patterns(self, text: str) -> Iterator[_Found]:
        last = len(self.table.entries)
        pseudonyms = self.table.pseudonyms
        for match in find_patterns(text):
            start, end = match.span()
            make = pseudonyms.email if "@" in match[0] else pseudonyms.shaped
            yield (start - end, True, last), start, end, make(match[0])


#: The rank (the first one wins), the start, the end, and the replacement.
_Found = tuple[tuple[int, bool, int], int, int, str]


def lower(text: str) -> str:
    """Return a text in lower case, of the same length."""
    return text.lower() if text.isascii() else text.replace("İ", "i").lower()


def _positions(document: str, clues: Iterable[str]) -> list[int]:
    """Return the positions of clues in a document, in order."""
    positions = []
    for clue in clues:
        position = document.find(clue)
        while position >= 0:
            positions.append(position)
            position = document.find(clue, position + 1)
    positions.sort()
    return positions


def _is_text(document: bytes, start: int, end: int) -> bool:
    """Return whether two quotation marks enclose a text.

    :param start: the position of the first one; the second one is at *end*.
    """
    if document[start - 1] == _BACKSLASH or document[end - 1] == _BACKSLASH:
        return False
    # It follows another string.
    if document[start + 1] in b",:]} ":
        return False
    if document[end + 1 : end + 2] not in (b",", b"]", b"}"):
        return False
    before = start - 2 if document[start - 1] == _SPACE else start - 1
    if document[before] in b",[":
        return True
    if document[before] != _COLON or document[before - 1] != _QUOTE:
        return False
    key = document[document.rfind(b'"', 0, before - 1) + 1 : before - 1]
    return key not in _NOT_TEXT


#: Keys whose values the platform may define, or that name its objects.
_NOT_TEXT: Final = frozenset(
    {b"id", b"type", b"kind", b"name", b"code", b"service", b"botID", b"topic"}
)
_SPACE, _BACKSLASH, _COLON, _QUOTE = b' \\:"'
_decode: Final = msgspec.json.decode
_encode: Final = msgspec.json.encode


def marks_of(part: bytes) -> frozenset[bytes]:
    """Return the marks of a part of a document.

    A part that has none of a table's marks has none of its values. These are the words
    of ASCII letters and digits, and all sequences of four characters with a digit or
    punctuation, because some values are found also inside words.

    :param part: JSON in UTF-8, without unnecessary escapes.
    """
    low = _ESCAPE.sub(b" ", _lower(part))
    return frozenset([*_WORD.findall(low), *_grams(low)])


def _rarity(mark: bytes) -> tuple[int, int]:
    """Return how rare a mark is: most digits and '@', then most letters."""
    return len(_NUMERIC.findall(mark)), len(mark)


def _grams(text: bytes) -> list[bytes]:
    return [match[1] for match in _GRAM.finditer(text)]


def _lower(document: bytes) -> bytes:
    """Convert letters to lower case whose lower case is ASCII."""
    low = document.lower()
    for byte, char, plain in _LOWER_IN_ASCII:
        if low.find(byte) >= 0:
            low = low.replace(char, plain)
    return low


#: All characters except A-Z that :func:`lower` makes ASCII, the Turkish I and the sign
#: of the kelvin, each after one of its bytes, which is quicker to find.
_LOWER_IN_ASCII: Final = (
    (b"\xc4", "İ".encode(), b"i"),
    (b"\x84", "\u212a".encode(), b"k"),
)
#: The characters of a clue, which JSON does not escape.
_PLAIN: Final = re.compile(r"[a-z0-9_.@-]*")
_WORD: Final = re.compile(rb"[a-z0-9]+")
#: A word with something before and after it.
_INNER_WORD: Final = re.compile(rb"(?<=[^a-z0-9])[a-z0-9]+(?=[^a-z0-9])")
_NUMERIC: Final = re.compile(rb"[0-9@]")
#: Matches before four characters of a clue that are not only letters.
_GRAM: Final = re.compile(rb"(?=([a-z0-9_.@-]{4}))(?![a-z]{4})")
#: The escapes of JSON, in lower case. Their letters are not a part of a word.
_ESCAPE: Final = re.compile(rb"\\(?:u[0-9a-f]{4}|.)", re.DOTALL)


def _is_unspaced(value: str) -> bool:
    """Return whether a value may be in a script without spaces between words."""
    return not value.isascii() and max(value) >= "\u0900"


def _variants(value: str) -> set[str]:
    """Return other spellings of a value that a reply may contain."""
    forms = {unicodedata.normalize(form, value) for form in ("NFC", "NFD", "NFKC")}
    return (forms | {value.upper(), value.lower()}) - {value}


def _is_whole(text: str, start: int, end: int) -> bool:
    """Return whether no letter or digit is next to a part of a text."""
    if text[end : end + 1].isalnum():
        return False
    return start == 0 or not text[start - 1].isalnum()


def _in_case_of(occurrence: str, value: str, pseudonym: str) -> str:
    """Return a pseudonym with the case of the value's occurrence."""
    if occurrence == value:
        return pseudonym
    if occurrence.isupper():
        return pseudonym.upper()
    if occurrence.islower():
        return pseudonym.lower()
    return pseudonym.capitalize() if occurrence.istitle() else pseudonym


def _spliced(text: str, found: list[_Found]) -> str:
    """Apply replacements to a text; of overlapping ones, the first in rank wins."""
    if len(found) == 1:  # The usual case.
        _, start, end, new = found[0]
        return f"{text[:start]}{new}{text[end:]}"
    taken: list[tuple[int, int, str]] = []
    for _, start, end, new in sorted(found):
        for other in taken:
            if start < other[1] and other[0] < end:
                break
        else:
            taken.append((start, end, new))
    pieces: list[str] = []
    position = 0
    for start, end, new in sorted(taken):
        pieces += text[position:start], new
        position = end
    pieces.append(text[position:])
    return "".join(pieces)
