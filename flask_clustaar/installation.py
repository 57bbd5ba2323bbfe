"""A webhook in one application: its settings, replay store and recorder."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from . import logs
from .deadline import Threads
from .errors import ConfigurationError, ReplayStoreError
from .replay import ReplayStore, check_store, open_store
from .routing import Router
from .settings import Settings
from .wire import JSON

if TYPE_CHECKING:
    from .recording.recorder import Recorder


class Installation:
    """A webhook in one application."""

    def __init__(
        self,
        webhook: Router,
        name: str,
        app: Flask,
        settings: Settings,
        background: Callable[[str], object],
    ) -> None:
        #: The webhook.
        self.webhook: Router = webhook
        #: The name of the webhook.
        self.name: str = name
        #: The settings of the webhook in this application.
        self.settings: Settings = settings
        #: The replay store; None if it is off.
        self.store: ReplayStore | None = open_store(
            settings.replay_store, settings.replay_capacity
        )
        #: Submits a job to the engine for background work.
        self.background: Callable[[str], object] = background
        #: Whether handlers can submit jobs: whether any webhook of the application has
        #: tasks.
        self.has_tasks: bool = False
        #: Where handlers with a deadline run.
        self._threads: Threads = Threads(settings.deadline_threads)
        #: The key of the signed date in the WSGI environment.
        self._date_key: str = "HTTP_" + settings.date_header.upper().replace("-", "_")
        self._app = weakref.ref(app)
        #: Records requests and replies; None unless ``CLUSTAAR_RECORD`` is set.
        self._recorder: Recorder | None = None
        if settings.record is not None:
            _check_not_served(settings.record, app)
            # Imported only when recording is on.
            from .recording.recorder import Recorder

            self._recorder = Recorder(name, app.name, settings, settings.record)
        #: The configuration that was read; None after the first request.
        self._config: JSON | None = _clustaar_items(app)

    @property
    def app(self) -> Flask:
        """The application."""
        app = self._app()
        assert app is not None, "An installation is only used by its application."
        return app

    def is_ready(self, timeout: float = 1.0) -> bool:
        """Return whether the webhook can answer requests, for a readiness check.

        It cannot while the replay store fails, unless
        ``CLUSTAAR_REPLAY_ON_STORE_ERROR`` is ``allow``.

        :param timeout: how long to wait for the store, in seconds.
        """
        if self.store is None or self.settings.replay_on_store_error == "allow":
            return True
        try:
            check_store(self.store, timeout=timeout)
        except ReplayStoreError:
            return False
        return True

    def _begin(self) -> None:
        """Finish the set-up on the first request: fix the handlers and settings."""
        if self._config is None:
            return
        extensions = self.app.extensions
        self.has_tasks = any(each.tasks for each in extensions["clustaar"].values())
        if (csrf := extensions.get("csrf")) is not None:
            csrf.exempt(extensions["clustaar"][self.name].blueprint)
        self.webhook._freeze(
            "The webhook has already handled a request. Register handlers at start-up"
        )
        if self._config != _clustaar_items(self.app):
            logs.logger.warning(
                "The CLUSTAAR_... settings were changed after the webhook '%s' read "
                "them; the changes have no effect. Call 'init_app' after the "
                "configuration is complete.",
                self.name,
                extra=logs.extra(webhook=self.name),
            )
        self._config = None


def _check_not_served(directory: Path, app: Flask) -> None:
    for scaffold in (app, *app.blueprints.values()):
        static = scaffold.static_folder
        if static and directory.resolve().is_relative_to(Path(static).resolve()):
            raise ConfigurationError(
                f"'CLUSTAAR_RECORD' is '{directory}', whose files Flask serves as "
                "public static files. Choose another directory."
            )


def _clustaar_items(app: Flask) -> JSON:
    return {key: app.config[key] for key in app.config if key.startswith("CLUSTAAR_")}
