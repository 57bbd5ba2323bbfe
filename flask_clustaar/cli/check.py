"""``flask clustaar check``: what is wrong with a bot, or with a reply."""

from __future__ import annotations

import warnings

import click

from ..errors import InsecureWebhookWarning
from .channels import Channel
from .check_app import check_app
from .check_reply import check_reply
from .common import load_app, read_json, webhooks_of
from .findings import Finding, failed, tell


@click.command("check")
@click.argument("file", required=False)
@click.option("--channel", type=Channel(), help="Where the reply in FILE is shown.")
@click.option("--strict", is_flag=True, help="Let warnings fail the check, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(
    file: str | None, channel: str | None, strict: bool, as_json: bool
) -> None:
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        app = load_app()
    webhooks = webhooks_of(app)
    found = [finding for each in webhooks.values() for finding in check_app(app, each)]
    # Among them are the misspelt settings.
    told = dict.fromkeys(
        str(warning.message)
        for warning in caught
        if issubclass(warning.category, UserWarning)
        and not issubclass(warning.category, InsecureWebhookWarning)
    )
    return [Finding("warning", "", message) for message in told] + found


def _check_reply(file: str, channel: str | None) -> list[Finding]:
    document = read_json(file)
    try:
        return list(check_reply(document, channel))
    except RecursionError as error:
        raise click.ClickException(f"'{file}' is nested too deeply.") from error
