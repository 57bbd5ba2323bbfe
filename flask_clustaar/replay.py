"""Who has been here before: a delivery runs once, and its replays get its reply."""

from __future__ import annotations

import heapq
import itertools
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import (
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Protocol,
    runtime_checkable,
)
from urllib.parse import urlsplit
from weakref import WeakSet

from .errors import ConfigurationError, ReplayStoreError


class Claim(NamedTuple):
    """What a store answers to somebody who wants to handle a delivery."""

    delivery: str
    #: Tells this claim from an earlier or a later one of the same delivery; empty
    #: unless the delivery is ``mine``.
    token: str
    #: ``mine``: handle it, then complete or release the claim. ``running``: somebody
    #: else handles it now. ``done``: it was handled, and :attr:`reply` is its reply.
    state: Literal["mine", "running", "done"]
    reply: bytes | None = None


@runtime_checkable
class ReplayStore(Protocol):
    """Where deliveries are recorded.

    Whatever has these three methods can be the ``CLUSTAAR_REPLAY_STORE``. They are
    called by several threads at once. An error of what is behind the store must come
    out as a :exc:`.ReplayStoreError`.
    """

    def claim(self, delivery: str, *, lease: float) -> Claim:
        """Claim a delivery, atomically: of all who ask, one is told ``mine``.

        A claim that is neither completed nor released ends with its lease, so that
        the delivery of a worker that was killed can run again.

        :param delivery: the identity of the delivery, ASCII.
        :param lease: for how many seconds the others are told ``running``.
        """
        ...

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        """Record the reply of a delivery: from now on everybody is told ``done``.

        Do nothing if the delivery is somebody else's by now. A lease that ended while
        nobody else asked does not matter.

        :param claim: a claim that was ``mine``.
        :param reply: what the others shall get.
        :param lifetime: for how many seconds to keep the record.
        """
        ...

    def release(self, claim: Claim) -> None:
        """Forget a delivery that could not be handled, so that it can run again.

        Do nothing if it is somebody else's by now, or completed.

        :param claim: a claim that was ``mine``.
        """
        ...


class MemoryReplayStore:
    """Records deliveries in this process.

    What has ended makes room, oldest first. A record that is still needed never does:
    a store full of them refuses the next delivery with a :exc:`.ReplayStoreError`.

    :param capacity: how many deliveries to record at most.
    """

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._tokens = map(str, itertools.count(1))
        # delivery -> when the record ends, the holder's token, the reply if there is
        self._records: dict[str, tuple[float, str, bytes | None]] = {}
        # A heap of when to look which record up; it may have ended later or already.
        self._due: list[tuple[float, str]] = []

    def claim(self, delivery: str, *, lease: float) -> Claim:
        now = time.monotonic()
        with self._lock:
            record = self._records.get(delivery)
            if record is not None and record[0] > now:
                return _taken(delivery, record[2])
            token = next(self._tokens)
            self._put(delivery, now, (now + lease, token, None))
        return Claim(delivery, token, "mine")

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        now = time.monotonic()
        with self._lock:
            if self._holds(claim):
                self._put(claim.delivery, now, (now + lifetime, claim.token, reply))

    def release(self, claim: Claim) -> None:
        with self._lock:
            if self._holds(claim):
                self._records.pop(claim.delivery, None)

    def _holds(self, claim: Claim) -> bool:
        record = self._records.get(claim.delivery)
        if record is None:
            return claim.state == "mine"
        return record[1] == claim.token and record[2] is None

    def _put(
        self, delivery: str, now: float, record: tuple[float, str, bytes | None]
    ) -> None:
        records, due = self._records, self._due
        while due and due[0][0] <= now:
            ended = heapq.heappop(due)[1]
            if ended in records and records[ended][0] <= now:
                del records[ended]
        if len(records) >= self._capacity and delivery not in records:
            raise ReplayStoreError(
                f"The replay store is full: it holds {self._capacity} deliveries that "
                "are all still needed. Raise 'CLUSTAAR_REPLAY_CAPACITY', or set "
                "'CLUSTAAR_REPLAY_STORE' to a database."
            )
        records[delivery] = record
        heapq.heappush(due, (record[0], delivery))
        # A delivery is due twice, for its lease and for its lifetime; more is what
        # was released.
        if len(due) > 3 * self._capacity:
            due[:] = [(ends, name) for name, (ends, _, _) in records.items()]
            heapq.heapify(due)


class SQLiteReplayStore:
    """Records deliveries in a file, for several processes on one machine.

    The file is created when first needed, readable by its owner only. It should be
    on a local disk, and not be the application's own database.

    :param path: the file, relative to where the process was started.
    :raises ConfigurationError: if it is a directory, or is in one that does not exist.
    """

    # SQLite writes one after the other anyway. One lock, for all stores of the
    # process, lets a fork wait until none of them has a connection: locks do not
    # survive a fork, so a child that inherits one could damage the file.
    _lock: ClassVar = threading.Lock()
    _stores: ClassVar[WeakSet[SQLiteReplayStore]] = WeakSet()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._connection: sqlite3.Connection | None = None
        self._path = os.path.abspath(path)
        self._claims = 0
        if not os.path.isdir(os.path.dirname(self._path)):
            raise ConfigurationError(
                f"The directory of the replay store '{self._path}' does not exist. "
                "Create it first."
            )
        if os.path.isdir(self._path):
            raise ConfigurationError(
                f"The replay store '{self._path}' is a directory. Name a file in it, "
                "which will be created."
            )
        with self._lock:
            self._stores.add(self)

    def claim(self, delivery: str, *, lease: float) -> Claim:
        token = secrets.token_hex(16)
        with self._transaction() as connection:
            now = time.time()
            record = connection.execute(
                "SELECT reply FROM clustaar_deliveries WHERE delivery = ? AND ends > ?",
                (delivery, now),
            ).fetchone()
            if record is not None:
                return _taken(delivery, record[0])
            self._put(connection, delivery, token, now + lease, None)
            if self._claims % 256 == 0:
                connection.execute(
                    "DELETE FROM clustaar_deliveries WHERE ends <= ?", (now,)
                )
            self._claims += 1
        return Claim(delivery, token, "mine")

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        if claim.state != "mine":
            return
        with self._transaction() as connection:
            record = connection.execute(
                "SELECT token, reply FROM clustaar_deliveries WHERE delivery = ?",
                (claim.delivery,),
            ).fetchone()
            if record in (None, (claim.token, None)):
                ends = time.time() + lifetime
                self._put(connection, claim.delivery, claim.token, ends, reply)

    def release(self, claim: Claim) -> None:
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM clustaar_deliveries "
                "WHERE delivery = ? AND token = ? AND reply IS NULL",
                (claim.delivery, claim.token),
            )

    def __del__(self) -> None:
        self._close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with self._connection or self._connect() as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
            except (sqlite3.Error, OSError) as error:
                self._close()  # the next one starts afresh
                raise ReplayStoreError(
                    f"The replay store '{self._path}' failed: {error}."
                ) from error

    def _connect(self) -> sqlite3.Connection:
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
        self._connection = connection = sqlite3.connect(
            self._path, timeout=5, isolation_level=None, check_same_thread=False
        )
        # Quicker, not needed; it fails, without waiting, while somebody else does it.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS clustaar_deliveries (delivery TEXT PRIMARY KEY,"
            " token TEXT NOT NULL, ends REAL NOT NULL, reply BLOB) WITHOUT ROWID"
        )
        connection.execute(
            "CREATE INDEX IF NOT EXISTS clustaar_deliveries_ends"
            " ON clustaar_deliveries (ends)"
        )
        return connection

    @staticmethod
    def _put(
        connection: sqlite3.Connection, *record: str | float | bytes | None
    ) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO clustaar_deliveries VALUES (?, ?, ?, ?)", record
        )

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @classmethod
    def _before_fork(cls) -> None:
        cls._lock.acquire()
        for store in cls._stores:
            store._close()

    @classmethod
    def _after_fork(cls) -> None:
        cls._lock.release()


# Where there is no fork, there is no hook for it.
getattr(os, "register_at_fork", dict)(
    before=SQLiteReplayStore._before_fork,
    after_in_parent=SQLiteReplayStore._after_fork,
    after_in_child=SQLiteReplayStore._after_fork,
)


class RedisReplayStore:
    """Records deliveries in Redis, for several machines.

    It connects when first needed, and again by itself after Redis was away. A command
    may take two seconds, unless the URL says ``?socket_timeout=`` and
    ``&socket_connect_timeout=``.

    :param url: a URL as redis-py takes it: ``redis://``, ``rediss://``, ``unix://``.
    :raises ConfigurationError: if redis-py is not installed or refuses the URL.
    """

    _RUNNING: Final = b"running:"
    _DONE: Final = b"done:"

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise ConfigurationError(
                "The replay store needs the package 'redis'. "
                'Install it with: pip install "Flask-Clustaar[redis]"'
            ) from error
        try:
            # One that is never used: what is wrong in the URL would tell at the first
            # delivery, and a database that is no number never.
            redis.ConnectionPool.from_url(url).make_connection()
            database = urlsplit(url).path.strip("/")
            if database and not url.startswith("unix"):
                int(database)
            # No second try: a sender waits, and the pool sees to what closed when idle.
            client: Any = redis.Redis.from_url(
                url,
                socket_timeout=2,
                socket_connect_timeout=2,
                retry=Retry(NoBackoff(), 0),
            )
        except Exception:  # its message may have a part of the password
            raise ConfigurationError(
                "The URL of the replay store is not one that redis-py can read. Write "
                "it as 'redis://user:password@host:6379/0', with special characters "
                "of the password percent-encoded."
            ) from None
        client.get_connection_kwargs()["decode_responses"] = False  # replies are bytes
        self._client = client
        self._complete = client.register_script(_COMPLETE)
        self._release = client.register_script(_RELEASE)

    def claim(self, delivery: str, *, lease: float) -> Claim:
        token = secrets.token_hex(16)
        key, running = self._key(delivery), self._RUNNING + token.encode()
        with self._guarded():
            if self._client.set(key, running, nx=True, px=_milliseconds(lease)):
                return Claim(delivery, token, "mine")
            # Nothing, if it ended in between; whoever asks again will have it.
            value = self._client.get(key) or self._RUNNING
        if value.startswith(self._DONE):
            return _taken(delivery, value.removeprefix(self._DONE))
        return _taken(delivery, None)

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        if claim.state != "mine":
            return
        running = self._RUNNING + claim.token.encode()
        with self._guarded():
            self._complete(
                keys=[self._key(claim.delivery)],
                args=[running, self._DONE + reply, _milliseconds(lifetime)],
            )

    def release(self, claim: Claim) -> None:
        running = self._RUNNING + claim.token.encode()
        with self._guarded():
            self._release(keys=[self._key(claim.delivery)], args=[running])

    @staticmethod
    def _key(delivery: str) -> str:
        return f"clustaar:delivery:{delivery}"

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # also what an odd option of the URL leads to
            raise ReplayStoreError(
                f"The replay store in Redis failed: {type(error).__name__}."
            ) from error


def open_store(
    value: str | ReplayStore | None, capacity: int = 50_000
) -> ReplayStore | None:
    """Return the store that ``CLUSTAAR_REPLAY_STORE`` names.

    Nothing is opened or connected to before the first delivery.

    :param value: ``memory``, ``off`` or None, a URL, or a store.
    :param capacity: how many deliveries a store in memory records.
    :raises ConfigurationError: if the text names no store. The message does not show
        it, since it may have a password.
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
        "The replay store is none that is known. Write 'memory', 'off', or a URL that "
        "begins with 'sqlite:///', 'redis://', 'rediss://' or 'unix://'."
    )


def _sqlite_path(rest: str) -> str:
    path = rest.removeprefix("/")
    if path == ":memory:":
        raise ConfigurationError(
            "A replay store in SQLite's ':memory:' would be one for each process. "
            "Write 'memory' for that, or the path of a file."
        )
    if path == rest or not path:
        raise ConfigurationError(
            "The URL of the replay store has no path. Write 'sqlite:///replay.db', or "
            "'sqlite:////var/lib/bot/replay.db' with four slashes for an absolute path."
        )
    return path


def _taken(delivery: str, reply: bytes | None) -> Claim:
    return Claim(delivery, "", "running" if reply is None else "done", reply)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


# KEYS: the delivery; ARGV: what the holder has put there, the reply, its lifetime.
_COMPLETE: Final = """
local held = redis.call('GET', KEYS[1])
if not held or held == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
"""

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
"""
