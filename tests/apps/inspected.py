"""A bot for the tests of the inspector's page."""

from __future__ import annotations

from typing import Any

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events, models
from flask_clustaar.filters import StepID

WELCOME = "507f191e810c19729de860a0"
COLOUR = "507f191e810c19729de860a1"
FAIL = "507f191e810c19729de860a2"
INVALID = "507f191e810c19729de860a3"
CARDS = "507f191e810c19729de860a4"
LIST = "507f191e810c19729de860a5"
HOSTILE = "507f191e810c19729de860a6"
NOBODY = "507f191e810c19729de860a7"
WALK = [f"507f191e810c19729de860b{number}" for number in range(10)]

app = Flask(__name__)
webhook = ClustaarWebhook(
    app,
    private_key="the private key of the bot",
    auth_username="platform",
    auth_password="the password of the bot",
)
on = webhook.on
TOPIC = events.CONVERSATION_STEP_REACHED

#: The quick replies of the welcome, and their targets.
OFFERS = {
    "Red": COLOUR,
    "Blue": COLOUR,
    "Fail": FAIL,
    "Invalid": INVALID,
    "Cards": CARDS,
    "List": LIST,
    "Hostile": HOSTILE,
    "Walk": WALK[0],
}


def offer(title: str, step: str) -> models.QuickReply:
    values = {"chosen": title}
    action = models.GoToAction.step(step, session_values=values)
    return models.QuickReply(title=title, action=action)


@on(TOPIC, filter=StepID(WELCOME))
def greet(notification: Notification) -> list[models.Action]:
    name = notification.interlocutor.first_name
    return [
        models.SendTextAction(alternatives=[f"Hello {name}"]),
        models.SendQuickRepliesAction(
            message="Which <b>colour</b>?",
            buttons=[offer(title, step) for title, step in OFFERS.items()],
        ),
    ]


@on(TOPIC, filter=StepID(COLOUR))
def colour(notification: Notification) -> str:
    notification.interlocutor.custom_attributes["colour"] = "known"
    return f"{notification.session.get('chosen')} it is."


@on(TOPIC, filter=StepID(FAIL))
def fail(notification: Notification) -> str:
    raise ValueError("no colour")


@on(TOPIC, filter=StepID(INVALID))
def invalid(notification: Notification) -> models.Action:
    return models.SendCardsAction(cards=[models.Card(title="x" * 81)])


def button(title: str, action: Any) -> models.Button:
    return models.Button(title=title, action=action)


@on(TOPIC, filter=StepID(CARDS))
def cards(notification: Notification) -> models.Action:
    return models.SendCardsAction(
        cards=[
            models.Card(
                title=f"Umbrella {number}",
                subtitle="19.50 EUR",
                url="https://shop.example.com/",
                buttons=[
                    button("Buy", models.GoToAction.step(COLOUR)),
                    button("Open", models.OpenURLAction(url="https://example.com/")),
                    button("Share", models.ShareAction()),
                ],
            )
            for number in range(3)
        ]
    )


def choice(title: str) -> models.Choice:
    return models.Choice(title=title, session_values={"chosen": title})


@on(TOPIC, filter=StepID(LIST))
def cities(notification: Notification) -> models.Action:
    return models.SendChoicesListAction(
        message="Pick a city",
        placeholder="City",
        action=models.GoToAction.step(COLOUR),
        sections=[
            models.Section(title="France", choices=[choice("Paris"), choice("Lyon")]),
            models.Section(title="England", choices=[choice("London")]),
        ],
    )


@on(TOPIC, filter=StepID(HOSTILE))
def hostile(notification: Notification) -> None:
    """Return the step unchanged: nothing of it is validated or cleaned."""


@on(TOPIC, filter=StepID(WALK))
def walk(notification: Notification) -> list[models.Action]:
    """Go from each of ten steps to the next one, in different ways."""
    number = WALK.index(str(notification.step.id))
    if number == 9:
        return [models.SendTextAction(alternatives=["The end."])]
    following = models.GoToAction.step(WALK[number + 1])
    kinds: list[models.Action] = [
        models.SendQuickRepliesAction(
            message=f"Step {number}",
            buttons=[models.QuickReply(title="Next", action=following)],
        ),
        models.SendCardsAction(
            cards=[
                models.Card(title=f"Step {number}", buttons=[button("Next", following)])
            ]
        ),
        models.SendChoicesListAction(
            message=f"Step {number}",
            placeholder="Choose",
            action=following,
            sections=[models.Section(choices=[models.Choice(title="Next")])],
        ),
    ]
    return [kinds[number % 3]]
