"""The ``CLUSTAAR_*`` settings: read once, so that mistakes fail at start-up."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypedDict, TypeGuard, Unpack

from .describe import warn_at_the_program
from .errors import ConfigurationError, ConfigurationWarning
from .replay import ReplayStore, open_store
from .security import ALGORITHMS, Credentials, Secret, sign

#: How recordings are redacted. A function gets a request and its reply as JSON values.
#: It returns both redacted, or None to omit both.
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
    deadline: float | None
    deadline_threads: int
    background: Callable[[str], object] | None
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

    The attributes have the names of the settings, which :data:`SETTINGS` describes. The
    secrets are in :attr:`keys` and :attr:`pairs`.
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
    deadline: float | None
    deadline_threads: int
    background: Callable[[str], object] | None
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

        Keyword arguments override the configuration. For a webhook with the name
        ``support``, ``CLUSTAAR_SUPPORT_X`` overrides ``CLUSTAAR_X``. Only
        ``URL_PREFIX`` is not shared: for it, ``CLUSTAAR_X`` is ignored.

        :param config: the application's configuration.
        :param name: the name of the webhook.
        :raises TypeError: if a keyword argument is not a setting.
        :raises ConfigurationError: if a setting is invalid; with its name as typed.
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
        """Whether anyone can call: there is neither a private key nor a user name."""
        return not self.keys and not self.pairs

    @property
    def record_lifetime(self) -> float:
        """How long to record a handled delivery, in seconds."""
        if self.replay_ttl is not None:
            return self.replay_ttl
        if self.request_max_age is None:
            return 86_400
        return 2 * (self.request_max_age + self.clock_skew) + 10


class Setting(NamedTuple):
    """A row in the table of settings."""

    name: str
    #: The type, in words.
    type: str
    unit: str
    #: The default.
    value: Any
    #: The default in words, if :attr:`value` does not show it.
    shown: str
    #: What the setting does, in one sentence.
    description: str
    #: Validates and converts a value for :class:`Settings`.
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
    """A mistake in a value; its text continues a sentence that begins with the name."""


def _prefixes(name: str) -> list[str]:
    """Return the prefixes of configuration keys; the first one overrides the second."""
    if name == "clustaar":
        return ["CLUSTAAR_"]
    return [f"CLUSTAAR_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_", "CLUSTAAR_"]


def check_keywords(keywords: Iterable[str]) -> None:
    """Check that keyword arguments are settings.

    :raises TypeError: if one is not; with a suggestion.
    """
    names = [row.name for row in SETTINGS]
    for keyword in keywords:
        if keyword not in names:
            near = difflib.get_close_matches(keyword, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise TypeError(f"Unknown setting '{keyword}'.{hint}")


def _warn_of_misspelt(typed: Iterable[str], prefixes: list[str]) -> None:
    names = [row.name.upper() for row in SETTINGS]
    endings = tuple(f"_{name}" for name in names)
    for key in typed:
        # A key that ends like a setting may be a setting of another webhook.
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
        if any(_ends_invisibly(secret) for secret in _secrets_in(values[name])):
            warn_at_the_program(
                f"'{labels[name]}' begins or ends with white space, such as the last "
                "newline of a file. Remove it, unless the bot's settings also have it.",
                ConfigurationWarning,
            )


def _ends_invisibly(secret: Secret) -> bool:
    """Return whether a text begins or ends with invisible characters."""
    text = secret.reveal().decode(errors="replace")
    ends = (text[0], text[-1])
    return any(end.isspace() or unicodedata.category(end) in _UNSEEN for end in ends)


#: Control and format characters, such as a byte order mark.
_UNSEEN: Final = ("Cc", "Cf")


def _secrets_in(value: Any) -> Iterator[Secret]:
    """Yield the secrets in a value: a secret, None, or nested tuples of secrets."""
    if isinstance(value, Secret):
        yield value
    for each in value if isinstance(value, tuple) else ():
        yield from _secrets_in(each)


def describe_unread_variables(config: Mapping[str, Any]) -> str:
    """Describe variables of the environment that protect a webhook, but were not read.

    :param config: the application's configuration.
    :return: a sentence for each variable, with the remedy; or an empty text.
    """
    sentences = []
    for variable in sorted(os.environ):
        key = variable.removeprefix("FLASK_")
        if key in config or not _PROTECTION.fullmatch(key):
            continue
        remedy = "call 'app.config.from_prefixed_env()' before you add the webhook"
        if key == variable:
            remedy = f"rename it to 'FLASK_{key}', and {remedy}"
        sentences.append(
            f"The environment variable '{variable}' was not read: {remedy}."
        )
    return " ".join(sentences)


def _label(name: str, typed: Container[str], prefixes: list[str]) -> str:
    """Return the setting's name as typed; if it is not set, the name to type."""
    if name == "url_prefix":
        prefixes = prefixes[:1]  # Two webhooks cannot share a URL.
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
    """Remove the three settings with credentials from *values*; return the pairs."""
    username, password = values.pop("auth_username"), values.pop("auth_password")
    credentials: tuple[Credentials, ...] = values.pop("credentials")
    labelled = {labels["auth_username"]: username, labels["auth_password"]: password}
    missing = [label for label, value in labelled.items() if value is None]
    if len(missing) == 2:
        return credentials
    if missing:
        (there,) = labelled.keys() - missing
        raise ConfigurationError(
            f"'{there}' is set, but '{missing[0]}' is not. Set both or neither."
        )
    if credentials:
        raise ConfigurationError(
            f"'{labels['auth_username']}' and '{labels['credentials']}' are both set. "
            "Remove one of them."
        )
    return (Credentials(username, password),)


def _check_algorithms(settings: Settings, label: str) -> None:
    for algorithm in settings.signature_algorithms if settings.keys else ():
        try:
            sign(b"", "", b"", algorithm)
        except ValueError as error:
            raise ConfigurationError(
                f"'{label}' contains '{algorithm}', which this build of Python does "
                "not support. Remove it, or use another build."
            ) from error


def _check_ttl(settings: Settings, label: str) -> None:
    if settings.replay_ttl is None or settings.request_max_age is None:
        return
    least = 2 * (settings.request_max_age + settings.clock_skew)
    if settings.replay_ttl < least:
        raise ConfigurationError(
            f"'{label}' must be at least {least:g} seconds: twice the time for which a "
            "signed request is accepted. Increase or remove it."
        )


def _private_key(value: Any) -> tuple[Secret, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        return (_secret(value),)
    if not value:
        raise _Wrong("is an empty list. Add a key, or remove the setting.")
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
            "has a ':' in the user name, which HTTP Basic authentication does not "
            "allow. Choose another user name."
        )
    return username


def _secret(value: Any) -> Secret:
    if isinstance(value, (int, float)):
        raise _Wrong(
            "must be text, not a number or a boolean. 'from_prefixed_env' reads "
            "digits as a number. Add a second pair of quotes in the shell, as in "
            "'\"12345\"'."
        )
    if not isinstance(value, (str, bytes)):
        raise _Wrong(f"must be text or bytes, not a '{type(value).__name__}'.")
    if not value.strip():
        raise _Wrong("is empty. Copy it from the bot's settings, or remove it.")
    try:
        return Secret(value.encode() if isinstance(value, str) else value)
    except UnicodeEncodeError:
        # Without the cause, which contains the secret.
        raise _Wrong("cannot be encoded as UTF-8. Pass bytes instead.") from None


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
            f"{wrong} None is also allowed ('null' in an environment variable)."
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
    """Return whether a value is a finite number, and not a boolean."""
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
            raise _Wrong(f"is invalid. {error}") from error
    if value is None or (
        isinstance(value, ReplayStore) and not isinstance(value, type)
    ):
        return value
    raise _Wrong(
        "must be 'memory', 'off', a URL, or an object with the methods 'claim', "
        f"'complete' and 'release', not a '{type(value).__name__}'."
    )


def _directory(value: Any) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise _Wrong(f"must be the path of a directory, not {value!r:.40}.")
    directory = Path(value).absolute()
    if not directory.is_dir():
        raise _Wrong(
            f"is '{directory}', which is not a directory. Create it with "
            f"'mkdir -m 700 {directory}'."
        )
    if os.name != "nt" and directory.stat().st_mode & 0o077:
        raise _Wrong(
            f"is '{directory}', which other users of the machine can read. Restrict "
            f"access with 'chmod 700 {directory}'."
        )
    return directory


def _submitter(value: Any) -> Any:
    if value is None or callable(value):
        return value
    raise _Wrong(
        "must be a function of one string, the job, such as "
        f"'lambda job: queue.enqueue(\"bot.perform\", job)', not {value!r:.40}."
    )


def _share(value: object) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise _Wrong(f"must be a number from 0 to 1, not {value!r:.40}.")
    return value


def _redaction(value: Any) -> Any:
    if callable(value):
        return value
    try:
        return _one_of("pseudonyms", "texts", "none")(value)
    except _Wrong as wrong:
        raise _Wrong(f"{wrong} A function is also allowed.") from None


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


# The characters of a header's name (RFC 9110, 5.6.2).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# The settings that protect a webhook, with or without the webhook's name.
_PROTECTION: Final = re.compile(
    "CLUSTAAR_([A-Z0-9_]+_)?(PRIVATE_KEY|AUTH_USERNAME|AUTH_PASSWORD|CREDENTIALS)"
)

#: All settings. The documentation and the check of the configuration use this table.
SETTINGS: Final = (
    Setting(
        "private_key",
        "text, or a list of them",
        "",
        None,
        "none: signatures are not checked",
        "The private key from the bot's settings; a list, newest first, accepts "
        "several keys while you rotate them.",
        _private_key,
    ),
    Setting(
        "auth_username",
        "text",
        "",
        None,
        "none: user names are not checked",
        "The user name from the bot's settings; requires the password.",
        _optional_username,
    ),
    Setting(
        "auth_password",
        "text",
        "",
        None,
        "none",
        "The password from the bot's settings; requires the user name.",
        _optional_secret,
    ),
    Setting(
        "credentials",
        "a pair of user name and password, or a list of pairs",
        "",
        None,
        "none",
        "Several user names with their passwords, newest first, instead of the two "
        "settings above.",
        _credentials,
    ),
    Setting(
        "signature_algorithms",
        "'sha1', 'sha256', or a list of them",
        "",
        ("sha1",),
        "sha1",
        "The accepted signature algorithms; the platform signs with SHA-1.",
        _algorithms,
    ),
    Setting(
        "request_max_age",
        "number above 0, or None",
        "seconds",
        10,
        "",
        "Maximum age of a signed request; None disables the check.",
        _optional_seconds,
    ),
    Setting(
        "clock_skew",
        "number, 0 or more",
        "seconds",
        5,
        "",
        "How far in the future a signed request may be dated.",
        _seconds_or_0,
    ),
    Setting(
        "date_header",
        "text",
        "",
        "Date",
        "",
        "The header with the signed date; change it if a proxy replaces ``Date`` and "
        "passes the original in another header.",
        _header,
    ),
    Setting(
        "max_content_length",
        "whole number above 0",
        "bytes",
        1_048_576,
        "",
        "Maximum size of a request's body.",
        _count,
    ),
    Setting(
        "replay_store",
        "'memory', 'off' or None, a URL, or a store",
        "",
        "memory",
        "",
        "Where deliveries are recorded, so that each is handled once: in the process, "
        "in a file for several processes (``sqlite:///replay.db``), in Redis for "
        "several machines (``redis://``, ``rediss://``, ``unix://``), or nowhere.",
        _store,
    ),
    Setting(
        "replay_on_store_error",
        "'refuse' or 'allow'",
        "",
        "refuse",
        "",
        "What to do with a delivery that the store cannot record: reject it with 503, "
        "or handle it, possibly twice.",
        _one_of("refuse", "allow"),
    ),
    Setting(
        "replay_ttl",
        "number above 0, or None",
        "seconds",
        None,
        "2 * (request_max_age + clock_skew) + 10; a day without request_max_age",
        "How long a handled delivery stays recorded.",
        _optional_seconds,
    ),
    Setting(
        "replay_lease",
        "number above 0",
        "seconds",
        60,
        "",
        "How long handlers can take before the same delivery may be handled again.",
        _seconds,
    ),
    Setting(
        "replay_capacity",
        "whole number above 0",
        "deliveries",
        50_000,
        "",
        "Maximum number of deliveries in the memory store.",
        _count,
    ),
    Setting(
        "deadline",
        "number above 0, or None",
        "seconds",
        None,
        "None: replies wait for the handlers",
        "How long handlers may take from the arrival of the request before the late "
        "handler answers; see :doc:`/guides/slow-services`.",
        _optional_seconds,
    ),
    Setting(
        "deadline_threads",
        "whole number above 0",
        "threads",
        16,
        "",
        "How many handlers with a deadline run at once in each process; if no thread "
        "is free, the next one does not run and is late at once.",
        _count,
    ),
    Setting(
        "background",
        "a function of one string, or None",
        "",
        None,
        "None: threads of the process perform jobs",
        "The function that submits a job to an engine for background work; see "
        ":doc:`/guides/background-work`.",
        _submitter,
    ),
    Setting(
        "dispatch",
        "'all' or 'first'",
        "",
        "all",
        "",
        "Whether a notification goes to all matching handlers, or to the first one.",
        _one_of("all", "first"),
    ),
    Setting(
        "on_error",
        "'problem' or 'passthrough'",
        "",
        "problem",
        "",
        "The response when a handler fails or its reply is invalid: the problem, or "
        "the step's own actions unchanged.",
        _one_of("problem", "passthrough"),
    ),
    Setting(
        "record",
        "a directory, or None",
        "",
        None,
        "None: no recording",
        "The directory for recordings of requests and replies, one file per day; see "
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
        "How long recordings are kept.",
        _count,
    ),
    Setting(
        "record_bytes",
        "whole number above 0",
        "bytes",
        65_536,
        "",
        "Maximum size of a recorded body; of larger bodies, only the size and the "
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
        "The host of the webhook's URL, for applications with ``host_matching=True``.",
        _host,
    ),
    Setting(
        "url_prefix",
        "text that begins with '/'",
        "",
        None,
        "'/' and the name of the webhook",
        "The URL path of the webhook.",
        _prefix,
    ),
)
