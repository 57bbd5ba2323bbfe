"""Where deliveries go: to the application in this process, to a URL, or to a shell."""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import click
from flask import Flask
from flask.cli import NoAppException
from werkzeug.routing import BuildError

from ..extension import ClustaarWebhook
from ..platform.signer import Delivery
from ..settings import Settings
from ..testing import ClustaarClient
from .application import chosen, first_step, load_app, webhooks_of
from .delivery import Send, to_app, to_url


@dataclass(frozen=True)
class Target:
    """Where deliveries go, and how they are signed."""

    settings: Settings
    send: Send
    url: str
    #: A step that a handler is for, if that is known.
    step: str | None = None


def find_target(name: str | None, url: SplitResult | None) -> Target:
    """Return where deliveries go.

    With a URL it does not take an application; if there is one, its settings are
    those of the server.

    :param name: of the webhook.
    :param url: a URL; one without a path, but for a slash, is that of the webhook's
        server.
    :raises click.ClickException: if there is nothing of the kind.
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
    settings, step = webhook.installation(app).settings, first_step(webhook)
    if url is None:
        path = _path(app, webhook)
        server = f"http://127.0.0.1:{os.environ.get('FLASK_RUN_PORT', 5000)}"
        return Target(settings, to_app(app, path), urljoin(server, path), step)
    if not url.path:
        url = url._replace(path=urlsplit(_path(app, webhook)).path)
    return Target(settings, to_url(url), url.geturl(), step)


def _path(app: Flask, webhook: ClustaarWebhook) -> str:
    try:
        return ClustaarClient(app, webhook).url
    except BuildError as error:
        raise click.ClickException(
            f"The path of the webhook '{webhook.name}' has variables. Say where it is: "
            "'--url http://127.0.0.1:5000/...'."
        ) from error


def url_option(
    _: click.Context, __: click.Parameter, value: str | None
) -> SplitResult | None:
    """Read ``--url``."""
    if value is None:
        return None
    parts = _split(value)
    if parts is None:
        raise click.BadParameter(
            "It is not a URL such as 'http://127.0.0.1:5000/clustaar'."
        )
    if "@" in parts.netloc:
        raise click.BadParameter(
            "It has a user name. Pass that with '--username' and '--password'."
        )
    return parts


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it is none of HTTP."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if fit else None


def curl(delivery: Delivery, url: str, file: str | None) -> str:
    """Return the line for a shell that sends a delivery.

    Others may read it, so the password is not in it: it is in a file that only its
    owner can read, and that the line removes.

    :param file: the file with the body, if it is in one.
    :raises click.ClickException: if the body cannot stand in a line.
    """
    arguments = ["curl", "--silent", "--show-error", "--data-binary"]
    arguments.append(_data(delivery.body, file))
    end = ""
    for name, value in delivery.headers.items():
        if name == "Authorization":
            secret = _private_file(f'header = "{name}: {value}"\n')
            arguments += ["--config", secret]
            end = f"; rm {shlex.quote(secret)}"
        else:
            arguments += ["--header", f"{name}: {value}"]
    return shlex.join([*arguments, url]) + end


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
    # No shell passes on a zero byte, or more than this; and '@' is a file for curl.
    if "\0" in text or text.startswith("@") or len(body) > 100_000:
        raise click.ClickException(
            "The notification does not fit into a line for the shell. Save it, and "
            "name the file with '--file'."
        )
    return text
