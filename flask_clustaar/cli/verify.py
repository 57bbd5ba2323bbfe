"""``flask clustaar verify``: what the door says to a request that was saved."""

from __future__ import annotations

import re
import time

import click
from flask import Flask
from werkzeug.wsgi import get_content_length

from ..errors import DateMalformed, RequestFromFuture, RequestRejected, RequestTooOld
from ..extension import ClustaarWebhook
from ..security import read_date
from ..settings import Settings
from ..verification import ReceivedRequest, Verdict, verify
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
    settings = _webhook(app, webhook, request).installation(app).settings
    failed: RequestRejected | None = None
    for verdict in verify(request, settings, clock):
        failed = failed or verdict.error
        click.secho(
            f"{verdict.check:<11}  {verdict.outcome}  {verdict.sentence}"
            f"{_advice(verdict, request, settings)}",
            fg=_COLOURS[verdict.outcome],
        )
    if failed is not None:
        click.echo(f"The door answers {failed.code} {failed.error_code}.")
        click.get_current_context().exit(1)
    click.echo("The door lets it in.")


_COLOURS = {"pass": "green", "FAIL": "red", "skip": None}


# -- the clock -----------------------------------------------------------------------


def _clock(text: str) -> float:
    try:
        return read_date(text, time.time())
    except DateMalformed as error:
        raise click.BadParameter(
            f"'{text}' is no date such as 'Thu, 13 Sep 2018 11:48:23 GMT'.",
            param_hint="'--at'",
        ) from error


def _advice(verdict: Verdict, request: ReceivedRequest, settings: Settings) -> str:
    """Return what to do about a date that is not fresh, as the rest of a sentence."""
    if not isinstance(verdict.error, (RequestTooOld, RequestFromFuture)):
        return ""
    (date,) = request.header(settings.date_header)
    return f" Judge it by its own clock with '--at \"{date}\"'."


# -- the file ------------------------------------------------------------------------


_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_BREAK = re.compile(r"\r?\n")
_REQUEST_LINE = re.compile(r"[A-Z]+ (\S+) HTTP/[0-9.]+")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


def _parse(raw: bytes, file: str) -> ReceivedRequest:
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
    request = ReceivedRequest(path, headers, body)
    length = get_content_length(request.environ())
    return request if length is None else request._replace(body=body[:length])


def _webhook(app: Flask, name: str | None, request: ReceivedRequest) -> ClustaarWebhook:
    """Return the webhook that is named, or the one that the request was sent to."""
    webhooks = webhooks_of(app)
    for webhook in webhooks.values() if name is None and request.path else ():
        if any(rule.rule == request.path for rule in rules_of(app, webhook)):
            return webhook
    return chosen(webhooks, name)
