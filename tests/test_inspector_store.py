"""The store of the inspector: a ring of deliveries in a file."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flask_clustaar.inspector.describe import read_delivery, row_of
from flask_clustaar.inspector.store import Store, matches
from flask_clustaar.recording.delivery import Delivery


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deliveries.db"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(str(path), capacity=3)


def delivery(status: int = 200) -> Delivery:
    return read_delivery(json.dumps({"status": status}).encode())


def add(store: Store, *statuses: int) -> list[int]:
    found = map(delivery, statuses)
    return store.add((each, row_of(each)) for each in found)


def ids(store: Store) -> list[int]:
    return [row["id"] for row in store.rows()]


def test_newest_first(store: Store) -> None:
    """Rows come newest first, and have their ids."""
    assert add(store, 200, 404) == [1, 2]

    assert [(row["id"], row["status"]) for row in store.rows()] == [(2, 404), (1, 200)]
    assert [row["id"] for row in store.rows(after=1)] == [2]


def test_ring(store: Store) -> None:
    """Only the newest ones stay, and ids are never used again."""
    add(store, *[200] * 5)

    assert ids(store) == [5, 4, 3]
    assert store.get(1) is None


def test_pinned_ones_stay(store: Store) -> None:
    """A pinned delivery stays, and takes no place of the others."""
    add(store, 200)
    assert store.pin(1, "greeting")
    add(store, *[200] * 4)

    assert ids(store) == [5, 4, 3, 1]
    assert store.rows()[-1]["pinned"] == "greeting"
    found = store.get(1)
    assert found is not None and found["pinned"] == "greeting"


def test_clear_keeps_pinned_ones(store: Store) -> None:
    """Clearing removes all but the pinned ones, until they are unpinned."""
    add(store, 200, 200)
    store.pin(1, "greeting")

    store.clear()
    assert ids(store) == [1]

    store.pin(1, None)
    store.clear()
    assert ids(store) == []


def test_delete(store: Store) -> None:
    """A delivery can be deleted once."""
    add(store, 200)

    assert store.delete(1)
    assert not store.delete(1)
    assert not store.pin(1, "greeting")


def test_all_deliveries_oldest_first(store: Store) -> None:
    """All deliveries come oldest first, as a recording has them."""
    add(store, 200, 404)

    assert [each["id"] for each in store.deliveries()] == [1, 2]


def test_notes(store: Store) -> None:
    """A note is a JSON value, and None without a note."""
    assert store.noted("token") is None

    store.note("token", {"a": 1})
    store.note("token", {"a": 2})

    assert store.noted("token") == {"a": 2}


def test_wait_ends_with_a_change(store: Store) -> None:
    """Waiting ends when something changes, also if that was before the waiting."""
    version = store.version
    assert not store.wait(version, 0)

    waiter = threading.Thread(target=store.wait, args=(version, 60))
    waiter.start()
    add(store, 200)
    waiter.join(60)

    assert not waiter.is_alive()
    assert store.wait(version, 0)


def test_next_process_finds_all(path: Path, store: Store) -> None:
    """Deliveries of another process are available, with their ids."""
    script = "\n".join(
        [
            "import sys",
            "from flask_clustaar.inspector.describe import read_delivery, row_of",
            "from flask_clustaar.inspector.store import Store",
            "found = read_delivery(b'{\"status\": 418}')",
            "Store(sys.argv[1]).add([(found, row_of(found))])",
        ]
    )
    add(store, 200)
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    add(store, 404)

    assert [row["status"] for row in store.rows()] == [404, 418, 200]


def test_file_is_private(path: Path, store: Store) -> None:
    """Only its owner can read the file."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()


QUERIES = [
    ({}, True),
    ({"status": "404"}, True),
    ({"status": "4xx"}, True),
    ({"status": "5xx"}, False),
    ({"step": "Welcome"}, True),
    ({"step": "507f191e810c19729de860ea"}, True),
    ({"step": "Other"}, False),
    ({"handler": "greet"}, True),
    ({"handler": "order"}, False),
    ({"q": "HELLO"}, True),
    ({"q": "welcome"}, True),
    ({"q": "goodbye"}, False),
    ({"q": "hello", "status": "200"}, False),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(query: dict[str, str], expected: bool) -> None:
    """A query asks for a status or its class, a step, a handler, and a text."""
    row = {
        "status": 404,
        "step": "Welcome",
        "step_id": "507f191e810c19729de860ea",
        "handlers": ["bot.greet"],
        "title": "hello",
    }

    assert matches(row, query) is expected
