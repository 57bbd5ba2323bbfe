r"""The limits of values (PROTOCOL 5), one class for each.

Each is a marshmallow validator. It also defines the msgspec constraint, the JSON Schema
and the words in the documentation. Patterns have the same meaning in Python and JSON
Schema; ``(?!\n)`` at the end keeps Python's ``$`` from matching before a last newline.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

from marshmallow import ValidationError, validate

from ..wire import compiles

JSON: TypeAlias = dict[str, Any]


class Limit(validate.Validator):
    """A limit of a value."""

    def meta(self) -> JSON | None:
        """Return equivalent arguments of ``msgspec.Meta``, if they exist.

        Otherwise, the fast path calls :meth:`accepts`.
        """
        return None

    def accepts(self, value: Any) -> bool:
        """Return whether a value of the right kind is within the limit."""
        try:
            self(value)
        except ValidationError:
            return False
        return True

    def json_schema(self, kind: str) -> JSON:
        """Return the limit in JSON Schema; empty if it cannot be expressed.

        :param kind: the name of the kind of value.
        """
        return {}

    def words(self, kind: str) -> str:
        """Return the limit as it continues the name of a kind: `` of 1 to 60``."""
        return f", {_demand(self)}"


class Length(Limit, validate.Length):
    """The minimum and maximum number of characters or items, inclusive."""

    @property
    def low(self) -> int | None:
        """The minimum, if there is one."""
        return self.min if self.equal is None else self.equal

    @property
    def high(self) -> int | None:
        """The maximum, if there is one."""
        return self.max if self.equal is None else self.equal

    def __call__(self, value: Any) -> Any:
        try:
            return super().__call__(value)
        except ValidationError as error:
            message = str(error.messages[0]).rstrip(".")
            raise ValidationError(f"{message}, but is {len(value)}.") from None

    def meta(self) -> JSON | None:
        return _some(min_length=self.low or None, max_length=self.high)

    def json_schema(self, kind: str) -> JSON:
        unit = {"string": "Length", "list": "Items"}.get(kind, "Properties")
        return _some(**{f"min{unit}": self.low, f"max{unit}": self.high})

    def words(self, kind: str) -> str:
        bounds = _bounds(self.low, self.high)
        return (
            f" of {bounds}{'' if kind == 'list' else ' characters'}" if bounds else ""
        )


class Range(Limit, validate.Range):
    """The minimum and maximum of a number."""

    def meta(self) -> JSON | None:
        low, high = self._names("ge", "gt", "le", "lt")
        return _some(**{low: self.min, high: self.max})

    def json_schema(self, kind: str) -> JSON:
        low, high = self._names(
            "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"
        )
        return _some(**{low: self.min, high: self.max})

    def words(self, kind: str) -> str:
        return f", {_bounds(self.min, self.max)}"

    def _names(self, ge: str, gt: str, le: str, lt: str) -> tuple[str, str]:
        return (
            ge if self.min_inclusive else gt,
            le if self.max_inclusive else lt,
        )


class OneOf(Limit, validate.OneOf):
    """One of some values."""

    def __init__(self, choices: Iterable[Any], **about: Any) -> None:
        super().__init__(choices, **about)
        self.choices_text: str = ", ".join(map(repr, self.choices))

    def json_schema(self, kind: str) -> JSON:
        return {"enum": list(self.choices)}

    def words(self, kind: str) -> str:
        choices = [f"``{choice}``" if choice else '``""``' for choice in self.choices]
        return f", one of {', '.join(choices)}"


class Pattern(Limit, validate.Regexp):
    """A string that matches a regular expression completely.

    :param pattern: without the anchors.
    :param error: the error message.
    """

    def __init__(self, pattern: str, *, error: str) -> None:
        whole = re.compile(rf"^(?:{pattern})$(?!\n)")
        super().__init__(whole, error=error)
        self._pattern = whole.pattern
        self._match: Callable[[str], object] = whole.match

    def __call__(self, value: Any) -> Any:
        if not self.accepts(value):
            raise ValidationError(self.error or "")
        return value

    def accepts(self, value: Any) -> bool:
        return self._match(value) is not None

    def meta(self) -> JSON | None:
        return {"pattern": self._pattern}

    def json_schema(self, kind: str) -> JSON:
        return {"pattern": _for_other_readers(self._pattern)}


class URL(Pattern):
    """A URL that the platform accepts: with a scheme and a host (PROTOCOL 5).

    :param http: True to allow only the schemes http and https. Otherwise, all schemes
        are allowed except those that run code (javascript, data, vbscript).
    :param blank: True to allow the empty string.
    :param link: True to allow other links that the webchat opens: ``mailto:``, ``tel:``
        and ``sms:``, and texts that begin with a ``{{...}}`` variable.
    """

    def __init__(self, *, http: bool, blank: bool = False, link: bool = False) -> None:
        scheme = f"{_either_case('http')}[sS]?" if http else _HARMLESS
        name = r"[^/?#\[\]\t\r\n]*"
        host = rf"(?=[^/?#]){name}(?:\[[0-9A-Fa-f:.]+\]{name})?"
        pattern = rf"{scheme}://{host}(?:[/?#][\s\S]*)?"
        if link:
            pattern = rf"{pattern}|{_CONTACT}:[\s\S]+|{_VARIABLE}(?!{_SCRIPT})[\s\S]*"
        kind = "an http or https URL" if http else "a URL with a scheme and a host"
        super().__init__(
            f"|{pattern}" if blank else pattern,
            error=f"Not {kind}, such as 'https://example.com/a'.",
        )
        self._blank = blank

    def accepts(self, value: Any) -> bool:
        if _is_plain_url(value):
            return True  # The other regular expression would take far longer.
        if self._match(value) is None:
            return False
        if value.isascii() and "[" not in value:
            return True
        try:
            urlsplit(value)
        except ValueError:
            return False
        return True

    def meta(self) -> JSON | None:
        return None

    def words(self, kind: str) -> str:
        return super().words(kind) + (', or ``""``' if self._blank else "")


#: Matches most URLs, which are always accepted: https, ASCII, and no brackets.
_is_plain_url: Final = re.compile(r"https://(?![/?#])[ -Z\\^-~]+").fullmatch


class KeysMatch(Limit):
    """The keys of an object match a pattern. The kind ``strings`` reports each key.

    :param pattern: the pattern.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.error: str | None = pattern.error
        self._pattern = pattern

    def __call__(self, value: Any) -> Any:
        return value

    def accepts(self, value: Any) -> bool:
        return not any(self.violations(value))

    def violations(self, value: JSON) -> Iterator[tuple[str, str]]:
        """Yield the keys that do not match, each with a sentence."""
        for key in value:
            if isinstance(key, str) and not self._pattern.accepts(key):
                yield key, f"Not a valid key. {self.error}"

    def json_schema(self, kind: str) -> JSON:
        return {"propertyNames": self._pattern.json_schema(kind)}

    def words(self, kind: str) -> str:
        return f", keys: {_demand(self)}"


class Compiles(Limit):
    """A valid regular expression. The kind ``regexp`` reports it."""

    def __call__(self, value: str) -> str:
        return value

    def accepts(self, value: str) -> bool:
        return compiles(value)

    def json_schema(self, kind: str) -> JSON:
        return {"format": "regex"}

    def words(self, kind: str) -> str:
        return ", a regular expression"


class Other(Limit):
    """Another validator, of marshmallow or of the program."""

    def __init__(self, validator: validate.Validator) -> None:
        self._validator = validator
        self.error: str | None = getattr(validator, "error", None)

    def __call__(self, value: Any) -> Any:
        return self._validator(value)

    def json_schema(self, kind: str) -> JSON:
        if not isinstance(self._validator, validate.Regexp):
            return {}
        # marshmallow matches at the beginning.
        pattern = str(self._validator.regex.pattern)
        return {"pattern": _for_other_readers(f"^(?:{pattern})")}

    def words(self, kind: str) -> str:
        return f", {_demand(self, type(self._validator).__name__)}"


def limit_of(validator: validate.Validator) -> Limit:
    """Convert a marshmallow validator to a limit."""
    if isinstance(validator, Limit):
        return validator
    if type(validator) is validate.Length:
        low, high, equal = validator.min, validator.max, validator.equal
        return Length(low, high, equal=equal, error=validator.error)
    if type(validator) is validate.Range:
        return Range(
            validator.min,
            validator.max,
            min_inclusive=validator.min_inclusive,
            max_inclusive=validator.max_inclusive,
            error=validator.error,
        )
    if type(validator) is validate.OneOf:
        return OneOf(validator.choices, error=validator.error)
    return Other(validator)


def _some(**bounds: Any) -> JSON:
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _bounds(low: object, high: object) -> str:
    if high is None:
        return f"{low} or more" if low else ""
    if low == high:
        return f"{high}"
    return f"{low} to {high}" if low else f"at most {high}"


def _demand(limit: Any, default: str = "") -> str:
    """Convert the error message of a limit to a requirement."""
    message = re.sub("'([^' ]+)'", r"``\1``", limit.error or default)
    demand = message.partition(", such as ")[0].rstrip(".")
    for said, demanded in (("Must not be ", "not "), ("Must be ", ""), ("Not ", "")):
        if demand.startswith(said):
            return demanded + demand.removeprefix(said)
    return demand


def _for_other_readers(pattern: str) -> str:
    return pattern.replace(r"\w", _WORD)


#: ``\w`` for regular expressions whose ``\w`` is only ASCII, as in JavaScript: lists
#: the letters and digits of the most used scripts. In Python, it equals ``\w``.
_WORD: Final = (
    r"[\w"
    "ªµºÀ-ÖØ-öø-ˁ"  # Latin
    "ΆΈ-ΊΌΎ-ΡΣ-ϵ"  # Greek
    "Ѐ-ҁҊ-ԯ"  # Cyrillic
    "Ա-Ֆՠ-ֈ"  # Armenian
    "א-ת"  # Hebrew
    "ؠ-ي٠-٩ٱ-ۓ"  # Arabic
    "ऄ-ह०-९"  # Devanagari
    "ก-ะ๐-๙"  # Thai
    "ა-ჺ"  # Georgian
    "Ḁ-ἕ"  # more of Latin and Greek
    "ぁ-ゖァ-ヺ㐀-䶿一-鿿가-힣"  # Japanese, Chinese, Korean
    "]"
)


def _either_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


def _any_of(*words: str) -> str:
    return f"(?:{'|'.join(map(_either_case, words))})"


_HARMLESS: Final = (
    f"(?!{_any_of('javascript', 'data', 'vbscript')}:)[A-Za-z][A-Za-z0-9+.-]*"
)
_CONTACT: Final = _any_of("mailto", "tel", "sms")
_VARIABLE: Final = r"\{\{[^{}]*\}\}"
#: Browsers ignore white space and control characters, and a variable may be empty.
_SKIPPED: Final = rf"(?:[\x00-\x20\x7f-\xa0]|{_VARIABLE})*"
_SCRIPT: Final = "|".join(
    _SKIPPED + _SKIPPED.join(map(_either_case, f"{scheme}:"))
    for scheme in ("javascript", "data", "vbscript")
)

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
    rf"(?![\s\S]*@{_either_case('clustaar')}\.)[^\r\n]*",
    error="Must be one line, and not an address of the platform ('@clustaar.').",
)

#: The id of a step, a story or an intent.
ObjectID = Annotated[str, OBJECT_ID]
