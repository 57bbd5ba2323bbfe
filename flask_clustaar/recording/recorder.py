"""Record every request to a webhook and its reply as a line in a file."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec
from msgspec import Raw

from ..settings import Redaction, Settings
from .delivery import VERSION
from .files import Day, Files
from .redaction import Redactor

logger: logging.Logger = logging.getLogger("flask_clustaar")

#: The minimum time between two logged failures, in seconds.
QUIET: Final = 60.0

Redact = Callable[[Redactor, bytes, bytes], tuple[bytes, bytes] | None]


class Late(Protocol):
    """The attributes of a late handler that the recorder uses."""

    handler: Any


class Exchange(Protocol):
    """The attributes of a request that the recorder uses."""

    environ: dict[str, Any]
    body: bytes
    delivery: str | None
    runs: list[tuple[Any, float]]
    began: float
    loaded: float | None
    handled: float | None
    sent: bytes | None
    code: str | None
    raised: BaseException | None

    @property
    def late(self) -> Late | None: ...


class Answered(Protocol):
    """The attributes of a response that the recorder uses."""

    status_code: int

    @property
    def is_json(self) -> bool: ...

    def get_data(self) -> bytes: ...


_R = TypeVar("_R", bound=Answered)


class Recorder:
    """Records the requests to one webhook of one application.

    A request is recorded when its response is complete. If the recording fails, the
    request still succeeds, and the failure is logged once a minute.

    :param webhook: the name of the webhook.
    :param app: the name of the application.
    :param settings: the settings of the webhook.
    :param directory: the directory of the files.
    """

    def __init__(
        self, webhook: str, app: str, settings: Settings, directory: Path
    ) -> None:
        self._webhook = webhook
        self._app = app
        self._settings = settings
        self._files = Files(directory, settings.record_days)
        self._redactor: tuple[bytes, Redactor] = b"", Redactor(b"")
        redact = settings.record_redact
        self._redact = _redaction(redact)
        self._redact_name = redact if isinstance(redact, str) else "function"
        date_key = "HTTP_" + settings.date_header.upper().replace("-", "_")
        self._header_keys = ("Date", date_key), ("Content-Type", "CONTENT_TYPE")
        self._quiet_until = -QUIET

    def finish(self, exchange: Exchange, response: _R) -> _R:
        """Record a request and its response; return the response unchanged."""
        try:
            self._record(exchange, response)
        except Exception as error:
            self._complain(error)
        return response

    # -- the line ----------------------------------------------------------------------

    def _record(self, exchange: Exchange, response: Answered) -> None:
        total = time.perf_counter() - exchange.began
        status = response.status_code
        is_repeated = exchange.loaded is None and status == 200
        row: dict[str, Any] = {
            "v": VERSION,
            "at": round(time.time() - total, 3),
            "app": self._app,
            "webhook": self._webhook,
            "status": status,
            "code": exchange.code,
            "size": len(exchange.body) or _announced(exchange.environ),
            "timings": _timings(exchange, total),
        }
        day = self._files.today()
        if exchange.loaded is not None or is_repeated:
            if not self._is_shared(exchange.body):
                return
            row["key"] = exchange.delivery
            row["repeated"] = is_repeated
        if exchange.loaded is not None:
            row["headers"] = self._headers(exchange.environ)
            row["handlers"] = [
                {"name": handler.name, "ms": _ms(seconds)}
                for handler, seconds in exchange.runs
            ]
            late = exchange.late
            row["late"] = None if late is None else late.handler.name
            raised = exchange.raised
            row["error"] = None if raised is None else type(raised).__name__
            row["redact"] = self._redact_name
            if not self._add_bodies(row, exchange, response, day):
                return
        day.append(_ENCODER.encode(row) + b"\n")

    def _add_bodies(
        self, row: dict[str, Any], exchange: Exchange, response: Answered, day: Day
    ) -> bool:
        """Add the bodies to the row; return False to drop the request."""
        request, most = exchange.body, self._settings.record_bytes
        row["request"] = row["reply"] = None
        if len(request) > most:
            row["sha256"] = hashlib.sha256(request).hexdigest()
            return True
        reply = _reply_of(exchange, response)
        redacted = self._redact(self._redactor_of(day), request, reply)
        if redacted is None:
            return False
        row["request"] = Raw(_on_one_line(redacted[0]))
        if len(reply) > most:
            row["reply_size"] = len(reply)
            row["reply_sha256"] = hashlib.sha256(reply).hexdigest()
        else:
            row["reply"] = Raw(_on_one_line(redacted[1]))
        return True

    def _headers(self, environ: dict[str, Any]) -> dict[str, list[str]]:
        keys = self._header_keys
        return {name: [environ[key]] for name, key in keys if key in environ}

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
            self._webhook,
            type(error).__name__,
            reason,
        )


def _timings(exchange: Exchange, total: float) -> dict[str, float]:
    """Return the duration of each part, in milliseconds."""
    timings = {"total": _ms(total)}
    if exchange.loaded is not None:
        timings["load"] = _ms(exchange.loaded - exchange.began)
        if exchange.handled is not None:
            timings["handlers"] = _ms(exchange.handled - exchange.loaded)
            timings["reply"] = _ms(exchange.began + total - exchange.handled)
    return timings


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
            return _ENCODER.encode(pair[0]), _ENCODER.encode(pair[1])

        return redact
    return _REDACTIONS[setting]


_REDACTIONS: Final[dict[Literal["pseudonyms", "texts", "none"], Redact]] = {
    "pseudonyms": Redactor.pseudonymise,
    "texts": Redactor.without_texts,
    "none": lambda _, request, reply: (request, reply),
}
_ENCODER: Final = msgspec.json.Encoder()


def _reply_of(exchange: Exchange, response: Answered) -> bytes:
    """Return the reply, or a problem; ``null`` if the body is not JSON."""
    if exchange.sent is not None and response.status_code == 200:
        return exchange.sent
    with suppress(msgspec.MsgspecError):
        if response.is_json:
            return bytes(_ANY.decode(response.get_data()))
    return b"null"


def _on_one_line(document: bytes) -> bytes:
    """Return JSON without line breaks, which can only be between values."""
    if b"\n" in document or b"\r" in document:
        return document.replace(b"\n", b" ").replace(b"\r", b" ")
    return document


_ANY: Final = msgspec.json.Decoder(Raw)


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
    """Convert to milliseconds with three decimals; 'round' takes ten times as long."""
    return int(seconds * 1_000_000 + 0.5) / 1000
