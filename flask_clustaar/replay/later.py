"""Retry database calls in the background."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

#: The pause between two attempts, in seconds.
PAUSE: Final = 0.5
#: The maximum number of waiting calls, which limits memory during an outage.
MOST: Final = 10_000


class Later:
    """Retries calls in a thread until they succeed; then the thread ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[tuple[float, Callable[[], object]]] = deque()
        self._thread: threading.Thread | None = None

    def add(self, call: Callable[[], object], *, seconds: float) -> None:
        """Retry a call until it succeeds, or until *seconds* have passed."""
        with self._lock:
            if len(self._calls) == MOST:
                return
            self._calls.append((time.monotonic() + seconds, call))
            # After a fork, the thread does not exist.
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
