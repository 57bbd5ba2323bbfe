"""Answer a request that was rejected, or that failed."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import cast

from flask import Flask, Response
from flask.signals import got_request_exception
from werkzeug.exceptions import HTTPException

from . import logs, replies, signals
from .calling import run_awaitable
from .errors import (
    ClustaarError,
    HandlerFailed,
    InternalError,
    InvalidReply,
    NoHandler,
    ProblemError,
    RequestRejected,
)
from .exchange import Exchange
from .replies import answer_of
from .routing import name_of


def reject(exchange: Exchange, error: RequestRejected | NoHandler) -> Response:
    """Answer a rejected or unhandled request with a problem."""
    exchange.code = code = error.error_code
    if isinstance(error, NoHandler):
        lines = [f"{error.description}", *error.explanation]
        message = "\n  ".join(lines)
    else:
        message = f"Rejected a request: {code}{_skew(error)}"
    exchange.log(logging.WARNING, "%s", message, code=code, status=error.status)
    exchange.tell(
        signals.request_rejected,
        code=code,
        status=error.status,
        notification=exchange.notification,
    )
    return _problem(exchange, error)


def fail(exchange: Exchange, error: BaseException) -> Response:
    """Answer after a failure.

    The error handler answers, if there is one. Otherwise the answer is a problem or
    the step unchanged, according to ``CLUSTAAR_ON_ERROR``.
    """
    problem = _problem_of(exchange, error)
    exchange.code, exchange.raised = problem.error_code, problem.cause
    exchange.tell(
        signals.handler_failed,
        notification=exchange.notification,
        handler=problem.handler,
        exception=exchange.raised,
        code=exchange.code,
    )
    try:
        if (response := _handle_error(exchange, problem)) is not None:
            return response
    except KeyboardInterrupt:
        raise
    except BaseException as failed:
        problem = _problem_of(exchange, failed)
    _report(exchange, problem)
    if exchange.settings.on_error == "passthrough":
        with suppress(Exception):
            return _pass_through(exchange)
    return _problem(exchange, problem)


def _problem_of(exchange: Exchange, error: BaseException) -> ProblemError:
    """Convert a failure to a problem, with the handler that caused it."""
    if not isinstance(error, ProblemError):
        problem = InternalError()
        problem.__cause__ = error
        return problem
    if isinstance(error, InvalidReply) and len(exchange.answered) == 1:
        error.handler = error.handler or exchange.answered[0]
    return error


def _handle_error(exchange: Exchange, problem: ProblemError) -> Response | None:
    """Return the reply of the error handler; None without one."""
    at_fault = exchange.answered if problem.handler is None else [problem.handler]
    raised = problem.cause
    found = exchange.installation.webhook._error_handler_for(at_fault, raised, problem)
    if found is None or exchange.notification is None:
        return None
    notification = exchange.load()  # Handlers may have changed theirs.
    if exchange.jobs is not None:
        exchange.jobs.drop()  # Handlers that run again submit them again.
    name = name_of(found.function)
    try:
        returned = found(raised, notification)
        if hasattr(type(returned), "__await__"):
            returned = run_awaitable(exchange.installation.app, returned)
        answer = answer_of(returned, name)
        answers = [] if answer is None else [answer]
        reply = replies.merge(answers, notification)
        body = exchange.dumps(reply, answers)
        if exchange.jobs is not None:
            exchange.jobs.submit()
    except (ProblemError, KeyboardInterrupt) as error:
        if isinstance(error, InvalidReply):
            error.answered = raised
        raise
    except BaseException as error:
        raise HandlerFailed(
            f"The error handler '{name}' raised {type(error).__name__}."
        ) from error
    exchange.log_reply(f"The error handler '{name}' answered {type(raised).__name__}")
    return exchange.reply(body)


def _pass_through(exchange: Exchange) -> Response:
    """Reply with the step's own actions, so that the bot continues."""
    unchanged = exchange.load()
    return exchange.reply(replies.dumps(replies.merge([], unchanged), []))


def _report(exchange: Exchange, problem: ProblemError) -> None:
    """Log a failure, and send Flask's ``got_request_exception``, once.

    :raises BaseException: the failure, if the application propagates exceptions.
    """
    app, raised = exchange.installation.app, problem.cause
    if app.config["PROPAGATE_EXCEPTIONS"] and not isinstance(raised, HTTPException):
        raise raised
    shown = logs.without_keys(raised)
    # Error trackers use both, and recognise that it is one exception.
    exchange.log(
        logging.ERROR,
        "%s",
        problem.description,
        exc_info=shown,
        code=problem.error_code,
        status=problem.status,
    )
    try:
        got_request_exception.send(app, exception=shown)
    except Exception:
        exchange.log(
            logging.ERROR,
            "A receiver of 'got_request_exception' failed.",
            exc_info=True,
        )


def _problem(exchange: Exchange, error: ProblemError) -> Response:
    if _is_restyled(exchange.installation.app, error):
        raise error
    return cast(Response, Response.force_type(error.get_response()))


def _skew(error: ProblemError) -> str:
    skew = getattr(error, "skew", None)
    return "" if skew is None else f" (the sender's clock: {skew:+.0f} s)"


def _is_restyled(app: Flask, error: ProblemError) -> bool:
    """Return whether the application has an error handler for this class of problem.

    Generic handlers, for 404 or ``Exception``, are ignored. They render pages for
    browsers, but the platform shows the raw body to the bot designer.
    """
    handlers = app.error_handler_spec[None].values()
    return any(
        issubclass(kind, ClustaarError) and isinstance(error, kind)
        for by_class in handlers
        for kind in by_class
    )
