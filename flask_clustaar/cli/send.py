"""``flask clustaar send``: send a notification, signed as the platform signs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult

import click
from click.core import ParameterSource
from werkzeug.wrappers import Response

from ..errors import ProblemError
from ..models import Notification
from ..notifications import load_notification
from ..platform.documents import to_json
from ..platform.notifications import STEP_NAME, make_notification
from ..platform.reply import Reply
from ..platform.signer import WRONG_KEY, Signer, distinct
from ..printable import printable
from ..transcript import Line, info, render_changes, render_input, render_place
from ..wire import JSON
from .curl import curl
from .files import read
from .lines import say, warn_of_reply
from .log import held_back_log, print_log
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
from .target import Target, find_target, url_option
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
    help="Send the notification in FILE ('-' is standard input). FILE can also be "
    "debug output of the platform, with 'request' and its 'body'.",
)
@click.option(
    "--url",
    metavar="URL",
    callback=url_option,
    help="Send over HTTP to this URL, instead of to the application in this process. "
    "If the URL has no path, the path of the webhook is used.",
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
    help="Header to add or replace. Without a value, it is removed. Repeatable.",
)
@click.option(
    "--repeat",
    "count",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    help="Send N requests, and report the answers and their latency. Default: 1.",
)
@click.option(
    "--parallel",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    help="With --repeat: number of requests sent at the same time. Default: 1.",
)
@click.option("--same", is_flag=True, help="With --repeat: send one request again.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option(
    "--curl",
    "as_curl",
    is_flag=True,
    help="Print a curl command instead of sending. It works until the date is too old.",
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

    The notification goes to the application in this process, which runs all checks, or
    with --url to a server. The reply is shown as a conversation. Each request has its
    own signature, so the handlers run each time.

    \b
      flask clustaar send --text hello --session city=Paris
      flask clustaar send --file notification.json --json
      flask clustaar send --url http://127.0.0.1:5000 --repeat 1000 --parallel 8
      flask clustaar send --date -20

    The exit status is 0 if the answer is a valid reply, and 1 if it is not.
    """
    if count > 1 and as_curl:
        raise click.UsageError(
            "'--repeat' and '--curl' cannot be combined. Remove one."
        )
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
            "'--file' contains the whole notification. Change it there, or remove "
            "'--file'."
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
        with held_back_log() as records:
            answer = target.send(signer.deliver(distinct(body), headers))
        reply = Reply(answer, _understood(body))
        if as_json:
            _print_json(answer)
        else:
            _print(reply, target, named=step is not None or file is not None)
        print_log(records, reply.problem)
        fine = reply.ok
    if not fine:
        click.get_current_context().exit(1)


def _is_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not ParameterSource.DEFAULT


# -- the notification ----------------------------------------------------------------


def _build(given: JSON, step: str | None) -> bytes:
    first: JSON = {} if step is None else {"step": step}
    try:
        received = make_notification(**first | given).received
    except (ProblemError, TypeError, ValueError) as error:
        raise click.UsageError(" ".join(str(error).split("\n"))) from error
    return json.dumps(received).encode()


def _notification_in(content: bytes) -> bytes:
    """Return the notification in a file; it may be in debug output (PROTOCOL 8)."""
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


# -- output --------------------------------------------------------------------------


def _print_json(answer: Response) -> None:
    if not is_terminal(sys.stdout):
        text = answer.get_data().decode(errors="replace")
        click.echo(printable(text, lines=True), nl=False)
        return
    try:
        echo_json(json.loads(answer.get_data()))
    except (ValueError, RecursionError):
        for line in answer.get_data().decode(errors="replace").splitlines():
            echo(line)


def _print(reply: Reply, target: Target, *, named: bool) -> None:
    """Print a notification and its reply as a conversation.

    :param named: whether the name of the step was passed to the command.
    """
    sent = reply.sent
    if sent is None:
        say([Line("· not a notification", "user", "you")])
    else:
        name = sent.step.name if sent.step.name != STEP_NAME else None
        say([render_place(f"{sent.step.id} ({name})" if name else f"{sent.step.id}")])
        say(render_input(sent.input))
    say(reply.lines)
    if reply.problem is not None:
        explanation = reply.problem.get("explanation")
        for each in explanation if isinstance(explanation, list) else ():
            say([info(str(each))])
    if sent is None or not reply.ok:
        return
    say(render_changes("session", sent.session.values, reply.session))
    user = to_json(sent.interlocutor)
    say(render_changes("user", user, to_json(reply.interlocutor)))
    if reply.repeated:
        say([info("repeated: the replay store had the reply, so no handler ran")])
    elif not named or not reply.actions:
        handlers = _handlers(target, sent)
        if handlers:
            say([info(f"handled by {', '.join(handlers)}")])
    warn_of_reply(reply.json, sent.channel)


def _handlers(target: Target, notification: Notification) -> list[str]:
    """Return the names of the handlers that run for a notification, if known."""
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


def _understood(body: bytes) -> Notification | None:
    try:
        return load_notification(body)
    except ProblemError:
        return None
