"""Explain, check by check, whether the webhook would accept a request.

The explanations contain values of the settings and of the request, so show them only to
the webhook's developers. No handler runs, and nothing is recorded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple, Self

from werkzeug.wsgi import get_content_length

from .body import check_content, read_body
from .errors import (
    RequestFromFuture,
    RequestRejected,
    RequestTooOld,
    SignatureInvalid,
)
from .security import (
    check_credentials,
    check_freshness,
    check_signature,
    read_date,
)
from .settings import Settings

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_LINE_BREAK: Final = re.compile(r"\r?\n")
_REQUEST_LINE: Final = re.compile(r"[A-Z]+ (\S+) HTTP/[0-9.]+")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")

Outcome = Literal["pass", "FAIL", "skip"]
_Result = tuple[Outcome, str]


class ReceivedRequest(NamedTuple):
    """A request as a server received it."""

    #: The path in the request line, if there is one.
    path: str | None
    #: The values of each header, by name in lower case.
    headers: dict[str, list[str]]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Parse a saved request: headers, an empty line, the body.

        An optional request line comes first.

        :raises ValueError: if a line before the empty line is not a header.
        """
        raw = raw.lstrip(b"\r\n")
        end = _BLANK_LINE.search(raw)
        head, body = raw.rstrip(), b""
        if end:
            head, body = raw[: end.start()], raw[end.end() :]
        lines = _LINE_BREAK.split(head.decode("latin-1"))
        start = _REQUEST_LINE.fullmatch(lines[0])
        headers: dict[str, list[str]] = {}
        for number, line in enumerate(lines, 1):
            if number == 1 and start:
                continue
            header = _HEADER.fullmatch(line)
            if header is None:
                raise ValueError(f"line {number} is not 'Name: value'")
            headers.setdefault(header[1].lower(), []).append(header[2])
        request = cls(start[1].partition("?")[0] if start else None, headers, body)
        length = get_content_length(request.environ())
        return request if length is None else request._replace(body=body[:length])

    def header(self, name: str) -> list[str]:
        """Return the values of a header."""
        return self.headers.get(name.lower(), [])

    def environ(self) -> dict[str, Any]:
        """Return the WSGI environment that a server would create for the request."""
        environ = {
            f"HTTP_{name.upper().replace('-', '_')}": ",".join(values)
            for name, values in self.headers.items()
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if f"HTTP_{name}" in environ:
                environ[name] = environ.pop(f"HTTP_{name}")
        # A saved request may have no Content-Length.
        environ.setdefault("CONTENT_LENGTH", str(len(self.body)))
        body = {"wsgi.input": io.BytesIO(self.body), "wsgi.input_terminated": True}
        return environ | body


class Verdict(NamedTuple):
    """The result of one check."""

    check: str
    outcome: Outcome
    #: The reason.
    sentence: str
    #: The error that the webhook answers with, if the check failed.
    error: RequestRejected | None = None


def verify(request: ReceivedRequest, settings: Settings, clock: float) -> list[Verdict]:
    """Return the verdicts of all checks, in the order of the webhook.

    Unlike the webhook, this function does not stop at the first failed check.

    :param clock: the time of arrival, in seconds since the epoch.
    """
    verdicts = []
    for name, check in _CHECKS.items():
        try:
            verdict = Verdict(name, *check(request, settings, clock))
        except RequestRejected as error:
            reason = _why(error, request, settings, clock)
            verdict = Verdict(name, "FAIL", reason, error)
        verdicts.append(verdict)
    return verdicts


# -- the checks ----------------------------------------------------------------------


def _size(request: ReceivedRequest, settings: Settings, clock: float) -> _Result:
    most = settings.max_content_length
    body = read_body(request.environ(), most)
    return "pass", f"{len(body)} bytes of at most {most}"


def _content(request: ReceivedRequest, settings: Settings, clock: float) -> _Result:
    environ = request.environ()
    check_content(environ)
    return "pass", environ.get("CONTENT_TYPE", "no Content-Type (accepted)")


def _credentials(request: ReceivedRequest, settings: Settings, clock: float) -> _Result:
    if not settings.pairs:
        return "skip", "no user name in the settings"
    authorization = request.header("Authorization")
    check_credentials(authorization, settings.pairs)
    return "pass", "the user name and the password are correct"


def _signature(request: ReceivedRequest, settings: Settings, clock: float) -> _Result:
    if not settings.keys:
        return "skip", "no private key in the settings"
    number = _key_number(request, settings)
    if len(settings.keys) == 1:
        return "pass", "it matches the private key"
    return "pass", f"it matches key {number} of {len(settings.keys)}"


def _freshness(request: ReceivedRequest, settings: Settings, clock: float) -> _Result:
    if not settings.keys:
        return "skip", "no private key in the settings, so the date is not signed"
    dates = request.header(settings.date_header)
    if len(dates) != 1:
        return "skip", f"not exactly one '{settings.date_header}' header"
    check_freshness(dates[0], clock, settings.request_max_age, settings.clock_skew)
    return "pass", f"{_age(dates[0], clock)}; {_window(settings)}"


def _replay(request: ReceivedRequest, settings: Settings, clock: float) -> _Result:
    if not settings.keys:
        return "skip", "no private key in the settings, so deliveries have no identity"
    if settings.replay_store in (None, "off"):
        return "skip", "the replay store is off"
    return "skip", "not checked, because checking would record the delivery"


_Check = Callable[[ReceivedRequest, Settings, float], _Result]
_CHECKS: Final[dict[str, _Check]] = {
    "size": _size,
    "content": _content,
    "credentials": _credentials,
    "signature": _signature,
    "freshness": _freshness,
    "replay": _replay,
}


# -- the reasons ---------------------------------------------------------------------


def _why(
    error: RequestRejected, request: ReceivedRequest, settings: Settings, clock: float
) -> str:
    """Explain a failed check to the owner of the webhook, in more detail."""
    if isinstance(error, (RequestTooOld, RequestFromFuture)):
        date = request.header(settings.date_header)[0]
        return (
            f"{error.description} {_age(date, clock).capitalize()}; "
            f"{_window(settings)}."
        )
    shortened = request._replace(body=request.body.rstrip(b"\r\n"))
    if isinstance(error, SignatureInvalid) and shortened != request:
        with suppress(RequestRejected):
            _key_number(shortened, settings)
            return (
                "It matches without the line break at the end of the file. Remove it."
            )
    return str(error.description)


def _key_number(request: ReceivedRequest, settings: Settings) -> int:
    """Return the number of the key that matches the signature, from 1.

    :raises RequestRejected: if no key matches.
    """
    arguments = request.header("X-Hub-Signature"), request.header(settings.date_header)
    for number, key in enumerate(settings.keys, 1):
        with suppress(SignatureInvalid):
            check_signature(
                *arguments, request.body, [key], settings.signature_algorithms
            )
            return number
    raise SignatureInvalid


def _window(settings: Settings) -> str:
    if settings.request_max_age is None:
        return "any age is accepted"
    return (
        f"accepted from {settings.request_max_age:g} s ago to "
        f"{settings.clock_skew:g} s ahead"
    )


def _age(date: str, clock: float) -> str:
    seconds = clock - read_date(date, clock)
    side = "ago" if seconds >= 0 else "ahead"
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if abs(seconds) >= 2 * size:
            return f"it is dated {abs(seconds) / size:.0f} {unit} {side}"
    return f"it is dated {abs(seconds):.0f} s {side}"
