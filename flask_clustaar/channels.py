"""Names of the channels of the platform, and what each can show."""

from __future__ import annotations

from typing import Any, Final

#: The webchat.
WEBCHAT: Final = "clustaar_web_chat"
#: Facebook Messenger.
MESSENGER: Final = "facebook"
#: Intercom.
INTERCOM: Final = "intercom"
#: iAdvize.
IADVIZE: Final = "iadvize"
#: Zendesk.
ZENDESK: Final = "zendesk"
#: Twilio (SMS).
TWILIO: Final = "twilio"
#: Google Assistant.
GOOGLE_ASSISTANT: Final = "google_assistant"

#: The channels that are known, by their names in notifications. Only the first three
#: names are documented; the platform can add others.
CHANNELS: Final = {
    WEBCHAT: "the webchat",
    MESSENGER: "Messenger",
    INTERCOM: "Intercom",
    IADVIZE: "iAdvize",
    TWILIO: "Twilio",
    GOOGLE_ASSISTANT: "Google Assistant",
    ZENDESK: "Zendesk",
}

# For each action, in the order of CHANNELS: 'y' it is shown, or does its work unseen;
# '-' it is not available; '?' no source tells. What is not here no source speaks of:
# other actions, and Zendesk, which is last.
SUPPORT: Final[dict[str, str]] = {
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


#: Why an action is lost on a channel, where that is known.
REASONS: Final = {
    ("share_action", "clustaar_web_chat"): "the button is there, and does nothing",
    ("ask_location_action", "clustaar_web_chat"): "its answer is never sent",
}


def support(action_type: Any, channel: str) -> str:
    """Return if a channel shows an action: ``y`` for yes, ``-`` for no, ``?`` if no
    source tells.

    :param action_type: the type of an action or of a button's action.
    :param channel: one of :data:`CHANNELS`.
    """
    row = SUPPORT.get(action_type, "") if isinstance(action_type, str) else ""
    return dict(zip(CHANNELS, row, strict=False)).get(channel, "y")
