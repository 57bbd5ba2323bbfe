"""How a conversation is printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import click

from ..transcript import Line, Style

_LOOKS: Final[dict[Style, dict[str, Any]]] = {
    "bot": {"fg": "green"},
    "user": {"fg": "cyan"},
    "card": {},
    "button": {"fg": "blue", "bold": True},
    "info": {"dim": True},
    "problem": {"fg": "red"},
}


def say(speaker: str, lines: Iterable[Line]) -> None:
    """Print what somebody says; without a terminal, without colours."""
    for line in lines:
        looks = _LOOKS[line.style] if line.text else {}
        text = click.style(line.text, **looks) if looks else line.text
        click.echo(f"{speaker:<5}{text}".rstrip())
        speaker = ""
