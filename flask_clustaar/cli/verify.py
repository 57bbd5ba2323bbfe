"""``flask clustaar verify``: what the door says to a request that was saved."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import click
from flask import Flask
from werkzeug.wsgi import get_content_length

from ..body import check_content, read_body
from ..errors import (
    DateMalformed,
    RequestFromFuture,
    RequestRejected,
    RequestTooOld,
    SignatureInvalid,
)
from ..extension import ClustaarWebhook
from ..security import (
    check_credentials,
    check_freshness,
    check_signature,
    read_date,
)
from ..settings import Settings
from .common import (
    chosen,
    load_app,
    name_of,
    read,
    rules_of,
    webhook_option,
    webhooks_of,
)


@click.command("verify")
@click.argument("file")
@webhook_option
@click.option(
    "--at",
    metavar="DATE",
    help="The clock of the door, such as 'Thu, 13 Sep 2018 11:48:23 GMT'.",
)
@click.option("--now", is_flag=True, help="The present as the clock; the default.")
def command(file: str, webhook: str | None, at: str | None, now: bool) -> None:
    """Tell if the door lets a saved request in, check by check.

    FILE has the request as it was received: headers, an empty line, the body; a
    request line may come first. '-' is standard input.

    \b
      flask clustaar verify request.http
      flask clustaar verify request.http --at 'Thu, 13 Sep 2018 11:48:23 GMT'

    Nothing is run and nothing is recorded. The exit status is 0 if the door lets the
    request in, and 1 if it does not.
    """
    if at is not None and now:
        raise click.UsageError("'--at' and '--now' are two clocks. Choose one.")
    clock = time.time() if at is None else _clock(at)
    request = _parse(read(file), file)
    app = load_app()
    settings = _webhook(app, webhook, request).endpoint(app).settings
    failed: RequestRejected | None = None
    for name, check in _CHECKS.items():
        try:
            outcome, reason = check(request, settings, clock)
        except RequestRejected as error:
            outcome, reason = "FAIL", _why(error, request, settings, clock)
            failed = failed or error
        click.secho(f"{name:<11}  {outcome}  {reason}", fg=_COLOURS[outcome])
    if failed is not None:
        click.echo(f"The door answers {failed.code} {failed.error_code}.")
        click.get_current_context().exit(1)
    click.echo("The door lets it in.")


# -- the checks, in the order of the door --------------------------------------------


def _size(request: _Request, settings: Settings, clock: float) -> _Outcome:
    most = settings.max_content_length
    body = read_body(request.environ(), most)
    return "pass", f"{len(body)} bytes of at most {most}"


def _content(request: _Request, settings: Settings, clock: float) -> _Outcome:
    environ = request.environ()
    check_content(environ)
    return "pass", environ.get("CONTENT_TYPE", "no type is as good as JSON")


def _credentials(request: _Request, settings: Settings, clock: float) -> _Outcome:
    if not settings.pairs:
        return "skip", "there is no user name in the settings"
    authorization = request.header("Authorization")
    check_credentials(authorization, settings.pairs)
    return "pass", "the user name and the password are right"


def _signature(request: _Request, settings: Settings, clock: float) -> _Outcome:
    if not settings.keys:
        return "skip", "there is no private key in the settings"
    number = _key_number(request, settings)
    if len(settings.keys) == 1:
        return "pass", "it was made with the private key"
    return "pass", f"it was made with key {number} of {len(settings.keys)}"


def _freshness(request: _Request, settings: Settings, clock: float) -> _Outcome:
    if not settings.keys:
        return "skip", "there is no private key in the settings, so no date is signed"
    dates = request.header(settings.date_header)
    if len(dates) != 1:
        return "skip", f"there is not one '{settings.date_header}'"
    check_freshness(dates[0], clock, settings.request_max_age, settings.clock_skew)
    return "pass", f"{_age(dates[0], clock)}; {_window(settings)}"


def _replay(request: _Request, settings: Settings, clock: float) -> _Outcome:
    if not settings.keys:
        return "skip", "there is no private key in the settings to tell deliveries by"
    if settings.replay_store in (None, "off"):
        return "skip", "the replay store is off"
    return "skip", "the replay store is not asked, since that would record the delivery"


_Outcome = tuple[str, str]
_COLOURS = {"pass": "green", "FAIL": "red", "skip": None}
_CHECKS: dict[str, Callable[[_Request, Settings, float], _Outcome]] = {
    "size": _size,
    "content": _content,
    "credentials": _credentials,
    "signature": _signature,
    "freshness": _freshness,
    "replay": _replay,
}


def _why(
    error: RequestRejected, request: _Request, settings: Settings, clock: float
) -> str:
    """Return why a check fails, with what its owner may know and a sender may not."""
    if isinstance(error, (RequestTooOld, RequestFromFuture)):
        date = request.header(settings.date_header)[0]
        return (
            f"{error.description} {_age(date, clock).capitalize()}; "
            f"{_window(settings)}. Judge it by its own clock with '--at \"{date}\"'."
        )
    shortened = request._replace(body=request.body.rstrip(b"\r\n"))
    if isinstance(error, SignatureInvalid) and shortened != request:
        with suppress(RequestRejected):
            _key_number(shortened, settings)
            return (
                "It matches without the line break at the end of the file. Remove it."
            )
    return str(error.description)


def _key_number(request: _Request, settings: Settings) -> int:
    """Return which key the signature was made with.

    :raises RequestRejected: if it was made with none.
    """
    arguments = request.header("X-Hub-Signature"), request.header(settings.date_header)
    for number, key in enumerate(settings.keys, 1):
        with suppress(SignatureInvalid):
            check_signature(
                *arguments, request.body, [key], settings.signature_algorithms
            )
            return number
    raise SignatureInvalid


# -- the clock -----------------------------------------------------------------------


def _clock(text: str) -> float:
    try:
        return read_date(text, time.time())
    except DateMalformed as error:
        raise click.BadParameter(
            f"'{text}' is no date such as 'Thu, 13 Sep 2018 11:48:23 GMT'.",
            param_hint="'--at'",
        ) from error


def _window(settings: Settings) -> str:
    if settings.request_max_age is None:
        return "any age is accepted"
    return (
        f"{settings.request_max_age:g} s ago to {settings.clock_skew:g} s ahead "
        "is accepted"
    )


def _age(date: str, clock: float) -> str:
    seconds = clock - read_date(date, clock)
    side = "ago" if seconds >= 0 else "ahead"
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if abs(seconds) >= 2 * size:
            return f"it is dated {abs(seconds) / size:.0f} {unit} {side}"
    return f"it is dated {abs(seconds):.0f} s {side}"


# -- the file ------------------------------------------------------------------------


class _Request(NamedTuple):
    #: The path of the request line, if there is one.
    path: str | None
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return self.headers.get(name.lower(), [])

    def environ(self) -> dict[str, Any]:
        """Return what a server makes of it."""
        environ = {
            f"HTTP_{name.upper().replace('-', '_')}": ",".join(values)
            for name, values in self.headers.items()
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if f"HTTP_{name}" in environ:
                environ[name] = environ.pop(f"HTTP_{name}")
        body = {"wsgi.input": io.BytesIO(self.body), "wsgi.input_terminated": True}
        return environ | body


_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_BREAK = re.compile(r"\r?\n")
_REQUEST_LINE = re.compile(r"[A-Z]+ (\S+) HTTP/[0-9.]+")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


def _parse(raw: bytes, file: str) -> _Request:
    raw = raw.lstrip(b"\r\n")
    end = _BLANK_LINE.search(raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end else (raw.rstrip(), b"")
    lines = _LINE_BREAK.split(head.decode("latin-1"))
    start = _REQUEST_LINE.fullmatch(lines[0])
    headers: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if number == 1 and start:
            continue
        header = _HEADER.fullmatch(line)
        if header is None:
            raise click.ClickException(
                f"{name_of(file)} is no HTTP request: "
                f"line {number} is not 'Name: value'."
            )
        headers.setdefault(header[1].lower(), []).append(header[2])
    path = start[1].partition("?")[0] if start else None
    request = _Request(path, headers, body)
    length = get_content_length(request.environ())
    return request if length is None else request._replace(body=body[:length])


def _webhook(app: Flask, name: str | None, request: _Request) -> ClustaarWebhook:
    """Return the webhook that is named, or the one that the request was sent to."""
    webhooks = webhooks_of(app)
    for webhook in webhooks.values() if name is None and request.path else ():
        if any(rule.rule == request.path for rule in rules_of(app, webhook)):
            return webhook
    return chosen(webhooks, name)
