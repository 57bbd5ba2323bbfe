"""Write a request as a curl command."""

from __future__ import annotations

import os
import shlex
import tempfile

import click

from ..platform.signer import Delivery
from ..printable import printable


def curl(delivery: Delivery, url: str, file: str | None) -> str:
    """Return a shell command that sends a request. You can append options to it.

    Other users of the machine can read the arguments of a command. So the password is
    in a file that only its owner can read; the command deletes the file.

    :param file: the file that contains the body; None to put the body in the command.
    :raises click.ClickException: if a command cannot contain it.
    """
    data = _data(delivery.body, file)
    for shown in (data, url):
        if printable(shown, lines=True) != shown:
            raise click.ClickException(
                f"'{shown}' cannot be part of a shell command: it contains special "
                "characters. Rename the file, or percent-encode the URL."
            )
    arguments = ["curl", "--silent", "--show-error"]
    before = ""
    for name, value in delivery.headers.items():
        if name == "Authorization":
            secret = shlex.quote(_private_file(f'header = "{name}: {value}"\n'))
            before = f"{{ cat {secret}; rm {secret}; }} | "
            arguments += ["--config", "-"]
        else:
            arguments += ["--header", f"{name}: {value}"]
    return before + shlex.join([*arguments, "--data-binary", data, url])


def _private_file(text: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="clustaar-", delete=False) as file:
        file.write(text)
    return file.name


def _data(body: bytes, file: str | None) -> str:
    if file not in (None, "-"):
        return f"@{os.path.abspath(file)}"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    # A terminal would change control characters, a shell limits the length of an
    # argument, and curl reads '@' as the start of a file name.
    unfit = printable(text, lines=True) != text
    if unfit or text.startswith("@") or len(body) > 100_000:
        raise click.ClickException(
            "The notification cannot be part of a shell command: it is too long or "
            "contains special characters. Save it to a file, and pass '--file'."
        )
    return text
