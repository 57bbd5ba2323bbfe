"""The Flask extension."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib.util import find_spec
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack, cast
from weakref import WeakKeyDictionary

from flask import (
    Blueprint,
    Flask,
    Response,
    after_this_request,
    current_app,
    has_app_context,
    has_request_context,
    request,
)
from werkzeug.exceptions import MethodNotAllowed

from . import handling, signals
from .background import Job, Jobs, Pool, Task, Tracing, collecting, perform
from .calling import run_awaitable
from .describe import warn_at_the_program
from .errors import (
    AsyncHandlerWarning,
    BackgroundUnavailable,
    ConfigurationError,
    InsecureWebhookWarning,
    InvalidJob,
)
from .exchange import Exchange
from .installation import Installation
from .routing import Handler, Router, is_async
from .settings import (
    Settings,
    SettingsKeywords,
    check_keywords,
    describe_unread_variables,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The headers of a trace context (W3C), which jobs carry on.
TRACE_HEADERS = ("traceparent", "tracestate")


class ClustaarWebhook(Router):
    """A webhook for Clustaar in a Flask application::

        webhook = ClustaarWebhook(app)

        @webhook.on(events.CONVERSATION_STEP_REACHED)
        def greet(notification):
            return "Hello"

    In an application factory, call :meth:`init_app`. A webhook can be in several
    applications, and an application can have several webhooks with different names.

    :param app: the Flask application, or None to call :meth:`init_app` later.
    :param name: the name of the webhook, which must be unique in an application. It is
        also the name of the blueprint, the default *url_prefix*, and the prefix of
        settings (``CLUSTAAR_SALES_PRIVATE_KEY`` for the webhook ``sales``).
    :param settings: the ``CLUSTAAR_...`` settings in lower case. They override the
        application's configuration.
    :raises TypeError: if an argument is not a setting, or *app* is not an application.
    :raises ConfigurationError: if a setting is invalid.
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
                f"'{name}' is not a valid name for a webhook. Use letters, digits "
                "and underscores."
            )
        check_keywords(settings)
        self.name = name
        #: The blueprint of the webhook. Register it on your own blueprint to nest the
        #: webhook; otherwise use :meth:`init_app`.
        self.blueprint: Blueprint = _make_blueprint(self, settings.get("url_prefix"))
        self._keywords = settings
        #: The tasks, by name.
        self.tasks: dict[str, Task[..., Any]] = {}
        #: Traces jobs; None without a tracing tool.
        self._tracing: Tracing | None = None
        #: Whether the warning about async handlers was issued.
        self._warned = False
        self._installations: WeakKeyDictionary[Flask, Installation] = (
            WeakKeyDictionary()
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the webhook to an application, at the *url_prefix* of its settings.

        :raises TypeError: if *app* is not a Flask application.
        :raises ConfigurationError: if a setting is invalid, or if the application
            already has a webhook with this name.
        """
        if not isinstance(app, Flask):
            raise TypeError(
                "'ClustaarWebhook' requires a Flask application, not a "
                f"'{type(app).__name__}'. Write 'app = Flask(__name__)' and "
                "'ClustaarWebhook(app)'."
            )
        if self.name in app.extensions.get("clustaar", {}):
            raise ConfigurationError(
                f"This application already has a webhook '{self.name}'. Use that one, "
                "or choose another name: 'ClustaarWebhook(name=...)'."
            )
        installation = self._install(app)
        app.register_blueprint(
            self.blueprint, url_prefix=installation.settings.url_prefix
        )

    def installation(self, app: Flask | None = None) -> Installation:
        """Return the webhook's settings and replay store in an application.

        :param app: the application. Default: the current one.
        :raises RuntimeError: if the webhook is not in the application.
        """
        found = self._installations.get(app or current_app._get_current_object())  # type: ignore[attr-defined]
        if found is None:
            raise RuntimeError(
                f"The webhook '{self.name}' is not in this application. Did you forget "
                "to call 'init_app'?"
            )
        return found

    def _install(self, app: Flask) -> Installation:
        if app not in self._installations:
            settings = Settings.from_config(
                app.config, name=self.name, **self._keywords
            )
            if settings.insecure:
                unread = describe_unread_variables(app.config)
                warn_at_the_program(
                    f"The webhook '{self.name}' accepts unauthenticated requests. Set "
                    "CLUSTAAR_PRIVATE_KEY, or CLUSTAAR_AUTH_USERNAME and "
                    "CLUSTAAR_AUTH_PASSWORD, to the values from the bot's webhook "
                    f"settings, or pass them as keyword arguments. {unread}".rstrip(),
                    InsecureWebhookWarning,
                )
            _check_host(app, settings, self.name)
            background = settings.background or self._make_pool(app)
            self._installations[app] = Installation(
                self, self.name, app, settings, background
            )
            app.extensions.setdefault("clustaar", {})[self.name] = self
        return self._installations[app]

    # -- background work ---------------------------------------------------------------

    def task(self, function: Callable[Concatenate[Any, _P], _T]) -> Task[_P, _T]:
        """Register a function as a task, which can be called in the background::

            @webhook.task
            def tell_crm(notification, *, score): ...


            @webhook.on(events.CONVERSATION_STEP_REACHED)
            def lead(notification):
                tell_crm.later(notification, score=3)
                return "Thank you."

        :param function: a function at the top level of a module that workers import.
            Its first argument is the notification or None. The other arguments are JSON
            values, and are passed by name.
        :raises TypeError: if a worker could not import or call it.
        :raises ConfigurationError: if there is already one with this name, or after the
            first request.
        """
        task = Task(self, function)
        self._check_open(function)
        if task.name in self.tasks:
            raise ConfigurationError(
                f"There is already a task '{task.name}'. Rename one of them."
            )
        self.tasks[task.name] = task
        return task

    def perform(self, job: str) -> None:
        """Perform a job, in a worker: call the task in an application context.

        :param job: the text that the engine got.
        :raises InvalidJob: if it is not a job of this program.
        :raises RuntimeError: if the application is ambiguous.
        """
        self._perform(self._only_app(), job)

    def _perform(self, app: Flask, text: str) -> None:
        job = Job.loads(text)
        webhook = app.extensions.get("clustaar", {}).get(job.webhook)
        if webhook is None:
            raise InvalidJob(f"The application has no webhook '{job.webhook:.80}'.")
        start, error = time.perf_counter(), None
        try:
            with app.app_context(), webhook._performing(job):
                returned = perform(webhook.tasks, job)
                if hasattr(type(returned), "__await__"):
                    run_awaitable(app, returned)
        except BaseException as raised:
            error = raised
            raise
        finally:
            signals.job_performed.send(
                app,
                webhook=webhook,
                job=job,
                duration=time.perf_counter() - start,
                exception=error,
            )

    def _submit(self, job: Job) -> None:
        app = self._only_app()
        try:
            self.installation(app).background(job.dumps())
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise BackgroundUnavailable(
                f"The engine for background work did not accept a job of '{job.task}'."
            ) from error
        signals.job_submitted.send(app, webhook=self, job=job)

    def _trace(self) -> dict[str, str]:
        """Return the context of the current trace, for a job."""
        if self._tracing is not None:
            return self._tracing.inject()
        if not has_request_context():
            return {}
        headers = {name: request.headers.get(name) for name in TRACE_HEADERS}
        return {name: value for name, value in headers.items() if value}

    def _performing(self, job: Job) -> AbstractContextManager[Any]:
        return nullcontext() if self._tracing is None else self._tracing.performing(job)

    def _only_app(self) -> Flask:
        """Return the current application, or the only one that has the webhook."""
        if has_app_context():
            return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]
        apps = [*self._installations]
        if len(apps) == 1:
            return apps[0]
        raise RuntimeError(
            f"The webhook '{self.name}' is in {len(apps)} applications. Import the "
            "module that makes the application, or use 'with app.app_context()'."
        )

    def _make_pool(self, app: Flask) -> Callable[[str], object]:
        """Return a function that submits jobs to threads of this process."""
        pool, find = Pool(), weakref.ref(app)

        def submit(job: str) -> None:
            app = find()
            assert app is not None, "An application submits its jobs itself."
            pool.submit(partial(self._perform, app), job)

        return submit

    # -- handlers ----------------------------------------------------------------------

    def _register(self, handler: Handler) -> Handler:
        handler = super()._register(handler)
        if is_async(handler.function):
            self._check_async(handler)
        return handler

    def _check_async(self, handler: Handler) -> None:
        if not find_spec("asgiref"):
            raise ConfigurationError(
                f"The handler '{handler.name}' is 'async def', which requires an "
                'extra. Install it with: pip install "Flask-Clustaar[async]"'
            )
        if _is_patched_by_gevent() and not self._warned:
            self._warned = True
            warn_at_the_program(
                f"The handler '{handler.name}' is 'async def'. Under gevent, it fails "
                "when two requests arrive at the same time. Use threads (gunicorn: "
                "'--threads'), or a plain function, which gevent runs concurrently.",
                AsyncHandlerWarning,
            )


def _check_host(app: Flask, settings: Settings, name: str) -> None:
    """Check that a webhook has a host exactly if the application matches hosts."""
    if app.url_map.host_matching and settings.host is None:
        raise ConfigurationError(
            f"The webhook '{name}' has no host, so no request could reach it: the "
            "application uses 'host_matching=True'. Set 'CLUSTAAR_HOST' to the host "
            "of the webhook's URL, such as 'bot.example.com'."
        )
    if settings.host is not None and not app.url_map.host_matching:
        raise ConfigurationError(
            "'CLUSTAAR_HOST' is set, but the application does not match hosts. Remove "
            "it, or write 'Flask(__name__, host_matching=True, static_host=...)'."
        )


def _is_patched_by_gevent() -> bool:
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _make_blueprint(webhook: ClustaarWebhook, url_prefix: str | None) -> Blueprint:
    """Return the blueprint: a URL, and hooks for its requests."""

    current: Any = request  # Typed as what Flask lets a webhook change.

    def install(state: Any) -> None:
        installation = webhook._install(state.app)
        options = {"methods": ["POST"], "host": installation.settings.host}
        # At the root of an application, "" and "/" are the same rule.
        for rule in ("", "/") if (state.url_prefix or "").strip("/") else ("/",):
            state.add_url_rule(rule, "receive", receive, **options)
        if state.app.debug:
            endpoint = f"{state.name_prefix}.{state.name}.receive".lstrip(".")
            state.app.before_request(lambda: _describe(webhook, endpoint))

    def read(name: str | None, values: Any) -> None:
        installation = webhook.installation()
        installation._begin()
        this_request = current._get_current_object()
        values["exchange"] = exchange = Exchange(installation, this_request.environ)
        if installation._recorder is not None:
            after_this_request(partial(installation._recorder.finish, exchange))
        this_request.stream = handling.read(exchange)

    def authenticate() -> Response | None:
        exchange: Exchange = current.view_args["exchange"]
        return handling.authenticate(exchange)

    def receive(exchange: Exchange, **values: Any) -> Response:
        if not exchange.installation.has_tasks:
            return handling.handle(exchange)
        with collecting(Jobs(exchange.delivery)) as exchange.jobs:
            return handling.handle(exchange)

    blueprint = Blueprint(
        webhook.name, __name__, url_prefix=url_prefix or f"/{webhook.name}"
    )
    # APIFlask reads this attribute of blueprints with a 'before_request'.
    cast(Any, blueprint).enable_openapi = False
    blueprint.record(install)
    blueprint.url_value_preprocessor(read)
    blueprint.before_request(authenticate)
    return blueprint


def _describe(webhook: ClustaarWebhook, endpoint: str) -> Response | None:
    """Return a page for browsers, in debug mode, that explains the URL."""
    if request.method != "GET" or not isinstance(
        request.routing_exception, MethodNotAllowed
    ):
        return None
    adapter = current_app.create_url_adapter(request)
    if adapter is None or adapter.match(method="POST")[0] != endpoint:
        return None
    text = (
        f"This is the webhook '{webhook.name}' of a Clustaar bot.\n\n"
        "The platform sends its requests here, with POST. To talk to the bot, run:\n\n"
        "    flask clustaar chat\n\n"
        "This page is shown only in debug mode.\n"
    )
    return Response(text, mimetype="text/plain")
