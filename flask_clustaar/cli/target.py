"""Find out where to send requests: to the application in this process, or to a URL."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit, urlunsplit

import click
from flask import Flask
from flask.cli import NoAppException
from werkzeug.wrappers import Response

from ..address import Address, address_of
from ..extension import ClustaarWebhook
from ..platform.signer import Delivery
from ..settings import Settings
from .application import chosen, first_step, load_app, webhooks_of

#: Sends a request and returns the answer.
Send = Callable[[Delivery], Response]


@dataclass(frozen=True)
class Target:
    """Where requests go, and how they are signed."""

    settings: Settings
    send: Send
    url: str
    #: The application and its webhook; None if no application was found.
    app: Flask | None = None
    webhook: ClustaarWebhook | None = None

    @property
    def step(self) -> str | None:
        """The id of a step that has a handler, if one is known."""
        return None if self.webhook is None else first_step(self.webhook)


def find_target(name: str | None, url: SplitResult | None) -> Target:
    """Return where to send requests, and the settings to sign them with.

    With a URL, no application is needed. If there is one, its settings are used.

    :param name: the name of the webhook.
    :param url: the URL to send to; without a path, the path of the webhook is added.
        None sends to the application in this process.
    :raises click.ClickException: if there is neither an application nor a URL.
    """
    if url is not None and url.path == "/":
        url = url._replace(path="")
    try:
        app = load_app()
    except NoAppException:
        if url is None:
            raise
        url = url if url.path else url._replace(path="/clustaar")
        return Target(Settings.from_config({}), _to_url(url), url.geturl())
    webhook = chosen(webhooks_of(app), name)
    settings = webhook.installation(app).settings
    if url is None:
        address = known_address(app, webhook)
        port = os.environ.get("FLASK_RUN_PORT", 5000)
        shown = f"http://127.0.0.1:{port}{address.url_path}"
        return Target(settings, _to_app(app, address), shown, app, webhook)
    if not url.path:
        url = url._replace(path=known_address(app, webhook).url_path)
    return Target(settings, _to_url(url), url.geturl(), app, webhook)


def known_address(app: Flask, webhook: ClustaarWebhook) -> Address:
    """Return the URL of a webhook.

    :raises click.ClickException: if it has variables.
    """
    try:
        return address_of(app, webhook)
    except LookupError as error:
        raise click.ClickException(
            f"{error} Pass the whole URL to 'flask clustaar send': "
            "'--url http://127.0.0.1:5000/...'."
        ) from error


def answer_exceptions(app: Flask) -> None:
    """Answer exceptions with 500 and log them, as in production."""
    app.config["PROPAGATE_EXCEPTIONS"] = False


def _to_app(app: Flask, address: Address) -> Send:
    answer_exceptions(app)

    def send(delivery: Delivery) -> Response:
        # One client per request, because several threads may send.
        return app.test_client().post(
            address.path,
            base_url=address.base_url,
            data=delivery.body,
            headers=delivery.headers,
        )

    return send


def _to_url(url: SplitResult) -> Send:
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    target = urlunsplit(("", "", url.path, url.query, ""))

    def send(delivery: Delivery) -> Response:
        connection = connect(str(url.hostname), url.port, timeout=30)
        try:
            connection.request("POST", target, delivery.body, delivery.headers)
            answer = connection.getresponse()
            return Response(answer.read(), answer.status, answer.getheaders())
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or error or type(error).__name__
            raise click.ClickException(
                f"No answer from '{url.geturl()}': {reason}."
            ) from error
        finally:
            connection.close()

    return send


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
