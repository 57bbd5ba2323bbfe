"""Notifications of several sizes, and their replies."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

JSON = dict[str, Any]

STEP_ID = "5a8c317624acbe05b1a36feb"
NEXT_STEP_ID = "5b2d317624acbe05b1a36fec"
TOPIC = "conversation.step_reached"

#: The placeholder for the number of a delivery.
_NUMBER = "{number}"


class Payload(NamedTuple):
    """A notification that is sent many times, each time with another number."""

    name: str
    document: JSON

    def template(self, **more: Any) -> Template:
        """Return the bodies of the deliveries.

        :param more: additional keys that a library requires.
        """
        text = _dumps(self.document | more)
        before, after = text.encode().split(_NUMBER.encode())
        return Template(before, after)


class Template(NamedTuple):
    """Bodies that differ only in a number."""

    before: bytes
    after: bytes

    def body(self, number: int) -> bytes:
        return b"%b%08d%b" % (self.before, number, self.after)


def _dumps(document: JSON) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


# -- notifications -------------------------------------------------------------------


def _button(title: str) -> JSON:
    target = {"type": "step", "id": NEXT_STEP_ID, "name": title}
    action = {"type": "go_to_action", "target": target, "sessionValues": None}
    return {"type": "button", "title": title, "action": action}


def _card(title: str, subtitle: str, page: str, *buttons: str) -> JSON:
    return {
        "type": "card",
        "title": title,
        "subtitle": subtitle,
        "alt": None,
        "imageURL": f"https://cdn.example.com/images/{page}.png",
        "url": f"https://www.example.com/{page}",
        "buttons": [_button(button) for button in buttons],
    }


def _quick_reply(title: str) -> JSON:
    return _button(title) | {"type": "quick_reply"}


#: Five typical actions of a step.
ACTIONS: list[JSON] = [
    {
        "type": "send_text_action",
        "alternatives": [
            "Bonjour {{@user.FirstName}}, ravi de vous revoir !",
            "Bienvenue dans notre boutique, que puis-je faire pour vous ?",
        ],
        "text": "Bonjour {{@user.FirstName}}, ravi de vous revoir !",
    },
    {
        "type": "send_cards_action",
        "cards": [
            _card("Café", "Torréfié cette semaine", "cafe", "Choisir", "Détails"),
            _card("Thé vert", "Récolte de printemps", "the", "Choisir", "Détails"),
            _card("Chocolat", "Noir, 70 % de cacao", "chocolat", "Choisir", "Détails"),
        ],
    },
    {
        "type": "send_quick_replies_action",
        "message": "Souhaitez-vous être livré ?",
        "buttons": [_quick_reply("À la maison"), _quick_reply("En boutique")],
    },
    {
        "type": "send_image_action",
        "imageURL": "https://cdn.example.com/images/boutique.png",
        "alt": "Notre boutique",
    },
    {"type": "wait_action", "duration": 2},
]


def _notification(actions: list[JSON], interlocutor: JSON, session: JSON) -> JSON:
    return {
        "topic": TOPIC,
        "botID": "507f1f77bcf86cd799439011",
        "timestamp": 1514998709,
        "type": "notification_event",
        "data": {
            "type": "step_reached_event",
            "channel": "facebook",
            "input": {"type": "message", "text": "bonjour", "attachments": []},
            "interlocutor": interlocutor,
            "session": {"values": session},
            "step": {
                "id": STEP_ID,
                "name": "Accueil",
                "userData": None,
                "actions": actions,
            },
        },
    }


_STRANGER: JSON = {"id": "507f1f77bcf86cd799439011", "externalID": _NUMBER}
_CUSTOMER: JSON = _STRANGER | {
    "userID": "c-20871",
    "location": {"lat": 48.85661, "long": 2.352222},
    "firstName": "Zoé",
    "lastName": "Martin",
    "email": "zoe.martin@example.com",
    "phoneNumber": "+33123456789",
    "customAttributes": {"age": "25", "city": "Paris", "loyalty": "gold"},
    "isLogged": True,
    "usedToTest": False,
}
#: The only action of a short step.
PAUSE: JSON = {"type": "pause_bot_action"}

_SESSION: JSON = {"size": "M", "basket": "2"}

_NAMES = ("Zoé", "Émile", "Ana", "Jean-Paul", "Fatima", "Liam", "Noor", "Chloé")


def of_user(number: int, actions: list[JSON] = ACTIONS) -> Payload:
    """Return a notification from one of many users.

    :param actions: those of the step.
    """
    first_name = _NAMES[number % len(_NAMES)]
    user = _CUSTOMER | {
        "id": f"507f1f77bcf86cd7{number:08x}",
        "externalID": f"x-{number}",
        "userID": f"c-{20_000 + number}",
        "firstName": first_name,
        "lastName": f"Martin{number}",
        "email": f"user.{number}@example.com",
        "phoneNumber": f"+336{number:08d}",
    }
    session = _SESSION | {"visit": _NUMBER}
    return Payload("typical", _notification(actions, user, session))


def of_size(size: int) -> Payload:
    """Return a notification of about *size* bytes, with enough actions."""
    actions: list[JSON] = []
    payload = Payload(f"{size:,}", _notification(actions, _CUSTOMER, _SESSION))
    missing = size - len(payload.template().body(0))
    lengths = [len(_dumps(action).encode()) + len(",") for action in ACTIONS]
    for action, length in itertools.cycle(zip(ACTIONS, lengths, strict=True)):
        if missing <= 0:
            break
        fits = length <= missing
        actions.append(action if fits else ACTIONS[0])
        missing -= length if fits else lengths[0]
    return payload


#: The three payloads of the main measurements, by name.
PAYLOADS: Mapping[str, Payload] = {
    "small": Payload(
        "small",
        _notification([PAUSE], _STRANGER, {}),
    ),
    "typical": Payload("typical", _notification(ACTIONS, _CUSTOMER, _SESSION)),
    "large": of_size(100_000)._replace(name="large"),
}


# -- replies -------------------------------------------------------------------------


def reply(payload: Payload, cards: int = 2) -> JSON:
    """Return the reply of the plain view and of all subjects of the extension.

    :param cards: the number of cards.
    """
    carousel = [
        {
            "type": "card",
            "title": f"Café n° {number}",
            "subtitle": "Un kilo, torréfié cette semaine",
            "imageURL": "https://cdn.example.com/images/cafe.png",
            "url": "https://www.example.com/cafe",
            "buttons": [_sent("button", "Choisir")],
        }
        for number in range(1, cards + 1)
    ]
    answers = [_sent("quick_reply", title) for title in ("À la maison", "En boutique")]
    text = "Voici ce que je peux vous proposer, Zoé :"
    return {
        "actions": [
            {"type": "send_text_action", "alternatives": [text], "text": text},
            {"type": "send_cards_action", "cards": carousel},
            {
                "type": "send_quick_replies_action",
                "message": "Souhaitez-vous être livré ?",
                "buttons": answers,
            },
        ],
        "session": payload.document["data"]["session"],
    }


def _sent(kind: str, title: str) -> JSON:
    target = {"type": "step", "id": NEXT_STEP_ID}
    action = {"type": "go_to_action", "target": target}
    return {"type": kind, "title": title, "action": action}
