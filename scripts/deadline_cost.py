"""Measure what a deadline adds to a request, whose handler then runs in a thread.

``make bench-deadline`` runs this script. Two bots, one with a deadline, answer blocks
of requests in turn: through gunicorn, to a client that keeps its connection, and
without a server. The arguments are the number of rounds, and of requests in a block.
"""

from __future__ import annotations

import contextvars
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

from flask import Flask

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.harness import Samples, measure  # noqa: E402
from benchmarks.machine import one_core  # noqa: E402
from benchmarks.ours import everything  # noqa: E402
from benchmarks.payloads import PAYLOADS  # noqa: E402

#: What a request through the server may cost with a deadline, as a multiple.
LIMIT = 1.15

_numbers = itertools.count()


def main(rounds: int = 40, block: int = 100) -> None:
    """Print the CPU time of a request, without and with a deadline."""
    print("CPU time of a request in microseconds, without and with a deadline; the")
    print("multiple, and its range in eight of ten rounds.\n")
    for place in ("one core", "all cores"):
        with _served(None, place) as without, _served(5, place) as limited:
            for way, run in {"gunicorn": _through, "no server": _alone}.items():
                costs: dict[str, list[float]] = {"without": [], "with": []}
                for _ in range(rounds + 1):
                    costs["without"].append(run(without, block))
                    costs["with"].append(run(limited, block))
                # The first round is the warm-up.
                samples = Samples({name: costs[name][1:] for name in costs})
                before = samples.cost("without", "without").cpu
                cpu, low, ratio, high = samples.cost("with", "without")
                limit = f", limit {LIMIT}" if run is _through else ""
                print(
                    f"{way + ', ' + place:22}{before:6.0f}{cpu:6.0f}   "
                    f"{ratio:.2f} ({low:.2f}-{high:.2f}{limit})"
                )


@contextmanager
def _served(deadline: float | None, place: str) -> Iterator[HTTPConnection]:
    """Serve a bot, and connect to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            f"--bind=fd://{listening.fileno()}",
        ]
        command += ["--threads=4", "--keep-alive=60", "--log-level=error"]
        command += ["--no-control-socket", f"deadline_cost:serve({deadline})"]
        path = os.pathsep.join([str(ROOT), str(ROOT / "scripts")])
        with one_core() if place == "one core" else nullcontext():
            process = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONPATH": path},
                pass_fds=[listening.fileno()],
            )
        host, port = listening.getsockname()
        connection = HTTPConnection(host, port, timeout=60)
        try:
            yield connection
        finally:
            connection.close()
            process.terminate()
            process.wait()


def _through(bot: HTTPConnection, count: int) -> float:
    """Return the CPU time of a request through the server, in microseconds."""
    contender = everything(PAYLOADS["typical"])
    before = float(_ask(bot, "GET", "/spent"))
    for number in itertools.islice(_numbers, count):
        body = contender.template.body(number)
        signed = contender.sign(body).items()
        headers = {key[5:].replace("_", "-"): value for key, value in signed}
        _ask(bot, "POST", contender.path, body, headers)
    return (float(_ask(bot, "GET", "/spent")) - before) / count / 1000


def _alone(bot: HTTPConnection, count: int) -> float:
    """Return the CPU time of a request in the same process, without the server."""
    return float(_ask(bot, "GET", f"/alone/{count}"))


def _ask(bot: HTTPConnection, *request: Any) -> bytes:
    bot.request(*request)
    response = bot.getresponse()
    if response.status != 200:
        raise RuntimeError(f"A request was answered with {response.status}.")
    return response.read()


def serve(deadline: float | None) -> Flask:
    """Return a bot, in the server, which also tells how much CPU time it takes."""
    contender = everything(PAYLOADS["typical"], deadline=deadline)

    def alone(count: int) -> str:
        # Not in the context of this request.
        return str(contextvars.Context().run(measure, contender, count))

    app = cast(Flask, contender.app)
    app.add_url_rule("/alone/<int:count>", "alone", alone)
    app.add_url_rule("/spent", "spent", lambda: str(time.process_time_ns()))
    return app


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
