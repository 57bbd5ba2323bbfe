"""The files of a new bot; ``NAME`` in them is replaced by its name."""

from __future__ import annotations

from typing import Final

FILES: Final = {
    "app.py": '''\
"""The application NAME, which 'flask run' finds here."""

from flask import Flask

from handlers import webhook


def create_app(config=None):
    app = Flask(__name__)
    app.config.from_prefixed_env()  # FLASK_CLUSTAAR_PRIVATE_KEY=..., also in '.env'
    app.config.from_mapping(config)
    webhook.init_app(app)
    return app
''',
    "handlers.py": '''\
"""The handlers of NAME: the bot's reply at each step."""

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import GoToAction, QuickReply, SendQuickRepliesAction

# The ids of the steps. Replace them with those of your bot.
WELCOME = "507f191e810c19729de860ea"
COLOUR = "507f191e810c19729de860eb"

webhook = ClustaarWebhook()


@webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(WELCOME))
def welcome(notification):
    name = notification.interlocutor.first_name or "there"
    return SendQuickRepliesAction(
        message=f"Hello {name}! Which colour do you like?",
        buttons=[
            QuickReply(
                title=title,
                action=GoToAction.step(COLOUR, session_values={"colour": title}),
            )
            for title in ("Red", "Blue")
        ],
    )


@webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(COLOUR))
def colour(notification):
    colour = notification.clicked.get("colour") or notification.text
    return f"{colour} it is."


@webhook.fallback
def leave_as_it_is(notification):
    """Execute the actions that all other steps have in the platform."""
    return notification.step.actions
''',
    "test_bot.py": '''\
"""Tests of NAME. The fixture 'clustaar_client' plays the user."""

import pytest

from app import create_app
from handlers import COLOUR, WELCOME


@pytest.fixture
def app():
    return create_app({"CLUSTAAR_PRIVATE_KEY": "only for tests"})


def test_bot_repeats_the_clicked_colour(clustaar_client):
    clustaar_client.at(WELCOME).say("Hi")
    reply = clustaar_client.click("Red")
    assert reply.texts == ["Red it is."]
    assert reply.session == {"colour": "Red"}


def test_colour_that_was_typed_is_repeated(clustaar_client):
    clustaar_client.at(WELCOME).say("Hi")
    clustaar_client.click("Red")
    assert clustaar_client.at(COLOUR).say("Green").texts == ["Green it is."]
''',
    "requirements.txt": """\
Flask-Clustaar
python-dotenv
pytest
""",
    ".gitignore": """\
.env
.venv/
__pycache__/
""",
    "README.md": """\
# NAME

A bot for the Clustaar platform.

    pip install -r requirements.txt
    flask clustaar chat        # talk to it, in the terminal
    pytest                     # test it
    flask run                  # start it: http://127.0.0.1:5000/clustaar

`handlers.py` contains the handlers. `flask clustaar routes` lists them, and
`flask clustaar check` finds mistakes.

All handlers that match a step contribute to the reply. If only the first one should
answer, add `FLASK_CLUSTAAR_DISPATCH=first` to `.env`, and write special handlers above
general ones.

`.env` contains the private key and the password. Copy them into the bot's settings in
the platform, with the URL of this webhook. Do not commit or share the file.

`flask` reads `.env` itself; other servers do not. In production, use several threads
or workers: a server with one thread answers one user at a time.

    pip install gunicorn
    set -a; . ./.env; set +a
    gunicorn --threads 8 "app:create_app()"
""",
}
