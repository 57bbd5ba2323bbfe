"""Record every request to a webhook and its reply as a line in a file."""

from __future__ import annotations

import hashlib
import logging
import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

from .. import signals
from ..errors import HandlerFailed, InvalidReply
from ..settings import Redaction, Settings
from .delivery import VERSION
from .files import Day, Files
from .redaction import Redactor

logger: logging.Logger = logging.getLogger("flask_clustaar")

#: The minimum time between two logged failures, in seconds.
QUIET: Final = 60.0

Redact = Callable[[Redactor, bytes, bytes], tuple[bytes, bytes] | None]


class Late(Protocol):
    """What the recorder reads of a handler that was late."""

    handler: Any


class Received(Protocol):
    """The attributes of a request that the recorder uses."""

    environ: dict[str, Any]
    body: bytes
    delivery: str | None

    @property
    def late(self) -> Late | None: ...


class Answered(Protocol):
    """The attributes of a response that the recorder uses."""

    status_code: int

    @property
    def is_json(self) -> bool: ...

    def get_data(self) -> bytes: ...


class Recorder:
    """Records the requests to one webhook of one application.

    A request is recorded when its response is complete. If the recording fails, the
    request still succeeds, and the failure is logged once a minute.

    :param webhook: the webhook, the argument of the signals.
    :param name: the name of the webhook.
    :param app: the application, the sender of the signals.
    :param settings: the settings of the webhook.
    :param directory: the directory of the files.
    """

    def __init__(
        self, webhook: Any, name: str, app: Any, settings: Settings, directory: Path
    ) -> None:
        self._webhook = weakref.ref(webhook)
        self._name = name
        self._app = app.name
        self._settings = settings
        self._files = Files(directory, settings.record_days)
        self._redactor: tuple[bytes, Redactor] = b"", Redactor(b"")
        self._redact = _redaction(settings.record_redact)
        self._date_key = "HTTP_" + settings.date_header.upper().replace("-", "_")
        self._quiet_until = -QUIET
        signals.notification_received.connect(self._on_received, app, weak=False)
        signals.handler_called.connect(self._on_called, app, weak=False)
        signals.handler_failed.connect(self._on_failed, app, weak=False)
        signals.request_rejected.connect(self._on_rejected, app, weak=False)

    def start(self, request: Received) -> Callable[[Any], Any]:
        """Start recording a request; return a function to call with the response.

        The function returns the response unchanged.
        """
        run = _Run()
        _current.set(run)

        def finish(response: Any) -> Any:
            try:
                self._record(run, request, response)
            except Exception as error:
                self._complain(error)
            return response

        return finish

    # -- signals -----------------------------------------------------------------------

    def _on_received(self, app: Any, *, webhook: Any, **_: Any) -> None:
        if webhook is self._webhook():
            _current.get().handlers_from = time.perf_counter()

    def _on_called(
        self, app: Any, *, webhook: Any, handler: Any, duration: float, **_: Any
    ) -> None:
        if webhook is self._webhook():
            run = _current.get()
            run.handlers_to = time.perf_counter()
            run.handlers.append({"name": handler.name, "ms": _ms(duration)})

    def _on_failed(
        self, app: Any, *, webhook: Any, exception: BaseException, **_: Any
    ) -> None:
        if webhook is self._webhook():
            run = _current.get()
            run.error = type(exception).__name__
            invalid = isinstance(exception, InvalidReply)
            run.code = (InvalidReply if invalid else HandlerFailed).error_code

    def _on_rejected(self, app: Any, *, webhook: Any, code: str, **_: Any) -> None:
        if webhook is self._webhook():
            _current.get().code = code

    # -- the line ----------------------------------------------------------------------

    def _record(self, run: _Run, request: Received, response: Answered) -> None:
        total = time.perf_counter() - run.began
        day = self._files.today()
        row: dict[str, Any] = {
            "v": VERSION,
            "at": round(run.at, 3),
            "app": self._app,
            "webhook": self._name,
            "status": response.status_code,
            "code": run.code,
            "size": len(request.body) or _announced(request.environ),
        }
        if run.handlers_from is None and response.status_code != 200:
            row["timings"] = {"total": _ms(total)}
        elif not self._is_shared(request.body):
            return
        else:
            row["timings"] = run.timings(total)
            row["key"] = request.delivery
            row["repeated"] = run.handlers_from is None
            if not row["repeated"] and not self._add_bodies(
                row, run, request, response, day
            ):
                return
        day.append(msgspec.json.encode(row) + b"\n")

    def _add_bodies(
        self,
        row: dict[str, Any],
        run: _Run,
        request: Received,
        response: Answered,
        day: Day,
    ) -> bool:
        """Add the bodies to the row; return False to drop the request."""
        most = self._settings.record_bytes
        row["headers"] = self._headers(request.environ)
        row["handlers"] = run.handlers
        row["late"] = None if request.late is None else request.late.handler.name
        row["error"] = run.error
        row["redact"] = self._redaction_name()
        row["request"] = row["reply"] = None
        if len(request.body) > most:
            row["sha256"] = hashlib.sha256(request.body).hexdigest()
            return True
        reply = response.get_data() if response.is_json else b"null"
        redacted = self._redact(self._redactor_of(day), request.body, reply)
        if redacted is None:
            return False
        row["request"] = redacted[0].decode()
        if len(reply) > most:
            row["reply_size"] = len(reply)
            row["reply_sha256"] = hashlib.sha256(reply).hexdigest()
        elif response.is_json:
            row["reply"] = redacted[1].decode()
        return True

    def _redaction_name(self) -> str:
        redact = self._settings.record_redact
        return redact if isinstance(redact, str) else "function"

    def _headers(self, environ: dict[str, Any]) -> dict[str, list[str]]:
        headers = {"Date": self._date_key, "Content-Type": "CONTENT_TYPE"}
        return {name: [environ[key]] for name, key in headers.items() if key in environ}

    def _redactor_of(self, day: Day) -> Redactor:
        key, redactor = self._redactor
        if key != day.key:
            redactor = Redactor(day.key)
            self._redactor = day.key, redactor
        return redactor

    def _is_shared(self, body: bytes) -> bool:
        """Return whether this user is in the share of recorded users."""
        share = self._settings.record_share
        if share >= 1:
            return True
        user = _user_id(body)
        digest = hashlib.sha256(body if user is None else repr(user).encode()).digest()
        return int.from_bytes(digest[:8], "big") < share * 2**64

    def _complain(self, error: Exception) -> None:
        """Log a failure, if none was logged in the last minute."""
        now = time.monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + QUIET
        # The messages of other exceptions may contain personal data.
        reason = f": {error}" if isinstance(error, OSError) else ""
        logger.error(
            "The webhook '%s' cannot record: %s%s. Requests are answered, but not "
            "recorded. This is logged once a minute.",
            self._name,
            type(error).__name__,
            reason,
        )


class _Run:
    """The data of one request."""

    def __init__(self) -> None:
        self.at = time.time()
        self.began = time.perf_counter()
        self.handlers_from: float | None = None
        self.handlers_to: float | None = None
        self.handlers: list[dict[str, Any]] = []
        self.code: str | None = None
        self.error: str | None = None

    def timings(self, total: float) -> dict[str, float | None]:
        """Return the duration of each part, in milliseconds."""
        timings: dict[str, float | None] = {"total": _ms(total)}
        if self.handlers_from is not None:
            timings["load"] = _ms(self.handlers_from - self.began)
            if self.handlers_to is not None:
                timings["handlers"] = _ms(self.handlers_to - self.handlers_from)
                timings["reply"] = _ms(self.began + total - self.handlers_to)
        return timings


_current: ContextVar[_Run] = ContextVar("flask_clustaar.recording")


def _redaction(setting: Redaction) -> Redact:
    if callable(setting):
        function = setting

        def redact(
            _: Redactor, request: bytes, reply: bytes
        ) -> tuple[bytes, bytes] | None:
            decode = msgspec.json.decode
            pair = function(decode(request), decode(reply))
            if pair is None:
                return None
            return msgspec.json.encode(pair[0]), msgspec.json.encode(pair[1])

        return redact
    return _REDACTIONS[setting]


_REDACTIONS: Final[dict[Literal["pseudonyms", "texts", "none"], Redact]] = {
    "pseudonyms": Redactor.pseudonymise,
    "texts": Redactor.without_texts,
    "none": lambda _, request, reply: (request, reply),
}


def _user_id(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)["data"]["interlocutor"]["id"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return None


def _announced(environ: dict[str, Any]) -> int:
    """Return the announced length of a body that was not read."""
    length = environ.get("CONTENT_LENGTH", "")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
