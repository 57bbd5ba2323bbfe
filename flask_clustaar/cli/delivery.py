"""Send requests: to an application in this process, or to a URL."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlunsplit

import click
from flask import Flask

from ..platform.signer import Delivery
from .application import Address


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the JSON document in the body; None without one."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def is_reply(self) -> bool:
        """Whether it is a valid reply of a webhook."""
        document = self.json()
        return (
            self.status == 200
            and isinstance(document, dict)
            and isinstance(document.get("actions"), list)
        )


#: Sends a delivery.
Send = Callable[[Delivery], Answer]


def answer_exceptions(app: Flask) -> None:
    """Let an exception be answered and logged, as where a bot runs for good."""
    app.config["PROPAGATE_EXCEPTIONS"] = False


def to_app(app: Flask, address: Address) -> Send:
    """Return what sends requests to an application in this process."""
    answer_exceptions(app)

    def send(delivery: Delivery) -> Answer:
        # A client of its own, because several threads may send.
        response = app.test_client().post(
            address.path,
            base_url=address.base_url,
            data=delivery.body,
            headers=delivery.headers,
        )
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
