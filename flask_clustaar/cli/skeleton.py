"""The files of a new bot; ``NAME`` in them is its name."""

from __future__ import annotations

from typing import Final

FILES: Final = {
    "app.py": '''\
"""The application NAME. 'flask run' finds it here."""

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
"""What NAME says when somebody reaches a step whose webhook is switched on."""

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import GoToAction, QuickReply, SendQuickRepliesAction

# The ids of the steps, as the platform has them. Put those of your bot here.
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
    return f"{notification.session.get('colour', 'No colour')} it is."


@webhook.fallback
def leave_as_it_is(notification):
    """Run all other steps as their builder made them."""
    return notification.step.actions
''',
    "test_bot.py": '''\
"""Tests of NAME. 'clustaar_client' is the user's side; Flask-Clustaar brings it."""

import pytest

from app import create_app
from handlers import WELCOME


@pytest.fixture
def app():
    return create_app({"CLUSTAAR_PRIVATE_KEY": "only for tests"})


def test_colour_that_was_clicked_is_repeated(clustaar_client):
    clustaar_client.at(WELCOME).say("Hi")
    reply = clustaar_client.click("Red")
    assert reply.texts == ["Red it is."]
    assert reply.session == {"colour": "Red"}
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

`handlers.py` says what it answers, `flask clustaar routes` lists who answers what, and
`flask clustaar check` looks for mistakes.

`.env` has the private key and the password that the platform has to know: copy them
into the settings of the bot there, beside the address of this webhook. Keep the file
to yourself.

`flask` reads `.env` by itself, other servers do not:

    pip install gunicorn
    set -a; . ./.env; set +a
    gunicorn "app:create_app()"
""",
}
