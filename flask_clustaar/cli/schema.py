"""``flask clustaar schema``: print JSON Schema and OpenAPI."""

from __future__ import annotations

import click

from ..address import rules_of
from ..json_schema import notification_schema, reply_schema
from ..openapi import Webhook, openapi
from ..wire import JSON
from .application import load_app, selected
from .options import webhook_option
from .terminal import echo_json


@click.command("schema")
@click.argument(
    "what",
    type=click.Choice(["notification", "reply", "openapi"]),
    default="openapi",
)
@webhook_option
def command(what: str, webhook: str | None) -> None:
    """Print JSON Schema or OpenAPI.

    'notification' and 'reply' are JSON Schema, and need no application. 'openapi' (the
    default) is an OpenAPI 3.1 document of the application's webhooks, with their
    authentication and their errors.

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
    echo_json(document)


def _openapi(name: str | None) -> JSON:
    app = load_app()
    rows = []
    for webhook in selected(app, name).values():
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
