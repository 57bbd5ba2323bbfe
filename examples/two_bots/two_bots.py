"""Two bots in one application: ``flask --app two_bots run``.

Each has its own URL and its own secrets: ``/sales`` with
``FLASK_CLUSTAAR_SALES_PRIVATE_KEY``, ``/support`` with
``FLASK_CLUSTAAR_SUPPORT_PRIVATE_KEY``. What both can do is in a group of its own.
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

#: What every bot of the house can do.
everywhere = HandlerGroup()

sales = HandlerGroup()
support = HandlerGroup()
#: Text messages cost, so there the support bot says little.
support_by_sms = HandlerGroup(filter=Channel("twilio"))


@everywhere.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Goodbye"))
def say_goodbye(notification: Notification) -> str:
    """Say goodbye."""
    return f"Goodbye {notification.interlocutor.first_name or ''}".strip()


@everywhere.fallback
def leave_as_it_is(notification: Notification) -> list[Action]:
    """Run all other steps as they were designed."""
    return notification.step.actions


@sales.on(
    events.CONVERSATION_STEP_REACHED,
    filter=StepName("Order") & TextMatches(r"(?P<pieces>\d+)"),
)
def order(notification: Notification) -> list[str | Action]:
    """Pass an order on."""
    assert notification.match, "The filter let it through."
    pieces = int(notification.match["pieces"])
    email = SendEmailAction(
        recipient="orders@example.com",
        subject=f"Order of {pieces}",
        content=f"{notification.interlocutor.email} orders {pieces} pieces.",
    )
    return [f"Thank you! {pieces} pieces are on their way.", email]


@support.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Help"))
def call_a_person(notification: Notification) -> list[str | Action]:
    """Let a person take over."""
    problem = notification.text or "No message"
    return [
        "A colleague will be with you in a moment.",
        CreateUserRequestAction(message=problem),
        PauseBotAction(),
    ]


@support_by_sms.fallback
def call_us(notification: Notification) -> str:
    """Answer anything that comes as a text message."""
    return "Please call us: +44 20 7946 0000"


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application."""
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
