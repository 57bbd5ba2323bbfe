"""Options that several commands share: how values are read and completed."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import click
from click.shell_completion import CompletionItem
from flask.cli import ScriptInfo

from ..channels import CHANNELS
from ..extension import ClustaarWebhook
from ..models import Interlocutor
from ..printable import printable
from ..schemas.attributes import attributes_of
from ..wire import JSON
from .files import refuse

Option = Callable[[Any], Any]

#: A file to read; the shell completes its name.
FILE: Final = click.Path(allow_dash=True)


# -- completion ----------------------------------------------------------------------


def _webhooks(ctx: click.Context) -> list[ClustaarWebhook]:
    """Return the webhooks of the application, if it can be loaded."""
    with suppress(Exception, SystemExit):
        app = ctx.ensure_object(ScriptInfo).load_app()
        return list(app.extensions.get("clustaar", {}).values())
    return []


def _complete_webhook(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return _matching((each.name for each in _webhooks(ctx)), incomplete)


def complete_step(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete step ids: those of the handlers and those in the ``--steps`` file."""
    found: dict[str, str | None] = {}
    for webhook in _webhooks(ctx):
        for handler in webhook.handlers:
            ids = None if handler.filter is None else handler.filter.step_ids()
            found |= {step: handler.name for step in sorted(ids or ())}
    path = ctx.params.get("steps")
    if path and path != "-":
        from ..platform.bot import Bot

        with suppress(Exception):
            for step in Bot.read(path).steps.values():
                found[step.id] = step.name
                if step.name:
                    found.setdefault(step.name, step.id)
    return [
        CompletionItem(step, help=printable(about) if about else None)
        for step, about in found.items()
        if step.startswith(incomplete) and printable(step) == step
    ]


def _complete_channel(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return _matching(CHANNELS, incomplete)


def _complete_user(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    names = (f"{a.name}=" for a in attributes_of(Interlocutor))
    return _matching(names, incomplete)


def _matching(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


# -- reading values ------------------------------------------------------------------


def _session_values(
    _: click.Context, __: click.Parameter, pairs: Sequence[str]
) -> JSON:
    return {key: _json_or_text(value) for key, value in map(_split, pairs)}


def _user_attributes(
    _: click.Context, __: click.Parameter, pairs: Sequence[str]
) -> JSON:
    """Read attributes: those of type string as text, others as JSON."""
    attributes = {a.name: a for a in attributes_of(Interlocutor)}
    found: JSON = {}
    for key, value in map(_split, pairs):
        if key not in attributes:
            raise click.BadParameter(_not_an_attribute(key, value, attributes))
        is_text = attributes[key].shape.kind == "string" and value != "null"
        found[key] = value if is_text else _json_or_text(value)
    return found


def _not_an_attribute(key: str, value: str, known: dict[str, Any]) -> str:
    near = [name for name, each in known.items() if each.key == key]
    near += difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean '{near[0]}={value}'?" if near else ""
    custom = json.dumps({key: value}, ensure_ascii=False)
    return (
        f"Users have no attribute '{key}'.{hint} For a custom attribute of your site, "
        f"write: --user 'custom_attributes={custom}'."
    )


def _channel(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Read a channel: its name in notifications, or a common name such as 'webchat'."""
    if value is None:
        return None
    name = value.lower().replace(" ", "_").replace("-", "_")
    name = _ALIASES.get(name, name)
    if name not in CHANNELS:
        known = ", ".join(f"'{each}'" for each in CHANNELS)
        raise click.BadParameter(f"'{value}' is not one of {known}.")
    return name


_ALIASES: Final = {"webchat": "clustaar_web_chat", "messenger": "facebook"}


def read_date_option(
    _: click.Context, __: click.Parameter, text: str
) -> str | int | None:
    """Read ``--date``: an offset in seconds, ``none``, or the text of the header."""
    if text == "none":
        return None
    if re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        return int(text)
    if not text.isascii() or not text.isprintable():
        raise click.BadParameter(
            "A header can contain only printable ASCII characters."
        )
    return text


def _split(pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"'{pair}' is not 'key=value'.")
    return key, value


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=refuse)
    except (ValueError, RecursionError):
        return value


# -- the options ---------------------------------------------------------------------

#: For commands that work on one webhook, or on all.
webhook_option: Option = click.option(
    "--webhook",
    metavar="NAME",
    shell_complete=_complete_webhook,
    help="Name of the webhook. Required if the application has several.",
)

session_option: Option = click.option(
    "--session",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_session_values,
    help="Session value: JSON ('age=25' is a number) or text. Repeatable.",
)

user_option: Option = click.option(
    "--user",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_user_attributes,
    shell_complete=_complete_user,
    help="User attribute, such as 'first_name=Ada'. Repeatable.",
)

#: The channel of a conversation: any name, because the platform may add channels.
channel_option: Option = click.option(
    "--channel",
    metavar="NAME",
    default="clustaar_web_chat",
    show_default=True,
    shell_complete=_complete_channel,
    help="Channel of the conversation, such as 'facebook'.",
)

#: A channel that the tables of :mod:`flask_clustaar.channels` describe.
known_channel_option: Option = click.option(
    "--channel",
    metavar="NAME",
    callback=_channel,
    shell_complete=_complete_channel,
    help="Also report what this channel does not show, such as 'facebook'.",
)

bot_id_option: Option = click.option(
    "--bot-id", metavar="ID", help="Id of the bot in the notification."
)

json_option: Option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for other programs."
)
