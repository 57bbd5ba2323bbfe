"""Find the application, its webhooks and their URLs."""

from __future__ import annotations

import os
import sysconfig
import traceback
import warnings
from typing import Final

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from ..errors import ClustaarError
from ..extension import ClustaarWebhook
from .terminal import echo


def load_app() -> Flask:
    """Return the application that ``flask --app`` names, and print its warnings.

    :raises click.ClickException: if it is missing, or cannot be imported.
    """
    app, warned = load_app_with_warnings()
    for warning in warned:
        warn(warning)
    return app


def warn(warning: Warning | str) -> None:
    """Print a warning on standard error."""
    echo(str(warning), label="Warning: ", label_looks={"fg": "yellow"}, err=True)


def load_app_with_warnings() -> tuple[Flask, list[UserWarning]]:
    """Return the application and its ``UserWarning`` objects, each text once.

    :raises click.ClickException: if it is missing, or cannot be imported.
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
        # If another exception caused it, Flask puts that traceback into the message.
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
    """Return the line of the user's code that failed, not the line in a library."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
    frame = (own or frames)[-1]
    return f"{frame.filename}, line {frame.lineno}"


#: Where packages are installed.
LIBRARIES: Final = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    *(
        sysconfig.get_path(name) + os.sep
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    ),
    "<frozen ",
)


# -- webhooks ------------------------------------------------------------------------


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


def selected(app: Flask, name: str | None) -> dict[str, ClustaarWebhook]:
    """Return the webhook that ``--webhook`` names; all webhooks without a name.

    :raises click.ClickException: if there is no such webhook.
    """
    webhooks = webhooks_of(app)
    return webhooks if name is None else {name: chosen(webhooks, name)}


def chosen(webhooks: dict[str, ClustaarWebhook], name: str | None) -> ClustaarWebhook:
    """Return the webhook that ``--webhook`` names, or the only one.

    :raises click.UsageError: if there is no such webhook, or if there are several.
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


def handled_steps(webhook: ClustaarWebhook) -> dict[str, str]:
    """Return the ids of the steps in filters, with the name of the first handler."""
    found: dict[str, str] = {}
    for handler in webhook.handlers:
        step_ids = None if handler.filter is None else handler.filter.step_ids()
        for step_id in sorted(step_ids or ()):
            found.setdefault(step_id, handler.name)
    return found


def first_step(webhook: ClustaarWebhook) -> str | None:
    """Return the first of the handled steps; None if no filter names a step."""
    return next(iter(handled_steps(webhook)), None)
