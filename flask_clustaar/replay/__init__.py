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
    """Return the store that ``CLUSTAAR_REPLAY_STORE`` names.

    Nothing is opened or connected to before the first delivery.

    :param value: ``memory``, ``off`` or None, a URL, or a store.
    :param capacity: the maximum number of deliveries in a store in memory.
    :raises ConfigurationError: if the text names no store. The message does not show
        it, since it may contain a password.
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
        "Unknown replay store. Write 'memory', 'off', or a URL that begins with "
        "'sqlite:///', 'redis://', 'rediss://' or 'unix://'."
    )


def check_store(store: ReplayStore, *, timeout: float | None = None) -> None:
    """Record a delivery that nobody sends, and release it, to see if the store works.

    :param timeout: how many seconds the store may take. Default: no limit.
    :raises ReplayStoreError: if it does not work, or takes longer.
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
        raise ReplayStoreError(f"The replay store takes more than {timeout:g} seconds.")
    if outcome[0] is not None:
        raise outcome[0]


def _sqlite_path(rest: str) -> str:
    path = rest.removeprefix("/")
    if path == ":memory:":
        raise ConfigurationError(
            "A replay store in SQLite's ':memory:' would be a separate one for each "
            "process. Write 'memory' for that, or the path of a file."
        )
    if path == rest or not path:
        raise ConfigurationError(
            "The URL of the replay store has no path. Write 'sqlite:///replay.db', or "
            "'sqlite:////var/lib/bot/replay.db' with four slashes for an absolute path."
        )
    return path
