"""Write a request as a curl command."""

from __future__ import annotations

import os
import shlex
import tempfile

import click

from ..platform.signer import Delivery
from ..printable import printable


def curl(delivery: Delivery, url: str, file: str | None) -> str:
    """Return a shell command that sends a request; options can be appended to it.

    Other users of the machine can read a command, so the password is not in it: it is
    in a file that only its owner can read, and that the command deletes.

    :param file: the file with the body, if it is in one.
    :raises click.ClickException: if the body does not fit into a command.
    """
    data = _data(delivery.body, file)
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
    # A terminal does not show the text as it is, a shell does not pass on a longer one,
    # and for curl '@' begins the name of a file.
    unfit = printable(text, lines=True) != text
    if unfit or text.startswith("@") or len(body) > 100_000:
        raise click.ClickException(
            "The notification does not fit into a shell command. Save it to a file, "
            "and pass that with '--file'."
        )
    return text
