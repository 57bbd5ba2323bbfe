"""Start the shop bot, send it a notification like the platform, and check the reply.

``make demo`` runs this script. With ``--stay``, as in ``make run``, the bot keeps
running, and a command that sends a notification is printed instead.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask_clustaar.security import basic_auth, sign
from flask_clustaar.transcript import render_reply

SHOP = Path(__file__).resolve().parent.parent / "examples" / "shop"
NOTIFICATION = SHOP / "notification.json"
REPLY = SHOP / "reply.json"

# Only for this demonstration. Your bot's values are in its webhook settings.
PRIVATE_KEY = "demo-key"
USERNAME = "demo"
PASSWORD = "open:sesame"

FLASK = [sys.executable, "-m", "flask"]


def main(arguments: list[str]) -> int:
    """Run the demonstration; return 0 if the reply is as expected."""
    staying = "--stay" in arguments
    with tempfile.TemporaryDirectory() as directory:
        log = None if staying else Path(directory, "log")
        settings = {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{directory}/shop.db",
            "FLASK_CLUSTAAR_PRIVATE_KEY": PRIVATE_KEY,
            "FLASK_CLUSTAAR_AUTH_USERNAME": USERNAME,
            "FLASK_CLUSTAAR_AUTH_PASSWORD": PASSWORD,
        }
        run_flask("shop", "init-db", directory=SHOP, settings=settings)
        with serve("shop", directory=SHOP, settings=settings, log=log) as server:
            return stay(server) if staying else ask(server.url)


def ask(url: str) -> int:
    """Send the documented notification, and show and check the reply."""
    body = NOTIFICATION.read_bytes()
    headers = signed_headers(body)
    show(f"POST {url} HTTP/1.1", headers, body.decode())
    status, kind, answer = post(url, body, headers)
    reply = json.loads(answer)
    phrase = http.client.responses.get(status, "")
    show(f"HTTP/1.1 {status} {phrase}", {"Content-Type": kind}, pretty(reply))
    if status == 200 and reply == json.loads(REPLY.read_text()):
        print("The reply is as expected. The user sees:\n")
        print("\n".join(f"  {line.text}".rstrip() for line in render_reply(reply)))
        return 0
    print(f"The reply differs from the expected one in {REPLY}.")
    return 1


def stay(server: Server) -> int:
    """Print commands that send a notification, and wait for Ctrl+C."""
    print(
        f"\nThe shop bot listens on {server.url}. Ctrl+C stops it.\n"
        f"Send a notification from another terminal:\n\n{curl(server.url)}\n\n"
        f"Or show the reply as a conversation:\n\n{send(server.url)}\n",
        flush=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        return server.process.wait()
    return 0


def curl(url: str) -> str:
    """Return a shell command that signs and sends the notification.

    A signature is valid for ten seconds, so the command creates a new one at each run.
    """
    file = shlex.quote(str(NOTIFICATION))
    return (
        "D=$(LC_ALL=C date -u +'%a, %d %b %Y %T GMT');"
        f" curl -isS --user {USERNAME}:{PASSWORD} -H 'Content-Type: application/json'"
        ' -H "Date: $D" -H "X-Hub-Signature: sha1='
        f"$( (printf 'date=%s\\n' \"$D\"; cat {file})"
        f' | openssl dgst -sha1 -hmac {PRIVATE_KEY} -r | cut -c 1-40)"'
        f" --data-binary @{file} {url}"
    )


def send(url: str) -> str:
    """Return a shell command that does the same with ``flask clustaar send``."""
    arguments = ["--key", PRIVATE_KEY, "--username", USERNAME, "--password", PASSWORD]
    command = [*FLASK, "clustaar", "send", "--text", "hello", *arguments, "--url", url]
    return shlex.join(command)


# -- running a bot, also for the tests -----------------------------------------------


class Server(NamedTuple):
    """A running ``flask run``, and the URL of its webhook."""

    process: subprocess.Popen[bytes]
    url: str


@contextlib.contextmanager
def serve(
    app: str,
    *,
    directory: Path,
    settings: Mapping[str, str],
    log: Path | None = None,
) -> Iterator[Server]:
    """Run an application on a free port of the loopback.

    :param app: the value of ``flask --app``.
    :param directory: the working directory.
    :param settings: its environment variables.
    :param log: a file for the output of the server; None for the terminal.
    """
    with contextlib.ExitStack() as stack:
        output = None if log is None else stack.enter_context(log.open("wb"))
        port = free_port()
        process = subprocess.Popen(
            [*FLASK, "--app", app, "run", "--port", str(port)],
            cwd=directory,
            env=environment(settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(stop, process)
        if not is_open(port, process):
            raise RuntimeError(
                f"The server did not start.\n{log.read_text() if log else ''}"
            )
        yield Server(process, f"http://127.0.0.1:{port}/clustaar")


def run_flask(
    app: str, *arguments: str, directory: Path, settings: Mapping[str, str]
) -> None:
    """Run a command of an application."""
    command = [*FLASK, "--app", app, *arguments]
    subprocess.run(command, cwd=directory, env=environment(settings), check=True)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for an application, with only these settings."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FLASK_")}
    return {**inherited, "FLASK_SKIP_DOTENV": "1", **settings}


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait for the server; return whether it listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        time.sleep(0.05)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server."""
    process.terminate()
    process.wait(timeout=10)


def signed_headers(
    body: bytes,
    key: str = PRIVATE_KEY,
    username: str = USERNAME,
    password: str = PASSWORD,
) -> dict[str, str]:
    """Return the headers of a notification, signed as by the platform."""
    date = formatdate(usegmt=True)
    return {
        "Content-Type": "application/json",
        "Authorization": basic_auth(username, password),
        "Date": date,
        "X-Hub-Signature": sign(key, date, body),
    }


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    """Send a notification; return status, content type and body of the answer."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", where.path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()


def show(first_line: str, headers: dict[str, str], body: str) -> None:
    """Print an HTTP message."""
    lines = [first_line, *(f"{name}: {value}" for name, value in headers.items())]
    print("\n".join([*lines, "", body.strip(), ""]), flush=True)


def pretty(value: Any, indent: int = 0) -> str:
    """Format JSON for reading: values that fit are on one line."""
    flat = json.dumps(value)
    if len(flat) + indent <= 88 or not isinstance(value, dict | list):
        return flat
    if isinstance(value, list):
        rows = [pretty(item, indent + 2) for item in value]
        opening, closing = "[]"
    else:
        rows = [f'"{key}": {pretty(value[key], indent + 2)}' for key in value]
        opening, closing = "{}"
    row_start = "\n" + " " * (indent + 2)
    inside = f",{row_start}".join(rows)
    return f"{opening}{row_start}{inside}\n{' ' * indent}{closing}"


if __name__ == "__main__":
    # Stop the server also when this script is terminated.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
