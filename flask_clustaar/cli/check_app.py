"""What is wrong with an application, as far as can be seen without running it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from flask import Flask
from werkzeug.exceptions import HTTPException

from ..extension import ClustaarWebhook
from ..settings import Settings, describe_unread_variables
from .check_handlers import check_handlers
from .check_source import check_source
from .common import rules_of
from .findings import Finding, error, hint, warning


def check_app(app: Flask, webhook: ClustaarWebhook) -> Iterator[Finding]:
    """Find the mistakes in a webhook of an application."""
    settings = webhook.installation(app).settings
    for found in (
        *_weak_settings(settings, app),
        *_hidden(app, webhook),
        *check_handlers(webhook.handlers, settings.dispatch),
        *check_source(_files(webhook)),
    ):
        yield replace(found, where=webhook.name)


def _weak_settings(settings: Settings, app: Flask) -> Iterator[Finding]:
    if app.debug:
        yield warning(
            "The debugger is on, with which a stranger can run code. Leave it off "
            "where others can reach the application."
        )
    if settings.insecure:
        unread = describe_unread_variables(app.config)
        yield error(
            "It answers anybody. Set 'CLUSTAAR_PRIVATE_KEY', as in the bot's settings. "
            f"{unread}".rstrip()
        )
        return
    if not settings.keys:
        yield warning(
            "Requests are not signed, so they can be changed and sent again. Set "
            "'CLUSTAAR_PRIVATE_KEY', as in the bot's settings."
        )
    else:
        yield from _weak_signature(settings)
    if not settings.pairs:
        yield hint(
            "Requests need no password. 'CLUSTAAR_AUTH_USERNAME' and "
            "'CLUSTAAR_AUTH_PASSWORD' are a second lock."
        )
    for name, secrets in {
        "private key": settings.keys,
        "password": [pair.password for pair in settings.pairs],
    }.items():
        if any(len(secret.reveal()) < _SHORT for secret in secrets):
            yield warning(
                f"A {name} has fewer than {_SHORT} characters, so it can be guessed."
            )


#: A secret below this length, in bytes, is a word that somebody thought of.
_SHORT: Final = 12


def _weak_signature(settings: Settings) -> Iterator[Finding]:
    if settings.request_max_age is None:
        yield warning(
            "'CLUSTAAR_REQUEST_MAX_AGE' is None: who records a request can send it "
            "again a day later."
        )
    elif settings.request_max_age > 60:
        yield warning(
            f"'CLUSTAAR_REQUEST_MAX_AGE' is {settings.request_max_age:g} seconds. The "
            "default, 10, is enough for clocks that are right."
        )
    if settings.clock_skew > 60:
        yield warning(
            f"'CLUSTAAR_CLOCK_SKEW' is {settings.clock_skew:g} seconds. The default, "
            "5, is enough for clocks that are right."
        )
    if len(settings.signature_algorithms) > 1:
        yield hint(
            "'CLUSTAAR_SIGNATURE_ALGORITHMS' has several: the weakest, 'sha1', is as "
            "strong as it gets. Leave out those that the sender does not use."
        )
    store = settings.replay_store
    if store in (None, "off"):
        yield warning(
            "'CLUSTAAR_REPLAY_STORE' is off: a request that is sent again runs again."
        )
    elif store == "memory":
        yield hint(
            "Deliveries are recorded in memory. With several workers set "
            "'CLUSTAAR_REPLAY_STORE' to 'sqlite:///...' or 'redis://...'."
        )
    if store not in (None, "off") and settings.replay_on_store_error == "allow":
        yield warning(
            "'CLUSTAAR_REPLAY_ON_STORE_ERROR' is 'allow': while the store is away, a "
            "request that is sent again runs again."
        )


def _hidden(app: Flask, webhook: ClustaarWebhook) -> Iterator[Finding]:
    """Find the URLs of the webhook that another route takes."""
    for rule in rules_of(app, webhook):
        if rule.arguments:
            continue
        subdomain = None if app.url_map.host_matching else rule.subdomain
        adapter = app.url_map.bind("localhost", subdomain=subdomain)
        try:
            endpoint = adapter.match(rule.rule, method="POST")[0]
        except HTTPException as problem:
            wrong = f"is answered with '{problem.name}'"
        else:
            wrong = f"goes to '{endpoint}'" if endpoint != rule.endpoint else ""
        if wrong:
            yield error(
                f"'POST {rule.rule}' {wrong}, and never gets here. "
                "Change 'CLUSTAAR_URL_PREFIX', or the other route."
            )


def _files(webhook: ClustaarWebhook) -> list[str]:
    """Return the files in which the handlers are written."""
    found: dict[str, None] = {}
    for handler in webhook.handlers:
        with suppress(TypeError):
            found[inspect.getfile(inspect.unwrap(handler.function))] = None
    return list(found)
