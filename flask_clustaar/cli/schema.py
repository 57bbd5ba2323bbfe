"""``flask clustaar schema``: what a bot receives and sends, for other programs."""

from __future__ import annotations

import json

import click

from ..json_schema import notification_schema, reply_schema
from ..openapi import Webhook, openapi
from ..wire import JSON
from .common import chosen, load_app, rules_of, webhook_option, webhooks_of


@click.command("schema")
@click.argument(
    "what",
    type=click.Choice(["notification", "reply", "openapi"]),
    default="openapi",
)
@webhook_option
def command(what: str, webhook: str | None) -> None:
    """Print a JSON Schema, or an OpenAPI document.

    The schemas are of the notifications and of the replies. The document, which is
    what is printed without an argument, has the webhooks of the application in
    OpenAPI 3.1, with their security and their problems.

    \b
      flask clustaar schema reply > reply.schema.json
      flask clustaar schema openapi > openapi.json
    """
    if what == "notification":
        document = notification_schema()
    elif what == "reply":
        document = reply_schema()
    else:
        document = _openapi(webhook)
    click.echo(json.dumps(document, indent=2))


def _openapi(name: str | None) -> JSON:
    app = load_app()
    webhooks = webhooks_of(app)
    if name is not None:
        webhooks = {name: chosen(webhooks, name)}
    rows = []
    for webhook in webhooks.values():
        settings = webhook.installation(app).settings
        rows.append(
            Webhook(
                webhook.name,
                rules_of(app, webhook)[0].rule,
                credentials=bool(settings.pairs),
                signature=bool(settings.keys),
            )
        )
    return openapi(rows, title=app.name)
