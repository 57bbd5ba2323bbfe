"""``flask clustaar new``: create a small bot."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import click

from .skeleton import FILES
from .terminal import echo


@click.command("new")
@click.argument("name")
def command(name: str) -> None:
    """Create a small bot in the new directory NAME.

    The command writes an application, two handlers, a test, and a file '.env' with a
    new private key and password. It never overwrites files.

    \b
      flask clustaar new shop
      cd shop
      pip install -r requirements.txt
      flask clustaar chat
      pytest
    """
    directory = Path(name)
    _refuse_unfit(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in FILES.items():
            _write(directory / file, text.replace("NAME", directory.name))
        _write(directory / ".env", _env(), mode=0o600)
    except OSError as error:
        raise click.ClickException(
            f"Cannot write '{error.filename}': {error.strerror}."
        ) from error
    echo(f"Created '{directory}'. Next steps:")
    for line in (
        f"cd {directory}",
        "pip install -r requirements.txt",
        "flask clustaar chat",
        "pytest",
    ):
        echo(line, label="  ")


def _refuse_unfit(directory: Path) -> None:
    if not re.fullmatch(r"[\w-]+", directory.name):
        raise click.UsageError(
            f"'{directory}' is not a valid name for a bot. Use letters, digits, '_' "
            "and '-'."
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise click.UsageError(
            f"'{directory}' already exists. Choose another name, or remove it."
        )


def _write(path: Path, text: str, mode: int = 0o666) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(text)


def _env() -> str:
    key, password = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    return (
        "# Secrets. Copy them into the bot's settings in the platform.\n"
        f"FLASK_CLUSTAAR_PRIVATE_KEY={key}\n"
        "FLASK_CLUSTAAR_AUTH_USERNAME=clustaar\n"
        f"FLASK_CLUSTAAR_AUTH_PASSWORD={password}\n"
    )
