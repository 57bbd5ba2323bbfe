"""Many requests, and the memory of the servers."""

from __future__ import annotations

import random
import socket
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

from serving import Server
from test_attack import GROWTH, good_request

from .load import delivery
from .servers import serve

REQUESTS = 100_000
SENDERS = 8


def attack(directory: Path) -> str:
    """Send good and forged requests for minutes: nothing grows, none fails."""
    figures = []
    for name, store in {
        "gunicorn (gthread)": f"sqlite:///{directory}/replay.db",
        "waitress": "memory",
    }.items():
        below = directory / name.replace(" ", "-")
        below.mkdir()
        with serve(
            name,
            below,
            clustaar_replay_store=store,
            clustaar_replay_capacity=200_000,
        ) as server:
            figures.append(f"{name} with {store.partition(':')[0]}: {_attack(server)}")
    return "; ".join(figures) + "."


def _attack(server: Server) -> str:
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    _send(server, REQUESTS // 2, statuses)
    half = server.memory()
    _send(server, REQUESTS // 2, statuses)
    seconds, grown = time.monotonic() - began, server.memory() - half
    assert set(statuses) <= {200, 403}, f"{statuses}"
    assert grown < GROWTH, f"The memory grew by {grown} KiB."
    assert "Traceback" not in server.log
    return (
        f"{REQUESTS} requests, {REQUESTS / seconds:.0f} a second, memory "
        f"{grown / 1024:+.1f} MiB from the first half to the second"
    )


def _send(server: Server, count: int, statuses: Counter[int]) -> None:
    each = count // SENDERS

    def send() -> None:
        seen: Counter[int] = Counter()
        connection = _Connection(server)
        for _ in range(each):
            seen[connection.send(_any_request())] += 1
        connection.close()
        statuses.update(seen)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _any_request() -> bytes:
    kind = random.random()
    if kind < 0.6:
        sent = delivery(uuid.uuid4().hex)
    elif kind < 0.8:
        sent = good_request()
    else:
        sent = delivery(uuid.uuid4().hex).replace(b'"John"', b'"Jane"')
    return sent.replace(b"Connection: close\r\n", b"")


class _Connection:
    """A persistent connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._server.address, 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> int:
        """Send a request, and return the status of the response."""
        try:
            self._socket.sendall(request)
            head, _, body = self._receive(b"").partition(b"\r\n\r\n")
        except (ConnectionError, EOFError):  # It was kept for too long.
            self.close()
            self._connect()
            self._socket.sendall(request)
            head, _, body = self._receive(b"").partition(b"\r\n\r\n")
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r")[0])
        while len(body) < length:
            body += self._socket.recv(65536)
        if b"connection: close" in lower:
            self.close()
            self._connect()
        return int(head[9:12])

    def _receive(self, received: bytes) -> bytes:
        while b"\r\n\r\n" not in received:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError
            received += data
        return received

    def close(self) -> None:
        self._socket.close()
