"""A request in progress: its data, its delivery, its logs and signals."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import msgspec
from blinker import Signal
from flask import Response

from . import logs, replies, signals
from .background import Jobs
from .errors import (
    DeliveryInProgress,
    HandlerLate,
    ReplayStoreError,
    ReplayStoreUnavailable,
    RequestRejected,
)
from .installation import Installation
from .models import Notification, StepReachedResponse
from .notifications import load_notification
from .replay import Claim, ReplayStore
from .replies import Answer
from .routing import Handler
from .settings import Settings
from .wire import JSON


class Exchange:
    """One request to a webhook, and its reply."""

    body: bytes = b""
    #: The identity of the delivery, in hexadecimal, if there is a private key.
    delivery: str | None = None
    notification: Notification | None = None
    #: The jobs of the handlers; None if the application has no tasks.
    jobs: Jobs | None = None
    #: The problem of a late handler, if there was one.
    late: HandlerLate | None = None
    #: Readings of 'perf_counter': the end of loading, and of the last handler.
    loaded: float | None = None
    handled: float | None = None
    #: The reply that is sent, as bytes.
    sent: bytes | None = None
    #: The code of the problem and the exception, after a failure.
    code: str | None = None
    raised: BaseException | None = None
    #: Why the body could not be read.
    unread: RequestRejected | None = None
    #: While a late handler runs: the second one to take it releases the delivery,
    #: the request or the thread of the handler.
    baton: threading.Lock | None = None
    _claim: Claim | None = None

    def __init__(self, installation: Installation, environ: JSON) -> None:
        self.installation = installation
        self.settings: Settings = installation.settings
        self.environ = environ
        #: The reading of 'perf_counter' when the request arrived.
        self.began: float = time.perf_counter()
        #: The handlers that were called, and those that answered.
        self.called: list[Handler] = []
        self.answered: list[Handler] = []
        #: The handlers that ended, with their durations in seconds.
        self.runs: list[tuple[Handler, float]] = []

    def header(self, key: str) -> list[str]:
        """Return the values of a header, by its key in the WSGI environment."""
        value = self.environ.get(key)
        return [] if value is None else [value]

    def load(self) -> Notification:
        """Load a fresh notification from the body."""
        self.notification = load_notification(self.body)
        self.notification.__dict__["_delivery"] = self.delivery
        return self.notification

    def dumps(self, reply: StepReachedResponse, answers: list[Answer]) -> bytes:
        """Return the reply as it is sent; see :func:`~flask_clustaar.replies.dumps`."""
        limit = self.settings.max_content_length
        return replies.dumps(
            reply,
            answers,
            received=self.body,
            limit=limit,
            notification=self.notification,
        )

    def reply(self, body: bytes) -> Response:
        """Answer with a reply."""
        self.sent = body
        if signals.reply_sent.receivers:  # Skip the parsing if nothing is connected.
            self.tell(
                signals.reply_sent,
                notification=self.notification,
                reply=_parsed(body),
            )
        return Response(body, content_type="application/json")

    # -- the delivery ------------------------------------------------------------------

    def claim(self) -> bytes | None:
        """Claim the delivery; return the recorded reply if it was handled before."""
        store = self.installation.store
        if self.delivery is None or store is None:
            return None
        delivery = f"{self.installation.name}:{self.delivery}"
        try:
            claim = store.claim(delivery, lease=self.settings.replay_lease)
        except ReplayStoreError as error:
            self._log_store_failure(error)
            if self.settings.replay_on_store_error == "allow":
                return None
            raise ReplayStoreUnavailable from error
        if claim.state == "running":
            raise DeliveryInProgress
        if claim.reply is None:
            self._claim = claim
        return claim.reply

    def record(self, reply: bytes) -> None:
        """Record the reply for repeated deliveries."""
        if self._claim is None:
            return
        claim, self._claim = self._claim, None
        store = cast(ReplayStore, self.installation.store)
        lifetime = self.settings.record_lifetime
        self._settle(store.complete, claim, reply, lifetime=lifetime)

    def release(self) -> None:
        """Release the delivery if no reply was recorded and no handler is running."""
        if self._claim is None:
            return
        if self.baton is not None and self.baton.acquire(blocking=False):
            return
        store = cast(ReplayStore, self.installation.store)
        self._settle(store.release, self._claim)

    def _settle(self, call: Callable[..., None], *facts: Any, **options: Any) -> None:
        """Tell the store how the delivery ended.

        The handlers ran, so the bot gets its answer even if the store fails.
        """
        try:
            call(*facts, **options)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._log_store_failure(error)

    def _log_store_failure(self, error: BaseException) -> None:
        unexpected = None if isinstance(error, ReplayStoreError) else error
        self.log(
            logging.ERROR, "The replay store failed: %s", error, exc_info=unexpected
        )

    # -- logs and signals --------------------------------------------------------------

    def log_reply(self, what: str, *, repeated: bool = False) -> None:
        """Log that the request was answered with a reply.

        :param what: the beginning of the message, such as ``Replied``.
        :param repeated: whether the reply was recorded before.
        """
        if logs.logger.isEnabledFor(logging.INFO):
            self.log(
                logging.INFO,
                "%s to %s in %.1f ms. Handlers: %s.",
                what,
                logs.place(self.notification),
                (time.perf_counter() - self.began) * 1000,
                ", ".join(handler.name for handler in self.called) or "none",
                status=200,
                repeated=repeated,
            )

    def log(
        self, level: int, message: str, *args: Any, exc_info: Any = None, **facts: Any
    ) -> None:
        """Log a message, with the fields of this request as ``extra``."""
        extra = logs.extra(
            self.notification,
            webhook=self.installation.name,
            handler=", ".join(handler.name for handler in self.called) or None,
            delivery=self.delivery,
            duration=time.perf_counter() - self.began,
            **facts,
        )
        logs.logger.log(level, message, *args, exc_info=exc_info, extra=extra)

    def tell(self, signal: Signal, **arguments: Any) -> None:
        """Send a signal, if something is connected to it."""
        if signal.receivers:
            webhook = self.installation.webhook
            signal.send(self.installation.app, webhook=webhook, **arguments)


def _parsed(body: bytes) -> Any:
    """Return a reply as a dict; numbers in unchanged values may be out of range."""
    try:
        return msgspec.json.decode(body)
    except ValueError:  # Lone surrogates, which Python reads.
        pass
    try:
        return json.loads(body)
    except ValueError:  # An integer that Python does not read.
        return json.loads(body, parse_int=float)
