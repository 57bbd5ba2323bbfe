"""Handle a request: from the body to the reply.

The methods of :class:`Exchange` are in the order in which a request passes them.
"""

from __future__ import annotations

import contextvars
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any, cast

import msgspec
from blinker import Signal
from flask import Flask, Response
from flask.globals import app_ctx
from flask.signals import got_request_exception
from werkzeug.exceptions import HTTPException

from . import logs, replies, signals
from .background import Jobs
from .body import check_content, read_body
from .deadline import InThread, TimeIsUp, shortest
from .describe import shorten
from .errors import (
    ClustaarError,
    DeliveryInProgress,
    HandlerFailed,
    HandlerLate,
    InternalError,
    InvalidReply,
    NoHandler,
    ProblemError,
    ReplayStoreError,
    ReplayStoreUnavailable,
    RequestRejected,
)
from .installation import Installation
from .models import Notification, StepReachedResponse
from .notifications import load_notification
from .replay import Claim, ReplayStore
from .replies import Answer, answer_of, evaluated
from .routing import Around, Call, Handler, name_of
from .security import check_credentials, check_freshness, check_signature
from .settings import Settings
from .wire import JSON

#: The maximum number of handlers in the explanation of an unhandled notification.
MOST_EXPLAINED = 50

#: Exceptions that are not failures. All others are, including SystemExit, cancelled
#: tasks and gevent's timeouts, which would end a thread of the server.
PASSED_ON = (ProblemError, KeyboardInterrupt)


class Exchange:
    """One request to a webhook, and its reply."""

    def __init__(self, installation: Installation, environ: JSON) -> None:
        self.installation = installation
        self.settings: Settings = installation.settings
        self.environ = environ
        self.body: bytes = b""
        #: The identity of the delivery, in hexadecimal, if there is a private key.
        self.delivery: str | None = None
        self.notification: Notification | None = None
        #: The handlers that were called, and those that answered.
        self.called: list[Handler] = []
        self.answered: list[Handler] = []
        #: The jobs of the handlers; None if the application has no tasks.
        self.jobs: Jobs | None = None
        #: The problem of a late handler, if there was one.
        self.late: HandlerLate | None = None
        #: The handlers that ended, with their durations in seconds.
        self.runs: list[tuple[Handler, float]] = []
        #: Readings of 'perf_counter': the arrival of the request, the end of loading,
        #: and the end of the last handler.
        self.began: float = time.perf_counter()
        self.loaded: float | None = None
        self.handled: float | None = None
        #: The code of the problem and the exception, after a failure.
        self.code: str | None = None
        self.raised: BaseException | None = None
        self._unread: RequestRejected | None = None
        self._claim: Claim | None = None
        # The second one to take it releases the delivery: the request, or the
        # thread of a handler that is late.
        self._baton: threading.Lock | None = None

    # -- the steps of a request --------------------------------------------------------

    def read(self) -> io.BytesIO:
        """Read the body, before the application's ``before_request`` functions run.

        The body is buffered, so that the webhook and the application can read it.
        """
        try:
            self.body = read_body(self.environ, self.settings.max_content_length)
        except RequestRejected as error:
            self._unread = error
        return io.BytesIO(self.body)

    def authenticate(self) -> Response | None:
        """Authenticate the request; return a problem if it is rejected."""
        try:
            if self._unread is not None:
                raise self._unread
            check_content(self.environ)
            if self.settings.pairs:
                self._check_credentials()
            if self.settings.keys:
                self._check_signature()
        except RequestRejected as error:
            return self._reject(error)
        return None

    def handle(self) -> Response:
        """Answer an authenticated request; each delivery is handled once."""
        try:
            recorded = self._claim_delivery()
            if recorded is not None:
                return self._repeat(recorded)
            notification = self._load()
            self.loaded = time.perf_counter()
            if signals.notification_received.receivers:
                self._tell(signals.notification_received, notification=notification)
            notification, answers = self._send(notification)
            reply = replies.merge(answers, notification)
            body = self._dumps(reply, answers)
            if self.jobs is not None:
                self.jobs.submit()
            self._record(body)
            self._log_reply("Replied")
            return self._reply(body)
        except (RequestRejected, NoHandler) as error:
            return self._reject(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._fail(error)
        finally:
            self._release()

    # -- authentication ----------------------------------------------------------------

    def _check_credentials(self) -> None:
        check_credentials(self._header("HTTP_AUTHORIZATION"), self.settings.pairs)

    def _check_signature(self) -> None:
        settings = self.settings
        dates = self._header(self.installation._date_key)
        identity = check_signature(
            self._header("HTTP_X_HUB_SIGNATURE"),
            dates,
            self.body,
            settings.keys,
            settings.signature_algorithms,
        )
        self.delivery = identity.hex()
        check_freshness(
            dates[0], time.time(), settings.request_max_age, settings.clock_skew
        )

    def _header(self, key: str) -> list[str]:
        value = self.environ.get(key)
        return [] if value is None else [value]

    # -- the delivery ------------------------------------------------------------------

    def _claim_delivery(self) -> bytes | None:
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

    def _record(self, reply: bytes) -> None:
        """Record the reply for repeated deliveries."""
        if self._claim is None:
            return
        claim, self._claim = self._claim, None
        store = cast(ReplayStore, self.installation.store)
        lifetime = self.settings.record_lifetime
        self._settle(store.complete, claim, reply, lifetime=lifetime)

    def _release(self) -> None:
        """Release the delivery if no reply was recorded and no handler is running."""
        if self._claim is None:
            return
        if self._baton is not None and self._baton.acquire(blocking=False):
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
        self._log(
            logging.ERROR, "The replay store failed: %s", error, exc_info=unexpected
        )

    # -- the handlers ------------------------------------------------------------------

    def _load(self) -> Notification:
        self.notification = load_notification(self.body)
        self.notification.__dict__["_delivery"] = self.delivery
        return self.notification

    def _dumps(self, reply: StepReachedResponse, answers: list[Answer]) -> bytes:
        limit = self.settings.max_content_length
        return replies.dumps(
            reply,
            answers,
            received=self.body,
            limit=limit,
            notification=self.notification,
        )

    def _send(self, notification: Notification) -> tuple[Notification, list[Answer]]:
        """Send the notification to all matching handlers, or to the fallback.

        :returns: the notification with the changes of the handlers, and their answers.
        """
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
        except HandlerLate as late:
            return self._answer_late(late)
        except PASSED_ON:
            raise
        except BaseException as error:
            raise HandlerFailed(
                "A filter of the webhook raised an exception."
            ) from error
        return notification, [answer for _, answer in results if answer is not None]

    def _call(self, handler: Handler, notification: Notification) -> Answer | None:
        """Call a handler, and return its answer; None if it returned None.

        :raises HandlerLate: if its deadline has passed.
        """
        self.called.append(handler)
        if handler.deadline is None and self.settings.deadline is None:
            answer = self._run(handler, notification)
        else:
            answer = self._run_in_time(handler, notification)
        if answer is not None:
            self.answered.append(handler)
        return answer

    def _run(
        self,
        handler: Handler,
        notification: Notification,
        until: float | None = None,
    ) -> Answer | None:
        """Run a handler with its ``around`` functions.

        :param until: the time at which an async handler is cancelled.
        """
        start = time.perf_counter()
        arounds = self.installation.webhook._arounds_of(handler)
        try:
            notification.__dict__["_match"] = handler.match(notification)
            if arounds:
                call = Call()
                return self._answer_inside(arounds, handler, notification, call, until)
            return self._answer(handler, notification, None, until)
        except ProblemError as error:
            error.handler = handler
            raise
        except (KeyboardInterrupt, TimeIsUp):
            raise
        except BaseException as error:
            raise HandlerFailed.by(handler, error) from error
        finally:
            self.handled = time.perf_counter()
            duration = self.handled - start
            self.runs.append((handler, duration))
            if signals.handler_called.receivers:
                self._tell(
                    signals.handler_called,
                    notification=notification,
                    handler=handler,
                    duration=duration,
                )

    def _answer(
        self,
        handler: Handler,
        notification: Notification,
        call: Call | None,
        until: float | None,
    ) -> Answer | None:
        returned = handler.function(notification)
        if hasattr(type(returned), "__await__"):
            returned = self._awaited(returned, until)
        if call is None:
            return answer_of(returned, handler.name)
        call.returned = returned
        answer = answer_of(returned, handler.name)
        return None if answer is None else evaluated(answer)

    def _answer_inside(
        self,
        arounds: Sequence[Around],
        handler: Handler,
        notification: Notification,
        call: Call,
        until: float | None,
    ) -> Answer | None:
        """Call a handler inside its context managers."""
        if not arounds:
            return self._answer(handler, notification, call, until)
        outermost, *inner = arounds
        with outermost(notification, handler, call):
            return self._answer_inside(inner, handler, notification, call, until)
        return None  # One of them suppressed the exception of the handler.

    def _awaited(self, returned: Any, until: float | None = None) -> Any:
        """Await a value, if it is awaitable, and return the result.

        :raises TimeIsUp: if it takes too long and was cancelled.
        """
        return run_awaitable(self.installation.app, returned, until)

    # -- deadlines ---------------------------------------------------------------------

    def _run_in_time(
        self, handler: Handler, notification: Notification
    ) -> Answer | None:
        """Run a handler in a thread; stop waiting at its deadline.

        :raises HandlerLate: if it is late.
        """
        app, threads = self.installation.app, self.installation._threads
        seconds = cast(float, shortest(self.settings.deadline, handler.deadline))
        until = self.began + seconds
        context = contextvars.copy_context()

        def run() -> Answer | None:
            with _own_context(app):
                return self._run(handler, notification, until)

        def ended(took: float, error: BaseException | None) -> None:
            context.run(self._release)
            context.run(self._log_end, handler, took, error)
            context.run(self._tell_late, handler, notification, "timeout", took, error)

        call = InThread(partial(context.run, run), ended)
        self._baton = threading.Lock()
        try:
            return call.result(threads, until)
        except TimeIsUp as error:
            self.late = HandlerLate.of(handler, seconds, error.reason)
        finally:
            if self.late is None or not call.has_begun:
                self._baton = None
        self._log(
            logging.WARNING,
            "%s Handlers occupy %d of %d threads.",
            self.late.description,
            threads.busy,
            threads.size,
            code=self.late.error_code,
        )
        if not call.has_begun:
            self._tell_late(handler, notification, self.late.reason)
        raise self.late

    def _answer_late(self, late: HandlerLate) -> tuple[Notification, list[Answer]]:
        """Run the late handler, with a fresh notification."""
        handler = self.installation.webhook._late_handler_for(late.handler)
        if handler is None:
            raise late
        notification = self._load()
        self.called.append(handler)
        answer = self._run(handler, notification)
        self.answered = [] if answer is None else [handler]
        return notification, [] if answer is None else [answer]

    def _log_end(
        self, handler: Handler, took: float, error: BaseException | None
    ) -> None:
        """Log the end of a late handler."""
        name = handler.name
        if error is None:
            message = (
                "The handler '%s', which was late, ended after %.1f s. Its answer was "
                "dropped."
            )
            self._log(logging.INFO, message, name, took)
        else:
            shown = logs.without_keys(error)
            message = "The handler '%s', which was late, failed after %.1f s."
            self._log(logging.ERROR, message, name, took, exc_info=shown)

    def _tell_late(
        self,
        handler: Handler,
        notification: Notification,
        reason: str,
        took: float = 0.0,
        error: BaseException | None = None,
    ) -> None:
        """Send the signal that a late handler has ended, or did not run."""
        self._tell(
            signals.handler_late,
            notification=notification,
            handler=handler,
            duration=took,
            reason=reason,
            exception=_raised(error) if isinstance(error, ProblemError) else error,
        )

    # -- the reply ---------------------------------------------------------------------

    def _reply(self, body: bytes) -> Response:
        """Answer with a reply."""
        if signals.reply_sent.receivers:  # Skip the parsing if nothing is connected.
            self._tell(
                signals.reply_sent,
                notification=self.notification,
                reply=_parsed(body),
            )
        return Response(body, content_type="application/json")

    def _repeat(self, body: bytes) -> Response:
        """Answer a repeated delivery with its recorded reply."""
        self._tell(signals.reply_repeated, delivery=self.delivery)
        if logs.logger.isEnabledFor(logging.INFO):
            self._load()
            self._log_reply("Repeated the reply", repeated=True)
        response = Response(body, content_type="application/json")
        response.headers["Idempotent-Replayed"] = "true"
        return response

    # -- problems ----------------------------------------------------------------------

    def _unhandled(self, notification: Notification) -> NoHandler:
        """Return the problem that no handler matches, with an explanation."""
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
        error.explanation = lines
        if debug:
            error.extra = {"explanation": lines}
        return error

    def _reject(self, error: RequestRejected | NoHandler) -> Response:
        """Answer a rejected or unhandled request with a problem."""
        self.code = code = error.error_code
        if isinstance(error, NoHandler):
            lines = [f"{error.description}", *error.explanation]
            message = "\n  ".join(lines)
        else:
            message = f"Rejected a request: {code}{_skew(error)}"
        self._log(logging.WARNING, "%s", message, code=code, status=error.status)
        self._tell(
            signals.request_rejected,
            code=code,
            status=error.status,
            notification=self.notification,
        )
        return self._problem(error)

    def _fail(self, error: BaseException) -> Response:
        """Answer after a failure.

        The error handler answers, if there is one. Otherwise the answer is a problem or
        the step unchanged, according to ``CLUSTAAR_ON_ERROR``.
        """
        problem = self._problem_of(error)
        self.code, self.raised = problem.error_code, _raised(problem)
        self._tell(
            signals.handler_failed,
            notification=self.notification,
            handler=problem.handler,
            exception=self.raised,
            code=self.code,
        )
        try:
            if (response := self._handle_error(problem)) is not None:
                return response
        except KeyboardInterrupt:
            raise
        except BaseException as failed:
            problem = self._problem_of(failed)
        self._report(problem)
        if self.settings.on_error == "passthrough":
            with suppress(Exception):
                return self._pass_through()
        return self._problem(problem)

    def _problem_of(self, error: BaseException) -> ProblemError:
        """Convert a failure to a problem, with the handler that caused it."""
        if not isinstance(error, ProblemError):
            problem = InternalError()
            problem.__cause__ = error
            return problem
        if isinstance(error, InvalidReply) and len(self.answered) == 1:
            error.handler = error.handler or self.answered[0]
        return error

    def _handle_error(self, problem: ProblemError) -> Response | None:
        """Return the reply of the error handler; None if there is none."""
        at_fault = self.answered if problem.handler is None else [problem.handler]
        raised = _raised(problem)
        found = self.installation.webhook._error_handler_for(at_fault, raised, problem)
        if found is None or self.notification is None:
            return None
        notification = self._load()  # Handlers may have changed theirs.
        if self.jobs is not None:
            self.jobs.drop()  # Handlers that run again submit them again.
        name = name_of(found.function)
        try:
            returned = found(raised, notification)
            if hasattr(type(returned), "__await__"):
                returned = self._awaited(returned)
            answer = answer_of(returned, name)
            answers = [] if answer is None else [answer]
            reply = replies.merge(answers, notification)
            body = self._dumps(reply, answers)
            if self.jobs is not None:
                self.jobs.submit()
        except PASSED_ON as error:
            if isinstance(error, InvalidReply):
                error.answered = raised
            raise
        except BaseException as error:
            raise HandlerFailed(
                f"The error handler '{name}' raised {type(error).__name__}."
            ) from error
        self._log_reply(f"The error handler '{name}' answered {type(raised).__name__}")
        return self._reply(body)

    def _pass_through(self) -> Response:
        """Reply with the step's own actions, so that the bot continues."""
        unchanged = self._load()
        return self._reply(replies.dumps(replies.merge([], unchanged), []))

    def _report(self, problem: ProblemError) -> None:
        """Log a failure, and send Flask's ``got_request_exception``, once.

        :raises BaseException: the failure, if the application propagates exceptions.
        """
        app, raised = self.installation.app, _raised(problem)
        if app.config["PROPAGATE_EXCEPTIONS"] and not isinstance(raised, HTTPException):
            raise raised
        shown = logs.without_keys(raised)
        # Error trackers use both, and recognise that it is one exception.
        self._log(
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
            self._log(
                logging.ERROR,
                "A receiver of 'got_request_exception' failed.",
                exc_info=True,
            )

    def _problem(self, error: ProblemError) -> Response:
        if _is_restyled(self.installation.app, error):
            raise error
        return cast(Response, Response.force_type(error.get_response()))

    # -- logs and signals --------------------------------------------------------------

    def _log_reply(self, what: str, *, repeated: bool = False) -> None:
        if logs.logger.isEnabledFor(logging.INFO):
            self._log(
                logging.INFO,
                "%s to %s in %.1f ms. Handlers: %s.",
                what,
                logs.place(self.notification),
                (time.perf_counter() - self.began) * 1000,
                ", ".join(handler.name for handler in self.called) or "none",
                status=200,
                repeated=repeated,
            )

    def _log(
        self, level: int, message: str, *args: Any, exc_info: Any = None, **facts: Any
    ) -> None:
        extra = logs.extra(
            self.notification,
            webhook=self.installation.name,
            handler=", ".join(handler.name for handler in self.called) or None,
            delivery=self.delivery,
            duration=time.perf_counter() - self.began,
            **facts,
        )
        logs.logger.log(level, message, *args, exc_info=exc_info, extra=extra)

    def _tell(self, signal: Signal, **arguments: Any) -> None:
        if signal.receivers:
            webhook = self.installation.webhook
            signal.send(self.installation.app, webhook=webhook, **arguments)


def _parsed(body: bytes) -> Any:
    """Return a reply as a dict. What went back unchanged may have any number."""
    try:
        return msgspec.json.decode(body)
    except ValueError:  # Lone surrogates, which Python reads.
        pass
    try:
        return json.loads(body)
    except ValueError:  # An integer that Python does not read.
        return json.loads(body, parse_int=float)


def run_awaitable(app: Flask, awaitable: Any, until: float | None = None) -> Any:
    """Run what an async function returned, and return its result."""
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


def _own_context(app: Flask) -> AbstractContextManager[Any]:
    """Return an application context for a thread that outlives the request."""
    current: Any = cast(Any, app_ctx)._get_current_object()
    # Since Flask 3.2, the request is in the application context.
    own: AbstractContextManager[Any] = (
        current.copy() if hasattr(current, "copy") else app.app_context()
    )
    return own


def _skew(error: ProblemError) -> str:
    skew = getattr(error, "skew", None)
    return "" if skew is None else f" (the sender's clock: {skew:+.0f} s)"


def _raised(problem: ProblemError) -> BaseException:
    """Return the exception that caused a problem."""
    if isinstance(problem, InvalidReply):
        return problem
    return problem.__cause__ or problem


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
