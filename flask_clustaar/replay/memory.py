"""The replay store in memory, for one process."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import NamedTuple

from ..errors import ReplayStoreError
from .store import Claim


class _Record(NamedTuple):
    #: The end of the record on the monotonic clock.
    ends: float
    #: The end on the system clock, which decides whether a delivery is fresh.
    ends_by_system: float
    token: str
    reply: bytes | None


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
        # A heap of times at which to check records. Their actual end may be different.
        self._due: list[tuple[float, str]] = []

    def __str__(self) -> str:
        return f"memory for {self._capacity} deliveries"

    def claim(self, delivery: str, *, lease: float) -> Claim:
        with self._lock:
            record = self._records.get(delivery)
            if record is not None and _time_left(record) > 0:
                return Claim.of_another(delivery, record.reply)
            token = next(self._tokens)
            self._put(delivery, lease, token, None)
        return Claim(delivery, token, "mine")

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        with self._lock:
            if self._holds(claim):
                self._put(claim.delivery, lifetime, claim.token, reply)

    def release(self, claim: Claim) -> None:
        with self._lock:
            if self._holds(claim):
                self._records.pop(claim.delivery, None)

    def _holds(self, claim: Claim) -> bool:
        record = self._records.get(claim.delivery)
        if record is None:
            return claim.state == "mine"
        return record.token == claim.token and record.reply is None

    def _put(
        self, delivery: str, seconds: float, token: str, reply: bytes | None
    ) -> None:
        now = time.monotonic()
        if self._due and self._due[0][0] <= now:
            self._remove_ended(now)
        if len(self._records) >= self._capacity and delivery not in self._records:
            raise ReplayStoreError(
                f"The replay store is full: it holds {self._capacity} deliveries that "
                "are still needed. Increase 'CLUSTAAR_REPLAY_CAPACITY', or set "
                "'CLUSTAAR_REPLAY_STORE' to a database."
            )
        ends, ends_by_system = now + seconds, time.time() + seconds
        self._records[delivery] = _Record(ends, ends_by_system, token, reply)
        heapq.heappush(self._due, (ends, delivery))
        # A delivery has two entries, for its lease and its lifetime. More entries are
        # from released claims.
        if len(self._due) > 3 * self._capacity:
            self._due[:] = [(r.ends, name) for name, r in self._records.items()]
            heapq.heapify(self._due)

    def _remove_ended(self, now: float) -> None:
        records, due = self._records, self._due
        while due and due[0][0] <= now:
            name = heapq.heappop(due)[1]
            record = records.get(name)
            if record is None or record.ends > now:
                continue
            left = _time_left(record)
            if left <= 0:
                del records[name]
            else:  # The system clock was set back.
                heapq.heappush(due, (now + left, name))


def _time_left(record: _Record) -> float:
    """Return how long a record is still needed, in seconds: the longer of two clocks.

    If the system clock is set back, old deliveries become fresh again. If it is set
    forward, the lease of a running delivery must not end.
    """
    return max(record.ends - time.monotonic(), record.ends_by_system - time.time())
