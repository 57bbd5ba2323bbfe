"""Record what happens to each request for a webhook, without changing it."""

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
from ..errors import ConfigurationError
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
    """Records the requests for the webhooks of an application in a store.

    It wraps the application's WSGI interface. What the inspector sent is recorded at
    once; what comes over the wire is recorded in a quiet moment after its answer, so
    that the bot answers as fast as without it.
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
        #: How many requests are being answered.
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
            # Flask forgets the request before the application returns.
            trace.webhook = self._webhook_of(environ)
            return start_response(status, *more)

        try:
            response = self._inner(environ, start)
        except Exception:
            self._end(trace)
            raise
        if trace.webhook is None:
            self._end(trace)
            return response
        # A webhook's answer is one piece of bytes.
        trace.reply = b"".join(response)
        close: Callable[[], None] = getattr(response, "close", lambda: None)
        return ClosingIterator([trace.reply], [close, lambda: self._end(trace)])

    def flush(self) -> None:
        """Record now what waits to be recorded."""
        self._record_some(len(self._pending))

    # -- what the signals tell ---------------------------------------------------------

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
            # It is too late if the application answered requests when it was loaded:
            # then what handlers return is not seen.
            with suppress(ConfigurationError):
                webhook.around(self._around)

    @contextmanager
    def _around(
        self, notification: Notification, handler: Handler, *, call: Call
    ) -> Iterator[None]:
        """See what a handler returns."""
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
        # '_around' may not be registered.
        if not trace.runs or trace.runs[-1].handler is not handler:
            trace.runs.append(Run(handler))
        trace.runs[-1].duration = duration

    def _failed(self, _: Flask, exception: BaseException, **extra: Any) -> None:
        _trace().failure = exception

    def _repeated(self, _: Flask, **extra: Any) -> None:
        _trace().repeated = True

    # -- recording ---------------------------------------------------------------------

    def _webhook_of(self, environ: JSON) -> ClustaarWebhook | None:
        """Return the webhook that a request was routed to; None if it was none."""
        routed = environ.get("werkzeug.request")
        return self._endpoints.get(getattr(routed, "endpoint", None) or "")

    def _count(self, number: int) -> None:
        """Count a request that begins, or with -1 one that ends."""
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
        """Record at most so many; a failure is logged, and never raised."""
        with self._lock:
            traces = [self._pending.popleft() for _ in range(most) if self._pending]
            for trace in traces:
                try:
                    (id,) = self._store.add([describe(self._app, trace)])
                except Exception:
                    logger.exception("A request was not recorded.")
                    continue
                origin: Origin | None = trace.environ.get(SOURCE)
                if origin is not None:
                    origin.id = id


def _trace() -> Trace:
    """Return the trace of the current request; one that nobody sees outside of one."""
    found: Trace | None = request.environ.get(_TRACE) if request else None
    return found or Trace({}, Body(io.BytesIO()))
