"""Programs that type checkers must accept, with the inferred types."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, assert_type

from flask import Flask

from flask_clustaar import Answer, ClustaarWebhook, HandlerGroup, Notification, events
from flask_clustaar.errors import PROBLEMS, InvalidReply, ProblemError, Violation
from flask_clustaar.filters import Filter, JSONKeyEquals, StepID
from flask_clustaar.installation import Installation
from flask_clustaar.models import (
    Action,
    ButtonAction,
    ConversationSession,
    GoToAction,
    Input,
    Interlocutor,
    Message,
    OpenURLAction,
    QuickReply,
    SendQuickRepliesAction,
    SendTextAction,
    Step,
    StepReachedResponse,
    StepTarget,
    WaitAction,
)
from flask_clustaar.routing import Call, Handler
from flask_clustaar.settings import Settings
from flask_clustaar.testing import ClustaarClient, Reply, make_notification
from flask_clustaar.truncation import truncate

app = Flask(__name__)
webhook = ClustaarWebhook(
    app, name="sales", private_key=["new", b"old"], request_max_age=None
)
group = HandlerGroup(filter=StepID("507f191e810c19729de860ea"))


# A decorator returns the same function.


@webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID("a", "b"))
def greet(notification: Notification, greeting: str = "Hello") -> str:
    return f"{greeting} {notification.interlocutor.first_name}"


@group.fallback
def stay_silent(notification: Notification) -> None:
    assert_type(notification.match, re.Match[str] | None)


@group.fallback("some.topic")
async def wait(notification: Notification) -> list[Action]:
    return [WaitAction(duration=1)]


webhook.include(group)
assert_type(greet(make_notification(), "Hi"), str)
assert_type(webhook.on("x", greet)(make_notification()), str)


@webhook.on("x", filter=lambda notification: notification.channel == "facebook")
def watch(notification: Notification) -> None:
    assert_type(notification.topic, str)
    assert_type(notification.text, str)
    assert_type(notification.input, Input | None)
    assert_type(notification.interlocutor, Interlocutor)
    assert_type(notification.interlocutor.email, str | None)
    assert_type(notification.session, ConversationSession)
    assert_type(notification.session.get("name"), Any)
    assert_type(notification.step, Step)
    assert_type(notification.step.actions, list[Action])
    match notification.input:
        case Message(text=text):
            assert_type(text, str)
        case GoToAction(target=StepTarget(step_id=step_id)):
            assert_type(step_id, str)
        case _:
            pass


# Models are dataclasses.

button = QuickReply(title="Red", action=OpenURLAction(url="https://example.com"))
assert_type(button.title, str)
assert_type(button.action, ButtonAction)
assert_type(WaitAction().duration, float)
assert_type(SendTextAction("Hello").text, str | None)
assert_type(GoToAction.step("507f191e810c19729de860ea"), GoToAction)
StepReachedResponse(
    actions=[SendQuickRepliesAction(message="Which?", buttons=[button])],
    session=ConversationSession(values={"a": [1, None]}),
)

# Filters compose, also with functions.

both = StepID("a") & JSONKeyEquals("user.id", 1) | ~StepID(["b"])
assert_type(both & (lambda notification: True), Filter)
assert_type(both({"user": {"id": 1}}), bool)
assert_type(both.explain({}), str)

# What else is there to be held.

assert_type(webhook.installation(app), Installation)
assert_type(webhook.installation(app).settings, Settings)
assert_type(webhook.handlers, tuple[Handler, ...])
assert_type(InvalidReply().violations, tuple[Violation, ...])
assert_type(PROBLEMS["no_handler"], type[ProblemError])
assert_type(ClustaarClient(app).say("hello"), Reply)
assert_type(truncate("text", 10), str)
assert_type(truncate("text", QuickReply, "title"), str)


# Handlers of all kinds, and all that they may return.


class LazyString:
    def __html__(self) -> str: ...


class Orders:
    def __call__(self, notification: Notification) -> SendTextAction: ...

    def method(self, notification: Notification, lang: str = "fr") -> list[str]: ...

    async def later(self, notification: Notification) -> StepReachedResponse: ...

    @staticmethod
    def static(notification: object) -> tuple[Action, ...]: ...

    @classmethod
    def of_class(cls, notification: Any) -> dict[str, Any]: ...


P = ParamSpec("P")
R = TypeVar("R")


def decorated(function: Callable[P, R]) -> Callable[P, R]: ...


def with_database(
    function: Callable[[Notification, str], R],
) -> Callable[[Notification], R]: ...


@webhook.on_step("a", "b", filter=StepID("c"))
@decorated
def in_a_decorator(notification: Notification) -> Answer: ...


@group.on_step("a")
@with_database
def with_another_argument(notification: Notification, database: str) -> str: ...


@webhook.on("x")
@decorated
async def async_in_a_decorator(notification: Notification) -> Answer: ...


@webhook.on("x")
def answers_in_wire_form(
    notification: Notification,
) -> Mapping[str, str | list[Mapping[str, str]]]: ...


@webhook.on("x")
def answers_a_union(notification: Notification) -> SendTextAction | str | None: ...


@webhook.on("x")
def answers_mixed(notification: Notification) -> list[Action | str]: ...


@webhook.on("x")
def answers_lazily(notification: Notification) -> LazyString: ...


@webhook.on("x")
def not_annotated(notification):  # type: ignore[no-untyped-def]
    return "x"


for bound in (Orders(), Orders().method, Orders().later):
    webhook.on("x", bound)
webhook.on("x", Orders.static)
webhook.on("x", Orders.of_class)
webhook.on("x", functools.partial(greet, greeting="Hi"))
webhook.on("x", lambda notification: notification.text)
webhook.on("x", lambda notification: None)
webhook.fallback("x", Orders().later)
assert_type(webhook.signal("x").connect(greet)(make_notification()), str)


@webhook.errorhandler(KeyError)
def on_key_error(error: KeyError) -> str: ...


@group.errorhandler(InvalidReply)
async def on_invalid_reply(
    error: InvalidReply, notification: Notification
) -> list[Action]: ...


@webhook.around
@contextmanager
def around(notification: Notification, handler: Handler) -> Iterator[None]: ...


@group.around
@contextmanager
def around_with_call(
    notification: Notification, handler: Handler, call: Call
) -> Iterator[None]: ...


assert_type(HandlerGroup(alone=True).alone, bool)


# -- deadlines and background work -----------------------------------------------------


def deadlines(webhook: ClustaarWebhook) -> None:
    group = HandlerGroup(deadline=3)

    @webhook.on(events.CONVERSATION_STEP_REACHED, deadline=2)
    def price(notification: Notification) -> str:
        return "12 euros"

    @group.late
    def one_moment(notification: Notification) -> str:
        return "One moment."

    webhook.fallback(None, price, deadline=1.5)


def tasks(webhook: ClustaarWebhook, notification: Notification) -> None:
    @webhook.task
    def tell_crm(notification: Notification, *, score: int) -> bool:
        return score > 3

    tell_crm.later(notification, score=3)
    tell_crm.later(None, score=3)
    assert_type(tell_crm(notification, score=3), bool)
    webhook.perform("{}")
    ClustaarWebhook(background=print)
