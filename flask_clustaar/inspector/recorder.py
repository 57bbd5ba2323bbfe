"""Record the requests to webhooks, without changing how they are answered."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from blinker import Signal
from flask import Flask, request
from werkzeug.wsgi import ClosingIterator

from .. import signals
from ..errors import ConfigurationError, HandlerLate
from ..extension import ClustaarWebhook
from ..models import Notification
from ..routing import Call, Handler
from ..wire import JSON
from .describe import describe
from .store import Store
from .trace import SOURCE, Body, Origin, Run, Trace

logger: logging.Logger = logging.getLogger("flask_clustaar.inspector")

_TRACE: Final = "flask_clustaar.inspector.trace"


class Recorder:
    """Records the requests to the webhooks of an application in a store.

    It wraps the application's WSGI interface. Requests of the inspector are recorded at
    once. Other requests are recorded when no request is running, so that recording
    does not slow down the bot.
    """

    def __init__(self, app: Flask, store: Store) -> None:
        self._app = app
        self._store = store
        self._webhooks: Mapping[str, ClustaarWebhook] = app.extensions.get(
            "clustaar", {}
        )
        self._endpoints = {
            f"{name}.receive": webhook
            for name, blueprint in app.blueprints.items()
            for webhook in self._webhooks.values()
            if blueprint is webhook.blueprint
        }
        self._pending: deque[Trace] = deque(maxlen=1_000)
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        #: The number of requests that are running.
        self._running = 0
        self._counting = threading.Lock()
        self._quiet_since = 0.0
        self._listen()
        self._inner = app.wsgi_app
        app.wsgi_app = self  # type: ignore[method-assign]
        threading.Thread(target=self._work, daemon=True).start()

    def __call__(
        self, environ: JSON, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"] = Body(environ["wsgi.input"])
        trace = environ[_TRACE] = Trace(environ, body)
        self._count(1)

        def start(status: str, *more: Any) -> Any:
            trace.status = int(status[:3])
            # Flask drops the request before the application returns.
            trace.webhook = self._webhook_of(environ)
            trace.late = _late(environ)
            return start_response(status, *more)

        try:
            response = self._inner(environ, start)
        except Exception:
            self._end(trace)
            raise
        if trace.webhook is None:
            self._end(trace)
            return response
        # A webhook's answer is a single bytes object.
        trace.reply = b"".join(response)
        close: Callable[[], None] = getattr(response, "close", lambda: None)
        return ClosingIterator([trace.reply], [close, lambda: self._end(trace)])

    def flush(self) -> None:
        """Record all waiting requests now."""
        self._record_some(len(self._pending))

    # -- signals -----------------------------------------------------------------------

    def _listen(self) -> None:
        listeners: dict[Signal, Callable[..., None]] = {
            signals.notification_received: self._received,
            signals.handler_called: self._called,
            signals.handler_failed: self._failed,
            signals.reply_repeated: self._repeated,
        }
        for signal, listener in listeners.items():
            signal.connect(listener, sender=self._app)
        for webhook in self._webhooks.values():
            # Too late if the application answered requests while it was loaded. Then
            # the return values of handlers are not recorded.
            with suppress(ConfigurationError):
                webhook.around(self._around)

    @contextmanager
    def _around(
        self, notification: Notification, handler: Handler, *, call: Call
    ) -> Iterator[None]:
        """Note the return value of a handler."""
        run = Run(handler, call=call)
        _trace().runs.append(run)
        yield
        run.has_returned = True

    def _received(
        self,
        _: Flask,
        webhook: ClustaarWebhook,
        notification: Notification,
        **extra: Any,
    ) -> None:
        trace = _trace()
        trace.webhook = webhook
        trace.notification, trace.loaded = notification, time.perf_counter()

    def _called(
        self, _: Flask, handler: Handler, duration: float, **extra: Any
    ) -> None:
        trace = _trace()
        trace.handled = time.perf_counter()
        # '_around' is not registered if it was too late.
        if not trace.runs or trace.runs[-1].handler is not handler:
            trace.runs.append(Run(handler))
        trace.runs[-1].duration = duration

    def _failed(self, _: Flask, exception: BaseException, **extra: Any) -> None:
        _trace().failure = exception

    def _repeated(self, _: Flask, **extra: Any) -> None:
        _trace().repeated = True

    # -- recording ---------------------------------------------------------------------

    def _webhook_of(self, environ: JSON) -> ClustaarWebhook | None:
        """Return the webhook that a request was routed to; None for other views."""
        routed = environ.get("werkzeug.request")
        return self._endpoints.get(getattr(routed, "endpoint", None) or "")

    def _count(self, number: int) -> None:
        """Count a request that starts (1) or ends (-1)."""
        with self._counting:
            self._running += number

    def _end(self, trace: Trace) -> None:
        self._count(-1)
        if trace.webhook is None:
            return
        self._quiet_since = trace.ended = time.perf_counter()
        self._pending.append(trace)
        if SOURCE in trace.environ:
            self.flush()
        else:
            self._arrived.set()

    def _work(self) -> None:
        while True:
            self._arrived.wait()
            self._arrived.clear()
            while self._pending:
                patience = time.perf_counter() + 0.5
                while self._is_busy() and time.perf_counter() < patience:
                    time.sleep(0.01)
                self._record_some(20)

    def _is_busy(self) -> bool:
        return self._running > 0 or time.perf_counter() - self._quiet_since < 0.02

    def _record_some(self, most: int) -> None:
        """Record at most *most* waiting requests; log exceptions instead of raising."""
        with self._lock:
            traces = [self._pending.popleft() for _ in range(most) if self._pending]
            for trace in traces:
                try:
                    (id,) = self._store.add([describe(self._app, trace)])
                except Exception:
                    logger.exception("Could not record a request.")
                    continue
                origin: Origin | None = trace.environ.get(SOURCE)
                if origin is not None:
                    origin.id = id


def _late(environ: JSON) -> HandlerLate | None:
    """Return the problem of the handler that was late, if one was."""
    routed = environ.get("werkzeug.request")
    exchange = (getattr(routed, "view_args", None) or {}).get("exchange")
    late: HandlerLate | None = getattr(exchange, "late", None)
    return late


def _trace() -> Trace:
    """Return the trace of the current request; outside a request, a discarded one."""
    found: Trace | None = request.environ.get(_TRACE) if request else None
    return found or Trace({}, Body(io.BytesIO()))
