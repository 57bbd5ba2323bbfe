"""Where requests go: to the application in this process, to a URL, or to a shell."""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import click
from flask import Flask
from flask.cli import NoAppException

from ..extension import ClustaarWebhook
from ..platform.signer import Delivery
from ..printable import printable
from ..settings import Settings
from .application import address_of, chosen, first_step, load_app, webhooks_of
from .delivery import Send, to_app, to_url


@dataclass(frozen=True)
class Target:
    """Where requests go, and how they are signed."""

    settings: Settings
    send: Send
    url: str
    #: The application and its webhook, if the application can be found.
    app: Flask | None = None
    webhook: ClustaarWebhook | None = None

    @property
    def step(self) -> str | None:
        """A step that a handler is for, if one is known."""
        return None if self.webhook is None else first_step(self.webhook)


def find_target(name: str | None, url: SplitResult | None) -> Target:
    """Return where requests go.

    With a URL no application is needed; if there is one, its settings are used.

    :param name: the name of the webhook.
    :param url: a URL. Without a path it gets the path of the webhook.
    :raises click.ClickException: if there is no application and no URL.
    """
    if url is not None and url.path == "/":
        url = url._replace(path="")
    try:
        app = load_app()
    except NoAppException:
        if url is None:
            raise
        url = url if url.path else url._replace(path="/clustaar")
        return Target(Settings.from_config({}), to_url(url), url.geturl())
    webhook = chosen(webhooks_of(app), name)
    settings = webhook.installation(app).settings
    if url is None:
        address = address_of(app, webhook)
        port = os.environ.get("FLASK_RUN_PORT", 5000)
        shown = f"http://127.0.0.1:{port}{address.url_path}"
        return Target(settings, to_app(app, address), shown, app, webhook)
    if not url.path:
        url = url._replace(path=address_of(app, webhook).url_path)
    return Target(settings, to_url(url), url.geturl(), app, webhook)


def url_option(
    _: click.Context, __: click.Parameter, value: str | None
) -> SplitResult | None:
    """Read ``--url``."""
    if value is None:
        return None
    parts = _split(value)
    if parts is None:
        raise click.BadParameter(
            f"'{value}' is not a URL such as 'http://127.0.0.1:5000/clustaar'."
        )
    if "@" in parts.netloc:
        raise click.BadParameter(
            "The URL contains a user name. Pass it with '--username' and '--password'."
        )
    return parts


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it is not an HTTP URL."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if fit else None


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
