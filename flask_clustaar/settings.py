"""The ``CLUSTAAR_*`` settings, read once: a wrong one fails at start-up."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypedDict, TypeGuard, Unpack

from .describe import warn_at_the_program
from .errors import ConfigurationError, ConfigurationWarning
from .replay import ReplayStore, open_store
from .security import ALGORITHMS, Credentials, Secret, sign

#: How recordings are redacted. A function gets a request and its reply as JSON values,
#: and returns them redacted, or None to leave both out.
Redaction = (
    Literal["pseudonyms", "texts", "none"]
    | Callable[[Any, Any], tuple[Any, Any] | None]
)


class SettingsKeywords(TypedDict, total=False):
    """The settings as keyword arguments; :data:`SETTINGS` describes them."""

    private_key: str | bytes | Sequence[str | bytes] | None
    auth_username: str | bytes | None
    auth_password: str | bytes | None
    credentials: Sequence[str | bytes] | Sequence[Sequence[str | bytes]] | None
    signature_algorithms: str | Sequence[str]
    request_max_age: float | None
    clock_skew: float
    date_header: str
    max_content_length: int
    replay_store: str | ReplayStore | None
    replay_on_store_error: Literal["refuse", "allow"]
    replay_ttl: float | None
    replay_lease: float
    replay_capacity: int
    dispatch: Literal["all", "first"]
    on_error: Literal["problem", "passthrough"]
    record: str | os.PathLike[str] | None
    record_share: float
    record_days: int
    record_bytes: int
    record_redact: Redaction
    host: str | None
    url_prefix: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """The settings of one webhook of one application.

    The attributes are named like the settings, which :data:`SETTINGS` describes; only
    the secrets are gathered in :attr:`keys` and :attr:`pairs`.
    """

    #: The private keys, newest first.
    keys: tuple[Secret, ...]
    #: The user names with their passwords, newest first.
    pairs: tuple[Credentials, ...]
    signature_algorithms: tuple[str, ...]
    request_max_age: float | None
    clock_skew: float
    date_header: str
    max_content_length: int
    replay_store: str | ReplayStore | None
    replay_on_store_error: Literal["refuse", "allow"]
    replay_ttl: float | None
    replay_lease: float
    replay_capacity: int
    dispatch: Literal["all", "first"]
    on_error: Literal["problem", "passthrough"]
    record: Path | None
    record_share: float
    record_days: int
    record_bytes: int
    record_redact: Redaction
    host: str | None
    url_prefix: str

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        name: str = "clustaar",
        **keywords: Unpack[SettingsKeywords],
    ) -> Settings:
        """Read the settings of a webhook.

        A keyword argument wins over the configuration. There, for a webhook with the
        name ``support``, ``CLUSTAAR_SUPPORT_X`` wins over ``CLUSTAAR_X``; but for
        ``URL_PREFIX`` there is only its own.

        :param config: the application's configuration.
        :param name: the name of the webhook.
        :raises TypeError: if a keyword argument is no setting.
        :raises ConfigurationError: if a setting is wrong, naming it as it was typed.
        """
        prefixes = _prefixes(name)
        typed = {k: v for k, v in config.items() if k.startswith("CLUSTAAR_")}
        check_keywords(keywords)
        _warn_of_misspelt(typed, prefixes)
        typed |= keywords
        labels = {row.name: _label(row.name, typed, prefixes) for row in SETTINGS}
        values = {row.name: _read(row, labels[row.name], typed) for row in SETTINGS}
        _warn_of_white_space(values, labels)
        pairs = _gather_pairs(values, labels)
        keys = values.pop("private_key")
        values["url_prefix"] = values["url_prefix"] or f"/{name}"
        settings = cls(keys=keys, pairs=pairs, **values)
        _check_algorithms(settings, labels["signature_algorithms"])
        _check_ttl(settings, labels["replay_ttl"])
        return settings

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = {name: repr(value) for name, value in values.items()}
        for name in ("keys", "pairs", "replay_store"):  # its URL may have a password
            shown[name] = "***" if values[name] else "not set"
        return (
            f"Settings({', '.join(f'{name}={text}' for name, text in shown.items())})"
        )

    @property
    def insecure(self) -> bool:
        """Whether anybody may call: there is neither a key nor a user name."""
        return not self.keys and not self.pairs

    @property
    def record_lifetime(self) -> float:
        """For how many seconds to record a delivery that was handled."""
        if self.replay_ttl is not None:
            return self.replay_ttl
        if self.request_max_age is None:
            return 86_400
        return 2 * (self.request_max_age + self.clock_skew) + 10


class Setting(NamedTuple):
    """One row in the table of settings."""

    name: str
    #: What it may be, in words.
    type: str
    unit: str
    #: The default.
    value: Any
    #: The default in words, where :attr:`value` does not say it.
    shown: str
    #: What it is for, in one sentence.
    description: str
    #: Turn what was typed into what :class:`Settings` has.
    read: Callable[[Any], Any]

    @property
    def key(self) -> str:
        """The name in the configuration."""
        return f"CLUSTAAR_{self.name.upper()}"

    @property
    def default(self) -> str:
        """The default as text."""
        return self.shown or str(self.value)


class _Wrong(Exception):
    """What is wrong with a value: the rest of a sentence that begins with its name."""


def _prefixes(name: str) -> list[str]:
    """Return what keys of the configuration begin with; the first one wins."""
    if name == "clustaar":
        return ["CLUSTAAR_"]
    return [f"CLUSTAAR_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_", "CLUSTAAR_"]


def check_keywords(keywords: Iterable[str]) -> None:
    """Check that keyword arguments are settings.

    :raises TypeError: if one is not, with the one that was probably meant.
    """
    names = [row.name for row in SETTINGS]
    for keyword in keywords:
        if keyword not in names:
            near = difflib.get_close_matches(keyword, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise TypeError(f"There is no setting '{keyword}'.{hint}")


def _warn_of_misspelt(typed: Iterable[str], prefixes: list[str]) -> None:
    names = [row.name.upper() for row in SETTINGS]
    endings = tuple(f"_{name}" for name in names)
    for key in typed:
        # What ends like a setting is one, or may be one of another webhook.
        if key.endswith(endings):
            continue
        prefix = next(filter(key.startswith, prefixes))
        rest = key.removeprefix(prefix)
        for near in difflib.get_close_matches(rest, names, n=1, cutoff=0.7):
            warn_at_the_program(
                f"Unknown setting '{key}' in the configuration. "
                f"Did you mean '{prefix}{near}'?",
                ConfigurationWarning,
            )


def _warn_of_white_space(values: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    for name in ("private_key", "auth_username", "auth_password", "credentials"):
        secrets = [secret.reveal() for secret in _secrets_in(values[name])]
        if any(secret != secret.strip() for secret in secrets):
            warn_at_the_program(
                f"'{labels[name]}' begins or ends with white space, such as the last "
                "newline of a file. Remove it, unless the bot's settings have it too.",
                ConfigurationWarning,
            )


def _secrets_in(value: Any) -> Iterator[Secret]:
    """Yield the secrets in a value: one, none, or tuples of them."""
    if isinstance(value, Secret):
        yield value
    for each in value if isinstance(value, tuple) else ():
        yield from _secrets_in(each)


def describe_unread_variables(config: Mapping[str, Any]) -> str:
    """Return which protection is in the environment and was not read, and the remedy.

    :param config: the application's configuration.
    :return: a sentence for each variable, or an empty text.
    """
    sentences = []
    for variable in sorted(os.environ):
        key = variable.removeprefix("FLASK_")
        if key in config or not _PROTECTION.fullmatch(key):
            continue
        remedy = "call 'app.config.from_prefixed_env()' before the webhook is added"
        if key == variable:
            remedy = f"rename it to 'FLASK_{key}', and {remedy}"
        sentences.append(
            f"The environment variable '{variable}' was not read: {remedy}."
        )
    return " ".join(sentences)


def _label(name: str, typed: Container[str], prefixes: list[str]) -> str:
    """Return the setting's name as it was typed, or how to type it."""
    if name == "url_prefix":
        prefixes = prefixes[:1]  # Two webhooks at one URL would be one too many.
    labels = [name, *(prefix + name.upper() for prefix in prefixes)]
    return next((label for label in labels if label in typed), labels[-1])


def _read(setting: Setting, label: str, typed: Mapping[str, Any]) -> Any:
    try:
        return setting.read(typed.get(label, setting.value))
    except _Wrong as wrong:
        raise ConfigurationError(f"'{label}' {wrong}") from wrong.__cause__


def _gather_pairs(
    values: dict[str, Any], labels: Mapping[str, str]
) -> tuple[Credentials, ...]:
    """Take the three settings with credentials out of *values*."""
    username, password = values.pop("auth_username"), values.pop("auth_password")
    credentials: tuple[Credentials, ...] = values.pop("credentials")
    labelled = {labels["auth_username"]: username, labels["auth_password"]: password}
    missing = [label for label, value in labelled.items() if value is None]
    if len(missing) == 2:
        return credentials
    if missing:
        (there,) = labelled.keys() - missing
        raise ConfigurationError(
            f"'{there}' is set and '{missing[0]}' is not. Set both, or neither."
        )
    if credentials:
        raise ConfigurationError(
            f"'{labels['auth_username']}' and '{labels['credentials']}' are both set. "
            "Write all pairs in the second, or only one pair in the first."
        )
    return (Credentials(username, password),)


def _check_algorithms(settings: Settings, label: str) -> None:
    for algorithm in settings.signature_algorithms if settings.keys else ():
        try:
            sign(b"", "", b"", algorithm)
        except ValueError as error:
            raise ConfigurationError(
                f"'{label}' has '{algorithm}', which this build of Python cannot "
                "compute. Leave it out, or use another build."
            ) from error


def _check_ttl(settings: Settings, label: str) -> None:
    if settings.replay_ttl is None or settings.request_max_age is None:
        return
    least = 2 * (settings.request_max_age + settings.clock_skew)
    if settings.replay_ttl < least:
        raise ConfigurationError(
            f"'{label}' must be at least {least:g} seconds: twice the time in which a "
            "delivery is fresh. Raise it, or leave it out."
        )


def _private_key(value: Any) -> tuple[Secret, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        return (_secret(value),)
    if not value:
        raise _Wrong("is an empty list. Write a key, or leave the setting out.")
    return tuple(map(_secret, value))


def _credentials(value: Any) -> tuple[Credentials, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not value:
        raise _Wrong("must be a pair of user name and password, or a list of pairs.")
    pairs = value if isinstance(value[0], (list, tuple)) else [value]
    return tuple(map(_pair, pairs))


def _pair(value: Any) -> Credentials:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise _Wrong("must be a pair of user name and password, or a list of pairs.")
    return Credentials(_username(value[0]), _secret(value[1]))


def _username(value: Any) -> Secret:
    username = _secret(value)
    if b":" in username.reveal():
        raise _Wrong(
            "has a ':' in the user name, which HTTP Basic cannot carry. "
            "Choose another user name."
        )
    return username


def _secret(value: Any) -> Secret:
    if isinstance(value, (int, float)):
        raise _Wrong(
            "must be text, not a number or a boolean. 'from_prefixed_env' reads "
            "digits as a number: write double quotes inside the single quotes of "
            "the shell, as in '\"12345\"'."
        )
    if not isinstance(value, (str, bytes)):
        raise _Wrong(f"must be text or bytes, not a '{type(value).__name__}'.")
    if not value.strip():
        raise _Wrong("is empty. Copy it from the bot's settings, or remove it.")
    try:
        return Secret(value.encode() if isinstance(value, str) else value)
    except UnicodeEncodeError:
        # Without the cause, which has the text.
        raise _Wrong("is text that UTF-8 cannot encode. Write it as bytes.") from None


def _optional_secret(value: Any) -> Secret | None:
    return None if value is None else _secret(value)


def _optional_username(value: Any) -> Secret | None:
    return None if value is None else _username(value)


def _algorithms(value: Any) -> tuple[str, ...]:
    names = value.replace(" ", "").split(",") if isinstance(value, str) else value
    if (
        not isinstance(names, (list, tuple))
        or not names
        or any(name not in list(ALGORITHMS) for name in names)
    ):
        raise _Wrong(f"must be one or more of {_either(*ALGORITHMS)}.")
    return tuple(names)


def _optional_seconds(value: object) -> float | None:
    try:
        return None if value is None else _seconds(value)
    except _Wrong as wrong:
        raise _Wrong(
            f"{wrong} It may also be None, which is null in an environment variable."
        ) from None


def _seconds(value: object) -> float:
    if not _is_number(value) or value <= 0:
        raise _Wrong(f"must be a positive number of seconds, not {value!r:.40}.")
    return value


def _seconds_or_0(value: object) -> float:
    if not _is_number(value) or value < 0:
        raise _Wrong(f"must be a number of seconds, 0 or more, not {value!r:.40}.")
    return value


def _count(value: object) -> int:
    if not _is_number(value) or not isinstance(value, int) or value <= 0:
        raise _Wrong(f"must be a positive integer, not {value!r:.40}.")
    return value


def _is_number(value: object) -> TypeGuard[float]:
    """Tell whether it is a number of reason: neither NaN nor Infinity, say."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 10**12


def _header(value: Any) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _Wrong(f"must be the name of an HTTP header, not {value!r:.40}.")
    return value


def _store(value: Any) -> str | ReplayStore | None:
    if isinstance(value, str):
        try:
            return value if open_store(value) is not None else None
        except ConfigurationError as error:
            raise _Wrong(f"is wrong. {error}") from error
    if value is None or (
        isinstance(value, ReplayStore) and not isinstance(value, type)
    ):
        return value
    raise _Wrong(
        "must be 'memory', 'off', a URL, or an object with the methods 'claim', "
        f"'complete' and 'release', and is a '{type(value).__name__}'."
    )


def _directory(value: Any) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise _Wrong(f"must be the path of a directory, and is {value!r:.40}.")
    directory = Path(value).absolute()
    if not directory.is_dir():
        raise _Wrong(
            f"is '{directory}', which is not a directory. Create it with "
            f"'mkdir -m 700 {directory}'."
        )
    if os.name != "nt" and directory.stat().st_mode & 0o077:
        raise _Wrong(
            f"is '{directory}', which other users of the machine can open. Restrict it "
            f"with 'chmod 700 {directory}'."
        )
    return directory


def _share(value: object) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise _Wrong(f"must be a number from 0 to 1, and is {value!r:.40}.")
    return value


def _redaction(value: Any) -> Any:
    if callable(value):
        return value
    try:
        return _one_of("pseudonyms", "texts", "none")(value)
    except _Wrong as wrong:
        raise _Wrong(f"{wrong} It may also be a function.") from None


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise _Wrong(f"must be {_either(*choices)}, not {value!r:.40}.")
        return str(value)

    return read


def _either(*choices: str) -> str:
    return " or ".join(f"'{choice}'" for choice in choices)


def _host(value: Any) -> str | None:
    if value is not None and not (
        isinstance(value, str) and value and "/" not in value
    ):
        raise _Wrong(f"must be a host such as 'bot.example.com', not {value!r:.40}.")
    return value


def _prefix(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value.startswith("/")):
        raise _Wrong(f"must be text that begins with '/', not {value!r:.40}.")
    return value and (value.rstrip("/") or "/")


# What the name of a header is made of (RFC 9110, 5.6.2).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# The settings without which everybody can call a webhook, of any name.
_PROTECTION: Final = re.compile(
    "CLUSTAAR_([A-Z0-9_]+_)?(PRIVATE_KEY|AUTH_USERNAME|AUTH_PASSWORD|CREDENTIALS)"
)

#: Every setting there is: the one place that knows.
SETTINGS: Final = (
    Setting(
        "private_key",
        "text, or a list of them",
        "",
        None,
        "none: signatures are not checked",
        "The private key of the bot's settings, or several, newest first, to replace "
        "one without losing a request.",
        _private_key,
    ),
    Setting(
        "auth_username",
        "text",
        "",
        None,
        "none: user names are not checked",
        "The user name of the bot's settings; it goes with the password.",
        _optional_username,
    ),
    Setting(
        "auth_password",
        "text",
        "",
        None,
        "none",
        "The password of the bot's settings; it goes with the user name.",
        _optional_secret,
    ),
    Setting(
        "credentials",
        "a pair of user name and password, or a list of pairs",
        "",
        None,
        "none",
        "Instead of the two above, several user names with their passwords, newest "
        "first.",
        _credentials,
    ),
    Setting(
        "signature_algorithms",
        "'sha1', 'sha256', or a list of them",
        "",
        ("sha1",),
        "sha1",
        "The schemes of signatures that are accepted; the platform signs with SHA-1.",
        _algorithms,
    ),
    Setting(
        "request_max_age",
        "number above 0, or None",
        "seconds",
        10,
        "",
        "How long ago a signed request may be dated; None switches the check off.",
        _optional_seconds,
    ),
    Setting(
        "clock_skew",
        "number, 0 or more",
        "seconds",
        5,
        "",
        "How far ahead a signed request may be dated.",
        _seconds_or_0,
    ),
    Setting(
        "date_header",
        "text",
        "",
        "Date",
        "",
        "The header with the signed date, for those behind a proxy that rewrites "
        "``Date`` and keeps the original elsewhere.",
        _header,
    ),
    Setting(
        "max_content_length",
        "whole number above 0",
        "bytes",
        1_048_576,
        "",
        "How long the body of a request may be.",
        _count,
    ),
    Setting(
        "replay_store",
        "'memory', 'off' or None, a URL, or a store",
        "",
        "memory",
        "",
        "Where deliveries are recorded, so that each runs once: in the process, in a "
        "file for several processes (``sqlite:///replay.db``), in Redis for several "
        "machines (``redis://``, ``rediss://``, ``unix://``), or nowhere.",
        _store,
    ),
    Setting(
        "replay_on_store_error",
        "'refuse' or 'allow'",
        "",
        "refuse",
        "",
        "What happens to a delivery that the store cannot record: it is refused with "
        "503, or it runs, perhaps again.",
        _one_of("refuse", "allow"),
    ),
    Setting(
        "replay_ttl",
        "number above 0, or None",
        "seconds",
        None,
        "2 * (request_max_age + clock_skew) + 10; a day without request_max_age",
        "How long a delivery that was handled is recorded.",
        _optional_seconds,
    ),
    Setting(
        "replay_lease",
        "number above 0",
        "seconds",
        60,
        "",
        "How long handlers may take before the same delivery may run again.",
        _seconds,
    ),
    Setting(
        "replay_capacity",
        "whole number above 0",
        "deliveries",
        50_000,
        "",
        "How many deliveries the store in memory records at once.",
        _count,
    ),
    Setting(
        "dispatch",
        "'all' or 'first'",
        "",
        "all",
        "",
        "Whether a notification goes to all handlers that match, or to the first.",
        _one_of("all", "first"),
    ),
    Setting(
        "on_error",
        "'problem' or 'passthrough'",
        "",
        "problem",
        "",
        "What is answered when a handler or its reply fails: the problem, or the step "
        "unchanged.",
        _one_of("problem", "passthrough"),
    ),
    Setting(
        "record",
        "a directory, or None",
        "",
        None,
        "None: nothing is recorded",
        "The directory in which requests and replies are recorded, one file a day; see "
        ":doc:`/run/recording`.",
        _directory,
    ),
    Setting(
        "record_share",
        "number from 0 to 1",
        "",
        1.0,
        "",
        "The share of users whose conversations are recorded.",
        _share,
    ),
    Setting(
        "record_days",
        "whole number above 0",
        "days",
        7,
        "",
        "How many days recordings are kept.",
        _count,
    ),
    Setting(
        "record_bytes",
        "whole number above 0",
        "bytes",
        65_536,
        "",
        "The longest body that is recorded; of a longer one only the size and the "
        "SHA-256 are recorded.",
        _count,
    ),
    Setting(
        "record_redact",
        "'pseudonyms', 'texts', 'none', or a function",
        "",
        "pseudonyms",
        "",
        "What replaces personal data in recordings; see :ref:`redaction`.",
        _redaction,
    ),
    Setting(
        "host",
        "text",
        "",
        None,
        "not set",
        "The host of the webhook's URL, for an application with "
        "``host_matching=True``.",
        _host,
    ),
    Setting(
        "url_prefix",
        "text that begins with '/'",
        "",
        None,
        "'/' and the name of the webhook",
        "Where the webhook answers.",
        _prefix,
    ),
)
