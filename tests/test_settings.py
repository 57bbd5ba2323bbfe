"""The settings: their sources, their errors, and their repr."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Config

from flask_clustaar import security
from flask_clustaar.errors import ConfigurationError
from flask_clustaar.replay import MemoryReplayStore, open_store
from flask_clustaar.settings import (
    SETTINGS,
    Settings,
    SettingsKeywords,
    describe_unread_variables,
)


def read(
    config: Mapping[str, Any] | None = None,
    /,
    *,
    name: str = "clustaar",
    **keywords: Any,
) -> Settings:
    return Settings.from_config(
        config or {}, name=name, **cast(SettingsKeywords, keywords)
    )


def keys(settings: Settings) -> list[bytes]:
    return [key.reveal() for key in settings.keys]


def pairs(settings: Settings) -> list[tuple[bytes, bytes]]:
    return [(user.reveal(), password.reveal()) for user, password in settings.pairs]


# Defaults, and the table


def test_defaults() -> None:
    """Without any setting there is a safe value for each, and no secret."""
    settings = read()

    assert settings.insecure
    assert ((), ()) == (settings.keys, settings.pairs)
    assert ("sha1",) == settings.signature_algorithms
    assert (10, 5) == (settings.request_max_age, settings.clock_skew)
    assert "Date" == settings.date_header
    assert 1024 * 1024 == settings.max_content_length
    assert ("memory", "refuse") == (
        settings.replay_store,
        settings.replay_on_store_error,
    )
    assert (60, 50_000) == (settings.replay_lease, settings.replay_capacity)
    assert ("all", "problem") == (settings.dispatch, settings.on_error)
    assert "/clustaar" == settings.url_prefix


def test_table_is_complete() -> None:
    """The table, the attributes and the keyword arguments name the same settings."""
    names = {setting.name for setting in SETTINGS}
    secrets = {"private_key", "auth_username", "auth_password", "credentials"}

    assert len(SETTINGS) == len(names)
    assert names == set(SettingsKeywords.__annotations__)
    assert names - secrets | {"keys", "pairs"} == {f.name for f in fields(Settings)}


def test_table_reads_as_documentation() -> None:
    """Each row has its key, type, default, and one sentence."""
    for setting in SETTINGS:
        assert f"CLUSTAAR_{setting.name.upper()}" == setting.key
        assert setting.type and setting.default and "None" != setting.default
        assert re.fullmatch(r"[A-Z`][^.]*(\.db[^.]*)?\.", setting.description)

    by_name = {setting.name: setting for setting in SETTINGS}
    assert "10" == by_name["request_max_age"].default
    assert "seconds" == by_name["request_max_age"].unit
    assert "sha1" == by_name["signature_algorithms"].default


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after the start."""
    with pytest.raises(FrozenInstanceError):
        read().dispatch = "first"  # type: ignore[misc]


# Where a setting comes from


def test_configuration() -> None:
    """A setting is read from the key with its name."""
    settings = read({"CLUSTAAR_REQUEST_MAX_AGE": 30, "CLUSTAAR_DISPATCH": "first"})

    assert (30, "first") == (settings.request_max_age, settings.dispatch)


def test_keyword_wins() -> None:
    """A keyword argument wins over the configuration, with None as well."""
    config = {"CLUSTAAR_REQUEST_MAX_AGE": 30, "CLUSTAAR_PRIVATE_KEY": "a"}

    settings = read(config, request_max_age=None, private_key="b")
    assert settings.request_max_age is None
    assert [b"b"] == keys(settings)


def test_named_webhook() -> None:
    """The keys with a webhook's name are its own, and win over the general ones."""
    config = {
        "CLUSTAAR_PRIVATE_KEY": "general",
        "CLUSTAAR_SUPPORT_BOT_PRIVATE_KEY": "own",
        "CLUSTAAR_CLOCK_SKEW": 1,
    }
    settings = read(config, name="support-bot")

    assert [b"own"] == keys(settings)
    assert 1 == settings.clock_skew
    assert "/support-bot" == settings.url_prefix
    assert [b"general"] == keys(read(config))
    assert [b"general"] == keys(read(config, name="sales"))


def test_unknown_keyword() -> None:
    """A misspelt keyword argument is an error that knows better."""
    with pytest.raises(TypeError, match="'privat_key'. Did you mean 'private_key'?"):
        read(privat_key="x")
    with pytest.raises(TypeError, match="^Unknown setting 'colour'.$"):
        read(colour="x")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("CLUSTAAR_PRIVAT_KEY", "CLUSTAAR_PRIVATE_KEY"),
        ("CLUSTAAR_PRIVATE_KEYS", "CLUSTAAR_PRIVATE_KEY"),
        ("CLUSTAAR_USERNAME", "CLUSTAAR_AUTH_USERNAME"),
        ("CLUSTAAR_AUTH_PASSWD", "CLUSTAAR_AUTH_PASSWORD"),
        ("CLUSTAAR_CREDENTIAL", "CLUSTAAR_CREDENTIALS"),
        ("CLUSTAAR_REPLAYSTORE", "CLUSTAAR_REPLAY_STORE"),
        ("CLUSTAAR_SUPPORT_PRIVAT_KEY", "CLUSTAAR_SUPPORT_PRIVATE_KEY"),
    ],
)
def test_misspelt_configuration(key: str, meant: str) -> None:
    """A misspelt key is not silent; its value is not shown."""
    with pytest.warns(UserWarning, match=f"'{key}'.*'{meant}'") as caught:
        read({key: "wonderland"}, name="support")
    assert "wonderland" not in str(caught[0].message)


@pytest.mark.parametrize(
    "key",
    ["PRIVAT_KEY", "CLUSTAAR_SALES_PRIVATE_KEY", "CLUSTAAR_API_KEY", "CLUSTAAR_COLOUR"],
)
def test_other_configuration(key: str) -> None:
    """Settings of other webhooks, and other keys, are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read({key: "x"}).insecure


# Keys


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("k", [b"k"]),
        (b"\xff", [b"\xff"]),
        ("\u00e9", [b"\xc3\xa9"]),
        (["new", "old"], [b"new", b"old"]),
        (("new", b"old"), [b"new", b"old"]),
    ],
)
def test_private_key(value: Any, expected: list[bytes]) -> None:
    """The key is one text or several, newest first."""
    settings = read({"CLUSTAAR_PRIVATE_KEY": value})

    assert expected == keys(settings)
    assert settings.insecure == (not expected)


@pytest.mark.parametrize(
    "value", ["", b"", " ", "\t\n", [], (), [""], ["key", ""], ["key", " "]]
)
def test_weakness_empty_private_key_switches_signatures_off(value: Any) -> None:
    """An empty key is an error, alone or among others."""
    with pytest.raises(ConfigurationError, match="^'CLUSTAAR_PRIVATE_KEY' is.* empty"):
        read({"CLUSTAAR_PRIVATE_KEY": value})


@pytest.mark.parametrize("value", [0, 12345, 1e5, True, False, ["key", 12345]])
@pytest.mark.parametrize("name", ["private_key", "auth_username", "auth_password"])
def test_secret_of_digits(name: str, value: Any) -> None:
    """A number is an error that explains its cause, and how to quote it."""
    with pytest.raises(ConfigurationError) as caught:
        read({f"CLUSTAAR_{name.upper()}": value})
    if name == "private_key" or not isinstance(value, list):
        assert "from_prefixed_env" in str(caught.value)
    assert str(caught.value).startswith(f"'CLUSTAAR_{name.upper()}' must be text")
    assert "1e5" not in str(caught.value) and "100000" not in str(caught.value)


def test_digits_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of digits in the environment works with the quotes of the error message."""
    monkeypatch.setenv("FLASK_CLUSTAAR_PRIVATE_KEY", "12345")
    config = Config("")
    config.from_prefixed_env()
    with pytest.raises(ConfigurationError) as caught:
        read(config)
    (quoted,) = re.findall(r"as in '(.*)'", str(caught.value))

    monkeypatch.setenv("FLASK_CLUSTAAR_PRIVATE_KEY", quoted)
    config.from_prefixed_env()
    assert [b"12345"] == keys(read(config))


@pytest.mark.parametrize(
    "value", [{"a": "b"}, {"wonderland"}, object(), [None], [["a"]]]
)
def test_private_key_of_another_type(value: Any) -> None:
    """A value that is neither text nor bytes is an error."""
    with pytest.raises(ConfigurationError, match="'private_key' must be text or bytes"):
        read(private_key=value)


def test_secret_that_utf8_cannot_encode() -> None:
    """A lone surrogate is an error that does not show the text."""
    with pytest.raises(ConfigurationError, match="UTF-8") as caught:
        read(private_key="wonderland\ud800")
    assert caught.value.__cause__ is None
    assert "wonderland" not in str(caught.value)


# Credentials


def test_user_name_and_password() -> None:
    """A user name and a password make a pair."""
    settings = read(auth_username="user", auth_password="a:b", private_key=None)

    assert [(b"user", b"a:b")] == pairs(settings)
    assert not settings.insecure


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        (("u", "p"), [(b"u", b"p")]),
        (["u", "p"], [(b"u", b"p")]),
        ((b"u", "p"), [(b"u", b"p")]),
        ([["u", "p"]], [(b"u", b"p")]),
        ([("new", "1"), ("old", "2")], [(b"new", b"1"), (b"old", b"2")]),
        ((["new", "1"], ["old", "2"]), [(b"new", b"1"), (b"old", b"2")]),
    ],
)
def test_credentials(value: Any, expected: list[tuple[bytes, bytes]]) -> None:
    """The credentials are one pair or several, newest first."""
    assert expected == pairs(read({"CLUSTAAR_CREDENTIALS": value}))


@pytest.mark.parametrize(
    "value",
    [
        "user:password",
        b"user:password",
        {"user": "password"},
        [],
        ["user"],
        ["user", "password", "more"],
        [["user"]],
        [["user", "password"], "user"],
        [["user", "password"], ["user", "password", "more"]],
        [["user", ""]],
        [["", "password"]],
        ["user", 12345],
        [["us:er", "password"]],
        [None, "password"],
    ],
)
def test_credentials_wrong(value: Any) -> None:
    """A value that is not a list of pairs is an error, and not shown."""
    with pytest.raises(ConfigurationError, match="^'CLUSTAAR_CREDENTIALS' ") as caught:
        read({"CLUSTAAR_CREDENTIALS": value})
    assert "user:password" not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {"CLUSTAAR_AUTH_USERNAME": "x"},
        {"CLUSTAAR_AUTH_PASSWORD": "x"},
        {"CLUSTAAR_AUTH_USERNAME": "x", "CLUSTAAR_AUTH_PASSWORD": None},
    ],
)
def test_weakness_user_name_without_password_switches_auth_off(
    config: dict[str, Any],
) -> None:
    """A user name without a password is an error, and so is the reverse."""
    with pytest.raises(ConfigurationError, match="is set, but '.*' is not. Set both"):
        read(config)


@pytest.mark.parametrize("name", ["auth_username", "auth_password"])
@pytest.mark.parametrize("value", ["", " ", b"", 12345, ["x"]])
def test_half_of_a_pair_wrong(name: str, value: Any) -> None:
    """An empty user name or password is an error that names it."""
    config = {"CLUSTAAR_AUTH_USERNAME": "x", "CLUSTAAR_AUTH_PASSWORD": "x"}

    with pytest.raises(ConfigurationError, match=f"^'{name}' "):
        read(config, **{name: value})


def test_user_name_with_colon() -> None:
    """HTTP Basic cannot carry a user name with a colon."""
    with pytest.raises(ConfigurationError, match="'CLUSTAAR_AUTH_USERNAME' has a ':'"):
        read({"CLUSTAAR_AUTH_USERNAME": "a:b", "CLUSTAAR_AUTH_PASSWORD": "x"})


def test_pair_and_credentials() -> None:
    """One pair together with a list of pairs is an error."""
    with pytest.raises(
        ConfigurationError, match="'auth_username' and 'CLUSTAAR_CREDENTIALS' are both"
    ):
        read({"CLUSTAAR_CREDENTIALS": ["u", "p"]}, auth_username="u", auth_password="p")


# The others


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("signature_algorithms", "sha256", ("sha256",)),
        ("signature_algorithms", "sha1, sha256", ("sha1", "sha256")),
        ("signature_algorithms", ["sha256", "sha1"], ("sha256", "sha1")),
        ("request_max_age", None, None),
        ("request_max_age", 0.5, 0.5),
        ("clock_skew", 0, 0),
        ("clock_skew", 2.5, 2.5),
        ("date_header", "X-Original-Date", "X-Original-Date"),
        ("max_content_length", 1, 1),
        ("replay_store", None, None),
        ("replay_store", "off", None),
        ("replay_store", "memory", "memory"),
        ("replay_store", "sqlite:///replay.db", "sqlite:///replay.db"),
        ("replay_store", "redis://:x@host:1/2", "redis://:x@host:1/2"),
        ("replay_on_store_error", "allow", "allow"),
        ("replay_ttl", 30, 30),
        ("replay_ttl", None, None),
        ("replay_lease", 0.1, 0.1),
        ("replay_capacity", 1, 1),
        ("dispatch", "first", "first"),
        ("on_error", "passthrough", "passthrough"),
        ("host", "bot.example.com", "bot.example.com"),
        ("host", None, None),
        ("url_prefix", "/", "/"),
        ("url_prefix", "/bots/one", "/bots/one"),
        ("url_prefix", "/bots/one/", "/bots/one"),
        ("url_prefix", None, "/clustaar"),
    ],
)
def test_value(name: str, value: Any, expected: Any) -> None:
    """Each setting accepts its valid values."""
    assert expected == getattr(read(**{name: value}), name)
    config = {f"CLUSTAAR_{name.upper()}": value}
    assert expected == getattr(read(config), name)


NO_NUMBERS = [True, "10", "None", "", [10], 1e13, 10**400, float("nan"), float("inf")]
NO_CHOICES: list[object] = ["", "ALL", None, True, ["all"], {}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("signature_algorithms", v) for v in ["", "sha2", [], ["sha1", "md5"], {}]),
        *(("signature_algorithms", v) for v in [None, 1, [["sha1"]], "sha1;sha256"]),
        *(("request_max_age", value) for value in [0, -1, *NO_NUMBERS]),
        *(("host", value) for value in ["", "https://bot.example.com", 1]),
        *(("clock_skew", value) for value in [-1, None, *NO_NUMBERS]),
        *(
            ("date_header", value)
            for value in ["", "a b", "D\u00e4te", "Date:", None, 1]
        ),
        *(("max_content_length", value) for value in [0, -1, 1.5, None, *NO_NUMBERS]),
        *(("replay_store", value) for value in ["", "redis", "Memory", "http://x", 0]),
        *(("replay_store", value) for value in [object(), MemoryReplayStore, False]),
        *(("replay_store", value) for value in ["sqlite://", "sqlite:///:memory:"]),
        *(("replay_on_store_error", value) for value in NO_CHOICES),
        *(("replay_ttl", value) for value in [0, -1, 29.9, *NO_NUMBERS]),
        *(("replay_lease", value) for value in [0, -1, None, *NO_NUMBERS]),
        *(("replay_capacity", value) for value in [0, -1, 1.5, None, *NO_NUMBERS]),
        *(("dispatch", value) for value in NO_CHOICES),
        *(("on_error", value) for value in NO_CHOICES),
        *(("url_prefix", value) for value in ["", "bots", 1, ["/"], b"/"]),
    ],
)
def test_value_wrong(name: str, value: Any) -> None:
    """An invalid value is an error with the setting's name as typed."""
    with pytest.raises(ConfigurationError, match=f"^'CLUSTAAR_{name.upper()}' "):
        read({f"CLUSTAAR_{name.upper()}": value})
    with pytest.raises(ConfigurationError, match=f"^'CLUSTAAR_SALES_{name.upper()}' "):
        read({f"CLUSTAAR_SALES_{name.upper()}": value}, name="sales")
    with pytest.raises(ConfigurationError, match=f"^'{name}' "):
        read(**{name: value})


def test_custom_store() -> None:
    """An object with the methods of a store is used unchanged."""
    store = MemoryReplayStore()

    assert store is read(replay_store=store).replay_store


def test_store_url_is_not_shown() -> None:
    """A wrong URL may have a password: the error does not show it."""
    for url in ("redis:wonderland@host", "redis://:wonderland@host:port/0"):
        with pytest.raises(ConfigurationError) as caught:
            read(replay_store=url)
        error: BaseException | None = caught.value
        while error is not None:
            assert "wonderland" not in str(error)
            error = error.__cause__


def test_reading_opens_no_store(tmp_path: Path) -> None:
    """The file of a store is made when the store is used, not when it is read of."""
    settings = read(replay_store=f"sqlite:///{tmp_path}/replay.db")

    assert [] == list(tmp_path.iterdir())
    assert open_store(settings.replay_store, settings.replay_capacity) is not None


def test_algorithm_this_build_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An algorithm that cannot be computed is an error, if there is a key."""
    monkeypatch.setitem(security.ALGORITHMS, "sha0", 20)

    with pytest.raises(
        ConfigurationError, match="'signature_algorithms' contains 'sha0'"
    ):
        read(private_key="x", signature_algorithms=["sha1", "sha0"])
    read(signature_algorithms=["sha1", "sha0"])


# Derived


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, 40),
        ({"request_max_age": 60, "clock_skew": 0}, 130),
        ({"request_max_age": None}, 86_400),
        ({"replay_ttl": 30}, 30),
        ({"replay_ttl": 1, "request_max_age": None}, 1),
    ],
)
def test_record_lifetime(keywords: dict[str, Any], expected: float) -> None:
    """A record lives at least twice as long as its delivery is fresh, and some more."""
    assert expected == read(**keywords).record_lifetime


def test_ttl_too_short() -> None:
    """A record that would end while its delivery is fresh is an error."""
    with pytest.raises(
        ConfigurationError, match="'replay_ttl' must be at least 70 sec"
    ):
        read(replay_ttl=60, request_max_age=30)


def test_repr_shows_no_secret() -> None:
    """The repr has the settings, and only whether there are secrets."""
    settings = read(
        private_key="wonderland",
        credentials=["wonderland", "wonderland"],
        replay_store="redis://:wonderland@host",
    )

    assert "wonderland" not in repr(settings) + str(settings)
    assert "keys=***, pairs=***" in repr(settings)
    assert "replay_store=***" in repr(settings)
    assert "request_max_age=10, clock_skew=5, date_header='Date'" in repr(settings)
    assert "keys=not set, pairs=not set" in repr(read())


def test_webhooks_do_not_share_their_url() -> None:
    """A general URL prefix applies only to the webhook with the default name."""
    config = {"CLUSTAAR_URL_PREFIX": "/bot", "CLUSTAAR_SALES_URL_PREFIX": "/shop"}
    prefixes = [
        Settings.from_config(config, name=name).url_prefix
        for name in ("clustaar", "sales", "support")
    ]
    assert prefixes == ["/bot", "/shop", "/support"]


# Warnings at start-up


@pytest.mark.parametrize(
    "settings",
    [
        {"private_key": "a key\n"},
        {"private_key": [b"newer", b" older"]},
        {"auth_username": "platform ", "auth_password": "wonderland"},
        {"auth_username": "platform", "auth_password": "wonderland\r\n"},
        {"credentials": [("platform", "\twonderland")]},
        {"private_key": "\ufeffa key"},
        {"private_key": "a key\u00a0"},
    ],
)
def test_white_space_around_a_secret(settings: dict[str, Any]) -> None:
    """White space at either end of a secret, as in a mounted file, is a warning that
    names the setting and not the secret."""
    with pytest.warns(UserWarning, match="begins or ends with white space") as caught:
        read(**settings)
    [warning] = caught
    assert any(f"'{name}'" in str(warning.message) for name in settings)
    assert "wonderland" not in str(warning.message)


def test_white_space_inside_a_secret() -> None:
    """White space inside a secret is part of it."""
    assert [b"a long key"] == keys(read(private_key="a long key"))


@pytest.mark.parametrize(
    ("variable", "remedy"),
    [
        ("CLUSTAAR_PRIVATE_KEY", "rename it to 'FLASK_CLUSTAAR_PRIVATE_KEY', and"),
        ("CLUSTAAR_SALES_CREDENTIALS", "rename it to 'FLASK_CLUSTAAR_SALES_CRED"),
        ("FLASK_CLUSTAAR_AUTH_PASSWORD", "not read: call 'app.config.from_prefixed_"),
    ],
)
def test_unread_variable(
    variable: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in the environment that did not arrive is named, with the remedy."""
    monkeypatch.setenv(variable, "wonderland")
    text = describe_unread_variables({})

    assert f"The environment variable '{variable}' was not read" in text
    assert remedy in text
    assert "wonderland" not in text


def test_read_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that arrived in the configuration, or do not protect, are not named."""
    monkeypatch.setenv("FLASK_CLUSTAAR_PRIVATE_KEY", "wonderland")
    monkeypatch.setenv("CLUSTAAR_ATTACKS", "1")
    assert "" == describe_unread_variables({"CLUSTAAR_PRIVATE_KEY": "wonderland"})
