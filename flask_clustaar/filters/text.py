"""Filters on the user's text."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from ..describe import shorten, type_name
from .paths import Look
from .values import ABSENT, check_text, find


class _Text(Look):
    """A filter on the user's message, or on the text that a "reply" button sends."""

    def _look(self, target: Any) -> tuple[str, Any]:
        kind = find(target, ("data", "input", "type"))
        if kind == "legacy_reply_to_message_action":
            return "data.input.message", find(target, ("data", "input", "message"))
        if kind == "message":
            return "data.input.text", find(target, ("data", "input", "text"))
        return "data.input.text", ABSENT


class TextEquals(_Text):
    """Match if the user's text is *text*.

    By default, the comparison ignores case, Unicode composition, typographic
    apostrophes and quotation marks (``’`` equals ``'``), no-break spaces, and white
    space at both ends.

    :param text: the whole text.
    :param ignore_case: False to compare the texts exactly.
    """

    def __init__(self, text: str, *, ignore_case: bool = True) -> None:
        check_text(self, text, may_be_empty=True)
        super().__init__(text, **({} if ignore_case else {"ignore_case": False}))
        self._fold = _folded_whole if ignore_case else str
        self._text = self._fold(text)

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and self._fold(found) == self._text


class TextMatches(_Text):
    """Match if the regular expression *pattern* is found in the user's text.

    Users can send any text, so avoid patterns with catastrophic backtracking, such as
    ``(a+)+$``.

    :param pattern: a regular expression, as a string or compiled. To match the whole
        text, begin it with ``^`` and end it with ``$``.
    :param flags: flags of :mod:`re`, if the pattern is a string.
    """

    def __init__(self, pattern: str | re.Pattern[str], flags: int = 0) -> None:
        self._pattern = _compiled(pattern, flags)
        if not isinstance(pattern, str):
            flags = pattern.flags & ~re.UNICODE
        shown = [re.RegexFlag(flags)] if flags else []
        super().__init__(self._pattern.pattern, *shown)

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and self._pattern.search(found) is not None

    def match(self, target: Any, /) -> re.Match[str] | None:
        _, found = self._look(target)
        return self._pattern.search(found) if isinstance(found, str) else None

    def _identity(self) -> Any:
        return self._pattern.pattern, self._pattern.flags


def _compiled(pattern: Any, flags: int) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        if flags:
            raise ValueError(
                "TextMatches: the pattern is already compiled. Pass 'flags' to "
                "'re.compile', or pass the pattern as a string."
            )
        return pattern
    if not isinstance(pattern, str):
        raise TypeError(
            "TextMatches: pass a string or a compiled pattern of strings, "
            f"not {type_name(pattern)}."
        )
    try:
        return re.compile(pattern, flags)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"TextMatches: {shorten(pattern)} is not a valid regular expression: "
            f"{error}."
        ) from error


def folded(text: str) -> str:
    """Return a text without differences that users do not intend.

    These are case, Unicode composition, typographic apostrophes and quotation marks,
    and no-break spaces. All text filters that ignore case use this function.
    """
    folded = text.casefold().translate(_TYPED)
    # Normalising can take time quadratic in the length.
    return unicodedata.normalize("NFC", folded) if len(text) <= 10_000 else folded


def _folded_whole(text: str) -> str:
    return folded(text).strip()


#: Typographic characters, and what people type instead.
_TYPED: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),
    }
)
