"""What each channel can show (PROTOCOL 6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from .findings import Finding, hint, warning

#: The channels by the names that notifications give them, or that they would have.
CHANNELS: Final = {
    "clustaar_web_chat": "the webchat",
    "facebook": "Messenger",
    "intercom": "Intercom",
    "iadvize": "iAdvize",
    "twilio": "Twilio",
    "google_assistant": "Google Assistant",
}

_ALIASES: Final = {"webchat": "clustaar_web_chat", "messenger": "facebook"}

# For each action, in the order of CHANNELS: 'y' it is shown, or does its work unseen;
# '-' it is not available; '?' no source tells. What is not here no source speaks of.
_SUPPORT: Final = {
    "send_text_action": "yyyyyy",
    "send_image_action": "y?????",
    "send_cards_action": "yy----",
    "send_simple_cards_action": "y??y??",
    "send_quick_replies_action": "yy-?--",
    "go_to_action": "yy-?--",
    "share_action": "-y----",
    "send_choices_list_action": "y?????",
    "customer_satisfaction_action": "yyyyyy",
    "google_custom_search_action": "yyy?yy",
    "send_js_event_action": "y-----",
    "ask_location_action": "-?????",
    "wait_action": "y?????",
    "pause_bot_action": "yyyyyy",
    "send_email_action": "yyyyyy",
    "set_user_attribute_action": "yyyyyy",
    "jump_to_action": "yyyyyy",
    "assign_intercom_conversation_action": "--y---",
    "close_intercom_conversation_action": "--y---",
    "transfer_iadvize_conversation_action": "---y--",
    "close_iadvize_conversation_action": "---y--",
}


_REASONS: Final = {
    ("share_action", "clustaar_web_chat"): "the button is there, and does nothing",
    ("ask_location_action", "clustaar_web_chat"): "its answer is never sent",
}


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
    row = _SUPPORT.get(action_type) if isinstance(action_type, str) else None
    answer = row[list(CHANNELS).index(channel)] if row else "y"
    name = CHANNELS[channel]
    if answer == "?":
        yield hint(f"Nobody knows if {name} can show a '{action_type}'.", path)
    if answer == "-":
        reason = _REASONS.get((action_type, channel), "it is not available there")
        yield warning(f"A '{action_type}' is lost on {name}: {reason}.", path)
