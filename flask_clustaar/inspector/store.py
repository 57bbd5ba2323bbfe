"""The deliveries of the inspector, in a file that survives reloads."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict, cast

from ..recording.delivery import Delivery


class Row(TypedDict):
    """A row of the list: the summary of a delivery."""

    id: int
    at: float
    webhook: str
    source: str
    status: int
    code: str | None
    #: The name of the step, or its id if it has no name.
    step: str | None
    step_id: str | None
    #: The act of the user, in a few words.
    title: str
    #: The names of the handlers that ran.
    handlers: list[str]
    ms: float
    repeated: bool
    pinned: str | None


class Store:
    """A ring buffer of deliveries: keeps the newest and all pinned ones.

    Several processes and threads can share one file.

    :param path: the SQLite file. It is created if it does not exist, and only its owner
        can read it.
    :param capacity: the maximum number of deliveries that are not pinned.
    """

    def __init__(self, path: str, capacity: int = 500) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        #: Increases with each change.
        self.version: int = 0
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
        self._connection.executescript(_SCHEMA)

    def add(self, deliveries: Iterable[tuple[Delivery, Row]]) -> list[int]:
        """Store deliveries, set and return their ids, and wake up :meth:`wait`."""
        ids = []
        with self._lock, self._connection as connection:
            for delivery, row in deliveries:
                cursor = connection.execute(
                    "INSERT INTO deliveries (pinned, row, delivery) VALUES (?, ?, ?)",
                    (delivery["pinned"], json.dumps(row), json.dumps(delivery)),
                )
                ids.append(cast(int, cursor.lastrowid))
            connection.execute(
                "DELETE FROM deliveries WHERE pinned IS NULL AND id <= ("
                "SELECT id FROM deliveries WHERE pinned IS NULL "
                "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (self._capacity,),
            )
        self.wake()
        return ids

    def wake(self) -> None:
        """Wake up all calls of :meth:`wait`."""
        with self._changed:
            self.version += 1
            self._changed.notify_all()

    def wait(self, version: int, seconds: float) -> bool:
        """Wait for a change after *version*; return False if it takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self.version != version, seconds)

    def get(self, id: int) -> Delivery | None:
        """Return a delivery; None if the store does not have it."""
        for pinned, delivery in self._select(
            "SELECT pinned, delivery FROM deliveries WHERE id = ?", (id,)
        ):
            return cast(Delivery, json.loads(delivery) | {"id": id, "pinned": pinned})
        return None

    def rows(self, after: int = 0, limit: int = 1_000_000) -> list[Row]:
        """Return the rows of the list, newest first.

        :param after: return only deliveries with a greater id.
        """
        found = self._select(
            "SELECT id, pinned, row FROM deliveries WHERE id > ? "
            "ORDER BY id DESC LIMIT ?",
            (after, limit),
        )
        return [
            cast(Row, json.loads(row) | {"id": id, "pinned": pinned})
            for id, pinned, row in found
        ]

    def deliveries(self) -> list[Delivery]:
        """Return all deliveries, oldest first."""
        found = self._select("SELECT id, pinned, delivery FROM deliveries ORDER BY id")
        return [
            cast(Delivery, json.loads(delivery) | {"id": id, "pinned": pinned})
            for id, pinned, delivery in found
        ]

    def pin(self, id: int, name: str | None) -> bool:
        """Pin a delivery with a name, or unpin it; return whether it exists."""
        return self._change("UPDATE deliveries SET pinned = ? WHERE id = ?", (name, id))

    def delete(self, id: int) -> bool:
        """Remove a delivery; return whether it existed."""
        return self._change("DELETE FROM deliveries WHERE id = ?", (id,))

    def clear(self) -> None:
        """Remove all deliveries that are not pinned."""
        self._change("DELETE FROM deliveries WHERE pinned IS NULL", ())

    def note(self, key: str, value: Any) -> None:
        """Store a JSON value for later processes."""
        self._change(
            "INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, json.dumps(value))
        )

    def noted(self, key: str) -> Any:
        """Return a value stored by :meth:`note`; None without one."""
        found = self._select("SELECT value FROM notes WHERE key = ?", (key,))
        return json.loads(found[0][0]) if found else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _change(self, sql: str, values: tuple[Any, ...]) -> bool:
        with self._lock, self._connection as connection:
            changed = connection.execute(sql, values).rowcount > 0
        self.wake()
        return changed


# The file is temporary, so durability does not matter.
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pinned TEXT, row TEXT, delivery TEXT
);
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT);
"""


def matches(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Return whether a row of the list matches a query.

    :param query: ``step`` (name or id), ``status`` (``404`` or ``4xx``), ``handler``,
        and ``q``, a text that occurs anywhere in the row.
    """
    status, wanted = str(row["status"]), query.get("status", "")
    text = json.dumps(list(row.values()), ensure_ascii=False).lower()
    return (
        query.get("step", "") in ("", row["step"], row["step_id"])
        and (not wanted or status == wanted or wanted.lower() == f"{status[0]}xx")
        and any(query.get("handler", "") in name for name in [*row["handlers"], ""])
        and query.get("q", "").lower() in text
    )
