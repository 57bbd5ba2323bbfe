"""What each channel can show (PROTOCOL 6)."""

from __future__ import annotations

from typing import Any, Final

import click

from .findings import Level

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


class Channel(click.ParamType):
    """The name of a channel, as notifications have it or as people say it."""

    name = "channel"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        name = str(value).lower().replace(" ", "_").replace("-", "_")
        name = _ALIASES.get(name, name)
        if name not in CHANNELS:
            known = ", ".join(f"'{each}'" for each in CHANNELS)
            self.fail(f"'{value}' is no channel that is known: {known}.", param, ctx)
        return name


def trouble(action_type: Any, channel: str) -> tuple[Level, str] | None:
    """Return what a channel does not do with an action; None if it shows it."""
    row = _SUPPORT.get(action_type) if isinstance(action_type, str) else None
    answer = row[list(CHANNELS).index(channel)] if row else "y"
    name = CHANNELS[channel]
    if answer == "?":
        return "hint", f"It is not known if {name} can show a '{action_type}'."
    if answer == "-":
        reason = _REASONS.get((action_type, channel), "it is not available there")
        return "warning", f"A '{action_type}' is lost on {name}: {reason}."
    return None
