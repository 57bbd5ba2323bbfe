"""``flask clustaar check``: what is wrong with a bot, or with a reply."""

from __future__ import annotations

import click

from ..errors import InsecureWebhookWarning
from .channels import channel_option
from .check_app import check_app
from .check_reply import check_reply
from .common import load_app_with_warnings, read_json, webhooks_of
from .findings import Finding, failed, tell, warning


@click.command("check")
@click.argument("file", required=False)
@click.option(
    "--channel",
    metavar="NAME",
    callback=channel_option,
    help="Where the reply in FILE is shown, such as 'facebook'.",
)
@click.option("--strict", is_flag=True, help="Let warnings fail the check, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(file: str | None, channel: str | None, strict: bool, as_json: bool) -> None:
    """Look for mistakes in the application, or in the reply in FILE.

    Of the application: settings that weaken it, handlers that can never run, an
    endpoint that another route hides. It is imported, not run.

    Of a reply ('-' is standard input): what the platform would refuse, with its path,
    and what would not come out as meant.

    \b
      flask clustaar check --strict
      flask clustaar check reply.json --channel facebook

    The exit status is 1 if there are errors, and with --strict if there are warnings.
    """
    if file is None and channel is not None:
        raise click.UsageError("'--channel' is about the reply in a FILE. Name one.")
    found = _check_app() if file is None else _check_reply(file, channel)
    tell(found, as_json=as_json)
    if failed(found, strict=strict):
        click.get_current_context().exit(1)


def _check_app() -> list[Finding]:
    app, warned = load_app_with_warnings()
    webhooks = webhooks_of(app).values()
    # An open webhook is found anyway; the rest are misspelt settings.
    told = [
        warning(str(each))
        for each in warned
        if not isinstance(each, InsecureWebhookWarning)
    ]
    return told + [found for webhook in webhooks for found in check_app(app, webhook)]


def _check_reply(file: str, channel: str | None) -> list[Finding]:
    return list(check_reply(read_json(file), channel))
