"""``flask clustaar chat``: the user's side of the bot, in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import click

from ..wire import JSON
from .application import chosen, load_app, webhooks_of
from .conversation import Conversation
from .files import read_bot
from .options import channel_option, session_option, user_option, webhook_option
from .terminal import is_terminal


@click.command("chat")
@webhook_option
@click.option("--step", metavar="ID", help="The step to begin at.")
@click.option("--step-name", metavar="TEXT", help="The name of that step.")
@click.option(
    "--steps",
    metavar="FILE",
    help="The steps of the bot, for clicks and jumps to lead to: a JSON list of "
    "objects with 'id' and, if need be, 'name', 'actions', 'user_data' and 'story'.",
)
@session_option
@user_option
@channel_option
def command(
    webhook: str | None,
    step: str | None,
    step_name: str | None,
    steps: str | None,
    session: JSON,
    user: JSON,
    channel: str,
) -> None:
    """Talk to the bot in the terminal.

    Type what the user would. Click by typing the number or the title of what the bot
    offers. '/help' tells what else there is. Without a terminal each line of standard
    input is typed.

    \b
      flask clustaar chat
      flask clustaar chat --step 507f191e810c19729de860ea --session city=Paris
      flask clustaar chat --steps steps.json
      printf 'hello\\n1\\n/session\\n' | flask clustaar chat
    """
    app = load_app()
    about = {"session": session, "user": user, "channel": channel}
    bot = read_bot(steps) if steps else None
    typed = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    if typed:
        click.echo("Type what the user would. '/help' tells what else there is.")
    try:
        conversation = Conversation(
            app,
            chosen(webhooks_of(app), webhook),
            step,
            step_name,
            bot,
            time.sleep,
            not typed,
            about,
        )
    except (LookupError, TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    for line in _typed() if typed else _piped():
        if not conversation.hear(line):
            break


def _typed() -> Iterator[str]:
    """Yield the lines that a person types, with arrow keys and a history."""
    with suppress(ImportError):
        import readline  # noqa: F401  ('input' makes use of it)
    while True:
        try:
            yield input("you  ")
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return


def _piped() -> Iterator[str]:
    """Yield the lines of standard input."""
    for line in sys.stdin or ():
        yield line.rstrip("\r\n")
