"""Clean the texts of replies: sanitise, normalise and strip them (PROTOCOL 4)."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping
from html import unescape
from typing import Final
from unicodedata import combining, is_normalized, normalize


def cleaner(
    *,
    sanitised: bool,
    normalised: bool,
    stripped: bool,
    max_length: int | None = None,
) -> Callable[[str], str]:
    """Return a function that cleans one kind of text.

    Cleaning is idempotent. Texts that need no cleaning are returned unchanged, which is
    fast.

    The platform checks the length of a text before it normalises it. So a text without
    markup that only normalising makes too long is returned without normalising.

    :param sanitised: True to allow only the platform's tags (S in PROTOCOL 5).
    :param normalised: True to normalise to NFKC (N).
    :param stripped: True to remove white space at both ends (W).
    :param max_length: the maximum length on the platform, in characters.
    """
    if not (sanitised or normalised):
        return strip if stripped else _same
    sanitiser = sanitise if sanitised else _same
    normaliser = normalise if normalised else _same
    stripper = strip if stripped else _same
    longest = sys.maxsize if max_length is None else max_length

    def clean(text: str) -> str:
        if stripped:
            text = text.strip()
        if "<" not in text and (
            text.isascii()
            or not normalised
            or (len(text) <= _LONGEST and is_normalized("NFKC", text))
        ):
            return text
        normal = stripper(normaliser(text))
        if "<" not in normal:
            grown = len(normal) > longest >= len(text) and "<" not in text
            return text if grown else normal
        cleaned = stripper(sanitiser(normal))
        # Removing a tag can join two characters that combine.
        while (normal := normaliser(cleaned)) != cleaned:
            cleaned = stripper(sanitiser(normal))
        return cleaned

    return clean


def is_clean(document: bytes) -> bool:
    """Return whether no text of a JSON document needs sanitising or normalising.

    This is a quick check, which may return False for a clean document. Without ``<``,
    there is no markup; without rare characters, all texts are in NFKC.
    """
    rest = document.translate(None, _PLAIN)
    return not rest or _settled().issuperset(rest.decode())


#: ASCII without ``<``.
_PLAIN: Final = bytes(range(128)).replace(b"<", b"")


@functools.cache
def _settled() -> frozenset[str]:
    """Return common characters that are in NFKC, next to any other character.

    These are Latin, Greek and Cyrillic letters, punctuation, currencies and emoji.
    """
    ranges = [(0xA1, 0x530), (0x2010, 0x20C0), (0x2600, 0x27C0), (0x1F300, 0x1FB00)]
    found = {chr(code) for first, end in ranges for code in range(first, end)}
    found |= {"\u200d", "\ufe0f"}  # They join emoji.
    return frozenset(
        each for each in found if is_normalized("NFKC", each) and not combining(each)
    )


def sanitise(text: str) -> str:
    """Allow only the platform's tags, attributes and URL schemes (PROTOCOL 4).

    Other tags, comments and incomplete tags are escaped. ``&`` and ``{{...}}``
    variables are unchanged. A text without ``<`` is returned unchanged.

    Texts of more than 10,000 characters, which exceed all limits of the platform, are
    not parsed; all their tags are escaped.
    """
    if "<" not in text:
        return text
    if len(text) <= _LONGEST:
        sanitised = _sanitise_markup(text)
        if len(sanitised) <= _LONGEST:
            return sanitised
    return _escape(text)


def normalise(text: str) -> str:
    """Normalise a text to Unicode's NFKC, as the platform does.

    In texts of more than 10,000 characters, which exceed all limits of the platform,
    only the brackets that would become ``<`` and ``>`` are replaced. Normalising can
    take time quadratic in the length.
    """
    if text.isascii():
        return text
    if len(text) > _LONGEST:
        return text.translate(_BRACKETS)
    return normalize("NFKC", text)


#: Removes white space at both ends.
strip: Final = str.strip


def _same(text: str) -> str:
    return text


#: More than every limit of PROTOCOL 5, even if four characters combine to one.
_LONGEST: Final = 10_000

#: Characters that NFKC converts to ``<`` and ``>``.
_BRACKETS: Final = str.maketrans("﹤﹥＜＞", "<><>")

#: The allowed tags, with their allowed attributes.
_TAGS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        "b blockquote br code em i li ol strong ul".split(), frozenset[str]()
    ),
    "a": frozenset({"href", "target", "title"}),
    "abbr": frozenset({"title"}),
    "acronym": frozenset({"title"}),
}
_TARGETS: Final = frozenset({"_blank", "_top"})
_SCHEMES: Final = frozenset({"http", "https", "mailto"})

#: A tag of the HTML standard, complete or cut off by the end of the text; or a lone
#: ``<``. The quantifiers are possessive, so that matching takes linear time.
_TAG: Final = re.compile(
    r"""<(/?)([a-zA-Z][^ \t\n\f\r/>]*+)
        (?: [ \t\n\f\r/]++
          | [^ \t\n\f\r/>][^ \t\n\f\r/>=]*+
            (?: [ \t\n\f\r]*+ = [ \t\n\f\r]*+
                (?: "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^ \t\n\f\r"'>][^ \t\n\f\r>]*+ )
            )?+
        )*+
        (>?)
      | <""",
    re.VERBOSE,
)
_VARIABLE: Final = r"\{\{[^{}<>]*+\}\}"
_VERBATIM: Final = re.compile(f"&|{_VARIABLE}")
_REFERENCES: Final = str.maketrans({c: f"&#{ord(c)};" for c in "&\"' \t\n\f\r"})
_IGNORED_IN_URL: Final = re.compile(f"{_VARIABLE}|[^!-~]")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*+):")


def _sanitise_markup(text: str) -> str:
    """Sanitise a text that contains ``<``.

    The parser gets only allowed tags as markup, and nests them as a browser does. Text
    that it would decode is replaced by character references first, so that the result
    is unchanged. Its output is not trusted: this function writes every ``<``.
    """
    source = _VERBATIM.sub(lambda match: match[0].translate(_REFERENCES), text)
    return _nest(_TAG.sub(_pass_or_escape, source))


def _pass_or_escape(match: re.Match[str]) -> str:
    slash, name, end = match.groups()
    if not end or name.lower() not in _TAGS:
        return match[0].replace("<", "&lt;")
    if _TAGS[name.lower()]:
        return match[0]
    # Without attributes, because browsers repeat formatting tags that differ in them.
    return f"<{slash}{name.lower()}>"


def _nest(source: str) -> str:
    from justhtml import JustHTML, Node, Text  # Takes 50 ms, and is rarely needed.

    # The parser removes one byte order mark.
    root = JustHTML("\ufeff" + source, fragment=True, sanitize=False).root
    written: list[str] = []
    pending: list[Node | Text | str] = [root]
    while pending:  # Not recursive, because a text can nest thousands of tags.
        node = pending.pop()
        if isinstance(node, str):
            written.append(node)
            continue
        if isinstance(node, Text):
            written.append(_escape(node.data or ""))
            continue
        if node.name in _TAGS:
            written.append(_start_tag(node.name, node.attrs or {}))
            if node.name != "br":
                pending.append(f"</{node.name}>")
        pending.extend(reversed(node.children or ()))
    return "".join(written)


def _start_tag(tag: str, attributes: Mapping[str, str | None]) -> str:
    passing = "".join(
        f" {name}={_quote(value or '')}"
        for name, value in attributes.items()
        if name in _TAGS[tag] and _passes(name, value or "")
    )
    return f"<{tag}{passing}>"


def _passes(name: str, value: str) -> bool:
    if name == "href":
        return _is_safe_url(value)
    return name != "target" or value in _TARGETS


def _is_safe_url(url: str) -> bool:
    """Return whether a URL has no scheme or an allowed one.

    The check is made after decoding all escapes, repeatedly, and removing characters
    that browsers ignore. Variables count as empty.
    """
    while (unescaped := unescape(url)) != url:
        url = unescaped
    bare = _IGNORED_IN_URL.sub("", normalize("NFKC", url)).lower()
    scheme = _SCHEME.match(bare)
    return scheme is None or scheme[1] in _SCHEMES


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _quote(value: str) -> str:
    """Quote an attribute's value; with ``'`` if a variable in it contains ``"``."""
    value = value.replace("<", "&lt;")
    if '"' in value and "'" not in value:
        return f"'{value}'"
    return '"' + value.replace('"', "&quot;") + '"'
