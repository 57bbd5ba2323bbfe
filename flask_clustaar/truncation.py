"""Truncate texts to the platform's limits."""

from __future__ import annotations

import difflib
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, overload

from .schemas.attributes import Shape, attributes_of
from .schemas.limits import Length
from .wire import Model

ELLIPSIS: Final = "…"


@overload
def truncate(text: str, limit: int, /) -> str: ...


@overload
def truncate(text: str, model: type[Model], attribute: str, /) -> str: ...


def truncate(
    text: str, limit: int | type[Model], attribute: str | None = None, /
) -> str:
    """Truncate *text* at the end of a word, with an ellipsis, if it is too long.

    ``truncate(title, QuickReply, "title")`` truncates to the limit of that attribute,
    counted after the text is cleaned; ``truncate(text, 60)`` truncates to 60
    characters. A text that fits is returned unchanged. If the first word is too long,
    it is split, so that the result is never empty. If possible, variables
    (``{{...}}``), tags and characters of several code points are not split.

    :param limit: the maximum number of characters, or a model.
    :param attribute: an attribute of the model: a text or a list of texts.
    :raises AttributeError: if the model has no such attribute.
    :raises TypeError: if *text* is not a string, or if the attribute is not a text with
        a maximum length.
    :raises ValueError: if *limit* is not positive.
    """
    if not isinstance(text, str):
        raise TypeError(f"'truncate' requires a 'str', not a '{type(text).__name__}'.")
    if isinstance(limit, type) and issubclass(limit, Model):
        shape = _text_of(limit, attribute)
        longest, clean = shape.max_length, shape.clean or _same
    else:
        longest, clean = _positive(limit), _same
    if longest is None or len(clean(text)) <= longest:
        return text
    text = text.strip() or text
    return text if len(clean(text)) <= longest else _cut(text, longest, clean)


def _positive(limit: object) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(
            "The limit must be a number of characters, or a model and its attribute: "
            "'truncate(text, QuickReply, \"title\")'."
        )
    if limit < 1:
        raise ValueError(f"Cannot truncate to {limit} characters. Pass 1 or more.")
    return limit


def _text_of(model: type[Model], name: str | None) -> Shape:
    """Return the shape of a text attribute."""
    texts = {row.name: row.shape.item or row.shape for row in attributes_of(model)}
    shape = texts.get(name or "")
    if shape is None:
        near = difflib.get_close_matches(_snake(name or ""), texts, 1)
        names = ", ".join(texts) or "no attributes"
        hint = f"Did you mean '{near[0]}'?" if near else f"It has: {names}."
        raise AttributeError(f"'{model.__name__}' has no attribute '{name}'. {hint}")
    if shape.kind != "string" or not all(isinstance(x, Length) for x in shape.limits):
        raise TypeError(
            f"'{name}' of '{model.__name__}' is not a text with a maximum length."
        )
    return shape


def _snake(name: str) -> str:
    """Convert a key to the name of its attribute."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _same(text: str) -> str:
    return text


# -- positions to cut ----------------------------------------------------------------


def _cut(text: str, longest: int, clean: Callable[[str], str]) -> str:
    """Return the longest beginning of *text* that fits, with an ellipsis."""

    def too_long(end: int) -> bool:
        return len(clean(_ended(text[:end]))) > longest

    for split in (_whole_parts, _characters, _code_points):
        # Each part has at least one character, so more parts cannot fit.
        ends = list(islice(split(text), longest))
        fitting = ends[: bisect_left(ends, True, key=too_long)]
        if fitting:
            words = [end for end in fitting if _ends_word(text, end)]
            return _ended(text[: words[-1] if words else fitting[-1]])
    return ELLIPSIS


def _ended(head: str) -> str:
    return (head.rstrip(_DANGLING) or head) + ELLIPSIS


#: Characters that are removed before an ellipsis.
_DANGLING: Final = " \t\r\n,:.…-–—"


def _ends_word(text: str, end: int) -> bool:
    """Return whether a word ends here; each Chinese character is a word."""
    wide = unicodedata.east_asian_width(text[end - 1]) in "WF"
    return wide or _SPACE.match(text, end) is not None


#: White space, except no-break spaces, optionally after closing tags.
_SPACE: Final = re.compile(r"(?:</[a-zA-Z][^<>]*>)*[^\S\u00a0\u202f]")


def _whole_parts(text: str) -> Iterator[int]:
    """Yield positions outside of variables, tags and character references."""
    position = 0
    for match in _WHOLE.finditer(text):
        for end in _characters(text[position : match.start()]):
            yield position + end
        yield (position := match.end())
    for end in _characters(text[position:]):
        yield position + end


_WHOLE: Final = re.compile(r"\{\{.*?\}\}|</?[a-zA-Z][^<>]*>|&#?\w+;", re.DOTALL)


def _characters(text: str) -> Iterator[int]:
    """Yield the end of each character of *text*, as users perceive characters."""
    flags = 0
    for index, (one, other) in enumerate(zip(text, text[1:], strict=False), start=1):
        flags = flags + 1 if one in _FLAG_LETTERS else 0
        if not (_is_joined(one, other) or (flags % 2 and other in _FLAG_LETTERS)):
            yield index
    if text:
        yield len(text)


def _code_points(text: str) -> Iterator[int]:
    return iter(range(1, len(text) + 1))


def _is_joined(one: str, other: str) -> bool:
    """Return whether two code points belong to one character."""
    return (
        unicodedata.category(other) in ("Mn", "Mc", "Me")
        or unicodedata.combining(one) == _VIRAMA
        or one == _JOINER
        or _EXTENDING.match(other) is not None
        or _PAIR.match(one + other) is not None
    )


_FLAG_LETTERS: Final = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_JOINER: Final = "\u200d"
_VIRAMA: Final = 9
#: Joiners, skin tones and tags of emoji, vowels and finals of Korean syllables.
_EXTENDING: Final = re.compile(
    "[\u200c\u200d\u1160-\u11ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
#: A line break, two leading Korean consonants, and a surrogate pair.
_PAIR: Final = re.compile("\r\n|[\u1100-\u115f]{2}|[\ud800-\udbff][\udc00-\udfff]")
