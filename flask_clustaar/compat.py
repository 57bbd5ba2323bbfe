"""The API of ``clustaar.webhook``, for existing programs."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any, TypeAlias, cast

import flask
from flask import Flask, after_this_request, current_app
from werkzeug.exceptions import BadRequest

from . import events as events
from .errors import ConfigurationError
from .extension import ClustaarWebhook
from .filters import And, Custom, Filter
from .filters.base import accepts_arguments
from .models import Notification


class Request(flask.Request):
    """The request for handlers and filters: Flask's, with falcon's attributes."""

    @property
    def body(self) -> bytes:
        """The body, unchanged."""
        return self.get_data()

    @property
    def json(self) -> Any:
        """The body as JSON, independent of its ``Content-Type``.

        It is a copy. To change the reply, change the notification.
        """
        return self.get_json(force=True)

    media = json
    #: For the filters of :mod:`flask_clustaar.filters`, called with a request.
    received = json

    @property
    def params(self) -> dict[str, str]:
        """The parameters of the query string."""
        return self.args.to_dict()

    def get_param(self, name: str, required: bool = False, default: Any = None) -> Any:
        """Return a parameter of the query string.

        :param required: True to abort with 400 if it is missing.
        :param default: returned if it is missing.
        """
        return _get(self.args, name, required, default)

    def get_header(self, name: str, required: bool = False, default: Any = None) -> Any:
        """Return a header; the case of the name is ignored.

        :param required: True to abort with 400 if it is missing.
        :param default: returned if it is missing.
        """
        return _get(self.headers, name, required, default)


class Response(flask.Response):
    """The response for handlers: Flask's, with the attributes of falcon's.

    Status and headers that a handler sets are sent with the first reply. A repeated
    delivery gets only the reply, and problems are not changed.
    """

    default_mimetype: str | None = "application/json"

    #: Replaced by the reply.
    body: str | None = None

    @property
    def json(self) -> Any:
        """The reply, for handlers that return None."""
        return None if self.body is None else json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value, separators=(",", ":"))

    media = json

    def get_header(self, name: str, default: Any = None) -> Any:
        """Return a header."""
        return self.headers.get(name, default)

    def set_header(self, name: str, value: Any) -> None:
        """Set a header, and replace its old value."""
        self.headers.set(name, value)

    def append_header(self, name: str, value: Any) -> None:
        """Add a header, and keep others with the same name."""
        self.headers.add(name, value)

    def delete_header(self, name: str) -> None:
        """Remove a header, if it exists."""
        self.headers.remove(name)


#: A handler of ``clustaar.webhook``.
RequestHandler: TypeAlias = Callable[[Request, Response, Notification], Any]

#: One filter of :mod:`flask_clustaar.filters` or function of the request, or several.
RequestFilters: TypeAlias = (
    Filter | Callable[[Request], Any] | Sequence[Filter | Callable[[Request], Any]]
)


class Webhook(Flask):
    """The ``Webhook`` of ``clustaar.webhook``: a WSGI application with the URL ``/``::

        app = Webhook(private_key="...")
        app.on(events.CONVERSATION_STEP_REACHED, handler)

    It is a Flask application, so ``flask --app module run`` works. Its
    :attr:`webhook` is a :class:`~flask_clustaar.ClustaarWebhook`. If several handlers
    match, only the first one registered runs.

    Settings that are not passed as arguments come from the environment variables
    ``FLASK_CLUSTAAR_...`` and ``CLUSTAAR_...``, such as ``CLUSTAAR_REPLAY_STORE``.

    :param auth_username: the user name from the bot's webhook settings.
    :param auth_password: the password. Pass both or neither.
    :param private_key: the private key from the bot's webhook settings.
    :param middlewares: falcon middleware, which is not supported.
    :param request_max_age: the maximum age of a signed request, in seconds. Default:
        10. None disables the check. It has no effect without a *private_key*.
    :param settings: any other setting, as for
        :class:`~flask_clustaar.ClustaarWebhook`.
    :raises ConfigurationError: if an argument is invalid.
    """

    request_class: type[flask.Request] = Request

    def __init__(
        self,
        auth_username: str | None = None,
        auth_password: str | None = None,
        private_key: str | None = None,
        middlewares: Sequence[Any] | None = None,
        request_max_age: float | None | EllipsisType = ...,
        **settings: Any,
    ) -> None:
        if middlewares:
            raise ConfigurationError(
                "A Flask application cannot run falcon's 'middlewares'. Rewrite them "
                "as functions for '@app.before_request' and '@app.after_request', or "
                "wrap 'app.wsgi_app' in WSGI middleware."
            )
        super().__init__(__name__, static_folder=None)
        self.config.update(_settings_in_environment())
        given: dict[str, Any] = {"dispatch": "first", "url_prefix": "/", **settings}
        secrets = {
            "auth_username": auth_username,
            "auth_password": auth_password,
            "private_key": private_key,
        }
        given |= {name: value for name, value in secrets.items() if value is not None}
        if not isinstance(request_max_age, EllipsisType):
            given["request_max_age"] = request_max_age
        #: The extension. To migrate step by step, register handlers with one
        #: argument here.
        self.webhook: ClustaarWebhook = ClustaarWebhook(**given)
        self.webhook.init_app(self)

    def on(
        self,
        event: str,
        handler: RequestHandler,
        filters: RequestFilters | None = None,
        *,
        filter: RequestFilters | None = None,
    ) -> None:
        """Register a handler for an event.

        :param event: the topic of the notifications.
        :param handler: a function of the request, the response and the notification.
        :param filters: a filter, or a list of filters that must all match. A plain
            function gets the request. If it is combined with ``&`` or ``|`` with one of
            :mod:`flask_clustaar.filters`, it gets the notification.
        :param filter: another name of *filters*.
        :raises TypeError: if an argument has the wrong type.
        """
        parts = [*_as_filters(filters), *_as_filters(filter)]
        self.webhook.on(
            event,
            _with_notification_only(handler),
            filter=And(*parts) if parts else None,
        )


def _settings_in_environment() -> dict[str, Any]:
    """Return the settings in the environment, parsed like Flask's variables.

    ``clustaar.webhook`` has no configuration to which Flask could add them.
    """
    found: dict[str, Any] = {}
    for prefix in ("", "FLASK_"):
        for variable, text in os.environ.items():
            if variable.startswith(f"{prefix}CLUSTAAR_"):
                try:
                    value = json.loads(text)
                except ValueError:
                    value = text
                found[variable.removeprefix(prefix)] = value
    return found


def _get(values: Any, name: str, required: bool, default: Any) -> Any:
    if required and name not in values:
        raise BadRequest(f"'{name}' is missing.")
    return values.get(name, default)


class _OnRequest(Custom):
    """A filter that is called with the request."""

    def __call__(self, target: Any, /) -> bool:
        return super().__call__(_request())


def _as_filters(value: RequestFilters | None) -> list[Filter]:
    if value is None:
        return []
    parts: Sequence[Any] = value if isinstance(value, (list, tuple)) else [value]
    return [part if isinstance(part, Filter) else _OnRequest(part) for part in parts]


def _request() -> Request:
    """Return the current request object, which stays valid in a handler's thread."""
    return cast(Request, flask.request._get_current_object())  # type: ignore[attr-defined]


def _with_notification_only(handler: RequestHandler) -> Callable[[Notification], Any]:
    """Wrap a handler with three arguments as a handler of the notification."""
    if not callable(handler) or not accepts_arguments(handler, 3):
        name = getattr(handler, "__qualname__", None) or type(handler).__name__
        raise TypeError(
            f"The handler '{name}' must accept three arguments. Write it as "
            "'def handler(request, response, notification): ...', or register a "
            "handler with one argument, the notification, with 'app.webhook.on(...)'."
        )

    @functools.wraps(handler, updated=())
    def call(notification: Notification) -> Any:
        response = Response()
        function = current_app.ensure_sync(handler)
        answer = function(_request(), response, notification)

        @after_this_request
        def dress(reply: flask.Response) -> flask.Response:
            if reply.status_code == 200:
                reply.status = response.status
                reply.headers.update(response.headers)
            return reply

        return response.json if answer is None else answer

    return call
