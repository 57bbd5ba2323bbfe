"""Tests of a bot without the platform: notifications, and a user who talks."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import difflib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import EllipsisType
from typing import Any, Final, NamedTuple, Self, TypeVar, cast

from flask import Flask, url_for
from werkzeug.test import TestResponse

from . import events
from .errors import ClustaarError
from .extension import ClustaarWebhook
from .models import (
    Action,
    AskDocumentAction,
    AskLocationAction,
    Attachment,
    ButtonAction,
    Choice,
    CustomerSatisfactionAction,
    CustomerSatisfactionCallbackAction,
    CustomerSatisfactionChoice,
    CustomEvent,
    GoToAction,
    Input,
    Interlocutor,
    LegacyReplyToMessageAction,
    Message,
    Notification,
    OpenURLAction,
    SendCardsAction,
    SendChoicesListAction,
    SendQuickRepliesAction,
    SendSimpleCardsAction,
    SendTextAction,
    Step,
    StepReached,
    StoryTarget,
    URLLoadedEvent,
)
from .notifications import load_notification
from .platform.documents import encode, to_json
from .platform.signer import Delivery, Signer, distinct
from .printable import printable
from .schemas import schema_for
from .schemas.attributes import attributes_of
from .settings import Settings
from .transcript import (
    Line,
    Transcript,
    info,
    plain,
    render_input,
    render_problem,
    render_reply,
)
from .wire import JSON, Model, copy_json

T = TypeVar("T")
M = TypeVar("M", bound=Model)

#: The step and the bot of a notification that does not say otherwise.
STEP_ID: Final = "5a8c317624acbe05b1a36feb"
BOT_ID: Final = "507f1f77bcf86cd799439011"

_NO_VALUES: Final[Mapping[str, Any]] = {}

#: The conversations that were held last, for whoever shows them.
conversations: Final[deque[Transcript]] = deque(maxlen=8)


def make_notification(
    *,
    step: str | Step | JSON = STEP_ID,
    step_name: str | None = None,
    actions: Iterable[Action | JSON] = (),
    user_data: str | None = None,
    text: str = "hi",
    input: Input | JSON | EllipsisType | None = ...,
    session: Mapping[str, Any] | None = _NO_VALUES,
    user: Interlocutor | Mapping[str, Any] = _NO_VALUES,
    channel: str | None = "facebook",
    bot_id: str | None = BOT_ID,
    topic: str = events.CONVERSATION_STEP_REACHED,
    timestamp: int | None = None,
) -> Notification:
    """Make a notification, such as the platform sends it.

    Models are checked as what a bot sends is. A dict is taken for JSON as it goes on
    the wire, so what the models do not know yet can be tried too.

    :param step: the id of the step that was reached; or the whole step, without the
        next three arguments.
    :param step_name: the name of the step.
    :param actions: what the step would do without the webhook.
    :param user_data: what the step's builder filled in.
    :param text: what the user wrote.
    :param input: what the user did instead of writing *text*; None for nothing.
    :param session: the session values; None for no session.
    :param user: attributes of the user that are not John Doe's, by their names in
        :class:`~flask_clustaar.models.Interlocutor`; or the whole user.
    :param timestamp: Unix time, in seconds; None for now.
    :raises TypeError: for an attribute of the user that does not exist.
    :raises ValueError: for a model that the platform would not send.
    """
    data = {
        "type": "step_reached_event",
        "channel": channel,
        "input": to_json(Message(text=text) if input is ... else input),
        "interlocutor": to_json(_interlocutor(user)),
        "session": None if session is None else {"values": dict(session)},
        "step": _step(step, step_name, actions, user_data),
    }
    document = {
        "topic": topic,
        "botID": bot_id,
        "type": "event",
        "timestamp": int(time.time()) if timestamp is None else timestamp,
        "data": data,
    }
    return load_notification(encode(document))


class ClustaarClient:
    """A user who talks with a bot, and the platform between them::

        client = ClustaarClient(app)
        reply = client.say("hello")
        assert reply.texts == ["Which colour?"]
        reply = client.click("Red")
        assert reply.session == {"colour": "red"}

    What the user does becomes a notification, which goes signed and authenticated,
    with the application's own settings, through the whole door. The bot's replies
    change the session and the user, as they would in the platform. Their actions are
    not run: say with :meth:`go_to` where a jump leads, and set in :attr:`session` what
    an action stores there.

    ``print(client)`` shows the conversation so far.

    :param app: the application.
    :param webhook: the webhook or its name; the only one of *app* if it has but one.
    :param session: the session values at the beginning.
    :param user: the user, as for :func:`make_notification`.
    :raises RuntimeError: when the webhook is not in *app*.
    """

    def __init__(
        self,
        app: Flask,
        webhook: ClustaarWebhook | str | None = None,
        *,
        session: Mapping[str, Any] = _NO_VALUES,
        user: Interlocutor | Mapping[str, Any] = _NO_VALUES,
        channel: str | None = "facebook",
        bot_id: str | None = BOT_ID,
    ) -> None:
        self.app = app
        self.webhook: ClustaarWebhook = _find_webhook(app, webhook)
        self.settings: Settings = self.webhook.installation(app).settings
        #: The session values that the next notification carries.
        self.session: JSON = dict(session)
        #: The user, with what the bot changed.
        self.user: Interlocutor = _interlocutor(user)
        self.channel = channel
        self.bot_id = bot_id
        #: The bot's steps by their ids: the actions and the user data they come with.
        self.steps: dict[str, Step] = {}
        #: The id of the first step of a story by the story's id, for clicks that lead
        #: to a story.
        self.stories: dict[str, str] = {}
        #: The step that the conversation is at.
        self.step: Step = make_notification().step
        #: The last reply.
        self.reply: Reply | None = None
        self.transcript: Transcript = Transcript()
        self._http = app.test_client()
        self._place: str | None = None
        self._signer = Signer(self.settings)
        self._last: Delivery | None = None

    def __repr__(self) -> str:
        return f"<ClustaarClient of '{self.webhook.name}' at step '{self.step.id}'>"

    def __str__(self) -> str:
        return str(self.transcript)

    def at(
        self,
        step: str,
        *,
        name: str | None = None,
        actions: Iterable[Action | JSON] = (),
        user_data: str | None = None,
    ) -> Self:
        """Put the conversation at a step, where the next thing happens.

        A step that is told with more than its id is kept in :attr:`steps`, for whenever
        a click leads there.

        :param step: the step's id.
        :param actions: what the step would do without the webhook.
        :param user_data: what the step's builder filled in.
        """
        told = make_notification(
            step=step, step_name=name, actions=actions, user_data=user_data
        ).step
        if name is not None or told.actions or user_data is not None:
            self.steps[step] = told
        self.step = self.steps.get(step, told)
        return self

    def say(self, text: str, *, attachments: Iterable[Attachment] = ()) -> Reply:
        """Write to the bot, or send it media."""
        return self._do(Message(text=text, attachments=list(attachments)))

    def click(self, title: str, *, index: int | None = None) -> Reply:
        """Click on what the last reply offers: a quick reply, a button, a choice.

        What it leads to is the next step, and its session values are added.

        :param title: what stands on it.
        :param index: which one, from 0, where several have the title.
        :raises LookupError: when there is none, or when the webhook would not hear of
            the click.
        """
        button = self._button(plain(title), index)
        said = [Line(f"[{button.title}]", "user")]
        match button.action:
            case GoToAction() as action:
                return self._go(action, said)
            case CustomerSatisfactionCallbackAction(target=target) if target:
                return self._go(GoToAction(target=target), said)
            case LegacyReplyToMessageAction() as action:
                return self._do(action, said)
            case OpenURLAction(url=url):
                what = f"opens '{url}'"
            case action:
                what = f"is a '{action.type}' that leads to no step"
        raise LookupError(f"'{button.title}' {what}: the webhook never hears of it.")

    def open_url(self, url: str) -> Reply:
        """Load a page with the webchat on it, whose URL triggers a story."""
        return self._do(URLLoadedEvent(url=url))

    def emit(self, event: str) -> Reply:
        """Let the website send an event."""
        return self._do(CustomEvent(name=event))

    def go_to(
        self, step: str, *, session_values: Mapping[str, Any] | None = None
    ) -> Reply:
        """Go to a step, as a click or a jump does.

        :param step: the step's id.
        """
        values = None if session_values is None else dict(session_values)
        return self._go(GoToAction.step(step, session_values=values))

    def send(
        self,
        notification: Notification | JSON | bytes,
        *,
        headers: Mapping[str, str | None] = _NO_VALUES,
    ) -> Reply:
        """Send a notification; the conversation goes on from there.

        Each one is a delivery of its own, even the same in the same second. For a
        delivery that is sent again see :meth:`resend`.

        :param notification: bytes are sent as they are.
        :param headers: headers to replace, before the request is signed; those that
            are None are left out.
        :raises ValueError: for a notification that the platform would not send.
        """
        if not isinstance(notification, bytes):
            notification = distinct(encode(to_json(notification)))
        return self._exchange(self._signer.deliver(notification, headers))

    def resend(self) -> Reply:
        """Send the last request once more, to the byte, as if it had got lost.

        :raises LookupError: when nothing was sent yet.
        """
        if self._last is None:
            raise LookupError("There is nothing to send again: nothing was sent yet.")
        return self._exchange(self._last)

    @cached_property
    def url(self) -> str:
        """Where the webhook answers, wherever its blueprint is registered."""
        names = self.app.blueprints.items()
        name = next(name for name, each in names if each is self.webhook.blueprint)
        host = self.app.config["SERVER_NAME"] or "localhost"
        with self.app.test_request_context(base_url=f"http://{host}/"):
            return url_for(f"{name}.receive")

    # -- what the user does becomes a notification -------------------------------------

    def _do(self, input: Input, said: Sequence[Line] = ()) -> Reply:
        notification = make_notification(
            step=self.steps.get(str(self.step.id), self.step),
            input=input,
            session=self.session,
            user=self.user,
            channel=self.channel,
            bot_id=self.bot_id,
        )
        body = distinct(encode(notification.received))
        return self._exchange(self._signer.deliver(body), said)

    def _go(self, action: GoToAction, said: Sequence[Line] = ()) -> Reply:
        step = to_json(action.target)["id"]
        if isinstance(action.target, StoryTarget):
            step = self._first_step(step)
        self.at(step)
        self.session |= action.session_values or {}
        return self._do(action, said)

    def _first_step(self, story: str) -> str:
        if story not in self.stories:
            raise LookupError(
                f"The step that the story '{story}' begins with is not known. Say it "
                f"before: client.stories['{story}'] = '<id of the step>'"
            )
        return self.stories[story]

    def _button(self, title: str, index: int | None) -> Clickable:
        offered = self.reply.buttons if self.reply else []
        found = [button for button in offered if button.title == title]
        if not found:
            titles = ", ".join(f"'{button.title}'" for button in offered)
            raise LookupError(
                f"The last reply has no '{title}' to click on. It has "
                f"{titles or 'nothing to click on'}."
            )
        if len(found) == 1 and index is None:
            return found[0]
        if index is None or index not in range(len(found)):
            raise LookupError(
                f"The last reply has '{title}' {len(found)} times. Say which one: "
                f"'index' is from 0 to {len(found) - 1}."
            )
        return found[index]

    # -- the platform ------------------------------------------------------------------

    def _exchange(self, delivery: Delivery, said: Sequence[Line] = ()) -> Reply:
        """Send a request; the conversation goes on with what comes back."""
        self._last = delivery
        sent = _understood(delivery.body)
        self._record(sent, said)
        response = _outside_of_a_loop(
            lambda: self._http.post(
                self.url, data=delivery.body, headers=delivery.headers
            )
        )
        self.reply = reply = Reply(response, sent)
        self.transcript.add("bot", reply.lines)
        if sent is not None:
            self.session, self.user = copy_json(reply.session), reply.interlocutor
            self.step, self.channel, self.bot_id = sent.step, sent.channel, sent.bot_id
        return reply

    def _record(self, sent: Notification | None, said: Sequence[Line]) -> None:
        if self.transcript not in conversations:
            conversations.append(self.transcript)
        if sent is None:
            self.transcript.add("you", [info("something that is no notification")])
            return
        if sent.step.id != self._place:
            self._place = sent.step.id
            place = printable(f"at step {self._place} ({sent.step.name})")
            self.transcript.add("", [info(place)])
            if sent.session.values:
                self.transcript.add("", [_told(sent.session.values)])
        self.transcript.add("you", said or render_input(sent.input))


class Clickable(NamedTuple):
    """Something to click on."""

    #: What stands on it, without HTML.
    title: str
    action: ButtonAction


class Reply:
    """What the bot answered."""

    def __init__(self, response: TestResponse, sent: Notification | None) -> None:
        #: The HTTP response.
        self.response = response
        self.status_code: int = response.status_code
        #: Whether it is a reply, and no problem.
        self.ok: bool = 200 <= response.status_code < 300
        #: The body; None if it is no JSON.
        self.json: Any = response.get_json(silent=True)
        body = self.json if isinstance(self.json, dict) else {}
        # A reply has the keys of a step, and of an event.
        self._step = _loaded(Step, body)
        self._event = _loaded(StepReached, body)
        self._sent = StepReached() if sent is None else sent.event

    def __repr__(self) -> str:
        return f"<Reply: {' / '.join(line.text for line in self.lines)}>"

    @property
    def problem(self) -> JSON | None:
        """What went wrong (RFC 9457); None if it is a reply."""
        if self.ok:
            return None
        detail = {"status": self.status_code, "detail": self.response.status}
        return self.json if isinstance(self.json, dict) else detail

    @property
    def actions(self) -> list[Action]:
        """The actions, typed."""
        return self._step.actions

    @property
    def texts(self) -> list[str]:
        """What the bot says, as it goes on the wire: one text for each bubble.

        Of a text with alternatives it is the first one.
        """
        return [text for text in map(_said, self.actions) if text]

    @property
    def buttons(self) -> list[Clickable]:
        """What can be clicked on, in its order."""
        return [button for action in self.actions for button in _buttons(action)]

    @property
    def titles(self) -> list[str]:
        """What stands on the :attr:`buttons`."""
        return [button.title for button in self.buttons]

    @property
    def session(self) -> JSON:
        """The session values after the reply, which may have left them as they were."""
        brings = self._step.received.get("session") is not None
        return (self._event if brings else self._sent).session.values

    @property
    def interlocutor(self) -> Interlocutor:
        """The user after the reply, which may have left them as they were."""
        brings = self._step.received.get("interlocutor") is not None
        return (self._event if brings else self._sent).interlocutor

    @property
    def lines(self) -> list[Line]:
        """What a person sees of it."""
        if self.problem is not None:
            return render_problem(self.problem)
        lines = render_reply(self._step.received)
        if self.session != self._sent.session.values:
            lines.append(_told(self.session))
        return lines


# -- helpers -------------------------------------------------------------------------


def _loaded(model: type[M], document: JSON) -> M:
    return cast(M, schema_for(model, received=True).load(document))


def _told(session: JSON) -> Line:
    values = json.dumps(session, ensure_ascii=False)
    return info(f"session {printable(values)}")


def _said(action: Action) -> str | None:
    match action:
        case SendTextAction(text=text, alternatives=alternatives):
            return text or next(iter(alternatives), None)
        case (
            SendQuickRepliesAction(message=message)
            | SendChoicesListAction(message=message)
            | CustomerSatisfactionAction(message=message)
            | AskLocationAction(message=message)
            | AskDocumentAction(message=message)
        ):
            return message
    return None


def _buttons(action: Action) -> list[Clickable]:
    found: list[tuple[str, ButtonAction]] = []
    match action:
        case SendQuickRepliesAction(buttons=replies):
            found = [(reply.title, reply.action) for reply in replies]
        case SendCardsAction(cards=cards) | SendSimpleCardsAction(cards=cards):
            buttons = [button for card in cards for button in card.buttons or ()]
            found = [(button.title, button.action) for button in buttons]
        case SendChoicesListAction(sections=sections):
            choices = [choice for section in sections for choice in section.choices]
            found = [(choice.title, _chosen(action, choice)) for choice in choices]
        case CustomerSatisfactionAction(choices=kinds):
            found = [(kind.label, _satisfied(kind)) for kind in kinds]
    return [Clickable(plain(title), leads) for title, leads in found]


def _chosen(action: SendChoicesListAction, choice: Choice) -> GoToAction:
    """Return where a choice leads; its values replace the action's (PROTOCOL 7)."""
    if choice.session_values is None:
        return action.action
    return dataclasses.replace(action.action, session_values=choice.session_values)


def _satisfied(choice: CustomerSatisfactionChoice) -> ButtonAction:
    return CustomerSatisfactionCallbackAction(kind=choice.kind, target=choice.target)


def _find_webhook(app: Flask, webhook: ClustaarWebhook | str | None) -> ClustaarWebhook:
    if isinstance(webhook, ClustaarWebhook):
        return webhook
    webhooks: dict[str, ClustaarWebhook] = app.extensions.get("clustaar", {})
    if webhook is None and len(webhooks) == 1:
        return next(iter(webhooks.values()))
    if webhook in webhooks:
        return webhooks[webhook]
    if not webhooks:
        raise RuntimeError(
            "The application has no webhook. Did you forget to call 'init_app'?"
        )
    names = " and ".join(f"'{name}'" for name in webhooks)
    raise RuntimeError(
        f"The application has the webhook {names}. Name the one to talk with: "
        f"ClustaarClient(app, '{next(iter(webhooks))}')."
    )


def _step(
    step: str | Step | JSON,
    name: str | None,
    actions: Iterable[Action | JSON],
    user_data: str | None,
) -> Any:
    actions = [to_json(action) for action in actions]
    if isinstance(step, str):
        named = {"id": step, "name": "A step" if name is None else name}
        return named | {"userData": user_data, "actions": actions}
    if name is not None or actions or user_data is not None:
        raise TypeError("A whole step has its own name, actions and user data.")
    return to_json(step)


def _interlocutor(user: Interlocutor | Mapping[str, Any]) -> Interlocutor:
    if isinstance(user, Interlocutor):
        return user
    keys = {attribute.name: attribute.key for attribute in attributes_of(Interlocutor)}
    for name in user:
        if name not in keys:
            near = [each for each, key in keys.items() if key == name]
            near += difflib.get_close_matches(name, keys, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise TypeError(
                f"A user has no '{name}'.{hint} What your site adds is in "
                f"'custom_attributes', as {{'{name}': '...'}}."
            )
    return Interlocutor(**{**_JOHN_DOE, **user})


_JOHN_DOE: Final = {
    "id": "507f191e810c19729de860ea",
    "remote_id": "john",
    "first_name": "John",
    "last_name": "Doe",
    "email": "john@example.com",
    "is_logged": False,
    "used_to_test": False,
}


def _understood(body: bytes) -> Notification | None:
    try:
        return load_notification(body)
    except ClustaarError:
        return None


def _outside_of_a_loop(function: Callable[[], T]) -> T:
    """Call a function, in a thread of its own if an event loop runs in this one.

    In a test that is a coroutine a loop runs, beside which Flask cannot run the one
    that an asynchronous handler needs.
    """
    if asyncio._get_running_loop() is None:
        return function()
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, function).result()
