"""Print the lines of a transcript."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..transcript import Line, Style
from .terminal import PLAIN, Looks, echo

_LOOKS: Final[dict[Style, Looks]] = {
    "bot": {"fg": "green"},
    "user": {"fg": "cyan"},
    "card": {},
    "button": {"fg": "blue", "bold": True},
    "info": {"dim": True},
    "problem": {"fg": "red"},
    "place": {"dim": True},
    "value": {"dim": True},
}


def say(lines: Iterable[Line]) -> None:
    """Print lines of a conversation."""
    for line in lines:
        echo(line.text, label=line.label, looks=_LOOKS.get(line.style, PLAIN))
