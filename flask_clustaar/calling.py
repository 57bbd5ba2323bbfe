"""Call a handler: inside its context managers, and until its deadline."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, cast

from flask import Flask
from flask.ctx import AppContext
from flask.globals import app_ctx

from . import logs, signals
from .deadline import InThread, TimeIsUp, shortest
from .errors import HandlerFailed, HandlerLate, ProblemError
from .exchange import Exchange
from .models import Notification
from .replies import Answer, answer_of, evaluated
from .routing import Around, Call, Handler


def call_handler(
    exchange: Exchange, handler: Handler, notification: Notification
) -> Answer | None:
    """Call a handler, and return its answer; None if it returned None.

    :raises HandlerLate: if its deadline has passed.
    """
    exchange.called.append(handler)
    if handler.deadline is None and exchange.settings.deadline is None:
        answer = _run(exchange, handler, notification)
    else:
        answer = _run_in_time(exchange, handler, notification)
    if answer is not None:
        exchange.answered.append(handler)
    return answer


def _run(
    exchange: Exchange,
    handler: Handler,
    notification: Notification,
    until: float | None = None,
) -> Answer | None:
    """Run a handler with its ``around`` functions.

    :param until: the time at which an async handler is cancelled.
    """
    start = time.perf_counter()
    arounds = exchange.installation.webhook._arounds_of(handler)
    try:
        notification.__dict__["_match"] = handler.match(notification)
        if arounds:
            call = Call()
            return _answer_inside(exchange, arounds, handler, notification, call, until)
        return _answer(exchange, handler, notification, None, until)
    except ProblemError as error:
        error.handler = handler
        raise
    except (KeyboardInterrupt, TimeIsUp):
        raise
    except BaseException as error:
        raise HandlerFailed.by(handler, error) from error
    finally:
        exchange.handled = time.perf_counter()
        duration = exchange.handled - start
        exchange.runs.append((handler, duration))
        if signals.handler_called.receivers:
            exchange.tell(
                signals.handler_called,
                notification=notification,
                handler=handler,
                duration=duration,
            )


def _answer(
    exchange: Exchange,
    handler: Handler,
    notification: Notification,
    call: Call | None,
    until: float | None,
) -> Answer | None:
    returned = handler.function(notification)
    if hasattr(type(returned), "__await__"):
        returned = run_awaitable(exchange.installation.app, returned, until)
    if call is None:
        return answer_of(returned, handler.name)
    call.returned = returned
    answer = answer_of(returned, handler.name)
    return None if answer is None else evaluated(answer)


def _answer_inside(
    exchange: Exchange,
    arounds: Sequence[Around],
    handler: Handler,
    notification: Notification,
    call: Call,
    until: float | None,
) -> Answer | None:
    """Call a handler inside its context managers."""
    if not arounds:
        return _answer(exchange, handler, notification, call, until)
    outermost, *inner = arounds
    with outermost(notification, handler, call):
        return _answer_inside(exchange, inner, handler, notification, call, until)
    return None  # One of them suppressed the exception of the handler.


# -- deadlines -----------------------------------------------------------------------


def _run_in_time(
    exchange: Exchange, handler: Handler, notification: Notification
) -> Answer | None:
    """Run a handler in a thread; stop waiting at its deadline.

    :raises HandlerLate: if it is late.
    """
    app, threads = exchange.installation.app, exchange.installation._threads
    seconds = cast(float, shortest(exchange.settings.deadline, handler.deadline))
    until = exchange.began + seconds

    def run() -> Answer | None:
        with _own_context(app):
            return _run(exchange, handler, notification, until)

    def ended(took: float, error: BaseException | None) -> None:
        exchange.release()
        _log_end(exchange, handler, took, error)
        _tell_late(exchange, handler, notification, "timeout", took, error)

    call = InThread(run, ended, handler.function)
    exchange.baton = threading.Lock()
    still_runs = False
    try:
        return call.result(threads, until)
    except TimeIsUp as error:
        still_runs = call.has_begun
        late = HandlerLate.of(handler, seconds, error.reason)
    finally:
        if not still_runs:
            exchange.baton = None
    exchange.late = late
    exchange.log(
        logging.WARNING,
        "%s Handlers occupy %d of %d threads.",
        late.description,
        threads.busy,
        threads.size,
        code=late.error_code,
    )
    if not still_runs:
        _tell_late(exchange, handler, notification, late.reason)
    raise late


def call_late_handler(
    exchange: Exchange, late: HandlerLate
) -> tuple[Notification, list[Answer]]:
    """Call the late handler, with a fresh notification.

    :returns: the notification with the changes of the late handler, and its answer.
    :raises HandlerLate: if there is no late handler.
    """
    handler = exchange.installation.webhook._late_handler_for(late.handler)
    if handler is None:
        raise late
    notification = exchange.load()
    exchange.called.append(handler)
    answer = _run(exchange, handler, notification)
    exchange.answered = [] if answer is None else [handler]
    return notification, [] if answer is None else [answer]


def _log_end(
    exchange: Exchange, handler: Handler, took: float, error: BaseException | None
) -> None:
    """Log the end of a late handler."""
    name = handler.name
    if error is None:
        message = (
            "The handler '%s', which was late, ended after %.1f s. Its answer was "
            "dropped."
        )
        exchange.log(logging.INFO, message, name, took)
    else:
        shown = logs.without_keys(error)
        message = "The handler '%s', which was late, failed after %.1f s."
        exchange.log(logging.ERROR, message, name, took, exc_info=shown)


def _tell_late(
    exchange: Exchange,
    handler: Handler,
    notification: Notification,
    reason: str,
    took: float = 0.0,
    error: BaseException | None = None,
) -> None:
    """Send the signal that a late handler has ended, or did not run."""
    exchange.tell(
        signals.handler_late,
        notification=notification,
        handler=handler,
        duration=took,
        reason=reason,
        exception=error.cause if isinstance(error, ProblemError) else error,
    )


#: Whether the request is in the application context, as it is since Flask 3.2.
_HAS_ONE_CONTEXT: Final = hasattr(AppContext, "copy")


def _own_context(app: Flask) -> AbstractContextManager[Any]:
    """Return an application context for a thread that outlives the request."""
    current: Any = cast(Any, app_ctx)._get_current_object()
    own: AbstractContextManager[Any] = (
        current.copy() if _HAS_ONE_CONTEXT else app.app_context()
    )
    return own


# -- async handlers ------------------------------------------------------------------


def run_awaitable(app: Flask, awaitable: Any, until: float | None = None) -> Any:
    """Run what an async function returned, and return its result.

    :param until: the time at which it is cancelled.
    :raises TimeIsUp: if it was.
    """
    _check_no_loop(awaitable)
    return app.ensure_sync(_await)(awaitable, until)


def _check_no_loop(awaitable: Any) -> None:
    """Check that this thread can run an event loop.

    :raises RuntimeError: if it already runs one.
    """
    import asyncio  # Slow to import, and only needed for async handlers.

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if hasattr(awaitable, "close"):
        awaitable.close()
    raise RuntimeError(
        "An async handler cannot run, because this thread already runs an event loop. "
        "Under gevent, all requests share a thread. Use workers with threads, or a "
        "plain function instead of 'async def'."
    )


async def _await(awaitable: Any, until: float | None) -> Any:
    if until is None:
        return await awaitable
    import asyncio

    limit = asyncio.timeout(until - time.perf_counter())
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise TimeIsUp("timeout") from None
        raise
