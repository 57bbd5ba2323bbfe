"""``flask clustaar send``: send a notification, signed as the platform signs it."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult

import click
from click.core import ParameterSource

from ..errors import ProblemError
from ..logs import logger
from ..models import Notification
from ..notifications import load_notification
from ..platform.signer import WRONG_KEY, Signer, distinct
from ..testing import make_notification
from ..transcript import info
from ..wire import JSON
from .checks.reply import check_actions
from .delivery import Answer
from .files import read
from .lines import say
from .options import (
    FILE,
    bot_id_option,
    channel_option,
    complete_step,
    read_date_option,
    session_option,
    user_option,
    webhook_option,
)
from .repeat import print_measured, repeat
from .routes import running
from .show import show
from .target import Target, curl, find_target, url_option
from .terminal import echo, echo_json, is_terminal


def _headers(
    _: click.Context, __: click.Parameter, values: Sequence[str]
) -> dict[str, str | None]:
    """Read ``--header``: 'Name: value', or 'Name:' to leave a header out."""
    found: dict[str, str | None] = {}
    for each in values:
        name, colon, value = each.partition(":")
        if not name.strip() or not colon or not each.isprintable():
            raise click.BadParameter(f"'{each}' is not 'Name: value'.")
        found[name.strip()] = value.strip() or None
    return found


@click.command("send")
@webhook_option
@click.option(
    "--step",
    metavar="ID",
    shell_complete=complete_step,
    help="Step id. Default: the first step that has a handler.",
)
@click.option("--step-name", metavar="TEXT", help="Name of the step.")
@click.option("--text", metavar="TEXT", help="The user's message.")
@session_option
@channel_option
@user_option
@click.option("--user-data", metavar="TEXT", help="Value of the step's userData field.")
@bot_id_option
@click.option(
    "--file",
    metavar="FILE",
    type=FILE,
    help="Send the notification in FILE; '-' is standard input. FILE may also be the "
    "debug output of the platform, with 'request' and its 'body'.",
)
@click.option(
    "--url",
    metavar="URL",
    callback=url_option,
    help="Send over HTTP to this URL, not to the application in this process. If the "
    "URL has no path, the path of the webhook is used.",
)
@click.option("--key", metavar="KEY", help="Private key. Default: from the settings.")
@click.option("--username", metavar="NAME", help="User name. Default: from settings.")
@click.option("--password", metavar="WORD", help="Password. Default: from settings.")
@click.option(
    "--date",
    metavar="DATE",
    default="0",
    callback=read_date_option,
    help="Date to sign: an HTTP date, an offset in seconds (-20 means 20 seconds ago), "
    "or 'none'. Default: now.",
)
@click.option("--bad-signature", is_flag=True, help="Sign with a wrong key.")
@click.option(
    "--header",
    "headers",
    metavar="NAME:VALUE",
    multiple=True,
    callback=_headers,
    help="Header to add or replace; without a value it is left out. Repeatable.",
)
@click.option(
    "--repeat",
    "count",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    help="Send N requests and report how they were answered. Default: 1.",
)
@click.option(
    "--parallel",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    help="With --repeat: number of requests under way at a time. Default: 1.",
)
@click.option("--same", is_flag=True, help="With --repeat: send the same request.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option(
    "--curl",
    "as_curl",
    is_flag=True,
    help="Print a curl command instead of sending. It works while the date is fresh.",
)
def command(
    webhook: str | None,
    step: str | None,
    step_name: str | None,
    text: str | None,
    session: JSON,
    channel: str,
    user: JSON,
    user_data: str | None,
    bot_id: str | None,
    file: str | None,
    url: SplitResult | None,
    key: str | None,
    username: str | None,
    password: str | None,
    date: str | int | None,
    bad_signature: bool,
    headers: Mapping[str, str | None],
    count: int,
    parallel: int,
    same: bool,
    as_json: bool,
    as_curl: bool,
) -> None:
    """Send a notification to the bot, signed as the platform signs it.

    It goes to the application in this process, with all checks, or with --url to a
    server. The reply is shown as a conversation. Each request is a delivery of its
    own, so the handlers run each time.

    \b
      flask clustaar send --text hello --session city=Paris
      flask clustaar send --file notification.json --json
      flask clustaar send --url http://127.0.0.1:5000 --repeat 1000 --parallel 8
      flask clustaar send --date -20

    The exit status is 0 if the answer is a valid reply, and 1 if it is not.
    """
    if count > 1 and as_curl:
        raise click.UsageError("'--repeat' and '--curl' exclude each other.")
    given: JSON = {
        "step": step,
        "step_name": step_name,
        "text": text,
        "session": session or None,
        "user": user or None,
        "user_data": user_data,
        "bot_id": bot_id,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if file is not None and (given or _is_given("channel")):
        raise click.UsageError(
            "'--file' is a whole notification. Change it there, or leave out '--file'."
        )
    target = find_target(webhook, url)
    if file is None:
        body = _build(given | {"channel": channel}, target.step)
    else:
        body = _notification_in(read(file))
    signer = Signer(
        target.settings, WRONG_KEY if bad_signature else key, username, password, date
    )
    if as_curl:
        click.echo(curl(signer.deliver(body, headers), target.url, file))
        return
    if count > 1:
        measured = repeat(
            target.send,
            lambda: signer.deliver(distinct(body), headers),
            count,
            parallel=parallel,
            same=same,
        )
        if as_json:
            echo_json(measured.json())
        else:
            print_measured(measured)
        fine = measured.ok
    else:
        with _log_held_back() as records:
            answer = target.send(signer.deliver(distinct(body), headers))
        if as_json:
            _print_json(answer)
        else:
            show(body, answer)
            _print_more(body, answer, target, is_new=step is None and file is None)
        _print_log(records, answer)
        fine = answer.is_reply
    if not fine:
        click.get_current_context().exit(1)


def _is_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not ParameterSource.DEFAULT


# -- what is sent --------------------------------------------------------------------


def _build(given: JSON, step: str | None) -> bytes:
    first: JSON = {} if step is None else {"step": step}
    try:
        notification = make_notification(**first | given)
    except (TypeError, ValueError) as error:
        raise click.UsageError(" ".join(str(error).split("\n"))) from error
    return json.dumps(notification.received).encode()


def _notification_in(content: bytes) -> bytes:
    """Return the notification in a file, also if it is debug output (PROTOCOL 8)."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return content
    calls = _calls(document)
    return content if not calls else calls[-1].encode()


def _calls(document: Any) -> list[str]:
    """Return the bodies of the requests in the platform's debug output."""
    if isinstance(document, list):
        return [body for each in document for body in _calls(each)]
    if not isinstance(document, dict):
        return []
    match document:
        case {"request": {"body": str(body)}}:
            return [body]
        case (
            {"webhookCalls": calls}
            | {"debug": {"webhookCalls": calls}}
            | {"bot_reply": {"debug": {"webhookCalls": calls}}}
        ):
            return _calls(calls)
    return []


# -- what is printed -----------------------------------------------------------------


def _print_json(answer: Answer) -> None:
    if not is_terminal(sys.stdout):
        click.echo(answer.body, nl=False)
        return
    try:
        echo_json(json.loads(answer.body))
    except (ValueError, RecursionError):
        for line in answer.body.decode(errors="replace").splitlines():
            echo(line)


def _print_more(body: bytes, answer: Answer, target: Target, *, is_new: bool) -> None:
    """Print which handler answered, and what users do not see as intended.

    :param is_new: whether the command chose the step.
    """
    try:
        notification = load_notification(body)
    except ProblemError:
        return
    document = answer.json()
    actions = document.get("actions") if isinstance(document, dict) else None
    if answer.status == 200 and (is_new or not actions):
        names = _handlers(target, notification)
        if names:
            say([info(f"handled by {', '.join(names)}")])
    if answer.status == 200 and isinstance(document, dict):
        for found in check_actions(document, notification.channel):
            if found.level != "hint":
                _warn(f"{found.where}: {found.message}")


def _handlers(target: Target, notification: Notification) -> list[str]:
    if target.app is None or target.webhook is None:
        return []
    with target.app.test_request_context(method="POST"):
        try:
            found = running(target.app, target.webhook, notification)
        except Exception:
            return []
    return [
        f"{each.name} ({each.location}{', fallback' if each.is_fallback else ''})"
        for each in found
    ]


def _warn(text: str) -> None:
    echo(text, label="Warning: ", label_looks={"fg": "yellow"}, err=True)


# -- the log -------------------------------------------------------------------------


@contextmanager
def _log_held_back() -> Iterator[list[logging.LogRecord]]:
    """Collect the log's records, to print only what the answer does not say."""
    records: list[logging.LogRecord] = []

    def collect(record: logging.LogRecord) -> bool:
        records.append(record)
        return False

    logger.addFilter(collect)
    try:
        yield records
    finally:
        logger.removeFilter(collect)


def _print_log(records: Sequence[logging.LogRecord], answer: Answer) -> None:
    """Print what the log has beyond the answer: explanations and tracebacks."""
    document = answer.json()
    code = document.get("code") if isinstance(document, dict) else None
    for record in records:
        lines = record.getMessage().splitlines()
        if code is not None and getattr(record, "clustaar_code", None) == code:
            lines = [] if "explanation" in document else lines[1:]
        elif record.levelno < logging.WARNING:
            continue
        if record.exc_info:
            lines += "".join(traceback.format_exception(*record.exc_info)).splitlines()
        for line in lines:
            echo(line, looks={"dim": True}, err=True)
