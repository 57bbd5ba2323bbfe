"""Handle a request: from the body to the reply.

The functions are in the order in which a request passes them: :func:`read`,
:func:`authenticate` and :func:`handle`.
"""

from __future__ import annotations

import io
import logging
import time
from functools import partial

from flask import Response

from . import logs, replies, signals
from .body import check_content, read_body
from .calling import call_handler, call_late_handler
from .describe import shorten
from .errors import (
    HandlerFailed,
    HandlerLate,
    NoHandler,
    ProblemError,
    RequestRejected,
)
from .exchange import Exchange
from .failing import fail, reject
from .models import Notification
from .replies import Answer
from .security import check_credentials, check_freshness, check_signature

#: The maximum number of handlers in the explanation of an unhandled notification.
MOST_EXPLAINED = 50


def read(exchange: Exchange) -> io.BytesIO:
    """Read the body, before the application's ``before_request`` functions run.

    The body is buffered, so that the webhook and the application can read it.
    """
    try:
        exchange.body = read_body(
            exchange.environ, exchange.settings.max_content_length
        )
    except RequestRejected as error:
        exchange.unread = error
    return io.BytesIO(exchange.body)


def authenticate(exchange: Exchange) -> Response | None:
    """Authenticate the request; return a problem if it is rejected."""
    try:
        if exchange.unread is not None:
            raise exchange.unread
        check_content(exchange.environ)
        if exchange.settings.pairs:
            _check_credentials(exchange)
        if exchange.settings.keys:
            _check_signature(exchange)
    except RequestRejected as error:
        return reject(exchange, error)
    return None


def handle(exchange: Exchange) -> Response:
    """Answer an authenticated request; each delivery is handled once."""
    try:
        recorded = exchange.claim()
        if recorded is not None:
            return _repeat(exchange, recorded)
        notification = exchange.load()
        exchange.loaded = time.perf_counter()
        if signals.notification_received.receivers:
            exchange.tell(signals.notification_received, notification=notification)
        notification, answers = _send(exchange, notification)
        reply = replies.merge(answers, notification)
        body = exchange.dumps(reply, answers)
        if exchange.jobs is not None:
            exchange.jobs.submit()
        exchange.record(body)
        exchange.log_reply("Replied")
        return exchange.reply(body)
    except (RequestRejected, NoHandler) as error:
        return reject(exchange, error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # SystemExit, cancelled tasks and gevent's timeouts are failures of a handler:
        # they would end a thread of the server.
        return fail(exchange, error)
    finally:
        exchange.release()


def _check_credentials(exchange: Exchange) -> None:
    check_credentials(exchange.header("HTTP_AUTHORIZATION"), exchange.settings.pairs)


def _check_signature(exchange: Exchange) -> None:
    settings = exchange.settings
    dates = exchange.header(exchange.installation._date_key)
    identity = check_signature(
        exchange.header("HTTP_X_HUB_SIGNATURE"),
        dates,
        exchange.body,
        settings.keys,
        settings.signature_algorithms,
    )
    exchange.delivery = identity.hex()
    check_freshness(
        dates[0], time.time(), settings.request_max_age, settings.clock_skew
    )


def _send(
    exchange: Exchange, notification: Notification
) -> tuple[Notification, list[Answer]]:
    """Send the notification to all matching handlers, or to the fallback.

    :returns: the notification with the changes of the handlers, and their answers.
    """
    webhook = exchange.installation.webhook
    if exchange.settings.dispatch == "first":
        notification.__dict__["_wanted"] = 1
    try:
        results = webhook._send(notification, call=partial(call_handler, exchange))
        if not results:
            fallback = webhook._fallback_for(notification)
            if fallback is None:
                raise _unhandled(exchange, notification)
            results = [(fallback, call_handler(exchange, fallback, notification))]
    except HandlerLate as late:
        return call_late_handler(exchange, late)
    except (ProblemError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise HandlerFailed("A filter of the webhook raised an exception.") from error
    return notification, [answer for _, answer in results if answer is not None]


def _unhandled(exchange: Exchange, notification: Notification) -> NoHandler:
    """Return the problem that no handler matches, with an explanation."""
    webhook, debug = exchange.installation.webhook, exchange.installation.app.debug
    explanations = webhook.explain(notification, values=debug)
    lines = [str(explanation) for explanation in explanations[:MOST_EXPLAINED]]
    if len(explanations) > MOST_EXPLAINED:
        lines.append(f"And {len(explanations) - MOST_EXPLAINED} more.")
    lines.append(f"This would handle it: {webhook._suggestion(notification)}")
    error = NoHandler(
        f"No handler matches {shorten(notification.topic)} "
        f"of the step {shorten(notification.step.id)}."
    )
    error.explanation = lines
    if debug:
        error.extra = {"explanation": lines}
    return error


def _repeat(exchange: Exchange, body: bytes) -> Response:
    """Answer a repeated delivery with its recorded reply."""
    exchange.tell(signals.reply_repeated, delivery=exchange.delivery)
    if logs.logger.isEnabledFor(logging.INFO):
        exchange.load()
        exchange.log_reply("Repeated the reply", repeated=True)
    response = Response(body, content_type="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    return response
