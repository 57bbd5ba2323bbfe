"""Write a recorded conversation as a story."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from werkzeug.wrappers import Response

from ..models import GoToAction, Notification, StepTarget
from ..notifications import load_notification
from ..platform.conversation import Conversation
from ..platform.offers import Clickable
from ..wire import copy_json
from .reader import Line, Recorded

#: A conversation ends after this pause, in seconds.
PAUSE: Final = 1800


def conversation_of(wanted: Recorded, lines: Iterable[Line]) -> list[Recorded]:
    """Return the requests of the conversation that contains a request.

    :param wanted: the request.
    :param lines: the lines of its recording.
    """
    user, found = _user(wanted), list[Recorded]()
    for line in lines:
        if not isinstance(line, Recorded) or _user(line) != user:
            continue
        if found and (line.at or 0) - (found[-1].at or 0) > PAUSE:
            if found[-1].line >= wanted.line:
                break
            found.clear()
        found.append(line)
    return found


def write_story(conversation: list[Recorded], path: Path) -> list[str]:
    """Write a conversation as a story, with the names that ``bot.json`` has beside it.

    :return: the ids of the steps that a bot file has to describe, because they have
        actions or user data.
    :raises FileExistsError: if the file exists.
    """
    if path.exists():
        raise FileExistsError(f"'{path}' already exists")
    replies: list[Response] = []
    beside = path.with_name("bot.json")  # As the plugin of pytest does.
    bot = beside if beside.exists() else None
    played = Conversation(lambda body: replies[-1], bot=bot)
    described = set()
    for recorded in conversation:
        notification = load_notification(_without_name(recorded.request))
        if notification.step.actions or notification.step.user_data is not None:
            described.add(str(notification.step.id))
        reply, status = recorded.reply, recorded.status
        replies.append(Response(reply, status, content_type="application/json"))
        _play(played, notification, replies[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{played}\n", encoding="utf-8")
    return sorted(described)


def _play(played: Conversation, sent: Notification, response: Response) -> None:
    """Add a request and its reply to the conversation."""
    for offer in played.offers:
        if _leads_to(offer, sent, played):
            same = [each for each in played.offers if each.title == offer.title]
            if len(same) == 1:
                played.press(offer)
            else:
                played.click(offer.title, index=same.index(offer))
            return
    if not isinstance(sent.input, GoToAction):
        played._send(sent, lambda: response)
        return
    played.session, played.user = copy_json(sent.session.values), sent.interlocutor
    played.channel = sent.channel
    played.go_to(str(sent.step.id))


def _leads_to(offer: Clickable, sent: Notification, played: Conversation) -> bool:
    """Return whether a click makes the platform send this request."""
    action = offer.action
    if not isinstance(action, GoToAction) or not isinstance(action.target, StepTarget):
        return False
    return (
        isinstance(sent.input, GoToAction)
        and sent.step.id == action.target.step_id
        and sent.session.values == played.session | (action.session_values or {})
        and sent.interlocutor == played.user
    )


def _without_name(request: bytes) -> bytes:
    """Return a request without the name of its step, so that the story uses the id.

    Only a bot file knows the step of a name.
    """
    document = msgspec.json.decode(request)
    data = document.get("data") if isinstance(document, dict) else None
    step = data.get("step") if isinstance(data, dict) else None
    if isinstance(step, dict):
        step["name"] = None
    return msgspec.json.encode(document)


def _user(recorded: Recorded) -> Any:
    """Return the key of the user's conversation."""
    try:
        data = msgspec.json.decode(recorded.request)["data"]
        return recorded.webhook, data["interlocutor"]["id"]
    except (msgspec.DecodeError, LookupError, TypeError):
        return None
