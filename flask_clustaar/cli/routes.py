"""``flask clustaar routes``: the handlers, and who gets a notification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from flask import Flask

from ..extension import ClustaarWebhook
from ..models import Notification
from ..routing import Handler
from .common import (
    as_notification,
    chosen,
    load_app,
    read,
    rules_of,
    webhook_option,
    webhooks_of,
)


@click.command("routes")
@webhook_option
@click.option(
    "--explain",
    metavar="FILE",
    help="Tell who would get the notification in FILE ('-' for standard input), "
    "and why the others would not.",
)
def command(webhook: str | None, explain: str | None) -> None:
    """List the handlers in the order in which they are asked.

    \b
      flask clustaar routes
      flask clustaar routes --explain notification.json

    With --explain the exit status is 0 if a handler would run, and 1 if none would.
    """
    app = load_app()
    webhooks = webhooks_of(app)
    if webhook is not None:
        webhooks = {webhook: chosen(webhooks, webhook)}
    content = b"" if explain is None else read(explain)
    notification = as_notification(content, explain) if explain else None
    handled = False
    for index, each in enumerate(webhooks.values()):
        if index:
            click.echo()
        click.secho(_headline(app, each), bold=True)
        if notification is None:
            _list(each.handlers)
        else:
            with app.test_request_context(method="POST", data=content):
                handled = _explain(app, each, notification) or handled
    if notification is not None and not handled:
        click.get_current_context().exit(1)


def _headline(app: Flask, webhook: ClustaarWebhook) -> str:
    urls = dict.fromkeys(
        rule.rule.rstrip("/") or "/" for rule in rules_of(app, webhook)
    )
    dispatch = webhook.installation(app).settings.dispatch
    to = "all that match" if dispatch == "all" else "the first that matches"
    return f"{webhook.name}: POST {', '.join(urls)} (to {to})"


# -- the table -----------------------------------------------------------------------


def _list(handlers: Sequence[Handler]) -> None:
    if not handlers:
        click.echo("No handlers: each notification is answered with 404.")
        return
    rows = [("Topic", "Filter", "Handler", "Place"), *map(_row, handlers)]
    for index, line in enumerate(_aligned(rows)):
        click.secho(line, underline=index == 0)


def _row(handler: Handler) -> tuple[str, ...]:
    topic = "any" if handler.topic is None else handler.topic
    return (
        f"{topic} (fallback)" if handler.is_fallback else topic,
        _cut("-" if handler.filter is None else repr(handler.filter)),
        handler.name,
        handler.location,
    )


def _cut(text: str, length: int = 100) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


# -- the explanation -----------------------------------------------------------------


def _explain(app: Flask, webhook: ClustaarWebhook, notification: Notification) -> bool:
    """Tell of each handler whether it would run; return whether one would."""
    explanations = webhook.explain(notification)
    try:
        running = _running(app, webhook, notification)
    except Exception as error:
        running = []
        end = f"None would run: a filter raised {type(error).__name__}."
    else:
        end = f"This would handle it: {webhook._suggestion(notification)}"
    for explanation in explanations:
        if explanation.handler in running:
            click.secho(f"+ {explanation}", fg="green")
        elif explanation.matched and running:
            click.echo(f"- {explanation}, but '{running[0].name}' is first")
        else:
            click.echo(f"- {explanation}")
    if not running:
        click.echo(end)
    return bool(running)


def _running(
    app: Flask, webhook: ClustaarWebhook, notification: Notification
) -> list[Handler]:
    """Return the handlers that would run, in their order."""
    found = webhook.find(notification)
    if not found:
        fallback = webhook._fallback_for(notification)
        return [] if fallback is None else [fallback]
    return (
        found[:1] if webhook.installation(app).settings.dispatch == "first" else found
    )
