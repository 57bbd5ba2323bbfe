"""The servers on which the bot is attacked."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from serving import APPS, Answer, Server, until
from stores import free_port

_GUNICORN: Final = "gunicorn attacked:app --bind=127.0.0.1:{port} --no-control-socket"
_WSGIREF: Final = (
    "from wsgiref.simple_server import make_server; from attacked import app;"
    "make_server('127.0.0.1', {port}, app).serve_forever()"
)

#: How each server is started, after ``python -m``.
SERVERS: Final = {
    "gunicorn (sync)": f"{_GUNICORN} --workers=2",
    "gunicorn (gthread)": f"{_GUNICORN} --workers=4 --threads=4",
    "gunicorn (gevent)": f"{_GUNICORN} --workers=2 --worker-class=gevent",
    "waitress": "waitress --listen=127.0.0.1:{port} attacked:app",
    "granian": "granian --interface=wsgi --host=127.0.0.1 --port={port} attacked:app",
    "cheroot": "cheroot --bind=127.0.0.1:{port} attacked:app",
    "hypercorn": "hypercorn --bind=127.0.0.1:{port} attacked:app",
    "uvicorn (asgiref)": "uvicorn --port={port} adapted:by_asgiref",
    "uvicorn (a2wsgi)": "uvicorn --port={port} adapted:by_a2wsgi",
    "uWSGI": "uwsgi --http=127.0.0.1:{port} --module=attacked:app --master "
    "--processes=2 --threads=4 --die-on-term",
    "wsgiref": "wsgiref",
    "flask run": "flask --app=attacked --debug run --port={port} --no-reload",
}

#: A module that makes ASGI applications of the bot.
_ADAPTED: Final = """
from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi
from attacked import app

by_asgiref = WsgiToAsgi(app)
by_a2wsgi = WSGIMiddleware(app)
"""


@contextmanager
def serve(
    name: str, directory: Path, *, options: str = "", **settings: Any
) -> Iterator[Server]:
    """Serve the bot.

    :param name: one of :data:`SERVERS`.
    :param options: others for the server.
    :param settings: of the application, in lower case.
    """
    (directory / "adapted.py").write_text(_ADAPTED)
    port = free_port()
    line = f"{SERVERS[name].format(port=port)} {options}"
    command = [sys.executable, "-m", *line.split()]
    if name == "wsgiref":
        command[1:] = ["-c", _WSGIREF.format(port=port)]
    if name == "uWSGI":  # A program, and not a module.
        command[:3] = [str(Path(sys.executable).with_name("uwsgi"))]
    path = [str(directory), str(APPS), *sys.path]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "ATTACKED_RUNS": str(directory / "runs"),
        **{f"FLASK_{key.upper()}": json.dumps(settings[key]) for key in settings},
    }
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, directory)
    server.address = "127.0.0.1", port
    try:
        until(lambda: _listens(server), 60)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(server: Server) -> bool:
    assert server.process.poll() is None, server.log
    with suppress(OSError):
        socket.create_connection(server.address, 5).close()
        return True
    return False


def ask(server: Server, pieces: list[bytes], *, patience: float = 0.7) -> Answer:
    """Send any bytes, and return the answer until the server disconnects.

    Some servers take the end of what is sent for the end of the connection, so it is
    announced only after *patience* seconds of silence.
    """
    received = b""
    with socket.create_connection(server.address, timeout=30) as connection:
        with suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
        connection.settimeout(patience if pieces else 0.2)
        ended, deadline = False, time.monotonic() + 60
        with suppress(ConnectionError):
            while True:
                assert time.monotonic() < deadline, "The server does not hang up."
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    if ended:
                        continue
                    ended = True
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
                    continue
                if not data:
                    break
                received += data
    return Answer(received)
