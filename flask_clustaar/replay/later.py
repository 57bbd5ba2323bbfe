"""Do later what a database could not do when it was asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

#: How many seconds pass between two attempts.
PAUSE: Final = 0.5
#: How many calls wait at most, so that a database that is away costs little memory.
MOST: Final = 10_000


class Later:
    """Repeat calls in a thread until they succeed; there is a thread only meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[tuple[float, Callable[[], object]]] = deque()
        self._thread: threading.Thread | None = None

    def add(self, call: Callable[[], object], *, seconds: float) -> None:
        """Repeat a call until it raises nothing, or so many seconds have passed."""
        with self._lock:
            if len(self._calls) == MOST:
                return
            self._calls.append((time.monotonic() + seconds, call))
            # After a fork the thread is not alive.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._calls:
                    self._thread = None
                    return
                deadline, call = self._calls[0]
            try:
                if time.monotonic() < deadline:
                    call()
            except Exception:
                time.sleep(PAUSE)
            else:
                self._calls.popleft()
