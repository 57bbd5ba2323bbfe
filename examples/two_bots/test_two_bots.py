"""The two bots."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from flask import Flask

from flask_clustaar.errors import SignatureInvalid
from flask_clustaar.models import (
    CreateUserRequestAction,
    PauseBotAction,
    SendEmailAction,
)
from flask_clustaar.security import sign
from flask_clustaar.testing import ClustaarClient
from two_bots import create_app

STEP = "507f191e810c19729de860ea"


@pytest.fixture
def app() -> Flask:
    return create_app(
        {
            "CLUSTAAR_SALES_PRIVATE_KEY": "key of sales",
            "CLUSTAAR_SUPPORT_PRIVATE_KEY": "key of support",
        }
    )


@pytest.fixture
def sales(app: Flask) -> ClustaarClient:
    return ClustaarClient(app, "sales")


@pytest.fixture
def support(app: Flask) -> ClustaarClient:
    return ClustaarClient(app, "support")


def test_order(sales: ClustaarClient) -> None:
    """An order is forwarded with the number in the text."""
    reply = sales.at(STEP, step_name="Order").say("I want 12 of them")

    assert ["Thank you! 12 pieces are on their way."] == reply.texts
    email = reply.actions[1]
    assert isinstance(email, SendEmailAction)
    assert "john@example.com orders 12 pieces." == email.content


def test_help(support: ClustaarClient) -> None:
    """A user who needs help gets a human agent, who sees the problem."""
    reply = support.at(STEP, step_name="Help").say("It is broken")

    assert ["A colleague will be with you in a moment."] == reply.texts
    assert CreateUserRequestAction(message="It is broken") == reply.actions[1]
    assert PauseBotAction() == reply.actions[2]


def test_text_message(app: Flask) -> None:
    """The support bot has another answer for text messages."""
    support = ClustaarClient(app, "support", channel="twilio")

    reply = support.at(STEP).say("Hello?")

    assert ["Please call us: +44 20 7946 0000"] == reply.texts


@pytest.mark.parametrize("name", ["sales", "support"])
def test_goodbye(app: Flask, name: str) -> None:
    """Both bots have the handlers of the common group."""
    reply = ClustaarClient(app, name).at(STEP, step_name="Goodbye").say("Bye")

    assert ["Goodbye John"] == reply.texts


def test_other_bots_handlers(support: ClustaarClient) -> None:
    """A bot does not have the handlers of the other bot."""
    made = {"type": "pause_bot_action"}

    reply = support.at(STEP, step_name="Order", actions=[made]).say("I want 12 of them")

    assert [made] == reply.json["actions"]


def test_other_bots_key(app: Flask) -> None:
    """A bot rejects requests signed with the other bot's key."""
    date = formatdate(usegmt=True)
    signature = sign("key of sales", date, b"{}")

    response = app.test_client().post(
        "/support", data=b"{}", headers={"Date": date, "X-Hub-Signature": signature}
    )

    assert SignatureInvalid.code == response.status_code
