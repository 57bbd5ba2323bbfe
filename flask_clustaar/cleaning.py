"""Cleaning of the texts that leave: sanitised, normalised, stripped (PROTOCOL 4)."""

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
    """Make the function that cleans one kind of text.

    Cleaning twice gives what cleaning once gives. A text that needs no cleaning comes
    back as it is, almost for nothing.

    The platform counts a text before it normalises it, so a text without markup that
    only normalising makes too long comes back un-normalised.

    :param sanitised: Let only the platform's tags through (S in PROTOCOL 5).
    :param normalised: Bring to Unicode's form NFKC (N).
    :param stripped: Remove white space at both ends (W).
    :param max_length: Characters that the platform accepts.
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
        # Where a tag vanished two characters may meet that combine.
        while (normal := normaliser(cleaned)) != cleaned:
            cleaned = stripper(sanitiser(normal))
        return cleaned

    return clean


def is_clean(document: bytes) -> bool:
    """Tell if no text of a JSON document needs to be sanitised or normalised.

    It says so at a glance, or says no: without ``<`` there is no markup, and without
    rare characters everything is in the form NFKC.
    """
    rest = document.translate(None, _PLAIN)
    return not rest or _settled().issuperset(rest.decode())


#: ASCII without ``<``.
_PLAIN: Final = bytes(range(128)).replace(b"<", b"")


@functools.cache
def _settled() -> frozenset[str]:
    """Return common characters that are in the form NFKC, whatever stands beside them.

    Those are letters of Latin, Greek and Cyrillic, punctuation, currencies and emoji.
    """
    ranges = [(0xA1, 0x530), (0x2010, 0x20C0), (0x2600, 0x27C0), (0x1F300, 0x1FB00)]
    found = {chr(code) for first, end in ranges for code in range(first, end)}
    found |= {"\u200d", "\ufe0f"}  # They join emoji.
    return frozenset(
        each for each in found if is_normalized("NFKC", each) and not combining(each)
    )


def sanitise(text: str) -> str:
    """Let only the platform's tags, attributes and URL schemes through (PROTOCOL 4).

    Other tags come out escaped, as they were written; so do comments and tags without
    an end. ``&`` stays as it is everywhere, and so do ``{{...}}`` variables. A text
    without ``<`` is returned as it is.

    A text of more than 10,000 characters is longer than the platform accepts
    anywhere: it is not parsed, and all its tags come out escaped.
    """
    if "<" not in text:
        return text
    if len(text) <= _LONGEST:
        sanitised = _sanitise_markup(text)
        if len(sanitised) <= _LONGEST:
            return sanitised
    return _escape(text)


def normalise(text: str) -> str:
    """Bring a text to Unicode's form NFKC, in which the platform keeps it.

    A text of more than 10,000 characters, longer than the platform accepts anywhere,
    is left as it is but for brackets that would turn into ``<`` and ``>``: the time
    that normalising takes may grow with the square of the length.
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


#: Above every limit of PROTOCOL 5, even if four characters combine to one.
_LONGEST: Final = 10_000

#: Characters that NFKC turns into ``<`` and ``>``.
_BRACKETS: Final = str.maketrans("﹤﹥＜＞", "<><>")

#: The tags that pass, and the attributes that pass on them.
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

#: A tag as the HTML standard reads it, closed or cut off by the text's end; or else a
#: lone ``<``. Possessive, so that the time is linear.
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
    """Sanitise a text that has a ``<``.

    The parser gets the tags that pass and nothing else that it could take for markup,
    so it is left with what it is good at: to nest them as a browser would. What it
    would decode is turned into character references first, and so comes back as it was
    written. Nothing it returns is trusted: each ``<`` that leaves is written here.
    """
    source = _VERBATIM.sub(lambda match: match[0].translate(_REFERENCES), text)
    return _nest(_TAG.sub(_pass_or_escape, source))


def _pass_or_escape(match: re.Match[str]) -> str:
    slash, name, end = match.groups()
    if not end or name.lower() not in _TAGS:
        return match[0].replace("<", "&lt;")
    if _TAGS[name.lower()]:
        return match[0]
    # Without its attributes: browsers repeat formatting tags that differ in them.
    return f"<{slash}{name.lower()}>"


def _nest(source: str) -> str:
    from justhtml import JustHTML, Node, Text  # 50 ms that most programs never need

    # The parser drops one byte order mark.
    root = JustHTML("\ufeff" + source, fragment=True, sanitize=False).root
    written: list[str] = []
    pending: list[Node | Text | str] = [root]
    while pending:  # not recursive: a text may nest thousands of tags
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
    """Tell whether a URL has no scheme but an allowed one.

    It is judged as it looks when all is unescaped, however often, when what browsers
    overlook is gone, and when the variables in it turn out empty.
    """
    while (unescaped := unescape(url)) != url:
        url = unescaped
    bare = _IGNORED_IN_URL.sub("", normalize("NFKC", url)).lower()
    scheme = _SCHEME.match(bare)
    return scheme is None or scheme[1] in _SCHEMES


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _quote(value: str) -> str:
    """Quote an attribute's value, with ``'`` where that spares a variable's ``"``."""
    value = value.replace("<", "&lt;")
    if '"' in value and "'" not in value:
        return f"'{value}'"
    return '"' + value.replace('"', "&quot;") + '"'
