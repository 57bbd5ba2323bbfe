"""Two bots in one application: ``flask --app two_bots run``.

Each has its own URL and its own secrets: ``/sales`` with
``FLASK_CLUSTAAR_SALES_PRIVATE_KEY``, ``/support`` with
``FLASK_CLUSTAAR_SUPPORT_PRIVATE_KEY``. A group has the handlers of both bots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from flask_clustaar import ClustaarWebhook, HandlerGroup, Notification, events
from flask_clustaar.filters import Channel, StepName, TextMatches
from flask_clustaar.models import (
    Action,
    CreateUserRequestAction,
    PauseBotAction,
    SendEmailAction,
)

#: The handlers of both bots.
everywhere = HandlerGroup()

sales = HandlerGroup()
support = HandlerGroup()
#: Text messages cost money, so the support bot sends short ones.
support_by_sms = HandlerGroup(filter=Channel("twilio"))


@everywhere.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Goodbye"))
def say_goodbye(notification: Notification) -> str:
    """Say goodbye."""
    return f"Goodbye {notification.interlocutor.first_name or ''}".strip()


@everywhere.fallback
def leave_as_it_is(notification: Notification) -> list[Action]:
    """Execute the actions that all other steps have in the platform."""
    return notification.step.actions


@sales.on(
    events.CONVERSATION_STEP_REACHED,
    filter=StepName("Order") & TextMatches(r"(?P<pieces>\d+)"),
)
def order(notification: Notification) -> list[str | Action]:
    """Forward an order by e-mail."""
    assert notification.match, "The filter has matched."
    pieces = int(notification.match["pieces"])
    email = SendEmailAction(
        recipient="orders@example.com",
        subject=f"Order of {pieces}",
        content=f"{notification.interlocutor.email} orders {pieces} pieces.",
    )
    return [f"Thank you! {pieces} pieces are on their way.", email]


@support.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Help"))
def call_a_person(notification: Notification) -> list[str | Action]:
    """Let a human agent take over."""
    problem = notification.text or "No message"
    return [
        "A colleague will be with you in a moment.",
        CreateUserRequestAction(message=problem),
        PauseBotAction(),
    ]


@support_by_sms.fallback
def call_us(notification: Notification) -> str:
    """Answer every text message."""
    return "Please call us: +44 20 7946 0000"


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Create the application."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    app.config.from_mapping(config)

    for name, groups in {
        "sales": [sales, everywhere],
        "support": [support, support_by_sms, everywhere],
    }.items():
        webhook = ClustaarWebhook(app, name=name)
        for group in groups:
            webhook.include(group)
    return app
