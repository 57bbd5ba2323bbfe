"""The extension: a webhook, and the life of one notification in it.

:class:`ClustaarWebhook` is what a program holds: handlers are registered on it, and it
is added to applications. :class:`Endpoint` is a webhook in one application, and reads
from top to bottom as a notification goes: the door, the handlers, the reply.
"""

from __future__ import annotations

import io
import json
import logging
import time
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, Unpack, cast
from weakref import WeakKeyDictionary

from blinker import Signal
from flask import Blueprint, Flask, Response, current_app, request
from flask.signals import got_request_exception

from . import fast, replies, signals
from .body import check_content, read_body
from .errors import (
    ClustaarError,
    ConfigurationError,
    DeliveryInProgress,
    HandlerFailed,
    InsecureWebhookWarning,
    InvalidReply,
    NoHandler,
    ProblemError,
    ReplayStoreError,
    ReplayStoreUnavailable,
    RequestRejected,
)
from .filters.shown import shorten
from .models import Notification, StepReachedResponse
from .notifications import load_notification
from .replay import Claim, ReplayStore, open_store
from .replies import Answer, answer_of
from .routing import Handler, Router
from .security import check_credentials, check_freshness, check_signature
from .settings import Settings, SettingsKeywords, check_keywords, warn_at_the_program
from .wire import JSON

#: Refusals, failures and explanations are logged here.
logger: logging.Logger = logging.getLogger("flask_clustaar")


#: Of how many handlers it is explained, at the most, why they did not match.
MOST_EXPLAINED = 50


class ClustaarWebhook(Router):
    """A webhook of a Flask application::

        webhook = ClustaarWebhook(app)

        @webhook.on(events.CONVERSATION_STEP_REACHED)
        def greet(notification):
            return "Hello"

    With an application factory call :meth:`init_app`. One webhook can be in several
    applications, and an application can have several webhooks, each with its name.

    :param app: the application, if it is there yet.
    :param name: tells several webhooks of an application apart: the name of the
        blueprint, of the default *url_prefix*, and of the settings
        (``CLUSTAAR_SALES_PRIVATE_KEY`` for the webhook ``sales``).
    :param settings: the ``CLUSTAAR_...`` settings in lower case, which win over the
        application's configuration.
    :raises TypeError: for an argument that is not a setting, or no application.
    :raises ConfigurationError: for a setting that is wrong.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        name: str = "clustaar",
        **settings: Unpack[SettingsKeywords],
    ) -> None:
        super().__init__()
        if not name.isidentifier():
            raise ConfigurationError(
                f"'{name}' cannot be the name of a webhook. Use letters, digits and "
                "underscores."
            )
        check_keywords(settings)
        self.name = name
        #: For registering the webhook below a blueprint of yours; :meth:`init_app` is
        #: the usual way.
        self.blueprint: Blueprint = _make_blueprint(self, settings.get("url_prefix"))
        self._keywords = settings
        self._endpoints: WeakKeyDictionary[Flask, Endpoint] = WeakKeyDictionary()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the webhook to an application, at the *url_prefix* of its settings.

        :raises TypeError: for what is no application.
        :raises ConfigurationError: for a setting that is wrong, or when the application
            has a webhook of this name.
        """
        if not isinstance(app, Flask):
            raise TypeError(
                "A webhook is added to a Flask application, not to a "
                f"'{type(app).__name__}'. Write 'app = Flask(__name__)' and "
                "'ClustaarWebhook(app)'."
            )
        if self.name in app.extensions.get("clustaar", {}):
            raise ConfigurationError(
                f"A webhook '{self.name}' is already in this application. Import and "
                "use that one, or give this one another name: "
                "'ClustaarWebhook(name=...)'."
            )
        endpoint = self._enter(app)
        app.register_blueprint(self.blueprint, url_prefix=endpoint.settings.url_prefix)

    def endpoint(self, app: Flask | None = None) -> Endpoint:
        """Return the webhook in one application: its settings and its replay store.

        :param app: the application; None for the current one.
        :raises RuntimeError: when the webhook is not in it.
        """
        found = self._endpoints.get(app or current_app._get_current_object())  # type: ignore[attr-defined]
        if found is None:
            raise RuntimeError(
                f"The webhook '{self.name}' is not in this application. Did you forget "
                "to call 'init_app'?"
            )
        return found

    def _added(self, handler: Handler) -> None:
        if iscoroutinefunction(handler.function) and not find_spec("asgiref"):
            raise ConfigurationError(
                f"The handler '{handler.name}' is 'async def', which Flask runs with "
                "its extra: pip install Flask-Clustaar[async]"
            )
        super()._added(handler)

    def _enter(self, app: Flask) -> Endpoint:
        if app not in self._endpoints:
            settings = Settings.from_config(
                app.config, name=self.name, **self._keywords
            )
            if settings.insecure:
                warn_at_the_program(
                    f"The webhook '{self.name}' answers anybody: set "
                    "CLUSTAAR_PRIVATE_KEY, or CLUSTAAR_AUTH_USERNAME and "
                    "CLUSTAAR_AUTH_PASSWORD, as in the bot's webhook settings, or pass "
                    "them as keyword arguments.",
                    InsecureWebhookWarning,
                )
            self._endpoints[app] = Endpoint(self, app, settings)
            app.extensions.setdefault("clustaar", {})[self.name] = self
        return self._endpoints[app]


def _make_blueprint(webhook: ClustaarWebhook, url_prefix: str | None) -> Blueprint:
    def enter(state: Any) -> None:
        webhook._enter(state.app)

    def prepare(name: str | None, values: Any) -> None:
        current = cast(Any, request)._get_current_object()
        endpoint = webhook.endpoint()
        current.environ[_ENDPOINT] = endpoint
        current.stream = io.BytesIO(endpoint.prepare(current.environ))

    def guard() -> Response | None:
        environ = request.environ
        return cast(Endpoint, environ[_ENDPOINT]).guard(environ)

    def receive() -> Response:
        environ = request.environ
        return cast(Endpoint, environ[_ENDPOINT]).receive(environ)

    blueprint = Blueprint(
        webhook.name, __name__, url_prefix=url_prefix or f"/{webhook.name}"
    )
    blueprint.record(enter)
    blueprint.url_value_preprocessor(prepare)
    blueprint.before_request(guard)
    for rule in ("", "/"):
        blueprint.add_url_rule(rule, "receive", receive, methods=["POST"])
    return blueprint


class Endpoint:
    """A webhook in one application: what happens to a request, in its order."""

    def __init__(
        self, webhook: ClustaarWebhook, app: Flask, settings: Settings
    ) -> None:
        self.webhook = webhook
        self.settings = settings
        self._app = weakref.ref(app)
        self.store: ReplayStore | None = open_store(
            settings.replay_store, settings.replay_capacity
        )
        #: What the settings were read from; None from the first request on.
        self._config: JSON | None = _clustaar_items(app)
        self._callables: dict[Handler, tuple[Callable[[Any], Any], str]] = {}
        self._date = "HTTP_" + settings.date_header.upper().replace("-", "_")

    @property
    def app(self) -> Flask:
        """The application."""
        app = self._app()
        assert app is not None, "An endpoint is only used by its application."
        return app

    # -- the door: nothing in the body is looked at before the signature holds ---------

    def prepare(self, environ: JSON) -> bytes:
        """Read the body, before any ``before_request`` of the application runs.

        Whoever wants it after that, here or in the application, finds it in memory.
        """
        if self._config is not None:
            self._begin()
        csrf = self.app.extensions.get("csrf")
        if csrf is not None:
            csrf.exempt(self.webhook.blueprint)
        try:
            body = read_body(environ, self.settings.max_content_length)
        except RequestRejected as error:
            environ[_BODY] = error
            return b""
        environ[_BODY] = body
        return body

    def _begin(self) -> None:
        """Close what is only open until the first request."""
        self.webhook.freeze(
            "A request was handled already. Register handlers when the program starts"
        )
        if self._config != _clustaar_items(self.app):
            logger.warning(
                "The CLUSTAAR_... settings were changed after the webhook '%s' had "
                "read them, and are not in force. Call 'init_app' after the "
                "configuration is complete.",
                self.webhook.name,
            )
        self._config = None

    def guard(self, environ: JSON) -> Response | None:
        """Let a request in, or answer it."""
        try:
            body = environ[_BODY]
            if isinstance(body, RequestRejected):
                raise body
            check_content(environ)
            environ[_PASSED] = body, self._verify(environ, body)
        except RequestRejected as error:
            return self._refuse(error)
        return None

    def _verify(self, environ: JSON, body: bytes) -> bytes | None:
        """Check who sent this and when; return its identity, if there is a key."""
        settings = self.settings
        if settings.pairs:
            check_credentials(_header(environ, "HTTP_AUTHORIZATION"), settings.pairs)
        if not settings.keys:
            return None
        dates = _header(environ, self._date)
        identity = check_signature(
            _header(environ, "HTTP_X_HUB_SIGNATURE"),
            dates,
            body,
            settings.keys,
            settings.signature_algorithms,
        )
        check_freshness(
            dates[0], time.time(), settings.request_max_age, settings.clock_skew
        )
        return identity

    # -- the notification: to the handlers, and back as one reply ----------------------

    def receive(self, environ: JSON) -> Response:
        """Answer a request that was let in. A delivery runs once."""
        body, identity = environ[_PASSED]
        try:
            claim = self._claim(identity)
        except RequestRejected as error:
            return self._refuse(error)
        if claim is not None and claim.reply is not None:
            return _json(claim.reply)
        reply, failed = b"", True
        try:
            reply, failed = self._answer(body)
            return _json(reply)
        except ProblemError as error:
            return self._refuse(error)
        finally:
            if claim is not None:
                self._settle(claim, None if failed else reply)

    def _claim(self, identity: bytes | None) -> Claim | None:
        """Record the delivery; return None if it cannot be told from others."""
        if identity is None or self.store is None:
            return None
        delivery = f"{self.webhook.name}:{identity.hex()}"
        try:
            claim = self.store.claim(delivery, lease=self.settings.replay_lease)
        except ReplayStoreError as error:
            logger.error("The replay store failed: %s", error)
            if self.settings.replay_on_store_error == "allow":
                return None
            raise ReplayStoreUnavailable from error
        if claim.state == "running":
            raise DeliveryInProgress
        return claim

    def _settle(self, claim: Claim, reply: bytes | None) -> None:
        """Record the reply of a delivery, or let it run again if it failed."""
        store = cast(ReplayStore, self.store)
        try:
            if reply is None:
                store.release(claim)
            else:
                store.complete(claim, reply, lifetime=self.settings.record_lifetime)
        except ReplayStoreError as error:
            # The handlers ran, so the bot gets its answer all the same.
            logger.error("The replay store failed: %s", error)

    def _answer(self, body: bytes) -> tuple[bytes, bool]:
        """Return the reply, and whether it is one in spite of a failure."""
        notification = load_notification(body)
        self._tell(signals.notification_received, notification=notification)
        try:
            answers = self._answers(notification)
            reply = replies.merge(answers, notification)
            return self._dumps(reply, answers, notification), False
        except (HandlerFailed, InvalidReply) as error:
            self._failed(error, notification)
        as_it_came = fast.load(Notification, notification.received)
        return self._dumps(replies.merge([], as_it_came), [], as_it_came), True

    def _dumps(
        self,
        reply: StepReachedResponse,
        answers: list[Answer],
        notification: Notification,
    ) -> bytes:
        body = replies.dumps(reply, answers)
        if signals.reply_sent.receivers:  # To parse it for nobody would take long.
            wire = json.loads(body)
            self._tell(signals.reply_sent, notification=notification, reply=wire)
        return body

    def _answers(self, notification: Notification) -> list[Answer]:
        """Run the handlers that match, in their order."""
        answers = []
        for handler in self._handlers(notification):
            answer = self._call(handler, notification)
            if answer is not None:
                answers.append(answer)
        return answers

    def _handlers(self, notification: Notification) -> list[Handler]:
        wanted = 1 if self.settings.dispatch == "first" else None
        try:
            found = list(islice(self.webhook.matching(notification), wanted))
            fallback = None if found else self.webhook.fallback_for(notification)
        except Exception as error:
            raise HandlerFailed("A filter of the webhook failed.") from error
        if fallback is not None:
            return [fallback]
        if not found:
            raise self._unhandled(notification)
        return found

    def _call(self, handler: Handler, notification: Notification) -> Answer | None:
        start = time.perf_counter()
        try:
            notification.__dict__["_match"] = handler.match(notification)
            function, name = self._callable(handler)
            return answer_of(function(notification), name)
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

    def _callable(self, handler: Handler) -> tuple[Callable[[Any], Any], str]:
        """Return what calls a handler, async or not, and the handler's name."""
        found = self._callables.get(handler)
        if found is None:
            found = self.app.ensure_sync(handler.function), handler.name
            self._callables[handler] = found
        return found

    # -- what goes wrong ---------------------------------------------------------------

    def _unhandled(self, notification: Notification) -> NoHandler:
        explanations = self.webhook.explain(notification, values=self.app.debug)
        suggestion = self.webhook.suggestion(notification)
        lines = [str(explanation) for explanation in explanations[:MOST_EXPLAINED]]
        if len(explanations) > MOST_EXPLAINED:
            lines.append(f"And {len(explanations) - MOST_EXPLAINED} more.")
        lines.append(f"This would handle it: {suggestion}")
        error = NoHandler(
            f"No handler matches {shorten(notification.topic)} "
            f"of the step {shorten(notification.step.id)}."
        )
        logger.warning("%s\n  %s", error.description, "\n  ".join(lines))
        if self.app.debug:
            error.extra = {"explanation": lines}
        return error

    def _failed(
        self, error: HandlerFailed | InvalidReply, notification: Notification
    ) -> None:
        """Tell of a failure. Return if the step shall go back as it came instead.

        :raises ProblemError: if the settings do not say so.
        """
        exception = error.__cause__ or error
        self._tell(
            signals.handler_failed,
            notification=notification,
            handler=error.handler,
            exception=exception,
        )
        got_request_exception.send(self.app, exception=exception)
        if isinstance(error, HandlerFailed) and _is_debugged(self.app):
            raise exception
        logger.error("%s", error, exc_info=error.__cause__)
        if self.settings.on_error != "passthrough":
            raise error

    def _refuse(self, error: ProblemError) -> Response:
        """Answer with a problem."""
        code = error.error_code
        if isinstance(error, RequestRejected):
            logger.warning("Refused a request: %s%s", code, _skew(error))
        if isinstance(error, (RequestRejected, NoHandler)):
            self._tell(signals.request_rejected, code=code, status=error.status)
        if _is_restyled(self.app, error):
            raise error
        return cast(Response, Response.force_type(error.get_response()))

    def _tell(self, signal: Signal, **arguments: Any) -> None:
        """Send a signal. Who only listens harms nobody."""
        if not signal.receivers:
            return
        try:
            signal.send(self.app, webhook=self.webhook, **arguments)
        except Exception:
            logger.exception("A receiver of a signal failed.")


_ENDPOINT = "flask_clustaar.endpoint"
_PASSED = "flask_clustaar.passed"
_BODY = "flask_clustaar.body"


def _clustaar_items(app: Flask) -> JSON:
    return {key: app.config[key] for key in app.config if key.startswith("CLUSTAAR_")}


def _header(environ: dict[str, Any], name: str) -> list[str]:
    return [environ[name]] if name in environ else []


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")


def _skew(error: ProblemError) -> str:
    skew = getattr(error, "skew", None)
    return "" if skew is None else f" (the sender's clock: {skew:+.0f} s)"


def _is_debugged(app: Flask) -> bool:
    """Tell if an exception shall come up in Flask's debugger."""
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.debug and not app.testing if propagate is None else propagate)


def _is_restyled(app: Flask, error: ProblemError) -> bool:
    """Tell if the application has an error handler for this very kind of problem.

    Handlers for all of 404 or all of ``Exception`` are for people's browsers, not for
    the platform, which shows the bot's builder the body as it is.
    """
    handlers = app.error_handler_spec[None].values()
    return any(
        issubclass(kind, ClustaarError) and isinstance(error, kind)
        for by_class in handlers
        for kind in by_class
    )
