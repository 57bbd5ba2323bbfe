"""The smallest bot."""

from __future__ import annotations

import pytest

with pytest.warns(UserWarning, match="unauthenticated requests"):
    from quickstart import app

from flask_clustaar.models import PauseBotAction
from flask_clustaar.testing import ClustaarClient


def test_greeting() -> None:
    """The bot greets at its step."""
    reply = ClustaarClient(app).at("507f191e810c19729de860ea").say("hello")

    assert ["Hello John"] == reply.texts


def test_other_step() -> None:
    """All other steps execute their own actions."""
    client = ClustaarClient(app).at(
        "507f191e810c19729de860ff", actions=[PauseBotAction()]
    )

    assert [PauseBotAction()] == client.say("hello").actions
