"""What is lost on a channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from ..channels import CHANNELS, REASONS, support
from .findings import Finding, hint, warning

_ALIASES: Final = {"webchat": "clustaar_web_chat", "messenger": "facebook"}


def channel_option(
    _: click.Context, __: click.Parameter, value: str | None
) -> str | None:
    """Read ``--channel``: a name as notifications have it, or as people say it."""
    if value is None:
        return None
    name = value.lower().replace(" ", "_").replace("-", "_")
    name = _ALIASES.get(name, name)
    if name not in CHANNELS:
        known = ", ".join(f"'{each}'" for each in CHANNELS)
        raise click.BadParameter(f"'{value}' is none of {known}.")
    return name


def lost(action_type: Any, channel: str, path: str) -> Iterator[Finding]:
    """Find out if a channel does not show an action.

    :param path: where the action is in the reply.
    """
    answer = support(action_type, channel)
    name = CHANNELS[channel]
    if answer == "?":
        yield hint(f"Nobody knows if {name} can show a '{action_type}'.", path)
    if answer == "-":
        reason = REASONS.get((action_type, channel), "it is not available there")
        yield warning(f"A '{action_type}' is lost on {name}: {reason}.", path)
