"""The inspected bot: the application, or the error that prevented loading it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from flask import Flask

from ..errors import ClustaarError
from ..extension import ClustaarWebhook
from ..notifications import load_notification
from ..platform.bot import Bot
from ..recording.delivery import Delivery
from ..wire import JSON
from .sending import Sender


class Program:
    """An application with its webhooks.

    :param app: the application; None if it could not be loaded.
    :param base_url: the URL of the server, such as ``http://127.0.0.1:5000``.
    :param name: the name of the application on the page.
    :param error: the exception that prevented loading it.
    :param chosen: the name of the webhook that the page selects first.
    :param bot: the content of the bot file, if there is one.
    """

    def __init__(
        self,
        app: Flask | None,
        base_url: str,
        *,
        name: str = "app",
        error: BaseException | None = None,
        chosen: str | None = None,
        bot: Bot | None = None,
    ) -> None:
        self._app = app
        self._base_url = base_url
        self._name = name
        self._error = error
        self._chosen = chosen
        self.bot = bot
        #: The webhooks by name.
        self.webhooks: Mapping[str, ClustaarWebhook] = (
            app.extensions.get("clustaar", {}) if app else {}
        )

    @property
    def app(self) -> Flask:
        """The application.

        :raises LookupError: if it could not be loaded.
        """
        if self._app is None:
            raise LookupError("The application cannot be loaded. Fix the error first.")
        return self._app

    def state(self) -> JSON:
        """Return whether the application is loaded, and the traceback if it is not."""
        shown = None
        if self._error is not None:
            shown = "".join(traceback.format_exception(self._error)).rstrip()
        return {
            "state": "ok" if shown is None else "broken",
            "traceback": shown,
            "name": self._name,
            "url": self._base_url,
            "webhook": self._chosen or next(iter(self.webhooks), None),
        }

    def sender(self, name: str | None = None) -> Sender:
        """Return a sender for a webhook.

        :raises LookupError: if the application has no such webhook.
        """
        name = name or self._chosen or next(iter(self.webhooks), "")
        if self.app and name not in self.webhooks:
            raise LookupError(f"The application has no webhook '{name}'.")
        return Sender(self.app, self.webhooks[name], self._base_url)

    def suggestion(self, delivery: Delivery) -> str | None:
        """Return a decorator whose handler would match the notification."""
        webhook = self.webhooks.get(delivery["webhook"])
        if webhook is None or delivery["request"] is None:
            return None
        try:
            notification = load_notification(delivery["request"].encode())
        except ClustaarError:
            return None
        return webhook._suggestion(notification)
