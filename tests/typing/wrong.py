"""Type errors that checkers must report; unnecessary ignores are errors."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

import functools

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
from flask_clustaar.routing import Handler

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


# Arguments and return types of handlers.


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def takes_a_text(text: str) -> None: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_a_number(notification: Notification) -> int: ...


@webhook.on_step("a")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_a_quick_reply(notification: Notification) -> QuickReply: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_cards(notification: Notification) -> list[Card]: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_a_button_action(notification: Notification) -> GoToAction: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_bytes(notification: Notification) -> bytes: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_a_class(notification: Notification) -> type[WaitAction]: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def answers_a_maybe(notification: Notification) -> WaitAction | bool: ...


@webhook.on("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
async def answers_a_number_later(notification: Notification) -> float: ...


@group.fallback  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
def falls_back_on_a_number(notification: Notification) -> int: ...


class Orders:
    def method(self, notification: Notification) -> Notification: ...

    async def later(self, notification: str) -> None: ...


webhook.on("x", Orders().method)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
webhook.on("x", Orders().later)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
webhook.on("x", functools.partial(takes_three, None))  # pyright: ignore[reportArgumentType, reportCallIssue]
webhook.on("x", lambda notification: 5)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
webhook.on_step(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
HandlerGroup(alone="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@webhook.errorhandler(KeyError)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def sorry_with_a_number(error: KeyError) -> int: ...


@webhook.errorhandler("KeyError")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def sorry(error: KeyError) -> str: ...


@webhook.around  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def not_a_context_manager(notification: Notification, handler: Handler) -> None: ...


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
