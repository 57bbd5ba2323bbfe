"""``flask clustaar check``: find mistakes in a bot, a bot file or a reply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import click
from flask import Flask

from ..errors import ConfigurationWarning, InsecureWebhookWarning
from ..extension import ClustaarWebhook
from .application import chosen, load_app_with_warnings, selected, warn, webhooks_of
from .checks.bot import check_bot
from .checks.deadlines import check_deadlines
from .checks.handlers import check_groups, check_handlers
from .checks.reachability import check_reachability
from .checks.reply import check_reply
from .checks.settings import CONFIGURATION, check_settings
from .checks.source import check_source, files_of, modules_below, usage_of
from .files import read_bot, read_json
from .findings import Finding, echo_findings, echo_rules, failed, read_codes
from .options import FILE, json_option, known_channel_option, webhook_option


@click.command("check")
@click.argument("file", required=False, type=FILE)
@webhook_option
@click.option(
    "--bot",
    metavar="FILE",
    type=FILE,
    help="Also check a bot file, and compare its steps with the handlers.",
)
@known_channel_option
@click.option("--strict", is_flag=True, help="Fail on warnings, not only on errors.")
@click.option(
    "--ignore",
    metavar="CODES",
    multiple=True,
    callback=read_codes,
    help="Codes of findings to ignore, separated by commas. Repeatable.",
)
@click.option("--rules", is_flag=True, help="List the codes of all findings.")
@json_option
def command(
    file: str | None,
    webhook: str | None,
    bot: str | None,
    channel: str | None,
    strict: bool,
    ignore: frozenset[str],
    rules: bool,
    as_json: bool,
) -> None:
    """Find mistakes in the application, or in the reply in FILE.

    In the application, the command finds insecure settings, a replay store that does
    not work, handlers that never run, and code that keeps requests from reaching the
    webhook. It sends a signed request to the application in this process, but runs no
    handler.

    In a reply ('-' is standard input), it finds what the platform rejects, and what
    users do not see as intended.

    \b
      flask clustaar check --strict
      flask clustaar check --bot bot.json
      flask clustaar check reply.json --channel facebook

    The exit status is 1 if there are errors, and with --strict if there are warnings.
    """
    if rules:
        echo_rules(as_json)
        return
    if file is None and channel is not None:
        raise click.UsageError("'--channel' needs the FILE of a reply.")
    if file is not None and (bot is not None or webhook is not None):
        raise click.UsageError(
            "'--bot' and '--webhook' check the application. Remove them, or FILE."
        )
    if file is None:
        found = _check_app(webhook, bot)
    else:
        found = list(check_reply(read_json(file), channel))
    found = [each for each in found if each.code not in ignore]
    echo_findings(found, as_json=as_json)
    if failed(found, strict=strict):
        click.get_current_context().exit(1)


def _check_app(name: str | None, bot_file: str | None) -> list[Finding]:
    app, warned = load_app_with_warnings()
    found = []
    for warning in warned:
        if isinstance(warning, ConfigurationWarning):
            found.append(CONFIGURATION(str(warning)))
        elif not isinstance(warning, InsecureWebhookWarning):
            warn(warning)  # It is from another package, so it is not a finding.
    for webhook in selected(app, name).values():
        found += _found_at(webhook.name, _check_webhook(app, webhook))
    modules = list(modules_below(app.root_path))
    found += check_groups(webhooks_of(app).values(), modules)
    if bot_file is not None:
        bot = read_bot(bot_file)
        webhook = chosen(webhooks_of(app), name)
        files = {str(module.__file__) for _, module in modules}
        usage = usage_of(files.union(files_of(webhook.handlers)))
        found += check_bot(bot, webhook.handlers, usage)
    return found


def _check_webhook(app: Flask, webhook: ClustaarWebhook) -> Iterator[Finding]:
    installation = webhook.installation(app)
    yield from check_settings(installation)
    yield from check_reachability(app, webhook)
    yield from check_handlers(webhook.handlers, installation.settings.dispatch)
    yield from check_deadlines(app, webhook)
    yield from check_source(files_of(webhook.handlers))


def _found_at(where: str, found: Iterable[Finding]) -> Iterator[Finding]:
    return (replace(each, where=where) for each in found)
