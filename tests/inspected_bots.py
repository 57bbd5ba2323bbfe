"""A bot for the tests of the inspector, and the inspector around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events, models
from flask_clustaar.filters import StepID
from flask_clustaar.inspector.program import Program
from flask_clustaar.inspector.recorder import Recorder
from flask_clustaar.inspector.sending import Sender
from flask_clustaar.inspector.server import create_inspector
from flask_clustaar.inspector.store import Store
from flask_clustaar.recording.delivery import Delivery
from flask_clustaar.testing import make_notification

KEY = "the private key of the bot"
USERNAME, PASSWORD = "platform", "the password of the bot"
BASE_URL = "http://127.0.0.1:5000"

ASK = "507f191e810c19729de860ea"
ANSWER = "507f191e810c19729de860eb"
FAIL = "507f191e810c19729de860ec"
INVALID = "507f191e810c19729de860ed"
NOBODY = "507f191e810c19729de860ee"


def inspected_bot(**settings: Any) -> Flask:
    """Make an application whose bot asks for a colour, fails, or replies wrongly."""
    app = Flask("inspected_bot")
    webhook = ClustaarWebhook(
        app,
        **{
            "private_key": KEY,
            "auth_username": USERNAME,
            "auth_password": PASSWORD,
            **settings,
        },
    )
    on = webhook.on

    @on(events.CONVERSATION_STEP_REACHED, filter=StepID(ASK))
    def ask(notification: Notification) -> models.Action:
        notification.session["asked"] = True
        return models.SendQuickRepliesAction(
            message=f"Which colour, {notification.interlocutor.first_name}?",
            buttons=[
                models.QuickReply(
                    title=title,
                    action=models.GoToAction.step(
                        ANSWER, session_values={"colour": title}
                    ),
                )
                for title in ("Red", "Blue")
            ],
        )

    @on(events.CONVERSATION_STEP_REACHED, filter=StepID(ANSWER))
    def answer(notification: Notification) -> str:
        return f"{notification.session.get('colour')} it is."

    @on(events.CONVERSATION_STEP_REACHED, filter=StepID(FAIL))
    def fail(notification: Notification) -> str:
        raise ValueError("no colour")

    @on(events.CONVERSATION_STEP_REACHED, filter=StepID(INVALID))
    def invalid(notification: Notification) -> models.Action:
        return models.SendCardsAction(cards=[models.Card(title="x" * 81)])

    @app.get("/other")
    def other() -> str:
        return "something else"

    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


class Inspected:
    """An inspected bot, in this process."""

    def __init__(self, directory: Path, app: Flask | None = None) -> None:
        self.app = app or inspected_bot()
        self.store = Store(str(directory / "deliveries.db"))
        self.recorder = Recorder(self.app, self.store)
        self.program = Program(self.app, BASE_URL, name="inspected_bot")
        self.sender: Sender = self.program.sender()
        self.inspector = create_inspector(self.program, self.store)
        self.api = self.inspector.test_client()

    def send(self, step: str = ASK, how: str = "fresh", **options: Any) -> Delivery:
        """Send a notification as the chat does; return the last delivery."""
        ids = self.sender.send(body(step), "chat", how=how, **options)
        delivery = self.store.get(ids[-1])
        assert delivery is not None
        return delivery


def body(step: str = ASK, **options: Any) -> bytes:
    """Return the JSON of a notification."""
    return json.dumps(make_notification(step=step, **options).received).encode()
