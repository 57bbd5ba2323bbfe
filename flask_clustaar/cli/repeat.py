"""Send many requests, and report the answers and their latency."""

from __future__ import annotations

import logging
import math
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from werkzeug.wrappers import Response

from ..logs import logger
from ..platform.signer import Delivery
from ..wire import JSON
from .target import Send
from .terminal import echo, is_terminal


@dataclass
class Measured:
    """The answers to a series of requests."""

    #: How many requests to send.
    wanted: int
    #: How many times each answer came, by status and error code.
    answers: Counter[str] = field(default_factory=Counter)
    #: The duration of each request, in seconds.
    seconds: list[float] = field(default_factory=list)
    #: With one repeated delivery: the number of different replies. Else None.
    replies: int | None = None
    #: How many answers were replies that had been recorded before.
    recorded: int = 0
    #: Whether Ctrl-C ended the series.
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether all answers were 200, and one delivery always got the same reply."""
        return self.answers["200"] == self.wanted and (self.replies or 0) <= 1

    def json(self) -> JSON:
        """Return the figures as JSON; times are in milliseconds."""
        slow = {"median": _median, "p99": _p99} if self.seconds else {}
        return {
            "wanted": self.wanted,
            "answered": len(self.seconds),
            "interrupted": self.interrupted,
            "answers": dict(self.answers.most_common()),
            "different_replies": self.replies,
            "recorded_replies": self.recorded,
            "milliseconds": {
                name: round(of(self.seconds) * 1000, 2) for name, of in slow.items()
            },
        }


def repeat(
    send: Send,
    deliver: Callable[[], Delivery],
    count: int,
    *,
    parallel: int = 1,
    same: bool = False,
) -> Measured:
    """Send requests, and return the answers, also after Ctrl-C.

    :param deliver: makes a request.
    :param parallel: the number of requests sent at the same time.
    :param same: send the first request again each time.
    """
    measured = Measured(count)
    first = deliver() if same else None
    replies: set[bytes] = set()
    lock, stop = threading.Lock(), threading.Event()
    numbers = iter(range(count))

    def work() -> None:
        while not stop.is_set():
            with lock:
                if next(numbers, None) is None:
                    return
            delivery = first or deliver()
            began = time.perf_counter()
            try:
                answer = send(delivery)
            except BaseException:
                stop.set()
                raise
            took = time.perf_counter() - began
            with lock:
                measured.seconds.append(took)
                measured.answers[_kind(answer)] += 1
                measured.recorded += "Idempotent-Replayed" in answer.headers
                if same and answer.status_code == 200:
                    replies.add(answer.get_data())
                advance()

    with (
        _logged_once(),
        _progress(count) as advance,
        ThreadPoolExecutor(min(parallel, count)) as executor,
    ):
        try:
            workers = [executor.submit(work) for _ in range(min(parallel, count))]
            for worker in workers:
                worker.result()
        except KeyboardInterrupt:
            measured.interrupted = True
        finally:
            stop.set()
    measured.replies = len(replies) if same else None
    return measured


def print_measured(measured: Measured) -> None:
    """Print the answers, the latency, and a warning if a delivery ran twice."""
    if measured.interrupted:
        echo(f"Interrupted after {len(measured.seconds)} of {measured.wanted}.")
    for kind, times in measured.answers.most_common():
        echo(f"{times} x {kind}", looks={"fg": "green" if kind == "200" else "red"})
    if measured.seconds:
        median, slow = _median(measured.seconds), _p99(measured.seconds)
        echo(f"median {median * 1000:.2f} ms, 99th percentile {slow * 1000:.2f} ms")
    if measured.recorded:
        ran = measured.answers["200"] - measured.recorded
        echo(f"Handlers ran for {ran}; {measured.recorded} got the recorded reply.")
    if (measured.replies or 0) > 1:
        echo(
            f"One delivery got {measured.replies} different replies, so it ran several "
            "times. Set 'CLUSTAAR_REPLAY_STORE' to a store that all workers share.",
            looks={"fg": "red"},
        )


@contextmanager
def _progress(count: int) -> Iterator[Callable[[], None]]:
    if not is_terminal(sys.stderr):
        yield lambda: None
        return
    with click.progressbar(length=count, file=sys.stderr) as bar:
        yield lambda: bar.update(1)


@contextmanager
def _logged_once() -> Iterator[None]:
    """Log each message of the bot once, not once per request."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in seen
        seen.add(message)
        return new

    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


def _kind(answer: Response) -> str:
    """Return the status of an answer, with the error code if there is one."""
    problem = None if answer.status_code == 200 else answer.get_json(silent=True)
    code = problem.get("code") if isinstance(problem, dict) else None
    return " ".join(map(str, filter(None, [answer.status_code, code])))


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds)


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]
