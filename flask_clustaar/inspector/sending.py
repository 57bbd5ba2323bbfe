"""Send requests to the bot in this process: valid, or invalid on purpose."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from flask import Flask, url_for
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from ..extension import ClustaarWebhook
from ..platform.signer import Delivery, Signer, distinct
from .trace import SOURCE, Origin

#: The ways to send a request, and their names on the page.
HOW: Final = {
    "fresh": "signed now",
    "stale": "too old",
    "future": "dated in the future",
    "forged": "signed with another key",
    "unsigned": "without a signature",
    "undated": "without a date",
    "wrong_password": "with a wrong password",
    "duplicate": "the same request twice",
    "big": "too big",
    "not_json": "with a content type that is not JSON",
}


class Sender:
    """Sends requests to a webhook, through the application's WSGI interface.

    :param base_url: the URL of the server, such as ``http://127.0.0.1:5000``.
    """

    def __init__(self, app: Flask, webhook: ClustaarWebhook, base_url: str) -> None:
        self.app = app
        self.webhook = webhook
        self.signer: Signer = Signer(webhook.installation(app).settings)
        self._base_url = base_url

    @property
    def url(self) -> str:
        """The URL of the webhook.

        :raises werkzeug.routing.BuildError: if its path has variables.
        """
        names = self.app.blueprints.items()
        name = next(name for name, each in names if each is self.webhook.blueprint)
        with self.app.test_request_context(base_url=self._base_url):
            path = url_for(f"{name}.receive", _external=False)
        return f"{self._base_url}{path}"

    def send(
        self,
        body: bytes,
        source: str,
        *,
        how: str = "fresh",
        times: int = 1,
        together: bool = False,
    ) -> list[int]:
        """Send a body, and return the ids of the recorded deliveries.

        :param how: one of :data:`HOW`.
        :param times: the number of requests. A ``duplicate`` sends one request at least
            twice.
        :param together: send all requests at the same time.
        """
        body = body.rstrip()
        if how == "duplicate":
            deliveries = [self.signer.deliver(distinct(body))] * max(2, times)
        else:
            deliveries = [self.deliver(body, how) for _ in range(times)]
        if not together:
            return [self.exchange(each, source) for each in deliveries]
        with ThreadPoolExecutor(len(deliveries)) as executor:
            return list(
                executor.map(lambda each: self.exchange(each, source), deliveries)
            )

    def deliver(self, body: bytes, how: str = "fresh") -> Delivery:
        """Return a request in one of the ways of :data:`HOW`, signed now."""
        most = self.signer.settings.max_content_length
        if how == "big":
            body = body.ljust(most + 1)
        elif how == "not_json":
            return self.signer.deliver(distinct(body), {"Content-Type": "text/html"})
        ways: dict[str, Callable[[], Signer]] = {
            "stale": self.signer.stale,
            "future": self.signer.future,
            "forged": self.signer.forged,
            "unsigned": self.signer.unsigned,
            "undated": self.signer.undated,
            "wrong_password": self.signer.wrong_password,
        }
        signer = ways.get(how, lambda: replace(self.signer))()
        return signer.deliver(body if how == "big" else distinct(body))

    def exchange(self, delivery: Delivery, source: str) -> int:
        """Send one request, and return its id."""
        builder = EnvironBuilder(
            path=self.url.removeprefix(self._base_url),
            base_url=self._base_url,
            method="POST",
            headers=Headers(delivery.headers),
            data=delivery.body,
        )
        environ = builder.get_environ()
        origin = environ[SOURCE] = Origin(source)
        environ["REMOTE_ADDR"] = "127.0.0.1"
        run_wsgi_app(self.app, environ, buffered=True)
        return origin.id
