"""The shop's conversations."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask

from flask_clustaar.models import SendCardsAction, SendQuickRepliesAction
from flask_clustaar.testing import ClustaarClient
from shop import steps


def test_welcome(client: ClustaarClient) -> None:
    """The shop greets by name, shows bargains, and offers each kind once."""
    reply = client.at(steps.WINDOW).say("hello")

    assert "Hello John, welcome to the shop!" == reply.texts[0]
    _, bargains, question = reply.actions
    assert isinstance(bargains, SendCardsAction)
    assert ["Umbrella", "Straw hat"] == [card.title for card in bargains.cards]
    assert isinstance(question, SendQuickRepliesAction)
    titles = [button.title for button in question.buttons]
    assert ["Accessories", "Hats", "Shoes"] == titles


def test_welcome_of_somebody_without_a_name(app: Flask) -> None:
    """The name of a user may be unknown."""
    client = ClustaarClient(app, user={"first_name": None})

    reply = client.at(steps.WINDOW).say("hello")

    assert "Hello there, welcome to the shop!" == reply.texts[0]


def test_purchase(client: ClustaarClient) -> None:
    """The session contains the basket until the order."""
    client.start("Window").say("hello")
    client.click("Shoes")
    client.click("Buy", index=1)
    assert ["red-shoes"] == client.session["basket"]

    client.click("Look around")
    client.click("Hats")
    reply = client.click("Buy", index=0)
    assert ["red-shoes", "straw-hat"] == client.session["basket"]
    assert "Your basket, 83.00 EUR:" in reply.texts[0]

    reply = client.click("Check out")
    assert ["Thank you for your order of 83.00 EUR."] == reply.texts
    assert [] == client.session["basket"]

    client.say("bye")
    assert ["See you soon!"] == client.bubbles
    assert client.paused


def titles(client: ClustaarClient) -> list[str]:
    """Return the titles of the cards in the last reply."""
    assert client.reply is not None
    (action,) = client.reply.actions
    assert isinstance(action, SendCardsAction)
    return [card.title for card in action.cards]


def test_change_of_mind(client: ClustaarClient) -> None:
    """The latest click or message decides."""
    client.start("Window").say("hello")
    client.click("Shoes")
    assert ["Blue shoes", "Red shoes"] == titles(client)

    client.say("Hats")
    assert ["Straw hat", "Bowler hat"] == titles(client)
    client.say("accessories")
    assert ["Umbrella"] == titles(client)

    client.at("Window").say("hello")
    client.click("Hats")
    assert ["Straw hat", "Bowler hat"] == titles(client)


def test_basket_after_something_was_typed(client: ClustaarClient) -> None:
    """A message at the basket does not add a product."""
    client.start("Window").say("hello")
    client.click("Buy", index=0)
    client.say("thanks")
    client.say("thanks")

    assert ["umbrella"] == client.session["basket"]


def test_basket_that_is_looked_at_again(client: ClustaarClient) -> None:
    """Only a click adds a product; showing the basket does not."""
    client.go_to(steps.BASKET, session_values={"product": "umbrella"})

    client.go_to(steps.BASKET)

    assert ["umbrella"] == client.session["basket"]


def test_kind_that_is_written(client: ClustaarClient) -> None:
    """Typing the kind has the same effect as clicking it."""
    reply = client.at(steps.SHELF).say(" Hats ")

    (action,) = reply.actions
    assert isinstance(action, SendCardsAction)
    assert ["Straw hat", "Bowler hat"] == [card.title for card in action.cards]


def test_kind_that_does_not_exist(client: ClustaarClient) -> None:
    """The user can continue if there are no such products."""
    reply = client.at(steps.SHELF).say("elephants")

    assert "We have none of those." in reply.texts[0]
    assert client.click("Look around").ok


def test_empty_basket(client: ClustaarClient) -> None:
    """The user can continue if the basket is empty."""
    reply = client.go_to(steps.BASKET)

    assert "Your basket is empty." in reply.texts[0]
    assert client.click("Look around").ok


def test_full_basket(client: ClustaarClient) -> None:
    """A basket that is too long for a message is truncated."""
    client.session["basket"] = ["red-shoes"] * 500

    reply = client.go_to(steps.BASKET)

    assert "Your basket, 29500.00 EUR:" in reply.texts[0]


def test_other_step(client: ClustaarClient) -> None:
    """A step without a handler executes its own actions."""
    made = {"type": "send_hologram_action", "x": [1]}

    reply = client.at("507f191e810c19729de860ff", actions=[made]).say("hello")

    assert [made] == reply.json["actions"]


def test_documented_notification(client: ClustaarClient) -> None:
    """The two JSON files in this directory are a notification and its reply."""
    here = Path(__file__).parent

    reply = client.send((here / "notification.json").read_bytes())

    assert json.loads((here / "reply.json").read_text()) == reply.json
