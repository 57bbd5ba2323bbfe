"""Calls that are repeated until they succeed."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from serving import until

from flask_clustaar.replay import later
from flask_clustaar.replay.later import Later


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "PAUSE", 0.001)


class Database:
    """A database that is down at first."""

    def __init__(self) -> None:
        self.is_there = threading.Event()
        self.asked = threading.Event()
        self.calls: list[object] = []

    def call(self, name: object = None) -> None:
        self.asked.set()
        if not self.is_there.is_set():
            raise ConnectionError
        self.calls.append(name)


def test_repeated_until_it_succeeds() -> None:
    """Calls are repeated, succeed once, and in their order."""
    database, calls = Database(), Later()
    for number in range(5):
        calls.add(partial(database.call, number), seconds=60)
    assert database.asked.wait(20)
    assert [] == database.calls
    database.is_there.set()

    until(lambda: len(database.calls) == 5)
    assert [0, 1, 2, 3, 4] == database.calls


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def test_no_thread_while_nothing_waits() -> None:
    """The thread ends with the last call, and the next call has a new one."""
    database, calls, before = Database(), Later(), threads()
    database.is_there.set()
    for number in (1, 2):
        calls.add(database.call, seconds=60)
        until(lambda: not threads() - before)
        assert number == len(database.calls)


def test_given_up() -> None:
    """A call that has not succeeded in its time is forgotten."""
    database, calls, before = Database(), Later(), threads()
    calls.add(database.call, seconds=0.01)
    until(lambda: not threads() - before)

    assert [] == database.calls


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a database is away, only so many calls wait for it."""
    monkeypatch.setattr(later, "MOST", 3)
    database, calls, before = Database(), Later(), threads()
    for number in range(5):
        calls.add(partial(database.call, number), seconds=60)
    database.is_there.set()
    until(lambda: not threads() - before)

    assert [0, 1, 2] == database.calls
