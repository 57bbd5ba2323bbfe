"""Print text and JSON: escaped, wrapped to the terminal's width, and in colour."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

import click

from ..printable import printable

#: What :func:`click.style` takes.
Looks = Mapping[str, Any]

PLAIN: Final[Looks] = {}


def echo(
    text: str = "",
    *,
    label: str = "",
    looks: Looks = PLAIN,
    label_looks: Looks = PLAIN,
    err: bool = False,
) -> None:
    """Print a line; on a terminal, wrap and indent it.

    :param label: printed before the text; wrapped lines are indented by its width.
    :param looks: styles of the text, as for :func:`click.style`.
    :param label_looks: styles of the label.
    :param err: True to print on standard error.
    """
    text, label = printable(text), printable(label)
    indent = columns(label)
    rows = _fitted(text, indent, width(sys.stderr if err else sys.stdout))
    for index, row in enumerate(rows):
        start = " " * indent if index else _style(label, label_looks)
        click.echo(start + _style(row, looks) if row else start.rstrip(), err=err)


def echo_table(rows: Sequence[Sequence[str]]) -> bool:
    """Print rows in columns, if they fit. The first row is the head.

    :return: False, without printing, if the terminal is too narrow.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell + " " * (room - columns(cell))
            for cell, room in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    room = width(sys.stdout)
    if room is not None and max(map(columns, lines)) > room:
        return False
    for index, line in enumerate(lines):
        click.secho(line, underline=index == 0)
    return True


def echo_json(value: Any) -> None:
    """Print JSON: on a terminal with all letters, elsewhere in ASCII."""
    readable = is_terminal(sys.stdout)
    text = json.dumps(value, indent=2, ensure_ascii=not readable)
    click.echo(printable(text, lines=True))


# -- the terminal --------------------------------------------------------------------


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; a closed stream is None."""
    return stream is not None and stream.isatty()


def width(stream: TextIO | None) -> int | None:
    """Return how many columns a stream has; None if it is not a terminal."""
    if stream is None or not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def wants_colour() -> bool | None:
    """Return whether the environment asks for colours or forbids them.

    ``NO_COLOR`` wins over ``FORCE_COLOR``, and that over ``TERM=dumb``.

    :return: None to use colours on terminals only.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def _style(text: str, looks: Looks) -> str:
    return click.style(text, **looks) if looks and text else text


# -- columns -------------------------------------------------------------------------


def columns(text: str) -> int:
    """Return the width of a text in a terminal, in columns."""
    return sum(_widths(text))


def wrap(text: str, room: int) -> list[str]:
    """Wrap a text into lines of at most *room* columns.

    Lines break at spaces and between wide characters such as Japanese ones. A word that
    is longer than a line breaks after punctuation, or where the line ends.
    """
    text = text.expandtabs(4)
    lines: list[str] = []
    while True:
        end = _end(text, room)
        if end == len(text):
            return [*lines, text]
        lines.append(text[:end].rstrip(" "))
        text = text[end:].lstrip(" ")


def _fitted(text: str, indent: int, terminal: int | None) -> Iterable[str]:
    # A narrower column would be unreadable.
    return [text] if terminal is None else wrap(text, max(terminal - indent, 20))


def _end(text: str, room: int) -> int:
    """Return the index at which the first line of a text ends."""
    widths = _widths(text)
    fits, taken = 0, 0
    for index, each in enumerate(widths):
        taken += each
        if taken > room and text[index:].strip(" "):
            break
        if index + 1 == len(text):
            return len(text)
        if widths[index + 1]:
            fits = index + 1
    for is_break in (_between_words, _after_punctuation):
        for index in range(fits, 0, -1):
            if widths[index] and is_break(text, index):
                return index
    return fits or _first(widths)


def _between_words(text: str, index: int) -> bool:
    before, after = text[index - 1], text[index]
    if before == " " or after == " ":
        return text[:index].strip(" ") != ""
    return _is_wide(after) and after not in _CLOSING and before not in _OPENING


def _after_punctuation(text: str, index: int) -> bool:
    return text[index - 1] in "/\\.,;:=&?(-_"


def _first(widths: Sequence[int]) -> int:
    """Return the index after the first character and its combining characters."""
    return next((i for i, each in enumerate(widths) if i and each), len(widths))


#: Characters that must not begin a line, and those that must not end one.
_CLOSING: Final = "、。，．！？）」』】〉》・ー…：；"
_OPENING: Final = "（「『【〈《"

_MODIFIERS: Final = re.compile("[\U0001f3fb-\U0001f3ff]")


def _widths(text: str) -> list[int]:
    """Return the width of each character, in columns; combining characters have 0."""
    if text.isascii():
        return [1] * len(text)
    widths = []
    for index, character in enumerate(text):
        before = text[index - 1] if index else ""
        joined = before == "\u200d" or (before and _MODIFIERS.match(character))
        each = 0 if joined else _width(character)
        # The variation selector turns a character into an emoji, which is wide.
        if each == 1 and text[index + 1 : index + 2] == "\ufe0f":
            each = 2
        widths.append(each)
    return widths


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    # Korean vowels and finals are drawn into the syllable before them.
    if "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if _is_wide(character) else 1


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")
