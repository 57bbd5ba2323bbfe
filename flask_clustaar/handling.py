"""The life of one notification: from the request to the reply.

:class:`Exchange` reads from top to bottom as a request goes, with one call for each
step of its life.
"""

from __future__ import annotations

import io
import json
import logging
import time
from inspect import isawaitable
from typing import Any, cast

from blinker import Signal
from flask import Flask, Response
from flask.signals import got_request_exception

from . import replies, signals
from .body import check_content, read_body
from .describe import shorten
from .errors import (
    ClustaarError,
    DeliveryInProgress,
    HandlerFailed,
    InvalidReply,
    NoHandler,
    ProblemError,
    ReplayStoreError,
    ReplayStoreUnavailable,
    RequestRejected,
)
from .installation import Installation
from .models import Notification
from .notifications import load_notification
from .replay import Claim, ReplayStore
from .replies import Answer, answer_of
from .routing import Handler
from .security import check_credentials, check_freshness, check_signature
from .wire import JSON

#: Rejected requests, failures and explanations are logged here.
logger: logging.Logger = logging.getLogger("flask_clustaar")

#: For how many handlers the log explains why they did not match.
MOST_EXPLAINED = 50


class Exchange:
    """One request to a webhook, and its reply."""

    def __init__(self, installation: Installation, environ: JSON) -> None:
        self.installation = installation
        self.settings = installation.settings
        self.environ = environ
        self.body = b""
        #: The identity of the delivery, if there is a private key.
        self.identity: bytes | None = None
        self._unread: RequestRejected | None = None
        self._claim: Claim | None = None

    # -- the life of one notification --------------------------------------------------

    def read(self) -> io.BytesIO:
        """Read the body, before any ``before_request`` of the application runs.

        The webhook and the application find it in memory from then on.
        """
        try:
            self.body = read_body(self.environ, self.settings.max_content_length)
        except RequestRejected as error:
            self._unread = error
        return io.BytesIO(self.body)

    def authenticate(self) -> Response | None:
        """Check everything but the body's content, or answer with a problem."""
        try:
            if self._unread is not None:
                raise self._unread
            check_content(self.environ)
            if self.settings.pairs:
                self._check_credentials()
            if self.settings.keys:
                self._check_signature()
        except RequestRejected as error:
            return self._refuse(error)
        return None

    def handle(self) -> Response:
        """Answer a request that is authenticated. Each delivery runs once."""
        try:
            recorded = self._claim_delivery()
            if recorded is not None:
                return _json(recorded)
            notification = load_notification(self.body)
            self._tell(signals.notification_received, notification=notification)
            try:
                answers = self._send(notification)
                reply = replies.merge(answers, notification)
                body = replies.dumps(
                    reply,
                    answers,
                    received=len(self.body),
                    limit=self.settings.max_content_length,
                )
            except (HandlerFailed, InvalidReply) as error:
                return _json(self._fail(error, notification))
            self._tell_reply(notification, body)
            self._record(body)
            return _json(body)
        except ProblemError as error:
            return self._refuse(error)
        finally:
            self._release()

    # -- authentication ----------------------------------------------------------------

    def _check_credentials(self) -> None:
        check_credentials(self._header("HTTP_AUTHORIZATION"), self.settings.pairs)

    def _check_signature(self) -> None:
        settings = self.settings
        dates = self._header(self.installation.date_key)
        self.identity = check_signature(
            self._header("HTTP_X_HUB_SIGNATURE"),
            dates,
            self.body,
            settings.keys,
            settings.signature_algorithms,
        )
        check_freshness(
            dates[0], time.time(), settings.request_max_age, settings.clock_skew
        )

    def _header(self, key: str) -> list[str]:
        return [self.environ[key]] if key in self.environ else []

    # -- the delivery ------------------------------------------------------------------

    def _claim_delivery(self) -> bytes | None:
        """Claim the delivery; return its reply if it was handled before."""
        store = self.installation.store
        if self.identity is None or store is None:
            return None
        delivery = f"{self.installation.name}:{self.identity.hex()}"
        try:
            claim = store.claim(delivery, lease=self.settings.replay_lease)
        except ReplayStoreError as error:
            logger.error("The replay store failed: %s", error)
            if self.settings.replay_on_store_error == "allow":
                return None
            raise ReplayStoreUnavailable from error
        if claim.state == "running":
            raise DeliveryInProgress
        if claim.reply is None:
            self._claim = claim
        return claim.reply

    def _record(self, reply: bytes) -> None:
        """Record the reply for the same delivery."""
        if self._claim is None:
            return
        claim, self._claim = self._claim, None
        store = cast(ReplayStore, self.installation.store)
        try:
            store.complete(claim, reply, lifetime=self.settings.record_lifetime)
        except ReplayStoreError as error:
            # The handlers ran, so the bot gets its answer all the same.
            logger.error("The replay store failed: %s", error)

    def _release(self) -> None:
        """Let the delivery run again if no reply was recorded."""
        if self._claim is None:
            return
        try:
            cast(ReplayStore, self.installation.store).release(self._claim)
        except ReplayStoreError as error:
            logger.error("The replay store failed: %s", error)

    # -- the handlers ------------------------------------------------------------------

    def _send(self, notification: Notification) -> list[Answer]:
        """Send the notification to all handlers that match, or to the fallback."""
        webhook = self.installation.webhook
        if self.settings.dispatch == "first":
            notification.__dict__["_wanted"] = 1
        try:
            results = webhook._send(notification, call=self._call)
            if not results:
                fallback = webhook._fallback_for(notification)
                if fallback is None:
                    raise self._unhandled(notification)
                results = [(fallback, self._call(fallback, notification))]
        except ProblemError:
            raise
        except Exception as error:
            raise HandlerFailed("A filter of the webhook failed.") from error
        return [answer for _, answer in results if answer is not None]

    def _call(self, handler: Handler, notification: Notification) -> Answer | None:
        """Call a handler, and return its answer; None if it only watched."""
        start = time.perf_counter()
        try:
            notification.__dict__["_match"] = handler.match(notification)
            returned = handler.function(notification)
            if isawaitable(returned):
                returned = self.installation.app.ensure_sync(_awaited)(returned)
            return answer_of(returned, handler.name)
        except ProblemError as error:
            error.handler = handler
            raise
        except Exception as error:
            raise HandlerFailed.by(handler, error) from error
        finally:
            self._tell(
                signals.handler_called,
                notification=notification,
                handler=handler,
                duration=time.perf_counter() - start,
            )

    # -- what goes wrong ---------------------------------------------------------------

    def _unhandled(self, notification: Notification) -> NoHandler:
        webhook, debug = self.installation.webhook, self.installation.app.debug
        explanations = webhook.explain(notification, values=debug)
        lines = [str(explanation) for explanation in explanations[:MOST_EXPLAINED]]
        if len(explanations) > MOST_EXPLAINED:
            lines.append(f"And {len(explanations) - MOST_EXPLAINED} more.")
        lines.append(f"This would handle it: {webhook._suggestion(notification)}")
        error = NoHandler(
            f"No handler matches {shorten(notification.topic)} "
            f"of the step {shorten(notification.step.id)}."
        )
        logger.warning("%s\n  %s", error.description, "\n  ".join(lines))
        if debug:
            error.extra = {"explanation": lines}
        return error

    def _fail(
        self, error: HandlerFailed | InvalidReply, notification: Notification
    ) -> bytes:
        """Tell of a failure. Return the step unchanged if the settings say so.

        :raises ProblemError: if they do not.
        """
        app = self.installation.app
        exception = error.__cause__ or error
        self._tell(
            signals.handler_failed,
            notification=notification,
            handler=error.handler,
            exception=exception,
        )
        got_request_exception.send(app, exception=exception)
        if isinstance(error, HandlerFailed) and _is_debugged(app):
            raise exception
        logger.error("%s", error, exc_info=error.__cause__)
        if self.settings.on_error != "passthrough":
            raise error
        unchanged = load_notification(self.body)
        body = replies.dumps(replies.merge([], unchanged), [])
        self._tell_reply(unchanged, body)
        return body

    def _refuse(self, error: ProblemError) -> Response:
        """Answer with a problem."""
        code = error.error_code
        if isinstance(error, RequestRejected):
            logger.warning("Refused a request: %s%s", code, _skew(error))
        if isinstance(error, (RequestRejected, NoHandler)):
            self._tell(signals.request_rejected, code=code, status=error.status)
        if _is_restyled(self.installation.app, error):
            raise error
        return cast(Response, Response.force_type(error.get_response()))

    # -- signals -----------------------------------------------------------------------

    def _tell_reply(self, notification: Notification, body: bytes) -> None:
        if signals.reply_sent.receivers:  # Parsing it for nobody would take long.
            reply = json.loads(body)
            self._tell(signals.reply_sent, notification=notification, reply=reply)

    def _tell(self, signal: Signal, **arguments: Any) -> None:
        if signal.receivers:
            webhook = self.installation.webhook
            signal.send(self.installation.app, webhook=webhook, **arguments)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")


def _skew(error: ProblemError) -> str:
    skew = getattr(error, "skew", None)
    return "" if skew is None else f" (the sender's clock: {skew:+.0f} s)"


def _is_debugged(app: Flask) -> bool:
    """Tell if an exception is to reach Flask's debugger."""
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.debug and not app.testing if propagate is None else propagate)


def _is_restyled(app: Flask, error: ProblemError) -> bool:
    """Tell if the application has an error handler for this very kind of problem.

    Handlers for all of 404 or all of ``Exception`` are for people's browsers, not for
    the platform, which shows the bot's designer the body unchanged.
    """
    handlers = app.error_handler_spec[None].values()
    return any(
        issubclass(kind, ClustaarError) and isinstance(error, kind)
        for by_class in handlers
        for kind in by_class
    )
