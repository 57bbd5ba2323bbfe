"""The replay store in memory, for one process."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque

import msgspec

from ..errors import ReplayStoreError
from .store import Claim


class _Record(msgspec.Struct, gc=False):
    token: str
    #: The end of the record on the monotonic clock.
    ends: float
    #: The end on the system clock, which decides whether a delivery is fresh.
    ends_by_system: float
    reply: bytes | None = None


class MemoryReplayStore:
    """Records deliveries in this process.

    Records that are still needed are never dropped. If the store is full of them, the
    next claim raises a :exc:`.ReplayStoreError`.

    :param capacity: the maximum number of deliveries.
    """

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._tokens = map(str, itertools.count(1))
        self._records: dict[str, _Record] = {}
        # When to check which completed record, in this order. The record may end later.
        self._due: deque[tuple[float, str]] = deque()

    def __str__(self) -> str:
        return f"memory for {self._capacity} deliveries"

    def claim(self, delivery: str, *, lease: float) -> Claim:
        with self._lock:
            record = self._records.get(delivery)
            if record is not None and _time_left(record) > 0:
                return Claim.of_another(delivery, record.reply)
            token = next(self._tokens)
            self._add(delivery, token, lease)
        return Claim(delivery, token, "mine")

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        with self._lock:
            if self._holds(claim):
                record = self._records.get(claim.delivery)
                if record is None:  # Its lease has ended.
                    record = self._add(claim.delivery, claim.token, lifetime)
                record.reply = reply
                record.ends = time.monotonic() + lifetime
                record.ends_by_system = time.time() + lifetime
                self._due.append((record.ends, claim.delivery))

    def release(self, claim: Claim) -> None:
        with self._lock:
            if self._holds(claim):
                self._records.pop(claim.delivery, None)

    def _holds(self, claim: Claim) -> bool:
        record = self._records.get(claim.delivery)
        if record is None:
            return claim.state == "mine"
        return record.token == claim.token and record.reply is None

    def _add(self, delivery: str, token: str, seconds: float) -> _Record:
        now = time.monotonic()
        if self._due and self._due[0][0] <= now:
            self._check_due(now)
        if len(self._records) >= self._capacity and delivery not in self._records:
            self._make_room()
        record = _Record(token, now + seconds, time.time() + seconds)
        self._records[delivery] = record
        return record

    def _check_due(self, now: float) -> None:
        """Remove the completed records that have ended."""
        records, due = self._records, self._due
        while due and due[0][0] <= now:
            name = due.popleft()[1]
            record = records.get(name)
            if record is None or record.ends > now:
                continue
            left = _time_left(record)
            if left <= 0:
                del records[name]
            else:  # The system clock was set back.
                due.append((now + left, name))

    def _make_room(self) -> None:
        """Remove all records that have ended, also those that were never completed.

        :raises ReplayStoreError: if no record has ended.
        """
        needed = {n: r for n, r in self._records.items() if _time_left(r) > 0}
        if len(needed) >= self._capacity:
            raise ReplayStoreError(
                f"The replay store is full: it holds {self._capacity} deliveries that "
                "are still needed. Increase 'CLUSTAAR_REPLAY_CAPACITY', or set "
                "'CLUSTAAR_REPLAY_STORE' to a database."
            )
        self._records = needed
        self._due = deque((r.ends, n) for n, r in needed.items() if r.reply is not None)


def _time_left(record: _Record) -> float:
    """Return how long a record is still needed, in seconds: the longer of two clocks.

    If the system clock is set back, old deliveries become fresh again. If it is set
    forward, the lease of a running delivery must not end.
    """
    return max(record.ends - time.monotonic(), record.ends_by_system - time.time())
