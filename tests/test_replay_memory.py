"""The replay store in memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from keeping import kept_by

from flask_clustaar.errors import ReplayStoreError
from flask_clustaar.replay import MemoryReplayStore, memory


class Clocks(SimpleNamespace):
    """The two clocks of a machine: the system's can be set, the other one cannot."""

    def __init__(self) -> None:
        self.at = self.system = 1_000_000.0

    def monotonic(self) -> float:
        return self.at

    def time(self) -> float:
        return self.system

    def pass_by(self, seconds: float) -> None:
        self.at += seconds
        self.system += seconds


@pytest.fixture(name="clocks")
def _clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(memory, "time", clocks)
    return clocks


def test_full() -> None:
    """A full store rejects the next delivery instead of dropping a record."""
    store = MemoryReplayStore(capacity=2)
    running = store.claim("a", lease=60)
    store.complete(store.claim("b", lease=60), b"b", lifetime=60)

    with pytest.raises(ReplayStoreError, match="full: it holds 2 .*REPLAY_CAPACITY"):
        store.claim("c", lease=60)
    assert b"b" == store.claim("b", lease=60).reply
    assert "running" == store.claim("a", lease=60).state
    store.complete(running, b"a", lifetime=60)
    assert b"a" == store.claim("a", lease=60).reply


def test_without_a_capacity() -> None:
    """It is fifty thousand, if it is left out."""
    store = MemoryReplayStore()
    for number in range(50_000):
        store.claim(str(number), lease=60)

    with pytest.raises(ReplayStoreError, match="holds 50000 "):
        store.claim("one more", lease=60)


def test_makes_room() -> None:
    """Only expired and released records make room."""
    store = MemoryReplayStore(capacity=3)
    store.complete(store.claim("live", lease=60), b"live", lifetime=60)
    store.claim("lease ended", lease=0)
    store.complete(store.claim("lifetime ended", lease=60), b"", lifetime=0)

    assert "mine" == store.claim("a", lease=60).state
    released = store.claim("b", lease=60)
    with pytest.raises(ReplayStoreError):
        store.claim("c", lease=60)
    store.release(released)
    assert "mine" == store.claim("c", lease=60).state
    assert b"live" == store.claim("live", lease=60).reply


def test_has_no_room_for_late_completion() -> None:
    """A completion whose record went needs room as a claim does."""
    store = MemoryReplayStore(capacity=1)
    late = store.claim("a", lease=0)
    store.claim("b", lease=60)

    with pytest.raises(ReplayStoreError):
        store.complete(late, b"a", lifetime=60)


@pytest.mark.parametrize("end", ["release", "lease", "lifetime"])
def test_is_bounded(end: str) -> None:
    """However many deliveries come and go, the store keeps its size."""
    store = MemoryReplayStore(capacity=4)
    sizes = []
    for number in range(1000):
        claim = store.claim(str(number), lease=0 if end == "lease" else 60)
        if end == "release":
            store.release(claim)
        if end == "lifetime":
            store.complete(claim, b"{}", lifetime=0)
        sizes.append(kept_by(store))
    assert max(sizes) == max(sizes[:100])


def test_is_bounded_with_different_lifetimes() -> None:
    """A long lifetime does not keep shorter ones from making room."""
    store = MemoryReplayStore(capacity=4)
    store.complete(store.claim("long", lease=60), b"long", lifetime=86_400)
    sizes = []
    for number in range(1000):
        store.complete(store.claim(str(number), lease=60), b"{}", lifetime=0)
        sizes.append(kept_by(store))
    assert max(sizes) == max(sizes[:100])
    assert b"long" == store.claim("long", lease=60).reply


def test_forgets_what_ended(clocks: Clocks) -> None:
    """Handled deliveries leave when they end, long before the store is full."""
    store = MemoryReplayStore()
    store.claim("first", lease=60)
    before = kept_by(store)
    for number in range(100):
        store.complete(store.claim(str(number), lease=60), b"{}", lifetime=40)
    clocks.pass_by(41)
    store.claim("another", lease=60)

    assert kept_by(store) < before + 10


def test_clock_is_set_back(clocks: Clocks) -> None:
    """A record lasts as long as its delivery is fresh on the system clock."""
    store = MemoryReplayStore()
    store.complete(store.claim("a", lease=60), b"a", lifetime=40)
    clocks.pass_by(30)
    clocks.system -= 60

    for _ in range(9):
        clocks.pass_by(7.5)
        store.claim("another", lease=0)
        assert b"a" == store.claim("a", lease=60).reply
    clocks.pass_by(5)
    assert "mine" == store.claim("a", lease=60).state


def test_clock_is_set_back_and_forward(clocks: Clocks) -> None:
    """A delivery that comes again afterwards has a record of its own."""
    store = MemoryReplayStore()
    store.complete(store.claim("a", lease=60), b"old", lifetime=40)
    clocks.pass_by(30)
    clocks.system -= 60
    clocks.pass_by(11)
    assert b"old" == store.claim("a", lease=60).reply
    store.claim("another", lease=0)
    clocks.system += 60

    store.complete(store.claim("a", lease=60), b"new", lifetime=40)

    clocks.pass_by(39)
    assert b"new" == store.claim("a", lease=60).reply
    clocks.pass_by(21)
    assert "mine" == store.claim("a", lease=60).state


def test_clock_is_set_forward(clocks: Clocks) -> None:
    """Setting the clock forward does not end leases."""
    store = MemoryReplayStore()
    store.claim("a", lease=60)
    clocks.system += 3600

    clocks.pass_by(59)
    assert "running" == store.claim("a", lease=60).state
    clocks.pass_by(1)
    assert "mine" == store.claim("a", lease=60).state


def test_store_says_what_it_is() -> None:
    """The text of a store is what `check` shows."""
    assert "memory for 7 deliveries" == str(MemoryReplayStore(7))
