"""Read the files that commands take as arguments; ``-`` is standard input."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import click

from ..errors import ProblemError
from ..models import Notification
from ..notifications import load_notification
from ..platform.bot import Bot, BotFileError


def read(path: str) -> bytes:
    """Return the content of a file.

    :raises click.UsageError: if it cannot be read.
    """
    if path == "-" and sys.stdin is None:
        raise click.UsageError("Standard input is closed.")
    try:
        with click.open_file(path, "rb") as file:
            content: bytes = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.UsageError(f"Cannot read '{path}': {reason}.") from error
    return content


def read_json(path: str) -> Any:
    """Return the JSON document in a file.

    :raises click.UsageError: if it cannot be read.
    :raises click.ClickException: if it is not JSON.
    """
    content = read(path)
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except ValueError as error:
        raise click.ClickException(f"{name_of(path)} is not JSON: {error}.") from error


def read_bot(path: str) -> Bot:
    """Return the bot that a bot file describes.

    :raises click.UsageError: if the file cannot be read.
    :raises click.ClickException: if it is not a bot file.
    """
    try:
        return Bot.parse(read(path), path)
    except BotFileError as error:
        wrong = [str(each) for each in error.violations[:5]]
        if len(error.violations) > len(wrong):
            wrong.append(f"And {len(error.violations) - len(wrong)} more.")
        raise click.ClickException(
            f"{name_of(path)} is not a bot file. {' '.join(wrong)}"
        ) from error


def read_notification(content: bytes, path: str) -> Notification:
    """Return the notification in a file's content.

    :raises click.ClickException: if it is not a notification.
    """
    try:
        return load_notification(content)
    except ProblemError as error:
        reason = " ".join(str(error).split("\n"))
        raise click.ClickException(
            f"{name_of(path)} is not a notification. {reason}"
        ) from error


def name_of(path: str) -> str:
    """Return the name of a file in an error message."""
    return "Standard input" if path == "-" else f"'{path}'"


def refuse(constant: str) -> NoReturn:
    """Reject ``NaN`` and ``Infinity``, which are not JSON.

    :raises ValueError: always.
    """
    raise ValueError(f"'{constant}' is not a JSON number")
