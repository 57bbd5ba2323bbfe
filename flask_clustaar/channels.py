"""The channels of the platform, and the actions that each supports."""

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

#: The known channels, by their names in notifications. Only the first three names are
#: documented; the platform may add more.
CHANNELS: Final = {
    WEBCHAT: "the webchat",
    MESSENGER: "Messenger",
    INTERCOM: "Intercom",
    IADVIZE: "iAdvize",
    TWILIO: "Twilio",
    GOOGLE_ASSISTANT: "Google Assistant",
    ZENDESK: "Zendesk",
}

# Support of each action, in the order of CHANNELS: 'y' supported; '-' not supported;
# '?' not documented. Other actions and Zendesk, the last channel, are not documented.
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


#: The reasons why actions have no effect on a channel, if known.
REASONS: Final = {
    ("share_action", "clustaar_web_chat"): "the button is shown, but has no effect",
    ("ask_location_action", "clustaar_web_chat"): "the user's answer is never sent",
}


def support(action_type: Any, channel: str) -> str:
    """Return whether a channel supports an action.

    :param action_type: the type of an action or of a button's action.
    :param channel: one of :data:`CHANNELS`.
    :return: ``y`` for yes, ``-`` for no, ``?`` if it is not documented.
    """
    row = SUPPORT.get(action_type, "") if isinstance(action_type, str) else ""
    return dict(zip(CHANNELS, row, strict=False)).get(channel, "y")
