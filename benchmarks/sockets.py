"""Measure over sockets, with gunicorn and one worker for each subject."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import itertools
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .everybody import SUBJECTS
from .payloads import PAYLOADS
from .subjects import App, Contender

ROOT = Path(__file__).resolve().parent.parent

#: The subjects.
NAMES = ("Flask alone", "written by hand", "flask_clustaar")
REFERENCE = "written by hand"
PAYLOAD = "typical"

#: The number of deliveries per round.
BLOCK = 20


class Latency(NamedTuple):
    """The time from the first byte sent to the last byte received, in microseconds."""

    median: float
    #: The 90th and the 99th percentile.
    p90: float
    p99: float
    #: The median ratio to the same round of the reference.
    low: float
    ratio: float
    high: float


def is_available() -> bool:
    """Return whether gunicorn is installed."""
    return importlib.util.find_spec("gunicorn") is not None


def make_app(name: str) -> App:
    """Return the application of a subject; gunicorn calls this."""
    return _contender(name).app


def race(
    *, rounds: int, tick: Callable[[], object] = lambda: None
) -> dict[str, Latency]:
    """Send deliveries to each server, in rounds with random order.

    :param tick: called after each round.
    """
    seconds: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    numbers = itertools.count(1)
    order = list(NAMES)
    shuffle = random.Random(rounds).shuffle
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(_client(name)) for name in NAMES}
        contenders = {name: _contender(name) for name in NAMES}
        for name in NAMES:
            _ask(clients[name], contenders[name], numbers)
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                seconds[name].append(_ask(clients[name], contenders[name], numbers))
            tick()
    return {name: _latency(seconds[name], seconds[REFERENCE]) for name in NAMES}


def _contender(name: str) -> Contender:
    subject = next(subject for subject in SUBJECTS if subject.name == name)
    return subject.build(PAYLOADS[PAYLOAD])


@contextlib.contextmanager
def _client(name: str) -> Iterator[http.client.HTTPConnection]:
    """Start a server on a free port; yield a persistent connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        # Accepted sockets inherit TCP_NODELAY, so nothing waits for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        command = [
            *(sys.executable, "-m", "gunicorn"),
            *("--bind", f"fd://{listener.fileno()}"),
            *("--worker-class", "gthread", "--threads", "2", "--keep-alive", "60"),
            *("--log-level", "error", "--no-control-socket"),
            f"{__name__}:make_app({name!r})",
        ]
        server = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()])
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait(timeout=60)


def _ask(
    client: http.client.HTTPConnection, contender: Contender, numbers: Iterator[int]
) -> list[float]:
    """Send a block of deliveries; return their durations in seconds."""
    seconds = []
    for _ in range(BLOCK):
        environ = contender.deliver(next(numbers))
        body = environ["wsgi.input"].getvalue()
        headers = {
            key.removeprefix("HTTP_").replace("_", "-").title(): value
            for key, value in environ.items()
            if key == "CONTENT_TYPE" or key.startswith("HTTP_")
        }
        start = time.perf_counter()
        client.request("POST", contender.path, body, headers)
        answer = client.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        if answer.status != 200:
            raise RuntimeError(f"A delivery was answered with {answer.status}.")
    return seconds


def _latency(
    rounds: Sequence[list[float]], reference: Sequence[list[float]]
) -> Latency:
    each = sorted(second * 1e6 for one in rounds for second in one)
    ratios = [
        statistics.median(one) / statistics.median(other)
        for one, other in zip(rounds, reference, strict=True)
    ]
    low, *_, high = statistics.quantiles(ratios, n=10, method="inclusive")
    percentiles = statistics.quantiles(each, n=100, method="inclusive")
    return Latency(
        statistics.median(each),
        percentiles[89],
        percentiles[98],
        low,
        statistics.median(ratios),
        high,
    )
