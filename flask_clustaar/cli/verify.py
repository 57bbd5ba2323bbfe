"""``flask clustaar verify``: check whether a saved request would be accepted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import click
from flask import Flask

from ..address import rules_of
from ..errors import DateMalformed, RequestFromFuture, RequestRejected, RequestTooOld
from ..extension import ClustaarWebhook
from ..security import read_date
from ..settings import Settings
from ..verification import ReceivedRequest, Verdict, verify
from .application import chosen, load_app, webhooks_of
from .files import name_of, read
from .options import FILE, json_option, webhook_option
from .terminal import Looks, echo, echo_json


@click.command("verify")
@click.argument("file", type=FILE)
@webhook_option
@click.option(
    "--at",
    metavar="DATE",
    help="Check the request as of this time, such as 'Thu, 13 Sep 2018 11:48:23 GMT'.",
)
@click.option("--now", is_flag=True, help="Use the current time (default).")
@json_option
def command(
    file: str, webhook: str | None, at: str | None, now: bool, as_json: bool
) -> None:
    """Check whether the webhook would accept a saved request.

    FILE contains the request as received: an optional request line, the headers, an
    empty line and the body. '-' is standard input.

    \b
      flask clustaar verify request.http
      flask clustaar verify request.http --at 'Thu, 13 Sep 2018 11:48:23 GMT'

    No handler runs, and the replay store is not changed. The exit status is 0 if the
    request is accepted, and 1 if it is rejected.
    """
    if at is not None and now:
        raise click.UsageError("'--at' and '--now' cannot be combined. Remove one.")
    clock = time.time() if at is None else _clock(at)
    request = _parse(read(file), file)
    app = load_app()
    settings = _webhook(app, webhook, request).installation(app).settings
    verdicts = verify(request, settings, clock)
    failed = next((each.error for each in verdicts if each.error), None)
    if as_json:
        _print_json(verdicts, failed)
    else:
        _print(verdicts, failed, request, settings)
    if failed is not None:
        click.get_current_context().exit(1)


def _print(
    verdicts: Sequence[Verdict],
    failed: RequestRejected | None,
    request: ReceivedRequest,
    settings: Settings,
) -> None:
    for verdict in verdicts:
        looks = _COLOURS[verdict.outcome]
        echo(
            verdict.sentence + _advice(verdict, request, settings),
            label=f"{verdict.check:<11}  {verdict.outcome}  ",
            looks=looks,
            label_looks=looks,
        )
    if failed is None:
        echo("Accepted.")
    else:
        echo(f"Rejected: {failed.code} {failed.error_code}.")


def _print_json(verdicts: Sequence[Verdict], failed: RequestRejected | None) -> None:
    checks = [
        {
            "check": each.check,
            "outcome": each.outcome.lower(),
            "sentence": each.sentence,
        }
        for each in verdicts
    ]
    status, code = (200, None) if failed is None else (failed.code, failed.error_code)
    echo_json(
        {"accepted": failed is None, "status": status, "code": code, "checks": checks}
    )


_COLOURS: Final[dict[str, Looks]] = {
    "pass": {"fg": "green"},
    "FAIL": {"fg": "red"},
    "skip": {},
}


# -- the clock -----------------------------------------------------------------------


def _clock(text: str) -> float:
    try:
        return read_date(text, time.time())
    except DateMalformed as error:
        raise click.BadParameter(
            f"'{text}' is not a date such as 'Thu, 13 Sep 2018 11:48:23 GMT'.",
            param_hint="'--at'",
        ) from error


def _advice(verdict: Verdict, request: ReceivedRequest, settings: Settings) -> str:
    """Return a sentence about ``--at`` if the date is not fresh, else an empty text."""
    if not isinstance(verdict.error, (RequestTooOld, RequestFromFuture)):
        return ""
    (date,) = request.header(settings.date_header)
    return f" To check it as of its own date, add '--at \"{date}\"'."


# -- the file ------------------------------------------------------------------------


def _parse(raw: bytes, file: str) -> ReceivedRequest:
    try:
        return ReceivedRequest.parse(raw)
    except ValueError as error:
        raise click.ClickException(
            f"{name_of(file)} is not an HTTP request: {error}."
        ) from error


def _webhook(app: Flask, name: str | None, request: ReceivedRequest) -> ClustaarWebhook:
    """Return the webhook with this name, or the one at the URL of the request."""
    webhooks = webhooks_of(app)
    for webhook in webhooks.values() if name is None and request.path else ():
        if any(rule.rule == request.path for rule in rules_of(app, webhook)):
            return webhook
    return chosen(webhooks, name)
