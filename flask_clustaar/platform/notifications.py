"""Build notifications like those of the platform."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Mapping
from types import EllipsisType
from typing import Any, Final

from .. import events
from ..channels import WEBCHAT
from ..models import Action, Input, Interlocutor, Message, Notification, Step
from ..notifications import load_notification
from ..schemas.attributes import attributes_of
from ..wire import JSON
from .documents import encode, to_json

#: Default ids of the step and the bot.
STEP_ID: Final = "5a8c317624acbe05b1a36feb"
BOT_ID: Final = "507f1f77bcf86cd799439011"

#: Default name of a step.
STEP_NAME: Final = "A step"

NO_VALUES: Final[Mapping[str, Any]] = {}

#: Attributes of the default user.
JOHN_DOE: Final[Mapping[str, Any]] = {
    "id": "507f191e810c19729de860ea",
    "remote_id": "john",
    "first_name": "John",
    "last_name": "Doe",
    "email": "john@example.com",
    "is_logged": False,
    "used_to_test": False,
}


def make_notification(
    *,
    step: str | Step | JSON = STEP_ID,
    step_name: str | None = None,
    actions: Iterable[Action | JSON] = (),
    user_data: str | None = None,
    text: str = "hi",
    input: Input | JSON | EllipsisType | None = ...,
    session: Mapping[str, Any] | None = NO_VALUES,
    user: Interlocutor | Mapping[str, Any] = NO_VALUES,
    channel: str | None = WEBCHAT,
    bot_id: str | None = BOT_ID,
    topic: str = events.CONVERSATION_STEP_REACHED,
    timestamp: int | None = None,
) -> Notification:
    """Build a notification like those of the platform.

    Models are validated like a bot's reply. Dicts are used as JSON without validation,
    so that you can test unknown types.

    :param step: the id of the step that was reached; or a whole step, instead of the
        next three arguments.
    :param step_name: the name of the step.
    :param actions: the actions that the step has in the platform.
    :param user_data: value of the step's userData field.
    :param text: the user's message.
    :param input: another act of the user instead of *text*; None for no input.
    :param session: the session values; None for no session.
    :param user: attributes that override the default user, John Doe, by their names in
        :class:`~flask_clustaar.models.Interlocutor`; or the whole user.
    :param timestamp: Unix time, in seconds; None for now.
    :raises TypeError: if users have no such attribute.
    :raises ValueError: if the platform would never send a model.
    """
    data = {
        "type": "step_reached_event",
        "channel": channel,
        "input": to_json(Message(text=text) if input is ... else input),
        "interlocutor": to_json(as_interlocutor(user)),
        "session": None if session is None else {"values": dict(session)},
        "step": _step(step, step_name, actions, user_data),
    }
    document = {
        "topic": topic,
        "botID": bot_id,
        "type": "event",
        "timestamp": int(time.time()) if timestamp is None else timestamp,
        "data": data,
    }
    return load_notification(encode(document))


def _step(
    step: str | Step | JSON,
    name: str | None,
    actions: Iterable[Action | JSON],
    user_data: str | None,
) -> Any:
    actions = [to_json(action) for action in actions]
    if isinstance(step, str):
        named = {"id": step, "name": STEP_NAME if name is None else name}
        return named | {"userData": user_data, "actions": actions}
    if name is not None or actions or user_data is not None:
        raise TypeError(
            "Pass either a whole step, or 'step_name', 'actions' and 'user_data'."
        )
    return to_json(step)


def as_interlocutor(user: Interlocutor | Mapping[str, Any]) -> Interlocutor:
    """Return *user* itself, or John Doe with these attributes.

    :raises TypeError: if users have no such attribute.
    """
    if isinstance(user, Interlocutor):
        return user
    keys = {attribute.name: attribute.key for attribute in attributes_of(Interlocutor)}
    for name in user:
        if name not in keys:
            near = [each for each, key in keys.items() if key == name]
            near += difflib.get_close_matches(name, keys, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise TypeError(
                f"Users have no attribute '{name}'.{hint} Custom attributes "
                f"belong in 'custom_attributes': {{'{name}': '...'}}."
            )
    return Interlocutor(**{**JOHN_DOE, **user})
