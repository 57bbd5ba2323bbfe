"""Conversations with the bot, as tests."""

import pytest

from flask_clustaar.models import JumpToAction, PauseBotAction
from reservations import DONE, GUESTS, create_app


@pytest.fixture
def app():
    return create_app({"CLUSTAAR_PRIVATE_KEY": "only for tests"})


def test_clicks(clustaar_client):
    """A user who clicks gets a table."""
    assert clustaar_client.at(GUESTS).say("hello").titles == ["2", "4", "6"]
    assert clustaar_client.click("4").titles == ["Today", "Tomorrow"]
    reply = clustaar_client.click("Tomorrow")
    assert reply.texts == ["A table for 4, tomorrow. See you then!"]


def test_typed_number(clustaar_client):
    """A number that the user types is stored."""
    reply = clustaar_client.at(GUESTS).say("5")
    assert reply.session == {"guests": "5"}


def test_other_steps(clustaar_client):
    """A step without a handler executes its own actions."""
    client = clustaar_client.at("5a8c317624acbe05b1a36feb", actions=[PauseBotAction()])
    assert client.say("hello").actions == [PauseBotAction()]


def test_no_guests(clustaar_client):
    """A table for nobody is not reserved."""
    reply = clustaar_client.at(GUESTS).say("0")
    assert reply.texts == ["Please write a number from 1 on."]


def test_many_guests(clustaar_client):
    """A colleague takes over for more than 12 guests."""
    reply = clustaar_client.at(GUESTS).say("20")
    assert reply.actions[-1] == PauseBotAction()


def test_missing_values(clustaar_client):
    """Without guests and day, the bot starts again."""
    reply = clustaar_client.at(DONE).say("hello")
    assert reply.actions == [JumpToAction.step(GUESTS)]
