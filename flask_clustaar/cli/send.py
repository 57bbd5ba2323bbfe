"""``flask clustaar send``: a notification, signed as the platform signs it."""

from __future__ import annotations

import json
import sys
from urllib.parse import SplitResult

import click
from click.core import ParameterSource

from ..platform.signer import WRONG_KEY, Signer
from ..testing import make_notification
from ..wire import JSON
from .files import read
from .options import (
    channel_option,
    read_date_option,
    session_option,
    user_option,
    webhook_option,
)
from .rehearsal import rehearse
from .show import show
from .target import curl, find_target, url_option
from .terminal import is_terminal


@click.command("send")
@webhook_option
@click.option(
    "--step", metavar="ID", help="The step; else the first one that a handler is for."
)
@click.option("--step-name", metavar="TEXT", help="The name of the step.")
@click.option("--text", metavar="TEXT", help="What the user wrote.")
@session_option
@channel_option
@user_option
@click.option("--user-data", metavar="TEXT", help="What the step's builder filled in.")
@click.option(
    "--file",
    metavar="FILE",
    help="Send what is in FILE instead, as it is; '-' is standard input.",
)
@click.option(
    "--url",
    metavar="URL",
    callback=url_option,
    help="Send it over HTTP, and not to the application in this process.",
)
@click.option("--key", metavar="KEY", help="The private key, if not the settings' own.")
@click.option("--username", metavar="NAME", help="The user name, likewise.")
@click.option("--password", metavar="WORD", help="The password, likewise.")
@click.option(
    "--date",
    metavar="DATE",
    default="0",
    callback=read_date_option,
    help="The date that is signed: an HTTP date, or by how many seconds it is ahead, "
    "such as -20.",
)
@click.option("--bad-signature", is_flag=True, help="Sign with a wrong key.")
@click.option(
    "--repeat",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    help="Send it N times, each a delivery of its own, and tell how that went.",
)
@click.option("--same", is_flag=True, help="Repeat one and the same delivery.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it is.")
@click.option(
    "--curl",
    "as_curl",
    is_flag=True,
    help="Print a line for the shell instead, which works while the date is fresh.",
)
def command(
    webhook: str | None,
    step: str | None,
    step_name: str | None,
    text: str | None,
    session: JSON,
    channel: str | None,
    user: JSON,
    user_data: str | None,
    file: str | None,
    url: SplitResult | None,
    key: str | None,
    username: str | None,
    password: str | None,
    date: str | int,
    bad_signature: bool,
    repeat: int,
    same: bool,
    as_json: bool,
    as_curl: bool,
) -> None:
    """Send a notification to the bot, signed as the platform signs it.

    It goes through the whole door: of the application in this process, or of a server
    with --url. The reply is shown as a conversation.

    \b
      flask clustaar send --text hello --session city=Paris
      flask clustaar send --file notification.json --json
      flask clustaar send --url http://127.0.0.1:5000 --repeat 1000
      flask clustaar send --date -20

    The exit status is 0 if the answer is 200, and 1 if it is not.
    """
    if repeat > 1 and (as_json or as_curl):
        raise click.UsageError("'--repeat' goes with neither '--json' nor '--curl'.")
    told: JSON = {
        "step": step,
        "step_name": step_name,
        "text": text,
        "session": session or None,
        "channel": channel,
        "user": user or None,
        "user_data": user_data,
    }
    told = {name: value for name, value in told.items() if value is not None}
    source = click.get_current_context().get_parameter_source("channel")
    given = told if source is ParameterSource.COMMANDLINE else told.keys() - {"channel"}
    if file is not None and given:
        raise click.UsageError(
            "'--file' is a whole notification. Change it there, or leave '--file' out."
        )
    target = find_target(webhook, url)
    body = _build(told, target.step) if file is None else read(file)
    signer = Signer(
        target.settings, WRONG_KEY if bad_signature else key, username, password, date
    )
    if as_curl:
        click.echo(curl(signer.deliver(body), target.url, file))
        return
    if repeat > 1:
        fine = rehearse(target.send, signer, body, repeat, same=same)
    else:
        answer = target.send(signer.deliver(body))
        fine = answer.status == 200
        if as_json:
            click.echo(answer.body, nl=is_terminal(sys.stdout))
        else:
            show(body, answer)
    if not fine:
        click.get_current_context().exit(1)


def _build(told: JSON, step: str | None) -> bytes:
    first: JSON = {} if step is None else {"step": step}
    try:
        notification = make_notification(**first | told)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    return json.dumps(notification.received).encode()
