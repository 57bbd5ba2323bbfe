"""What type checkers have to refuse: an exemption that none needs is an error here."""

from __future__ import annotations

from flask_clustaar import ClustaarWebhook, HandlerGroup, Notification
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Button,
    Card,
    Choice,
    GoToAction,
    OpenURLButton,
    QuickReply,
    SendCardsAction,
    ShareAction,
    WaitAction,
)

webhook = ClustaarWebhook()
group = HandlerGroup()

# Settings.

ClustaarWebhook(private_kay="k")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
ClustaarWebhook(private_key=1234)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ClustaarWebhook(dispatch="last")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ClustaarWebhook(None, "sales")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# Handlers and filters.

webhook.on(1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
webhook.on("x", filter="507f191e810c19729de860ea")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
webhook.on("x", filters=[StepID("a")])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
StepID("a") & "b"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def takes_nothing() -> None: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def takes_three(request: object, response: object, notification: object) -> None: ...


@group.fallback  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
def also_takes_nothing() -> None: ...


def read(notification: Notification) -> None:
    notification.interlocutor.firstName  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    notification.stepp  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


# Models.

WaitAction(2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
WaitAction(duration="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
QuickReply(title="Red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Card(title="Red", imageURL="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Choice(title="Paris", image_url=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SendCardsAction(cards=[Button(title="Buy", action=ShareAction())])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
OpenURLButton(title="Buy", action=ShareAction())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
QuickReply(title="Red", action=WaitAction())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
GoToAction(target="507f191e810c19729de860ea")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
