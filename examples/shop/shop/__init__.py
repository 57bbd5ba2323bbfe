"""A shop's bot: a catalogue in a database, and a basket in the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext

from flask_clustaar import ClustaarWebhook

from . import catalogue, conversation
from .catalogue import db


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Create the application.

    Settings come from environment variables such as
    ``FLASK_CLUSTAAR_PRIVATE_KEY``; *config* overrides them.
    """
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.db"  # in instance/
    app.config.from_prefixed_env()
    app.config.from_mapping(config)

    db.init_app(app)
    app.cli.add_command(init_db)

    webhook = ClustaarWebhook(app)
    webhook.include(conversation.group)
    return app


@click.command("init-db")
@with_appcontext
def init_db() -> None:
    """Create the database again, and fill it with products."""
    catalogue.fill()
    click.echo("The shelves are full.")
