"""Servers that are stopped while handlers are late and jobs wait: ``make engines``."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import (
    Answer,
    Server,
    exchange,
    gunicorn,
    notification,
    request,
    signed_headers,
    until,
)

KEY = "the key of the late bot"

#: How gunicorn is started.
SERVERS = {
    "sync": ["--worker-class=sync"],
    "gthread": ["--worker-class=gthread"],
    "gevent": ["--worker-class=gevent"],
}


@contextmanager
def serving(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *options: str, **settings: Any
) -> Iterator[Server]:
    monkeypatch.setenv("LATE_LINES", str(directory / "lines"))
    with gunicorn(
        directory,
        module="late",
        options=options,
        workers=1,
        threads=4,
        clustaar_private_key=KEY,
        **settings,
    ) as server:
        yield server


def send(server: Server, number: int, seconds: float) -> Answer:
    body = json.dumps(notification(seconds=seconds, number=number)).encode()
    headers = signed_headers(body, key=KEY)
    return exchange(server, [request("/clustaar", headers, body)])


def lines(server: Server) -> Counter[str]:
    """Return the results."""
    try:
        return Counter((server.directory / "lines").read_text().split())
    except FileNotFoundError:
        return Counter()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_is_stopped(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handlers that are late and jobs that wait come to their end."""
    options = [*SERVERS[kind], "--graceful-timeout=30"]
    with serving(tmp_path, monkeypatch, *options) as server:
        for number in range(3):
            answer = send(server, number, 3)
            assert answer.json["actions"][0]["text"] == "One moment.", server.log
        assert lines(server)["handler"] < 3
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0

    assert lines(server) == {"handler": 3, "job": 3}, server.log


def test_what_takes_longer_than_a_graceful_stop_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documentation says so."""
    options = ["--worker-class=gthread", "--graceful-timeout=1"]
    with serving(tmp_path, monkeypatch, *options) as server:
        assert send(server, 1, 20).status == 200
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        server.process.wait(60)

    assert time.monotonic() - began < 15
    assert lines(server) == {}


def test_a_worker_that_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After '--max-requests' the worker waits for its handlers that are late."""
    options = ["--worker-class=sync", "--max-requests=1", "--graceful-timeout=30"]
    with serving(tmp_path, monkeypatch, *options) as server:
        # The first request was that of the test which waits for the server.
        assert send(server, 1, 1).status == 200
        assert send(server, 2, 1).status == 200
        until(lambda: lines(server) == {"handler": 2, "job": 2}, 60)
