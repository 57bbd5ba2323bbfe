"""A bot on a real server, and a client that sends it any bytes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeVar

from flask_clustaar.security import basic_auth, sign

APPS = Path(__file__).parent / "apps"

#: The settings of the bots, as in :mod:`attacked`.
USERNAME, PASSWORD = "platform", "wonder:land"

T = TypeVar("T")


def until(attempt: Callable[[], T | None], seconds: float = 60) -> T:
    """Return the first true result of *attempt*, which is called repeatedly."""
    deadline = time.monotonic() + seconds
    while not (result := attempt()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)
    return result


# -- the server ----------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run of a handler, as the bot recorded it."""

    webhook: str
    delivery: str
    process: int
    began: float


class Server:
    """A running bot.

    :param process: the server.
    :param directory: where its log is, and what it records.
    """

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self.process = process
        self.directory = directory
        self.address: tuple[str, int] = ("127.0.0.1", 0)

    @property
    def log(self) -> str:
        """The output of the server."""
        return (self.directory / "log").read_text(errors="replace")

    def port(self) -> int | None:
        """Wait for the port of the server in its log, and return it."""
        assert self.process.poll() is None, self.log
        found = re.search(r"(?:Listening at|Running on).*127\.0\.0\.1:(\d+)", self.log)
        return int(found[1]) if found else None

    @property
    def runs(self) -> list[Run]:
        """The calls, in the order of their start."""
        with suppress(FileNotFoundError):
            lines = (self.directory / "runs").read_text().splitlines()
            return [
                Run(webhook, delivery, int(process), float(began))
                for webhook, delivery, process, began in map(str.split, lines)
            ]
        return []

    @property
    def hold(self) -> Path:
        """While it is there, deliveries that ask for it do not come to an end."""
        return self.directory / "runs.hold"

    def memory(self) -> int:
        """Return how much memory all its processes have, in KiB; 0 if not known."""
        found = 0
        for process in [self.process.pid, *children(self.process.pid)]:
            with suppress(OSError):
                status = Path(f"/proc/{process}/status").read_text()
                found += int(status.partition("VmRSS:")[2].split()[0])
        return found


@contextmanager
def gunicorn(
    directory: Path,
    *,
    module: str = "attacked",
    options: Iterable[str] = (),
    workers: int = 2,
    threads: int = 8,
    **settings: Any,
) -> Iterator[Server]:
    """Serve a bot with gunicorn.

    :param module: where its application is.
    :param options: others for gunicorn.
    :param settings: of the application, in lower case.
    """
    command = ["gunicorn", f"{module}:app", "--bind=127.0.0.1:0"]
    command += ["--no-control-socket"]
    command += [f"--workers={workers}", f"--threads={threads}"]
    command += ["--worker-tmp-dir", str(directory), "--graceful-timeout=1"]
    command += options
    with _serving(command, directory, settings) as server:
        yield server


@contextmanager
def flask_run(directory: Path, **settings: Any) -> Iterator[Server]:
    """Serve the bot with ``flask run``, in debug mode.

    :param settings: of the application, in lower case.
    """
    command = ["flask", "--app=attacked", "--debug", "run", "--port=0", "--no-reload"]
    with _serving(command, directory, settings) as server:
        yield server


@contextmanager
def _serving(
    command: list[str], directory: Path, settings: dict[str, Any]
) -> Iterator[Server]:
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(directory / "metrics"),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONWARNINGS": "default",
        "ATTACKED_RUNS": str(directory / "runs"),
        **{f"FLASK_{key.upper()}": json.dumps(settings[key]) for key in settings},
    }
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=APPS,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that whatever it starts can be stopped
        )
    server = Server(process, directory)
    try:
        server.address = "127.0.0.1", until(server.port)
        until(lambda: exchange(server, [b"GET / HTTP/1.0\r\n\r\n"]).statuses)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
        process.wait()


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        with suppress(OSError):  # A thread that has ended in the meantime.
            found += map(int, (task / "children").read_text().split())
    return found


# -- the client ----------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """All that a server sent until it closed the connection."""

    raw: bytes

    @property
    def statuses(self) -> list[int]:
        """The status of each response there was."""
        return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", self.raw)]

    @property
    def status(self) -> int:
        """The status of the first response; 0 if there was none."""
        return self.statuses[0] if self.statuses else 0

    @property
    def head(self) -> str:
        """The headers, in lower case."""
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").lower()

    @property
    def body(self) -> bytes:
        """The body, if there was one response."""
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def exchange(
    server: Server,
    pieces: Iterable[bytes],
    *,
    pause: float = 0,
    abort: bool = False,
    seconds: float = 30,
) -> Answer:
    """Send any bytes to a server, and return its answer until it disconnects.

    :param pause: seconds between the pieces.
    :param abort: whether to hang up at once, as one whose cable is cut.
    :param seconds: how long to wait for it.
    """
    received = b""
    with socket.create_connection(server.address, timeout=seconds) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server may answer and hang up before it has read all.
        with suppress(OSError):
            for index, piece in enumerate(pieces):
                time.sleep(pause if index else 0)
                connection.sendall(piece)
            if abort:
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return Answer(b"")
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    return Answer(received)


def request(
    path: str, headers: Iterable[tuple[str, str]], body: bytes, *, method: str = "POST"
) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bot.example.com"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def signed_headers(
    body: bytes, *, key: str, date: str | None = None
) -> list[tuple[str, str]]:
    """Return the headers with which the platform sends a body."""
    date = date or formatdate(usegmt=True)
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Authorization", basic_auth(USERNAME, PASSWORD)),
        ("Date", date),
        ("X-Hub-Signature", sign(key, date, body)),
    ]


def notification(**session: Any) -> dict[str, Any]:
    """Return a notification with these values in the session."""
    return {
        "topic": "conversation.step_reached",
        "botID": "507f1f77bcf86cd799439011",
        "timestamp": 1514998709,
        "type": "event",
        "data": {
            "channel": "facebook",
            "input": {"type": "message", "text": "hello", "attachments": []},
            "interlocutor": {
                "id": "507f1f77bcf86cd799439011",
                "userID": "xxyyzz",
                "location": {"lat": 77.41504, "long": -44.052074},
                "firstName": "John",
                "lastName": "Doe",
                "email": "john@example.com",
                "customAttributes": {"age": "25"},
                "phoneNumber": None,
            },
            "session": {"values": session},
            "step": {
                "id": "5a8c317624acbe05b1a36feb",
                "name": "A step",
                "userData": None,
                "actions": [{"type": "pause_bot_action"}],
            },
        },
    }
