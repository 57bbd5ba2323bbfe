"""Check the settings of a webhook, and its replay store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from ...errors import ReplayStoreError
from ...installation import Installation
from ...replay import check_store
from ...security import ALGORITHMS as DIGEST_SIZES
from ...settings import Settings, describe_unread_variables
from ..findings import Finding, rule

DEBUG = rule("debug", "warning", "Debug mode is on.")
INSECURE = rule("insecure", "error", "The webhook accepts unauthenticated requests.")
UNSIGNED = rule("unsigned", "warning", "There is no private key.")
NO_PASSWORD = rule("no_password", "hint", "There is no user name and password.")
SHORT_SECRET = rule("short_secret", "warning", "A secret can be guessed.")
MAX_AGE = rule("max_age", "warning", "Old requests are accepted.")
CLOCK_SKEW = rule("clock_skew", "warning", "Requests dated in the future are accepted.")
ALGORITHMS = rule("algorithms", "hint", "Several signature algorithms are accepted.")
NO_STORE = rule("no_store", "warning", "Repeated requests run the handlers again.")
MEMORY_STORE = rule("memory_store", "hint", "Each worker has its own replay store.")
STORE_ERROR = rule(
    "store_error", "warning", "Without its store, repeated requests run again."
)
STORE_UNUSABLE = rule("store_unusable", "error", "The replay store does not work.")
STORE_PATH = rule("store_path", "hint", "The path of the replay store is relative.")
ENVIRONMENT = rule(
    "environment", "warning", "A setting in the environment is not read."
)
CONFIGURATION = rule("configuration", "warning", "A setting is probably wrong.")

#: A shorter secret, in bytes, was probably not random.
_SHORT: Final = 12


def check_settings(installation: Installation) -> Iterator[Finding]:
    """Find settings that weaken a webhook in an application."""
    settings, app = installation.settings, installation.app
    if app.debug:
        yield DEBUG(
            "Debug mode is on. Anyone who can open its debugger can run code. Switch "
            "it off where others can reach the application."
        )
    unread = describe_unread_variables(app.config)
    if settings.insecure and unread:
        yield ENVIRONMENT(unread)
    if settings.insecure:
        yield INSECURE(
            "The webhook accepts unauthenticated requests. Set 'CLUSTAAR_PRIVATE_KEY' "
            "to the key from the bot's settings."
        )
        return
    if not settings.keys:
        yield UNSIGNED(
            "Requests are not signed, so anyone in between can change or repeat them. "
            "Set 'CLUSTAAR_PRIVATE_KEY' to the key from the bot's settings."
        )
    else:
        yield from _check_signature(settings)
        yield from _check_store(installation)
    if not settings.pairs:
        yield NO_PASSWORD(
            "No password is required. Set 'CLUSTAAR_AUTH_USERNAME' and "
            "'CLUSTAAR_AUTH_PASSWORD' for extra protection."
        )
    yield from _check_secrets(settings)


def _check_secrets(settings: Settings) -> Iterator[Finding]:
    for name, secrets in {
        "private key": settings.keys,
        "password": [pair.password for pair in settings.pairs],
    }.items():
        if any(len(secret.reveal()) < _SHORT for secret in secrets):
            yield SHORT_SECRET(
                f"A {name} has fewer than {_SHORT} characters, so it can be guessed. "
                "Use a random one."
            )


def _check_signature(settings: Settings) -> Iterator[Finding]:
    if settings.request_max_age is None:
        yield MAX_AGE(
            "'CLUSTAAR_REQUEST_MAX_AGE' is None: a captured request can be replayed a "
            "day later. The default is 10 seconds."
        )
    elif settings.request_max_age > 60:
        yield MAX_AGE(
            f"'CLUSTAAR_REQUEST_MAX_AGE' is {settings.request_max_age:g} seconds. The "
            "default, 10, is enough if the clocks are synchronized."
        )
    if settings.clock_skew > 60:
        yield CLOCK_SKEW(
            f"'CLUSTAAR_CLOCK_SKEW' is {settings.clock_skew:g} seconds. The default, "
            "5, is enough if the clocks are synchronized."
        )
    algorithms = set(settings.signature_algorithms)
    if len(algorithms) > 1:
        weakest = min(algorithms, key=DIGEST_SIZES.__getitem__)
        yield ALGORITHMS(
            "'CLUSTAAR_SIGNATURE_ALGORITHMS' lists more than one algorithm, so "
            f"security is that of the weakest ('{weakest}'). Remove those that are not "
            "used."
        )


# -- the replay store ----------------------------------------------------------------


def _check_store(installation: Installation) -> Iterator[Finding]:
    settings, value = installation.settings, installation.settings.replay_store
    if installation.store is None:
        yield NO_STORE(
            "'CLUSTAAR_REPLAY_STORE' is off: repeated requests run the handlers again."
        )
        return
    if value == "memory":
        yield MEMORY_STORE(
            "The replay store is in memory, so each worker has its own. With several "
            "workers, set 'CLUSTAAR_REPLAY_STORE' to 'sqlite:///...' or 'redis://...'."
        )
    if settings.replay_on_store_error == "allow":
        yield STORE_ERROR(
            "'CLUSTAAR_REPLAY_ON_STORE_ERROR' is 'allow': while the replay store "
            "fails, repeated requests run the handlers again."
        )
    if isinstance(value, str) and value.startswith("sqlite:///"):
        path = value.removeprefix("sqlite:///")
        if not os.path.isabs(path):
            yield STORE_PATH(
                "The path of the replay store is relative to the working directory: "
                f"currently '{os.path.abspath(path)}'. Use an absolute path."
            )
    try:
        check_store(installation.store)
    except ReplayStoreError as error:
        reason = str(error)
        cause = str(error.__cause__ or "").rstrip(".")
        if cause not in reason:
            reason = f"{reason} {cause}."
        if settings.replay_on_store_error != "allow":
            reason += " Until it works, requests are answered with 503."
        yield STORE_UNUSABLE(reason)
