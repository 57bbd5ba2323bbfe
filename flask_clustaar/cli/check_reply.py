"""What is wrong with a reply, and what will not come out as meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from ..errors import InvalidReply, Violation
from ..replies import answer_of
from ..schemas import validate_model
from ..wire import JSON
from .channels import lost
from .findings import Finding, error, hint, warning


def check_reply(document: Any, channel: str | None) -> Iterator[Finding]:
    """Find the mistakes in a reply, as it leaves: cleaned.

    :param document: the reply, or what else a handler can return as JSON: a list of
        actions, or one.
    :param channel: where it is shown, if that is known.
    :raises click.ClickException: if the document is nothing of the kind.
    """
    try:
        wire, violations = _judged(document)
    except InvalidReply as invalid:
        wire, violations = document, list(invalid.violations)
    for where, message in violations:
        yield error(message, where)
    actions = _numbered(wire, "actions")
    yield from _dead_actions(actions)
    for path, item in _objects(wire.get("actions"), "actions"):
        yield from _same_titles(path, item)
        if channel is not None:
            yield from lost(item.get("type"), channel, path)
        if channel in (None, "facebook"):
            yield from _too_long_for_messenger(path, item)


def _judged(document: Any) -> tuple[JSON, list[Violation]]:
    try:
        answer = answer_of(document, "file")
    except TypeError:
        answer = None
    if answer is None:
        raise click.ClickException(
            "The file is no reply: that is an object with 'actions', a list of "
            "actions, or one."
        )
    return validate_model(answer.response)


def _objects(node: Any, path: str) -> Iterator[tuple[str, JSON]]:
    """Yield each object in *node* that is of some type, with its path."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _objects(item, f"{path}.{index}")
    if isinstance(node, dict):
        yield path, node
        for key, item in node.items():
            yield from _objects(item, f"{path}.{key}")


def _dead_actions(actions: list[tuple[str, Any]]) -> Iterator[Finding]:
    """Find what stands after a jump that always fires (PROTOCOL 4)."""
    jump = None
    for path, action in actions:
        if jump is not None:
            yield warning(
                f"It is never executed: the jump at {jump} always fires. Put it last.",
                path,
            )
        elif isinstance(action, dict) and action.get("type") == "jump_to_action":
            jump = path if action.get("defaultTarget") is not None else None


def _same_titles(path: str, item: JSON) -> Iterator[Finding]:
    """Find quick replies that the webchat cannot tell apart (PROTOCOL 4)."""
    if item.get("type") != "send_quick_replies_action":
        return
    seen: dict[str, str] = {}
    for where, title in _titles(item):
        if title in seen:
            yield hint(
                f"It is the title of {seen[title]}, too, and the webchat cannot tell "
                "the two apart.",
                f"{path}.{where}",
            )
        seen.setdefault(title, where)


def _too_long_for_messenger(path: str, item: JSON) -> Iterator[Finding]:
    """Find what the platform takes and Messenger does not (PROTOCOL 5)."""
    texts: list[tuple[str, Any]] = []
    match item.get("type"):
        case "send_text_action":
            texts = [("text", item.get("text")), *_numbered(item, "alternatives")]
        case "send_quick_replies_action":
            texts = [("message", item.get("message"))]
            for where, title in _titles(item):
                if len(title) > 20:
                    yield _too_long(f"{path}.{where}", len(title), "20 characters")
        case "send_cards_action":
            count = len(_numbered(item, "cards"))
            if count > 10:
                yield _too_long(f"{path}.cards", count, "10 cards")
    for where, text in texts:
        if isinstance(text, str) and len(text) > 500:
            yield _too_long(f"{path}.{where}", len(text), "500 characters")


def _too_long(path: str, length: int, most: str) -> Finding:
    return hint(f"Messenger takes {most} at most, and there are {length}.", path)


def _titles(item: JSON) -> Iterator[tuple[str, str]]:
    """Yield the titles of quick replies, with their paths."""
    for where, button in _numbered(item, "buttons"):
        title = button.get("title") if isinstance(button, dict) else None
        if isinstance(title, str):
            yield f"{where}.title", title


def _numbered(item: JSON, key: str) -> list[tuple[str, Any]]:
    """Return the items of the list at *key*, with their paths."""
    items = item.get(key)
    if not isinstance(items, list):
        return []
    return [(f"{key}.{index}", each) for index, each in enumerate(items)]
