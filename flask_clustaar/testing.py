"""Test a bot without the platform: build notifications, and play the user."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final, TypeVar, Unpack

from flask import Flask
from werkzeug.wrappers import Response

from .address import Address, address_of
from .errors import ClustaarError
from .extension import ClustaarWebhook
from .models import Notification
from .notifications import load_notification
from .platform.bot import Bot, BotFileError
from .platform.conversation import Conversation, ConversationKeywords
from .platform.documents import encode, to_json
from .platform.errors import ConversationError, JumpLoop, Unknowable
from .platform.notifications import BOT_ID, NO_VALUES, STEP_ID, make_notification
from .platform.offers import Clickable
from .platform.reply import Reply
from .platform.signer import Delivery, Signer, distinct
from .settings import Settings
from .transcript import Transcript
from .wire import JSON

__all__ = [
    "BOT_ID",
    "STEP_ID",
    "Bot",
    "BotFileError",
    "Clickable",
    "ClustaarClient",
    "ConversationError",
    "JumpLoop",
    "Reply",
    "Unknowable",
    "make_notification",
]

T = TypeVar("T")

#: The latest conversations, which pytest prints when a test fails.
conversations: Final[deque[Transcript]] = deque(maxlen=8)


class ClustaarClient(Conversation):
    """A test client that plays the user and the platform::

        client = ClustaarClient(app, bot="bot.json")
        client.start("Welcome").say("hello")
        assert client.bubbles == ["Which colour?"]
        client.click("Red")
        assert client.bubbles == ["Red it is."]
        assert client.session == {"colour": "red"}

    Every act of the user becomes a notification. It is signed with the settings of the
    application, and passes its authentication. With a bot file, the conversation runs
    until the bot waits for the user, as in
    :class:`~flask_clustaar.platform.conversation.Conversation`. Without one, actions
    are not executed: follow jumps with ``go_to``, and set stored values in ``session``.

    ``print(client)`` shows the conversation so far.

    :param app: the application.
    :param webhook: the webhook or its name. Default: the only webhook of *app*.
    :param base_url: scheme, host and root of the requests, such as
        ``https://bot.example.com``. Default: a host that *app* accepts, from
        ``SERVER_NAME`` or ``TRUSTED_HOSTS``.
    :param about: the bot, the user and more: the keyword arguments of
        :class:`~flask_clustaar.platform.conversation.Conversation`.
    :raises RuntimeError: if the webhook is not in *app*.
    :raises OSError: if the bot file cannot be read.
    :raises ~flask_clustaar.platform.bot.BotFileError: if it is not a bot file.
    """

    def __init__(
        self,
        app: Flask,
        webhook: ClustaarWebhook | str | None = None,
        *,
        base_url: str | None = None,
        **about: Unpack[ConversationKeywords],
    ) -> None:
        self.app = app
        self.webhook: ClustaarWebhook = _find_webhook(app, webhook)
        self.settings: Settings = self.webhook.installation(app).settings
        self._base_url = base_url
        self._http = app.test_client()
        self._signer = Signer(self.settings)
        self._last: Delivery | None = None
        super().__init__(self._call_app, takes=self._has_handler, **about)

    def __repr__(self) -> str:
        return f"<ClustaarClient of '{self.webhook.name}' at step '{self.step.id}'>"

    def announce(self) -> None:
        if self.transcript not in conversations:
            conversations.append(self.transcript)
        super().announce()

    def send(
        self,
        notification: Notification | JSON | bytes,
        *,
        headers: Mapping[str, str | None] = NO_VALUES,
    ) -> Reply:
        """Send a notification, continue the conversation from it, and return the reply.

        Every call is a new delivery, even with the same notification. To repeat a
        delivery, call :meth:`resend`.

        :param notification: a notification, or its JSON; bytes are sent unchanged.
        :param headers: headers to replace before the request is signed; None removes a
            header.
        :raises ValueError: if the platform would never send this notification.
        """
        if not isinstance(notification, bytes):
            notification = distinct(encode(to_json(notification)))
        return self._deliver(self._signer.deliver(notification, headers))

    def resend(self) -> Reply:
        """Send the last request again, unchanged, as the platform does after a timeout.

        :raises LookupError: if no request was sent.
        """
        if self._last is None:
            raise LookupError("There is no request to send again. Send one first.")
        return self._deliver(self._last)

    @cached_property
    def _address(self) -> Address:
        return address_of(self.app, self.webhook, self._base_url)

    @property
    def url(self) -> str:
        """The URL of the webhook."""
        return self._address.url

    # -- the webhook -------------------------------------------------------------------

    def _deliver(self, delivery: Delivery) -> Reply:
        return self._send(_understood(delivery.body), lambda: self._post(delivery))

    def _call_app(self, body: bytes) -> Response:
        return self._post(self._signer.deliver(body))

    def _post(self, delivery: Delivery) -> Response:
        self._last = delivery
        return _outside_of_a_loop(
            lambda: self._http.post(
                self._address.path,
                base_url=self._address.base_url,
                data=delivery.body,
                headers=delivery.headers,
            )
        )

    def _has_handler(self, notification: Notification) -> bool:
        """Return whether a handler matches a notification."""
        try:
            found = self.webhook.find(notification)
        except Exception:  # A filter raised; the request will show the error.
            return True
        return bool(found) or any(
            each.matched for each in self.webhook.explain(notification)
        )


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
        f"The application has the webhooks {names}. Choose one: "
        f"ClustaarClient(app, '{next(iter(webhooks))}')."
    )


def _understood(body: bytes) -> Notification | None:
    try:
        return load_notification(body)
    except ClustaarError:
        return None


def _outside_of_a_loop(function: Callable[[], T]) -> T:
    """Call a function; if this thread runs an event loop, in another thread.

    In an async test an event loop runs, and Flask cannot start another one for an async
    handler in the same thread.
    """
    if asyncio._get_running_loop() is None:
        return function()
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, function).result()
