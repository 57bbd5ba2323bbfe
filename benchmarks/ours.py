"""The extension with all features on, and variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    Button,
    Card,
    GoToAction,
    QuickReply,
    SendCardsAction,
    SendQuickRepliesAction,
    SendTextAction,
)

from .payloads import NEXT_STEP_ID, STEP_ID, Payload, reply
from .subjects import Contender, Subject, new_app
from .views import PASSWORD, PRIVATE_KEY, USERNAME, signed

Handler = Callable[[Notification], Any]

#: The credentials and the key; all other settings have their defaults.
SECRETS: dict[str, Any] = {
    "private_key": PRIVATE_KEY,
    "auth_username": USERNAME,
    "auth_password": PASSWORD,
}


def build(
    payload: Payload,
    handler: Handler,
    *,
    handlers: int = 1,
    **settings: Any,
) -> Contender:
    """Create a bot.

    :param handler: what handles the step.
    :param handlers: how many there are, each for a step of its own.
    :param settings: what differs from :data:`SECRETS`.
    """
    app = new_app()
    webhook = ClustaarWebhook(app, **(SECRETS | settings))
    for number in range(handlers - 1):
        other = StepID(f"{number:024d}")
        webhook.on(events.CONVERSATION_STEP_REACHED, handler, filter=other)
    webhook.on(events.CONVERSATION_STEP_REACHED, handler, filter=StepID(STEP_ID))
    return Contender(app, payload.template(), signed)


# -- handlers ------------------------------------------------------------------------


def offer(notification: Notification, cards: int = 2) -> list[Action]:
    """Build the reply from models."""
    name = notification.interlocutor.first_name or "Zoé"
    return [
        SendTextAction(f"Voici ce que je peux vous proposer, {name} :"),
        SendCardsAction(
            cards=[
                Card(
                    title=f"Café n° {number}",
                    subtitle="Un kilo, torréfié cette semaine",
                    image_url="https://cdn.example.com/images/cafe.png",
                    url="https://www.example.com/cafe",
                    buttons=[
                        Button(title="Choisir", action=GoToAction.step(NEXT_STEP_ID))
                    ],
                )
                for number in range(1, cards + 1)
            ]
        ),
        SendQuickRepliesAction(
            message="Souhaitez-vous être livré ?",
            buttons=[
                QuickReply(title=title, action=GoToAction.step(NEXT_STEP_ID))
                for title in ("À la maison", "En boutique")
            ],
        ),
    ]


def read_all(notification: Notification) -> list[Action]:
    """Read all actions of the step first."""
    for action in notification.step.actions:
        if action.type == "":
            return []
    return offer(notification)


def watch(notification: Notification) -> None:
    """Return None: the step is sent back unchanged."""


def say(notification: Notification) -> str:
    """Reply with a text."""
    return "Bonjour !"


# -- subjects ------------------------------------------------------------------------


def everything(payload: Payload, **settings: Any) -> Contender:
    """Create the bot with all features on."""
    return build(payload, offer, **settings)


def _with_dicts(payload: Payload) -> Contender:
    answer = reply(payload)
    return build(payload, lambda notification: answer)


OURS = Subject(
    "flask_clustaar",
    "Credentials, signature, freshness, replays in memory, a typed notification, a "
    "handler found by its step, a reply of three actions built from models in the "
    "handler, cleaned and validated.",
    "ours",
    everything,
)


def _part(name: str, does: str, build: Callable[[Payload], Contender]) -> Subject:
    return Subject(name, does, "part", build)


#: The extension without each part, and with other handlers.
PARTS = [
    _part(
        "no replay store",
        "All features except the replay store: a repeated delivery runs again.",
        lambda payload: everything(payload, replay_store=None),
    ),
    _part(
        "a deadline",
        "All features. The handler runs in a thread, and has 5 seconds.",
        lambda payload: everything(payload, deadline=5),
    ),
    _part(
        "reply as dicts",
        "All features. The handler returns a fixed dict, also cleaned and validated.",
        _with_dicts,
    ),
    _part(
        "a text only",
        "All features. The handler returns one string.",
        lambda payload: build(payload, say),
    ),
    _part(
        "only watching",
        "All features. The handler returns None, and the step is sent back unchanged.",
        lambda payload: build(payload, watch),
    ),
    _part(
        "all actions read",
        "All features. The handler reads each action of the step as an object.",
        lambda payload: build(payload, read_all),
    ),
]
