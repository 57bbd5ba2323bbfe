"""What the tools share: the application, its webhooks, and what they read."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Callable
from typing import Any, Final, NoReturn, TextIO

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo
from werkzeug.routing import Rule

from ..errors import ClustaarError, ProblemError
from ..extension import ClustaarWebhook
from ..models import Notification
from ..notifications import load_notification

#: For the tools that work on one webhook.
webhook_option: Callable[[Any], Any] = click.option(
    "--webhook",
    metavar="NAME",
    help="Which webhook, if the application has several.",
)


def load_app() -> Flask:
    """Return the application that ``flask --app`` names, and tell what it warns of.

    :raises click.ClickException: if there is none, or if it cannot be imported.
    """
    app, warned = load_app_with_warnings()
    for warning in warned:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    return app


def load_app_with_warnings() -> tuple[Flask, list[UserWarning]]:
    """Return the application and what it warns its user of, each thing once.

    :raises click.ClickException: if there is none, or if it cannot be imported.
    """
    info = click.get_current_context().ensure_object(ScriptInfo)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        app = _import(info)
    messages = [each.message for each in caught]
    warned = {str(each): each for each in messages if isinstance(each, UserWarning)}
    return app, list(warned.values())


def _import(info: ScriptInfo) -> Flask:
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
        raise click.ClickException(f"{error} See {_place_of(error)}.") from error
    except Exception as error:
        raise _broken(error) from error


def _broken(error: BaseException) -> click.ClickException:
    return click.ClickException(
        f"The application cannot be loaded: {type(error).__name__}: {error} "
        f"({_place_of(error)}). 'flask routes' shows the traceback."
    )


def _place_of(error: BaseException) -> str:
    """Return where the program made a mistake, and not where a library found it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)]
    frame = (own or frames)[-1]
    return f"{frame.filename}, line {frame.lineno}"


#: Where what is no part of the program is installed.
_LIBRARIES: Final = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    *(
        sysconfig.get_path(name) + os.sep
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    ),
    "<frozen ",
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


def first_step(webhook: ClustaarWebhook) -> str | None:
    """Return a step that the first handler for some steps is for; None without one."""
    for handler in webhook.handlers:
        step_ids = None if handler.filter is None else handler.filter.step_ids()
        if step_ids:
            return min(step_ids)
    return None


def rules_of(app: Flask, webhook: ClustaarWebhook) -> list[Rule]:
    """Return the URL rules of a webhook in an application, the usual one first."""
    endpoints = {
        f"{name}.receive"
        for name, blueprint in app.blueprints.items()
        if blueprint is webhook.blueprint
    }
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in endpoints]
    return sorted(rules, key=lambda rule: len(rule.rule))


def is_terminal(stream: TextIO | None) -> bool:
    """Tell if a person is at the other end of a stream; None is one that is closed."""
    return stream is not None and stream.isatty()


def read(path: str) -> bytes:
    """Return what is in a file, or in standard input for ``-``.

    :raises click.UsageError: if it cannot be read.
    """
    if path == "-" and sys.stdin is None:
        raise click.UsageError("Standard input is closed.")
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
    except ValueError as error:
        raise click.ClickException(f"{name_of(path)} is not JSON: {error}.") from error


def name_of(path: str) -> str:
    """Return what to call a file in a sentence."""
    return "Standard input" if path == "-" else f"'{path}'"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it has no '{constant}'")


def as_notification(content: bytes, path: str) -> Notification:
    """Return the notification that a file has.

    :raises click.ClickException: if it is none.
    """
    try:
        return load_notification(content)
    except ProblemError as error:
        raise click.ClickException(
            f"{name_of(path)} is no notification. {error}"
        ) from error
