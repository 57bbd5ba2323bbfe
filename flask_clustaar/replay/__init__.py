"""Replay protection: each delivery is handled once; repeats get the recorded reply."""

from __future__ import annotations

import secrets
import threading

from ..errors import ConfigurationError, ReplayStoreError
from .memory import MemoryReplayStore
from .redis import RedisReplayStore
from .sqlite import SQLiteReplayStore
from .store import Claim, ReplayStore

__all__ = [
    "Claim",
    "MemoryReplayStore",
    "RedisReplayStore",
    "ReplayStore",
    "SQLiteReplayStore",
    "check_store",
    "open_store",
]


def open_store(
    value: str | ReplayStore | None, capacity: int = 50_000
) -> ReplayStore | None:
    """Create the store that ``CLUSTAAR_REPLAY_STORE`` names.

    The store opens its file or connection at the first delivery.

    :param value: ``memory``, ``off`` or None, a URL, or a store.
    :param capacity: the maximum number of deliveries in the memory store.
    :raises ConfigurationError: if the value does not name a store. The message does not
        contain the value, because it may contain a password.
    """
    if value is None or value == "off":
        return None
    if not isinstance(value, str):
        return value
    if value == "memory":
        return MemoryReplayStore(capacity)
    scheme, _, rest = value.partition("://")
    if scheme == "sqlite":
        return SQLiteReplayStore(_sqlite_path(rest))
    if scheme in ("redis", "rediss", "unix"):
        return RedisReplayStore(value)
    raise ConfigurationError(
        "Unknown replay store. Use 'memory', 'off', or a URL that begins with "
        "'sqlite:///', 'redis://', 'rediss://' or 'unix://'."
    )


def check_store(store: ReplayStore, *, timeout: float | None = None) -> None:
    """Check that a store works: claim and release an invented delivery.

    :param timeout: how long to wait, in seconds. Default: no limit.
    :raises ReplayStoreError: if the store fails, or takes longer.
    """
    outcome: list[Exception | None] = []

    def check() -> None:
        try:
            store.release(store.claim(f"check:{secrets.token_hex(16)}", lease=1))
        except Exception as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=check, daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise ReplayStoreError(
            f"The replay store does not answer within {timeout:g} s."
        )
    if outcome[0] is not None:
        raise outcome[0]


def _sqlite_path(rest: str) -> str:
    path = rest.removeprefix("/")
    if path == ":memory:":
        raise ConfigurationError(
            "SQLite's ':memory:' would be a separate replay store in each process. "
            "Use 'memory', or the path of a file."
        )
    if path == rest or not path:
        raise ConfigurationError(
            "The URL of the replay store has no path. Use 'sqlite:///replay.db', or "
            "'sqlite:////var/lib/bot/replay.db' with four slashes for an absolute path."
        )
    return path
