"""What the tools share: the application, its webhooks, and what they read."""

from __future__ import annotations

import json
import traceback
from typing import Any, NoReturn

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo
from werkzeug.routing import Rule

from ..errors import ClustaarError, ProblemError
from ..extension import ClustaarWebhook
from ..models import Notification
from ..notifications import load_notification

#: For the tools that work on one webhook.
webhook_option = click.option(
    "--webhook",
    metavar="NAME",
    help="Which webhook, if the application has several.",
)


def load_app() -> Flask:
    """Return the application that ``flask --app`` names.

    :raises click.ClickException: if there is none, or if it cannot be imported.
    """
    info = click.get_current_context().ensure_object(ScriptInfo)
    try:
        return info.load_app()
    except NoAppException as error:
        # One that was raised for another has that one's whole traceback in its text.
        if "Traceback" not in error.message:
            raise
        raise _broken(error.__context__ or error) from error
    except click.ClickException:
        raise
    except ClustaarError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        raise _broken(error) from error


def _broken(error: BaseException) -> click.ClickException:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return click.ClickException(
        f"The application cannot be loaded: {type(error).__name__}: {error} "
        f"({frame.filename}, line {frame.lineno}). 'flask routes' shows the traceback."
    )


def webhooks_of(app: Flask) -> dict[str, ClustaarWebhook]:
    """Return the webhooks of an application by their names.

    :raises click.ClickException: if it has none.
    """
    found: dict[str, ClustaarWebhook] = app.extensions.get("clustaar", {})
    if not found:
        raise click.ClickException(
            f"The application '{app.name}' has no Clustaar webhook. "
            "Add one with 'ClustaarWebhook(app)'."
        )
    return found


def chosen(webhooks: dict[str, ClustaarWebhook], name: str | None) -> ClustaarWebhook:
    """Return the webhook that ``--webhook`` names, or the only one.

    :raises click.UsageError: if it names none, or if there are several.
    """
    if name in webhooks:
        return webhooks[name]
    if name is None and len(webhooks) == 1:
        return next(iter(webhooks.values()))
    names = ", ".join(f"'{known}'" for known in webhooks)
    wrong = "There are several webhooks"
    if name is not None:
        wrong = f"There is no webhook '{name}'"
    raise click.UsageError(f"{wrong}. Choose one with '--webhook': {names}.")


def rules_of(app: Flask, webhook: ClustaarWebhook) -> list[Rule]:
    """Return the URL rules of a webhook in an application, the usual one first."""
    endpoints = {
        f"{name}.receive"
        for name, blueprint in app.blueprints.items()
        if blueprint is webhook.blueprint
    }
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in endpoints]
    return sorted(rules, key=lambda rule: len(rule.rule))


def read(path: str) -> bytes:
    """Return what is in a file, or in standard input for ``-``.

    :raises click.UsageError: if it cannot be read.
    """
    try:
        with click.open_file(path, "rb") as file:
            content: bytes = file.read()
    except OSError as error:
        raise click.UsageError(f"Cannot read '{path}': {error.strerror}.") from error
    return content


def read_json(path: str) -> Any:
    """Return the JSON document in a file.

    :raises click.UsageError: if it cannot be read.
    :raises click.ClickException: if it is not JSON.
    """
    content = read(path)
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except RecursionError as error:
        raise click.ClickException(f"'{path}' is nested too deeply.") from error
    except ValueError as error:
        raise click.ClickException(f"'{path}' is not JSON: {error}.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it has no '{constant}'")


def read_notification(path: str) -> Notification:
    """Return the notification in a file.

    :raises click.UsageError: if it cannot be read.
    :raises click.ClickException: if it is none.
    """
    content = read(path)
    try:
        return load_notification(content)
    except ProblemError as error:
        raise click.ClickException(f"'{path}' is no notification. {error}") from error
