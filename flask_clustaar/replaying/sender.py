"""Send recorded requests to an application in this process."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from .. import signals
from ..extension import ClustaarWebhook
from ..platform.signer import Signer
from ..testing import ClustaarClient


@dataclass(frozen=True)
class Replayed:
    """The answer of the current code to a request."""

    status: int
    #: The body of the answer.
    reply: bytes
    #: The names of the handlers that ran.
    handlers: tuple[str, ...] = ()
    #: The exception of a handler, such as ``KeyError: 'basket'``.
    error: str | None = None

    @property
    def code(self) -> str | None:
        """The code of the problem; None for a reply."""
        if self.status < 400:
            return None
        try:
            code = msgspec.json.decode(self.reply)["code"]
        except (msgspec.DecodeError, LookupError, TypeError):
            return None
        return code if isinstance(code, str) else None


class Sender:
    """Signs requests as the platform does, and sends them to a webhook.

    Handlers run with all side effects. Neither the replay store nor ``CLUSTAAR_RECORD``
    records these requests.
    """

    def __init__(self, app: Flask, webhook: ClustaarWebhook) -> None:
        self._app = app
        self._webhook = webhook
        self._signer = Signer(webhook.installation(app).settings)
        builder = EnvironBuilder(path=ClustaarClient(app, webhook).url, method="POST")
        self._environ = builder.get_environ()
        self._handlers: list[str] = []
        self._error: str | None = None

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Observe the handlers, and silence the log."""
        installation = self._webhook.installation(self._app)
        store, recorder = installation.store, installation._recorder
        propagate = self._app.config["PROPAGATE_EXCEPTIONS"]
        logger = logging.getLogger("flask_clustaar")
        logger.addFilter(_nothing)
        installation.store = installation._recorder = None
        # Answer exceptions with 500, as in production.
        self._app.config["PROPAGATE_EXCEPTIONS"] = False
        try:
            with (
                signals.handler_called.connected_to(self._on_called, self._app),
                signals.handler_failed.connected_to(self._on_failed, self._app),
            ):
                yield
        finally:
            logger.removeFilter(_nothing)
            installation.store, installation._recorder = store, recorder
            self._app.config["PROPAGATE_EXCEPTIONS"] = propagate

    def send(self, body: bytes) -> Replayed:
        """Send a request, signed now."""
        self._handlers, self._error = [], None
        environ = self._environ | {
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in self._signer.deliver(body).headers.items():
            key = name.upper().replace("-", "_")
            environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        response, status, _ = run_wsgi_app(self._app.wsgi_app, environ, buffered=True)
        return Replayed(
            int(status[:3]), b"".join(response), tuple(self._handlers), self._error
        )

    def _on_called(self, app: Any, *, handler: Any, **_: Any) -> None:
        self._handlers.append(handler.name)

    def _on_failed(self, app: Any, *, exception: BaseException, **_: Any) -> None:
        self._error = f"{type(exception).__name__}: {exception}".partition("\n")[0]


def _nothing(record: logging.LogRecord) -> bool:
    return False
