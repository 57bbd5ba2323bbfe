"""Measure the CPU time that recording, metrics and traces add to a delivery.

A receiver of a signal adds time in all applications of its process. So each contender
has its own process, which waits for its turns.
"""

from __future__ import annotations

import functools
import multiprocessing
import multiprocessing.context
import random
import statistics
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any, Final, NamedTuple, cast

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification

from .harness import calibrate, measure
from .ours import build, offer
from .payloads import ACTIONS, JSON, PAUSE, PAYLOADS, Template, of_user
from .subjects import Contender

#: The number of users.
USERS = 200
#: The number of the first delivery before the measurement.
WARM_UP = 10_000

NOTHING = "nothing"


class Users:
    """Bodies from several users, who return."""

    def __init__(self, count: int, actions: list[JSON]) -> None:
        self._count = count
        self._template = functools.cache(lambda user: of_user(user, actions).template())

    def body(self, number: int) -> bytes:
        """Return a new body."""
        return self._template(number % self._count).body(number)


class Added(NamedTuple):
    """The time that an addition adds to a delivery, in microseconds of CPU time."""

    #: The time of a delivery with the addition on a quiet machine: the minimum of all
    #: rounds.
    lowest: float
    #: What it adds: the median, over the rounds, of its share of what a delivery costs
    #: without it in the same round, applied to the lowest of what that costs.
    low: float
    added: float
    high: float


class Addition(NamedTuple):
    """A feature that is off by default."""

    #: A description.
    does: str
    #: Creates a bot with it; the argument is an empty directory.
    build: Callable[[str], Contender]
    #: The name of the contender that it is added to.
    reference: str = NOTHING
    #: The maximum of the added time, in microseconds.
    limit: float | None = None


def race(rounds: int, block: float) -> dict[str, Added]:
    """Let all additions answer deliveries, for some rounds."""
    costs: dict[str, list[float]] = {name: [] for name in ADDITIONS}
    order, shuffle = list(ADDITIONS), random.Random(rounds).shuffle
    with ExitStack() as stack:
        turns = {}
        for name in ADDITIONS:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            pool = ProcessPoolExecutor(1, _processes(), _start, (name, directory))
            turns[name] = stack.enter_context(pool)
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                costs[name].append(turns[name].submit(_measure, block).result())
    return {
        name: _added(costs[name], costs[each.reference])
        for name, each in ADDITIONS.items()
    }


def _added(costs: list[float], others: list[float]) -> Added:
    shares = [cost / other - 1 for cost, other in zip(costs, others, strict=True)]
    low, *_, high = statistics.quantiles(shares, n=10, method="inclusive")
    quiet = min(others)
    limits = low * quiet, statistics.median(shares) * quiet, high * quiet
    return Added(min(costs), *limits)


def _processes() -> multiprocessing.context.BaseContext:
    """Return how to start processes that share nothing but imports, where possible."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


# In the process of an addition.
_own: list[Contender] = []


def _start(name: str, directory: str) -> None:
    contender = ADDITIONS[name].build(directory)
    # All users who return have been there before.
    contender.serve(contender.deliver_many(range(WARM_UP, WARM_UP + USERS)))
    _own.append(contender)


def _measure(block: float) -> float:
    return measure(_own[0], _count(block))


@functools.cache
def _count(block: float) -> int:
    return calibrate(_own[0], block)


# -- additions -----------------------------------------------------------------------


def _greet(notification: Notification) -> str:
    """Reply with the name of the user."""
    return f"Bonjour {notification.interlocutor.first_name}, que puis-je pour vous ?"


def _bot(users: int = USERS, *, is_short: bool = False, **settings: Any) -> Contender:
    """Create a bot with requests from several users in turn.

    :param is_short: whether the steps have one action, and the reply is a text.
    """
    actions = [PAUSE] if is_short else ACTIONS
    handler = _greet if is_short else offer
    contender = build(PAYLOADS["typical"], handler, **settings)
    return contender._replace(template=cast(Template, Users(users, actions)))


def _webhook(contender: Contender) -> ClustaarWebhook:
    app = cast(Flask, contender.app)
    return cast(ClustaarWebhook, app.extensions["clustaar"]["clustaar"])


def _prometheus(_: str) -> Contender:
    from flask_clustaar.contrib.prometheus import PrometheusMetrics

    contender = _bot()
    PrometheusMetrics(_webhook(contender))
    return contender


def _opentelemetry(_: str) -> Contender:
    from flask_clustaar.contrib.opentelemetry import OpenTelemetry

    contender = _bot()
    OpenTelemetry(_webhook(contender))
    return contender


_SHORT: Final = "nothing, short messages"

ADDITIONS: Mapping[str, Addition] = {
    NOTHING: Addition("What is on by default", lambda _: _bot()),
    "nothing again": Addition("The same, measured twice", lambda _: _bot()),
    "recording": Addition(
        "CLUSTAAR_RECORD, with pseudonyms", lambda path: _bot(record=path)
    ),
    "recording, new users": Addition(
        "The same, and no user returns", lambda path: _bot(20_000, record=path)
    ),
    "recording, none": Addition(
        "CLUSTAAR_RECORD_REDACT=none",
        lambda path: _bot(record=path, record_redact="none"),
    ),
    "Prometheus": Addition("PrometheusMetrics", _prometheus, limit=40),
    "OpenTelemetry": Addition(
        "OpenTelemetry, without an SDK", _opentelemetry, limit=10
    ),
    _SHORT: Addition(
        "Steps of one action, a reply of one text", lambda _: _bot(is_short=True)
    ),
    "recording, short messages": Addition(
        "CLUSTAAR_RECORD, with pseudonyms",
        lambda path: _bot(is_short=True, record=path),
        reference=_SHORT,
        limit=60,
    ),
}
