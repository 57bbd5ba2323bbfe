"""Deliveries: how one is signed, and sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import SplitResult, urlunsplit

import click
from flask import Flask
from werkzeug.http import http_date

from ..security import basic_auth, sign
from ..settings import Settings


class Delivery(NamedTuple):
    """A request as it is sent."""

    body: bytes
    headers: dict[str, str]


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


#: Sends a delivery.
Send = Callable[[Delivery], Answer]


@dataclass(frozen=True)
class Signer:
    """Makes deliveries, as the platform would with these settings.

    Each argument replaces what the settings have; None leaves it.

    :param date: the text of the date, or by how many seconds it is ahead of now.
    """

    settings: Settings
    key: str | None = None
    username: str | None = None
    password: str | None = None
    date: str | int = 0
    bad_signature: bool = False

    def deliver(self, body: bytes) -> Delivery:
        """Return a delivery that is signed now."""
        date = self.date
        if isinstance(date, int):
            date = http_date(time.time() + date)
        headers = {"Content-Type": "application/json", self.settings.date_header: date}
        key = self._key()
        if key is not None:
            algorithm = self.settings.signature_algorithms[0]
            headers["X-Hub-Signature"] = sign(key, date, body, algorithm)
        authorization = self._authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        return Delivery(body, headers)

    def _key(self) -> bytes | str | None:
        if self.bad_signature:
            return b"not the private key"
        if self.key is not None or not self.settings.keys:
            return self.key
        return self.settings.keys[0].reveal()

    def _authorization(self) -> str | None:
        username: bytes | str | None = self.username
        password: bytes | str | None = self.password
        for theirs in self.settings.pairs[:1]:
            username = theirs.username.reveal() if username is None else username
            password = theirs.password.reveal() if password is None else password
        if username is None and password is None:
            return None
        return basic_auth(username or "", password or "")


def answer_exceptions(app: Flask) -> None:
    """Let an exception be answered and logged, as where a bot runs for good."""
    app.config["PROPAGATE_EXCEPTIONS"] = False


def to_app(app: Flask, path: str) -> Send:
    """Return what sends deliveries to an application in this process."""
    answer_exceptions(app)
    client = app.test_client()

    def send(delivery: Delivery) -> Answer:
        response = client.post(path, data=delivery.body, headers=delivery.headers)
        return Answer(response.status_code, response.get_data())

    return send


def to_url(url: SplitResult) -> Send:
    """Return what sends deliveries to a URL."""
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    target = urlunsplit(("", "", url.path, url.query, ""))

    def send(delivery: Delivery) -> Answer:
        connection = connect(str(url.hostname), url.port, timeout=30)
        try:
            connection.request("POST", target, delivery.body, delivery.headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or error or type(error).__name__
            raise click.ClickException(
                f"'{url.geturl()}' does not answer: {reason}."
            ) from error
        finally:
            connection.close()

    return send
