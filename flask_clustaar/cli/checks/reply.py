"""Check a reply: what the platform rejects, and what users do not see as intended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import click

from ...channels import CHANNELS, REASONS, support
from ...errors import InvalidReply, Violation
from ...replies import answer_of
from ...schemas import validate_model
from ...wire import JSON
from ..findings import Finding, rule

INVALID_REPLY = rule("invalid_reply", "error", "The platform rejects the reply.")
AFTER_JUMP = rule("after_jump", "warning", "An action is never executed.")
MARKUP = rule("markup", "warning", "A field that is plain text contains HTML.")
NOT_DRAWN = rule("not_drawn", "warning", "The webchat does not show a button.")
NO_MESSAGE = rule("no_message", "warning", "The webchat shows an empty bubble.")
SAME_TITLE = rule("same_title", "warning", "Two buttons have the same title.")
NOT_ON_CHANNEL = rule("not_on_channel", "warning", "A channel does not show an action.")
CHANNEL_UNDOCUMENTED = rule(
    "channel_undocumented", "hint", "Support for an action is not documented."
)
MESSENGER_LIMIT = rule("messenger_limit", "hint", "Messenger's limits are lower.")

WEBCHAT: Final = "clustaar_web_chat"


def check_reply(document: Any, channel: str | None) -> Iterator[Finding]:
    """Find mistakes in a reply as it is sent, that is, after cleaning.

    :param document: the JSON of a reply, a list of actions, or one action.
    :param channel: the channel that shows it; None for any.
    :raises click.ClickException: if the document is not one of these.
    """
    try:
        wire, violations = _validated(document)
    except InvalidReply as invalid:
        wire, violations = document, list(invalid.violations)
    for where, message in violations:
        yield INVALID_REPLY(message, where)
    yield from check_actions(wire, channel)


def check_actions(reply: JSON, channel: str | None) -> Iterator[Finding]:
    """Find what users do not see as intended, in a reply that may be invalid.

    :param channel: the channel that shows it; None for any. Unknown channels are not
        checked.
    """
    yield from _after_jumps(_numbered(reply, "actions"))
    for path, item in _objects(reply.get("actions"), "actions"):
        if channel in (None, WEBCHAT):
            yield from _check_webchat(path, item)
        if channel in CHANNELS:
            yield from _lost(item.get("type"), channel, path)
        if channel in (None, "facebook"):
            yield from _too_long_for_messenger(path, item)


def _validated(document: Any) -> tuple[JSON, list[Violation]]:
    try:
        answer = answer_of(document, "file")
    except TypeError:
        answer = None
    if answer is None:
        raise click.ClickException(
            "The file is not a reply. A reply is an object with 'actions', a list of "
            "actions, or one action."
        )
    return validate_model(answer.response)


def _objects(node: Any, path: str) -> Iterator[tuple[str, JSON]]:
    """Yield each object in *node*, with its path."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _objects(item, f"{path}.{index}")
    if isinstance(node, dict):
        yield path, node
        for key, item in node.items():
            yield from _objects(item, f"{path}.{key}")


def _after_jumps(actions: list[tuple[str, Any]]) -> Iterator[Finding]:
    """Find the actions after an unconditional jump (PROTOCOL 4)."""
    jump = None
    for path, action in actions:
        if jump is not None:
            yield AFTER_JUMP(
                f"This action is never executed, because the jump at {jump} has no "
                "condition. Put the jump last.",
                path,
            )
        elif isinstance(action, dict) and action.get("type") == "jump_to_action":
            jump = path if action.get("defaultTarget") is not None else None


# -- the webchat ---------------------------------------------------------------------

#: The fields that the webchat shows as plain text, by the type of their object.
_PLAIN: Final = {
    "card": ("title", "subtitle"),
    "simple_card": ("title", "subtitle"),
    "button": ("title",),
    "open_url_button": ("title",),
    "quick_reply": ("title",),
    "send_choices_list_action": ("message", "placeholder"),
    "section": ("title",),
    "choice": ("title",),
    "ask_location_action": ("message",),
    "customer_satisfaction_choice": ("label",),
}
#: The default types of objects, by the key of their list.
_TYPES: Final = {
    "send_quick_replies_action": ("buttons", "quick_reply"),
    "customer_satisfaction_action": ("choices", "customer_satisfaction_choice"),
}
#: Matches HTML: a tag, or a character reference such as '&lt;'.
_MARKUP: Final = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]+|#\w+);")
#: The webchat does not show a card's button with one of these actions.
_UNDRAWN: Final = (
    "legacy_reply_to_message_action",
    "customer_satisfaction_callback_action",
)


def _check_webchat(path: str, item: JSON) -> Iterator[Finding]:
    kind = item.get("type")
    kind = kind if isinstance(kind, str) else None
    yield from _markup(path, item, kind)
    key, inner = _TYPES.get(kind or "", ("", ""))
    for where, each in _numbered(item, key):
        if isinstance(each, dict) and each.get("type") is None:
            yield from _markup(f"{path}.{where}", each, inner)
    match kind:
        case "send_quick_replies_action" | "card" | "simple_card":
            yield from _same_titles(path, _titles(item, "buttons"))
        case "send_choices_list_action":
            choices = [
                (f"{section}.{choice}", title)
                for section, each in _numbered(item, "sections")
                for choice, title in _titles(each, "choices")
            ]
            yield from _same_titles(path, choices)
            if not item.get("message"):
                yield NO_MESSAGE(
                    "The list has no message, so the webchat shows an empty bubble. "
                    "Add a 'message'.",
                    path,
                )
    for where, button in _numbered(item, "buttons") if kind == "card" else ():
        action = button.get("action") if isinstance(button, dict) else None
        kind_of_action = action.get("type") if isinstance(action, dict) else None
        if kind_of_action in _UNDRAWN:
            yield NOT_DRAWN(
                "The webchat does not show a card's button with a "
                f"'{kind_of_action}'. Use a quick reply.",
                f"{path}.{where}",
            )


def _markup(path: str, item: JSON, kind: str | None) -> Iterator[Finding]:
    for key in _PLAIN.get(kind or "", ()):
        text = item.get(key)
        found = _MARKUP.search(text) if isinstance(text, str) else None
        if found:
            yield MARKUP(
                f"The webchat shows this field as plain text, so users see '{found[0]}'"
                " literally. Remove the HTML.",
                f"{path}.{key}",
            )


def _same_titles(path: str, titles: list[tuple[str, str]]) -> Iterator[Finding]:
    """Find buttons that the webchat cannot tell apart (PROTOCOL 4)."""
    seen: dict[str, str] = {}
    for where, title in titles:
        if title in seen:
            yield SAME_TITLE(
                f"{seen[title]} has the same title, and the webchat cannot tell the "
                "two apart. Use different titles.",
                f"{path}.{where}.title",
            )
        seen.setdefault(title, where)


# -- other channels ------------------------------------------------------------------


def _lost(action_type: Any, channel: str, path: str) -> Iterator[Finding]:
    """Find out whether a channel does not show an action."""
    answer = support(action_type, channel)
    name = CHANNELS[channel]
    if answer == "?":
        yield CHANNEL_UNDOCUMENTED(
            f"Support for '{action_type}' on {name} is not documented.", path
        )
    if answer == "-":
        reason = REASONS.get((action_type, channel), "it is not available there")
        yield NOT_ON_CHANNEL(
            f"'{action_type}' has no effect on {name}: {reason}.", path
        )


def _too_long_for_messenger(path: str, item: JSON) -> Iterator[Finding]:
    """Find texts and lists that only Messenger rejects as too long (PROTOCOL 5)."""
    texts: list[tuple[str, Any]] = []
    match item.get("type"):
        case "send_text_action":
            texts = [("text", item.get("text")), *_numbered(item, "alternatives")]
        case "send_quick_replies_action":
            texts = [("message", item.get("message"))]
            for where, title in _titles(item, "buttons"):
                if len(title) > 20:
                    yield _too_long(
                        f"{path}.{where}.title", len(title), "20 characters"
                    )
        case "send_cards_action":
            count = len(_numbered(item, "cards"))
            if count > 10:
                yield _too_long(f"{path}.cards", count, "10 cards")
    for where, text in texts:
        if isinstance(text, str) and len(text) > 500:
            yield _too_long(f"{path}.{where}", len(text), "500 characters")


def _too_long(path: str, length: int, most: str) -> Finding:
    return MESSENGER_LIMIT(
        f"Messenger accepts at most {most}; this has {length}.", path
    )


def _titles(item: Any, key: str) -> list[tuple[str, str]]:
    """Return the titles in the list at *key*, with the paths of their objects."""
    found = []
    for where, each in _numbered(item, key):
        title = each.get("title") if isinstance(each, dict) else None
        if isinstance(title, str):
            found.append((where, title))
    return found


def _numbered(item: Any, key: str) -> list[tuple[str, Any]]:
    """Return the items of the list at *key*, with their paths."""
    items = item.get(key) if isinstance(item, dict) else None
    if not isinstance(items, list):
        return []
    return [(f"{key}.{index}", each) for index, each in enumerate(items)]
