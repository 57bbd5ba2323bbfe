"""Find the URL of a webhook, with a host that the application accepts."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.sansio.utils import host_is_trusted

from .extension import ClustaarWebhook


class Address(NamedTuple):
    """The URL of a webhook."""

    #: Scheme, host and the application's root, such as ``http://localhost/``.
    base_url: str
    #: The path below the root, such as ``/clustaar``.
    path: str

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.base_url.rstrip("/") + self.path

    @property
    def url_path(self) -> str:
        """The path of the URL, with the application's root."""
        return urlsplit(self.url).path


def rules_of(app: Flask, webhook: ClustaarWebhook) -> list[Rule]:
    """Return the URL rules of a webhook in an application, shortest first."""
    endpoints = {
        f"{name}.receive"
        for name, blueprint in app.blueprints.items()
        if blueprint is webhook.blueprint
    }
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in endpoints]
    return sorted(rules, key=lambda rule: len(rule.rule))


def address_of(
    app: Flask, webhook: ClustaarWebhook, base_url: str | None = None
) -> Address:
    """Return the URL of a webhook in an application.

    The host is the first of these that exists: the host of the route, ``SERVER_NAME``
    if it is a trusted host, the first of ``TRUSTED_HOSTS``, ``localhost``.

    :param base_url: scheme, host and root to use instead.
    :raises LookupError: if the path has variables.
    :raises ValueError: if *base_url* is not an http or https URL.
    """
    rule = rules_of(app, webhook)[0]
    if rule.arguments:
        raise LookupError(
            f"The URL of the webhook '{webhook.name}' has variables: '{rule.rule}'."
        )
    if base_url is not None:
        _check(base_url)
        return Address(base_url, rule.rule)
    trusted = app.config.get("TRUSTED_HOSTS") or ()
    host: str = app.config.get("SERVER_NAME") or "localhost"
    if trusted and not host_is_trusted(host, trusted):
        host = str(trusted[0]).removeprefix(".")
    if app.url_map.host_matching:
        host = rule.host or host
    elif rule.subdomain:
        host = f"{rule.subdomain}.{host}"
    scheme = app.config.get("PREFERRED_URL_SCHEME") or "http"
    root = (app.config.get("APPLICATION_ROOT") or "/").strip("/")
    return Address(f"{scheme}://{host}/{root}", rule.rule)


def _check(base_url: str) -> None:
    parts = urlsplit(str(base_url))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValueError(
            f"'{base_url}' is not a base URL. Pass scheme, host and root, such as "
            "'https://bot.example.com/'."
        )
