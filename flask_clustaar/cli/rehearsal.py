"""Many deliveries in a row, and how they went."""

from __future__ import annotations

import json
import logging
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import click

from ..logs import logger
from ..platform.signer import Signer, distinct
from .delivery import Answer, Send
from .terminal import is_terminal


def rehearse(
    send: Send, signer: Signer, body: bytes, count: int, *, same: bool
) -> bool:
    """Send deliveries, print how they went, and return whether all went well.

    :param same: send one delivery again and again.
    """
    delivery = signer.deliver(body)
    seconds, answers = [], Counter[str]()
    replies: set[bytes] = set()
    with _logged_once(), _progress(count) as numbers:
        for _ in numbers:
            if not same:
                delivery = signer.deliver(distinct(body))
            began = time.perf_counter()
            answer = send(delivery)
            seconds.append(time.perf_counter() - began)
            answers[_told(answer)] += 1
            if same and answer.status == 200:
                replies.add(answer.body)
    for told, times in answers.most_common():
        click.secho(f"{times} x {told}", fg="green" if told == "200" else "red")
    click.echo(_latency(seconds))
    differ = len(replies) > 1
    if differ:
        click.secho(
            f"{len(replies)} different replies: the delivery ran more than once. Do "
            "all workers have the same 'CLUSTAAR_REPLAY_STORE'?",
            fg="red",
        )
    return answers["200"] == count and not differ


def _progress(count: int) -> AbstractContextManager[Iterable[int]]:
    if not is_terminal(sys.stderr):
        return nullcontext(range(count))
    return click.progressbar(range(count), file=sys.stderr)


@contextmanager
def _logged_once() -> Iterator[None]:
    """Let each message of the bot into the log once, not for each delivery."""
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


def _told(answer: Answer) -> str:
    if answer.status == 200:
        return "200"
    try:
        return f"{answer.status} {json.loads(answer.body)['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status}"


def _latency(seconds: Sequence[float]) -> str:
    slow = sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]
    median = statistics.median(seconds)
    return f"median {median * 1000:.2f} ms, 99th percentile {slow * 1000:.2f} ms"
