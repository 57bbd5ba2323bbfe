"""The replay store in a file of SQLite."""

from __future__ import annotations

import logging
import os
import pwd
import signal
import sqlite3
import stat
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from serving import until
from stores import claim_when_free, opened, start

from flask_clustaar.errors import ClustaarError, ConfigurationError, ReplayStoreError
from flask_clustaar.replay import SQLiteReplayStore, sqlite


def open_files() -> list[str]:
    """Return the open files of this process, including duplicates."""
    found = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # The directory itself.
            found.append(os.readlink(file))
    return found


def test_file_is_its_owners(tmp_path: Path) -> None:
    """Only the owner can read the file and SQLite's other files."""
    store = SQLiteReplayStore(tmp_path / "replay.db")
    assert [] == list(tmp_path.iterdir())
    store.claim("a", lease=60)

    files = list(tmp_path.iterdir())
    assert tmp_path / "replay.db" in files
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}


def test_survives_a_restart(tmp_path: Path) -> None:
    """Records are available to the next process, and to a second store."""
    path = tmp_path / "replay.db"
    first = SQLiteReplayStore(path)
    first.complete(first.claim("a", lease=60), b"a", lifetime=60)

    assert b"a" == SQLiteReplayStore(path).claim("a", lease=60).reply
    del first
    assert b"a" == SQLiteReplayStore(path).claim("a", lease=60).reply


def test_forgets(tmp_path: Path) -> None:
    """Records that have ended are deleted, those that have not are kept."""
    path = tmp_path / "replay.db"
    store = SQLiteReplayStore(path)
    store.claim("live", lease=60)
    for number in range(300):
        store.claim(str(number), lease=0)

    database = sqlite3.connect(path)
    names = [
        name for (name,) in database.execute("SELECT delivery FROM clustaar_deliveries")
    ]
    database.close()
    assert "live" in names
    assert len(names) < 60


@pytest.mark.parametrize(("claims", "left"), [(1, 0), (2, 1), (256, 255), (257, 0)])
def test_forgets_now_and_then(tmp_path: Path, claims: int, left: int) -> None:
    """The first claim of a store, and each 256th, deletes expired records."""
    path = tmp_path / "replay.db"
    SQLiteReplayStore(path).claim("of another process", lease=0)
    store = SQLiteReplayStore(path)
    for number in range(claims):
        store.claim(str(number), lease=0)

    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM clustaar_deliveries")
    assert (left,) == count


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path starts where the store was made, wherever the process goes."""
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///replay.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.claim("a", lease=60)

    assert (tmp_path / "replay.db").exists()


def test_no_directory(tmp_path: Path) -> None:
    """A missing directory is an error at once."""
    with pytest.raises(ConfigurationError, match="directory of .* does not exist"):
        opened(f"sqlite:///{tmp_path}/missing/replay.db")


def test_failure(tmp_path: Path) -> None:
    """A file that is not a database is an error until it is removed."""
    path = tmp_path / "replay.db"
    path.write_bytes(b"no database" * 1000)
    store = SQLiteReplayStore(path)

    for _ in range(2):
        with pytest.raises(ReplayStoreError, match="replay.db' failed: ") as caught:
            store.claim("a", lease=60)
        assert isinstance(caught.value, ClustaarError)
        assert isinstance(caught.value.__cause__, sqlite3.Error)
    path.unlink()
    assert "mine" == store.claim("a", lease=60).state


def test_directory(tmp_path: Path) -> None:
    """A path of a directory is an error at once."""
    with pytest.raises(
        ConfigurationError, match="is a directory. Use the path of a file"
    ):
        SQLiteReplayStore(tmp_path)


def test_directory_gone(tmp_path: Path) -> None:
    """A directory that went away is an error of the store, until it is back."""
    directory = tmp_path / "state"
    directory.mkdir()
    store = SQLiteReplayStore(directory / "replay.db")
    directory.rmdir()

    with pytest.raises(ReplayStoreError):
        store.claim("a", lease=60)
    directory.mkdir()
    assert "mine" == store.claim("a", lease=60).state


def test_interrupted(tmp_path: Path) -> None:
    """After an exception, there is neither a lock nor a partial record."""
    path = tmp_path / "replay.db"
    store = SQLiteReplayStore(path)
    with pytest.raises(TypeError):
        store.claim("a", lease="no number")  # type: ignore[arg-type]

    assert "mine" == SQLiteReplayStore(path).claim("a", lease=60).state
    assert "running" == store.claim("a", lease=60).state


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_forks(tmp_path: Path) -> None:
    """A child inherits no connection, even if other threads are busy with the store."""
    store = SQLiteReplayStore(tmp_path / "replay.db")
    store.claim("parent's", lease=60)
    stop = threading.Event()

    def be_busy() -> None:
        while not stop.is_set():
            store.release(store.claim(uuid.uuid4().hex, lease=60))

    def in_child(name: str) -> None:  # pragma: no cover (nothing measures the child)
        signal.alarm(20)
        assert str(tmp_path / "replay.db") not in open_files()
        assert "running" == store.claim("parent's", lease=60).state
        store.complete(store.claim(name, lease=60), b"child's", lifetime=60)

    thread = threading.Thread(target=be_busy)
    thread.start()
    try:
        for number in range(5):
            assert 0 == exit_code_of_child(partial(in_child, str(number)))
            assert b"child's" == store.claim(str(number), lease=60).reply
    finally:
        stop.set()
        thread.join()


def exit_code_of_child(run: Callable[[], None]) -> int:
    child = os.fork()
    if not child:  # pragma: no cover (nothing measures the child)
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# While another process has the file locked


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A file with a record: of the delivery ``recorded``."""
    path = tmp_path / "replay.db"
    store = SQLiteReplayStore(path)
    store.complete(store.claim("recorded", lease=60), b"reply", lifetime=60)
    return path


@pytest.fixture(name="impatient")
def _impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let deliveries wait for a third of a second, and not for five."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.3)
    return 0.3


def locked(path: Path) -> closing[sqlite3.Connection]:
    """Lock a file until the connection is closed."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return closing(connection)


def test_waits_for_the_file(path: Path) -> None:
    """A delivery waits while another process has the file locked."""
    store, states = SQLiteReplayStore(path), []
    thread = threading.Thread(
        target=lambda: states.append(store.claim("recorded", lease=60).state)
    )
    with locked(path):
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join()
    assert ["done"] == states


def test_waits_do_not_add_up(path: Path, impatient: float) -> None:
    """Each of many threads has its answer within the timeout, and not after those of
    the others."""
    store, seconds = SQLiteReplayStore(path), []

    def claim(name: str) -> None:
        began = time.monotonic()
        with pytest.raises(ReplayStoreError, match="failed: database is locked"):
            store.claim(name, lease=60)
        seconds.append(time.monotonic() - began)

    threads = [threading.Thread(target=claim, args=(str(i),)) for i in range(16)]
    with locked(path):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 16 == len(seconds)
    assert max(seconds) < impatient + 1
    assert "mine" == store.claim("0", lease=60).state


def test_only_one_delivery_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the file stays locked, the next deliveries fail at once: the threads of a
    server are not all kept waiting. They wait again when it can be used again."""
    store = SQLiteReplayStore(path)

    def fail_within(timeout: float) -> float:
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", timeout)
        began = time.monotonic()
        with pytest.raises(ReplayStoreError, match="failed: database is locked"):
            store.claim("a", lease=60)
        return time.monotonic() - began

    with locked(path):
        assert fail_within(0.3) > 0.2
        assert fail_within(60) < 30
        assert fail_within(60) < 30
    assert "mine" == store.claim("b", lease=60).state
    with locked(path):
        assert fail_within(0.3) > 0.2


def test_completion_is_recorded_later(path: Path, impatient: float) -> None:
    """A completion that failed is recorded as soon as the file can be used again."""
    store = SQLiteReplayStore(path)
    claim = store.claim("a", lease=60)
    with locked(path), pytest.raises(ReplayStoreError):
        store.complete(claim, b"reply", lifetime=60)
    assert b"reply" == until(lambda: store.claim("a", lease=60).reply)


def test_release_is_recorded_later(path: Path, impatient: float) -> None:
    """A delivery whose release failed can run as soon as the file can be used again."""
    store = SQLiteReplayStore(path)
    claim = store.claim("a", lease=60)
    with locked(path), pytest.raises(ReplayStoreError):
        store.release(claim)
    claim_when_free(store, "a")


def test_waits_for_another_thread_no_longer(path: Path, impatient: float) -> None:
    """A delivery fails after the timeout while another thread has not come to an end,
    such as one whose log is stuck."""
    store, stuck, go_on = SQLiteReplayStore(path), threading.Event(), threading.Event()
    store.claim("recorded", lease=60)
    path.unlink()

    def log(record: logging.LogRecord) -> bool:
        stuck.set()
        return go_on.wait(20)

    sqlite.logger.addFilter(log)
    with ThreadPoolExecutor(1) as executor:
        other = executor.submit(store.claim, "a", lease=60)
        try:
            assert stuck.wait(20)
            with pytest.raises(ReplayStoreError, match="failed: database is locked"):
                store.claim("b", lease=60)
        finally:
            go_on.set()
            sqlite.logger.removeFilter(log)
    assert "mine" == other.result().state
    assert "mine" == store.claim("b", lease=60).state


def test_stores_do_not_wait_for_each_other(path: Path, tmp_path: Path) -> None:
    """A store with a locked file does not block other stores."""
    held_up, healthy = SQLiteReplayStore(path), SQLiteReplayStore(tmp_path / "b.db")
    states: list[str] = []
    thread = threading.Thread(
        target=lambda: states.append(held_up.claim("a", lease=60).state)
    )
    with locked(path):
        thread.start()
        until(lambda: open_files().count(str(path)) > 1)
        assert "mine" == healthy.claim("a", lease=60).state
        assert [] == states
    thread.join()
    assert ["mine"] == states


def test_interrupted_while_it_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that breaks off a wait, such as a timeout of gevent, leaves neither
    a lock nor a transaction."""
    store = SQLiteReplayStore(path)

    class Interrupt(BaseException):
        pass

    def interrupt(seconds: float) -> None:
        raise Interrupt

    with monkeypatch.context() as patch, locked(path):
        patch.setattr(time, "sleep", interrupt)
        with pytest.raises(Interrupt):
            store.claim("a", lease=60)
    assert "mine" == store.claim("a", lease=60).state
    assert "mine" == SQLiteReplayStore(path).claim("b", lease=60).state


# When the file is deleted, replaced or damaged


def test_deleted(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store whose file was deleted makes a new one, and logs it once."""
    store = SQLiteReplayStore(path)
    assert "done" == store.claim("recorded", lease=60).state
    path.unlink()

    assert "mine" == store.claim("a", lease=60).state
    assert "running" == SQLiteReplayStore(path).claim("a", lease=60).state
    store.claim("b", lease=60)
    [record] = caplog.records
    assert logging.ERROR == record.levelno
    assert f"'{path}' was deleted or replaced" in record.message


#: Claims each delivery it reads the name of, and prints the state of the claim.
CLAIMANT = """
import sys
from flask_clustaar.replay import open_store

store = open_store(sys.argv[1])
for line in sys.stdin:
    print(store.claim(line.strip(), lease=60).state, flush=True)
"""


def test_deleted_under_workers(path: Path) -> None:
    """Workers whose file was deleted share the new one with those that start later."""
    workers = [start(CLAIMANT, f"sqlite:///{path}") for _ in range(2)]

    def ask(worker: int, name: str) -> str:
        process = workers[worker]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    assert ["done", "done"] == [ask(0, "recorded"), ask(1, "recorded")]
    for file in path.parent.iterdir():
        file.unlink()
    workers.append(start(CLAIMANT, f"sqlite:///{path}"))
    for number, first in enumerate((2, 0, 1)):
        states = [ask((first + turn) % 3, str(number)) for turn in range(3)]
        assert ["mine", "running", "running"] == states
    for worker in workers:
        worker.communicate()


def test_replaced(path: Path, tmp_path: Path) -> None:
    """After its file was replaced, a store uses the new file."""
    store = SQLiteReplayStore(path)
    store.claim("recorded", lease=60)
    other = SQLiteReplayStore(tmp_path / "other.db")
    other.complete(other.claim("recorded", lease=60), b"other", lifetime=60)
    os.replace(tmp_path / "other.db", path)

    assert b"other" == store.claim("recorded", lease=60).reply


def test_deleted_in_the_middle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim whose file is deleted before it is recorded is recorded in a new file."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            cursor = super().execute(sql, *arguments)
            if sql.startswith("BEGIN") and not deleted:
                path.unlink()
                deleted.append(path)
            return cursor

    deleted: list[Path] = []
    store = SQLiteReplayStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
        assert "mine" == store.claim("a", lease=60).state
    assert "running" == SQLiteReplayStore(path).claim("a", lease=60).state


def test_recorded_with_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim recognises what it has recorded, although that seemed to fail."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            cursor = super().execute(sql, *arguments)
            if sql == "COMMIT" and not failed:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                failed.append(error)
                raise error
            return cursor

    failed: list[sqlite3.Error] = []
    store = SQLiteReplayStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
        claim = store.claim("a", lease=60)
    assert ("mine", 1) == (claim.state, len(failed))
    store.complete(claim, b"reply", lifetime=60)
    assert b"reply" == store.claim("a", lease=60).reply


def damage(path: Path) -> None:
    """Do to a file what a power failure can: pages of it are lost."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (path.stat().st_size - 100))


def test_damaged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged file is renamed, and a new one is created at once."""
    damage(path)
    store = SQLiteReplayStore(path)

    assert "mine" == store.claim("a", lease=60).state
    assert "running" == store.claim("a", lease=60).state
    assert path.with_name("replay.db.damaged").exists()
    assert "is damaged. It was renamed to" in caplog.text


def test_damaged_and_replaced(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that another worker has set aside is not the one to set aside."""

    class Connection(sqlite3.Connection):
        def close(self) -> None:
            super().close()
            path.rename(tmp_path / "replay.db.damaged")  # by another worker
            path.write_bytes(b"new")

    damage(path)
    store = SQLiteReplayStore(path)
    connect = partial(sqlite3.connect, factory=Connection)
    with monkeypatch.context() as patch, pytest.raises(ReplayStoreError):
        patch.setattr(sqlite3, "connect", connect)
        store.claim("a", lease=60)

    assert path.read_bytes() == b"new"


# When the user may not write


@pytest.fixture(name="readable")
def _readable() -> Iterator[Path]:
    """A directory that a user can read but not write."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        SQLiteReplayStore(path / "replay.db").claim("a", lease=60)
        path.chmod(0o555)
        (path / "replay.db").chmod(0o444)
        os.seteuid(user or 65534)
        yield path
        os.seteuid(user)
        path.chmod(0o755)


def test_not_writable(readable: Path) -> None:
    """The error says who may not write the file, and whose it is."""
    with pytest.raises(ReplayStoreError) as caught:
        SQLiteReplayStore(readable / "replay.db").claim("b", lease=60)
    owner = (readable / "replay.db").owner()
    assert f"cannot write '{readable}/replay.db', which belongs to '{owner}'" in str(
        caught.value
    )


def test_directory_not_writable(readable: Path) -> None:
    """The error says who may not write the directory in which the file would be."""
    with pytest.raises(ReplayStoreError) as caught:
        SQLiteReplayStore(readable / "new.db").claim("b", lease=60)
    assert f"cannot write '{readable}', which belongs to" in str(caught.value)


def test_user_without_a_name(readable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown user is shown by number."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    number = (readable / "replay.db").stat().st_uid
    with pytest.raises(ReplayStoreError, match=f"which belongs to '{number}'"):
        SQLiteReplayStore(readable / "replay.db").claim("b", lease=60)


def test_store_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a store has the resolved path."""
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///replay.db")
    assert f"the SQLite file '{tmp_path}/replay.db'" == str(store)
