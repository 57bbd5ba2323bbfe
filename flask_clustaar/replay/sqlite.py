"""The replay store in a SQLite file, for several processes on one machine."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, repeat
from typing import ClassVar, Final, TypeVar
from weakref import WeakSet

from ..errors import ConfigurationError, ReplayStoreError
from .later import Later
from .store import Claim

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("flask_clustaar")

#: How long a delivery waits for a locked database, in seconds.
BUSY_TIMEOUT: Final = 5.0
#: The same, in seconds, after a timeout until the database can be used again. With the
#: longer timeout, all threads of a server would wait, and block further requests.
LOCKED_TIMEOUT: Final = 0.1
#: The maximum number of attempts of a transaction.
ATTEMPTS: Final = 4
#: How long to retry completing or releasing a claim, in seconds.
FINISH_WITHIN: Final = 60


class SQLiteReplayStore:
    """Records deliveries in a SQLite file, for several processes on one machine.

    The file is created at the first delivery, and only its owner can read it. Put it on
    a local disk, and do not use the application's own database.

    :param path: the file. A relative path is resolved once, now.
    :raises ConfigurationError: if it is a directory, or its directory does not exist.
    """

    # File locks do not survive a fork, so a child process with an inherited connection
    # could damage the file. A fork waits until no store has an open connection.
    _stores: ClassVar[WeakSet[SQLiteReplayStore]] = WeakSet()
    _stores_lock: ClassVar = threading.Lock()
    _locked_for_fork: ClassVar[list[SQLiteReplayStore]] = []

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._connection: sqlite3.Connection | None = None
        self._path = os.path.abspath(path)
        # SQLite serialises write transactions anyway.
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._claims = 0
        self._is_locked = False
        self._later = Later()
        if not os.path.isdir(os.path.dirname(self._path)):
            raise ConfigurationError(
                f"The directory of the replay store '{self._path}' does not exist. "
                "Create it first."
            )
        if os.path.isdir(self._path):
            raise ConfigurationError(
                f"The replay store '{self._path}' is a directory. Use the path of a "
                "file; it will be created."
            )
        with self._stores_lock:
            self._stores.add(self)

    def __str__(self) -> str:
        return f"the SQLite file '{self._path}'"

    def claim(self, delivery: str, *, lease: float) -> Claim:
        token = secrets.token_hex(16)
        mine = Claim(delivery, token, "mine")

        def attempt(connection: sqlite3.Connection) -> Claim:
            now = time.time()
            record = connection.execute(
                "SELECT token, reply FROM clustaar_deliveries "
                "WHERE delivery = ? AND ends > ?",
                (delivery, now),
            ).fetchone()
            if record is not None:
                # A failed attempt may have been recorded.
                own = record == (token, None)
                return mine if own else Claim.of_another(delivery, record[1])
            self._put(connection, delivery, token, now + lease, None)
            if self._claims % 256 == 0:
                connection.execute(
                    "DELETE FROM clustaar_deliveries WHERE ends <= ?", (now,)
                )
            self._claims += 1
            return mine

        return self._run(attempt, LOCKED_TIMEOUT if self._is_locked else BUSY_TIMEOUT)

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        def attempt(connection: sqlite3.Connection) -> None:
            record = connection.execute(
                "SELECT token, reply FROM clustaar_deliveries WHERE delivery = ?",
                (claim.delivery,),
            ).fetchone()
            if record in (None, (claim.token, None)):
                ends = time.time() + lifetime
                self._put(connection, claim.delivery, claim.token, ends, reply)

        if claim.state == "mine":
            self._finish(attempt)

    def release(self, claim: Claim) -> None:
        def attempt(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM clustaar_deliveries "
                "WHERE delivery = ? AND token = ? AND reply IS NULL",
                (claim.delivery, claim.token),
            )

        self._finish(attempt)

    def _finish(self, attempt: Callable[[sqlite3.Connection], None]) -> None:
        """Complete or release a claim; retry in the background if it fails."""
        try:
            self._run(attempt, BUSY_TIMEOUT)
        except ReplayStoreError:
            self._later.add(
                lambda: self._run(attempt, LOCKED_TIMEOUT), seconds=FINISH_WITHIN
            )
            raise

    def __del__(self) -> None:
        self._close()

    def _run(self, attempt: Callable[[sqlite3.Connection], T], timeout: float) -> T:
        """Run a function in a transaction, within *timeout* seconds.

        If it fails, it is retried, because the file may have been deleted, replaced or
        renamed.

        :raises ReplayStoreError: if it fails again, or if the file is locked for
            longer.
        """
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            self._is_locked = True
            raise self._failure("database is locked")
        try:
            for _ in range(ATTEMPTS - 1):
                try:
                    return self._run_once(attempt, deadline)
                except (sqlite3.Error, OSError):
                    if self._is_locked:
                        raise
            return self._run_once(attempt, deadline)
        except (sqlite3.Error, OSError) as error:
            raise self._failure(str(error)) from error
        finally:
            self._lock.release()

    def _run_once(
        self, attempt: Callable[[sqlite3.Connection], T], deadline: float
    ) -> T:
        try:
            connection = self._current_connection(deadline)
            try:
                _execute(connection, "BEGIN IMMEDIATE", deadline)
                result = attempt(connection)
                _execute(connection, "COMMIT", deadline)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            self._close()  # The next transaction opens a new connection.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            self._is_locked = code == sqlite3.SQLITE_BUSY
            if code == sqlite3.SQLITE_CORRUPT:
                self._set_aside()
            raise
        self._is_locked = False
        return result

    def _failure(self, reason: str) -> ReplayStoreError:
        return ReplayStoreError(
            f"The replay store '{self._path}' failed: {reason}."
            + _explain_access(self._path)
        )

    def _set_aside(self) -> None:
        """Rename a damaged file, so that a new one is created.

        Does nothing if another worker has already renamed it.
        """
        if self._file != _identity(self._path):
            return
        with suppress(OSError):
            os.replace(self._path, f"{self._path}.damaged")
            self._file = None
            logger.error(
                "The file of the replay store '%s' is damaged. It was renamed to "
                "'%s.damaged', and replaced by a new file. Deliveries recorded in the "
                "old file can run again.",
                self._path,
                self._path,
            )

    def _current_connection(self, deadline: float) -> sqlite3.Connection:
        """Return a connection to the file that is currently at the path."""
        if self._file not in (None, _identity(self._path)):
            logger.error(
                "The file of the replay store '%s' was deleted or replaced, and a new "
                "file is used. Deliveries recorded in the old file can run again.",
                self._path,
            )
            self._close()
        return self._connection or self._connect(deadline)

    def _connect(self, deadline: float) -> sqlite3.Connection:
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
        self._file = _identity(self._path)
        self._connection = connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        for statement in _SET_UP:
            _execute(connection, statement, deadline)
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
        cls._stores_lock.acquire()
        for store in cls._stores:
            store._lock.acquire()
            store._close()
            cls._locked_for_fork.append(store)

    @classmethod
    def _after_fork(cls) -> None:
        while cls._locked_for_fork:
            cls._locked_for_fork.pop()._lock.release()
        cls._stores_lock.release()


# Platforms without fork have no such hook.
getattr(os, "register_at_fork", dict)(
    before=SQLiteReplayStore._before_fork,
    after_in_parent=SQLiteReplayStore._after_fork,
    after_in_child=SQLiteReplayStore._after_fork,
)

_SET_UP: Final = (
    # In this mode there is only one file. It can be deleted at any time, and the next
    # delivery creates a new one.
    "PRAGMA journal_mode = TRUNCATE",
    # Records survive the process, but not always a power failure. By the time the
    # machine has started again, the deliveries are no longer fresh.
    "PRAGMA synchronous = OFF",
    "CREATE TABLE IF NOT EXISTS clustaar_deliveries (delivery TEXT PRIMARY KEY,"
    " token TEXT NOT NULL, ends REAL NOT NULL, reply BLOB) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS clustaar_deliveries_ends ON clustaar_deliveries (ends)",
)


def _execute(connection: sqlite3.Connection, statement: str, deadline: float) -> None:
    """Execute a statement; retry while another process locks the file.

    SQLite's own waiting would block all greenlets of a gevent worker.
    """
    pauses = chain((0.001, 0.002, 0.005, 0.01), repeat(0.025))
    while True:
        pause = next(pauses)
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)


def _identity(path: str) -> tuple[int, int] | None:
    """Return the identity of the file at a path; None if the file does not exist."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _explain_access(path: str) -> str:
    """Return a sentence about permissions, if this process cannot write the file."""
    by_effective_user = os.access in os.supports_effective_ids
    for place in (path, os.path.dirname(path)):
        if not by_effective_user or not os.path.exists(place):
            continue
        if not os.access(place, os.W_OK, effective_ids=True):
            owner, user = _user_name(os.stat(place).st_uid), _user_name(os.geteuid())
            return (
                f" The user '{user}' cannot write '{place}', which belongs to "
                f"'{owner}'. Run the server and commands such as "
                "'flask clustaar send' as the same user."
            )
    return ""


def _user_name(uid: int) -> str:
    import pwd  # Only on systems where files have owners.

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
