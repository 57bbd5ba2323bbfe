"""Print the lines of a conversation, and warnings about replies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..transcript import Line, Style
from ..wire import JSON
from .application import warn
from .checks.reply import check_actions
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


def warn_of_reply(reply: JSON, channel: str | None) -> None:
    """Print a warning for everything in a reply that users do not see as intended."""
    for found in check_actions(reply, channel):
        if found.level != "hint":
            warn(f"{found.where}: {found.message}")
