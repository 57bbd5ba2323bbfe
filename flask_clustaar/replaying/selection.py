"""Choose which lines of recordings are replayed, and by which webhook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .reader import Line, Recorded, Skipped, opened, read
from .sender import Sender
from .summary import Summary

#: What lines can be chosen by.
KEYS: Final[Mapping[str, Callable[[Recorded, str], bool]]] = {
    "step": lambda recorded, wanted: wanted in recorded.step(),
    "handler": lambda recorded, wanted: any(
        name == wanted or name.endswith(f".{wanted}") for name in recorded.handlers
    ),
    "status": lambda recorded, wanted: str(recorded.status) == wanted,
    "code": lambda recorded, wanted: recorded.code == wanted,
    "webhook": lambda recorded, wanted: recorded.webhook == wanted,
    "app": lambda recorded, wanted: recorded.app == wanted,
}


@dataclass
class Selection:
    """Which lines are replayed, and by which webhook."""

    #: The name of the application, whose lines are replayed.
    app: str
    #: What sends to each webhook, by its name.
    senders: Mapping[str, Sender]
    #: What sends all lines, whatever webhook they are of.
    sender: Sender | None = None
    #: What lines must have, by :data:`KEYS`.
    only: Mapping[str, str] = field(default_factory=dict)
    #: The number of the only line.
    line: int | None = None
    #: How many lines are of other applications and webhooks.
    others: Counter[str] = field(default_factory=Counter)

    def lines(
        self, files: Sequence[Path], summary: Summary, progress: Callable[[int], object]
    ) -> Iterator[tuple[Recorded, Sender]]:
        """Yield the lines, each with what sends it.

        :param summary: counts the lines that are skipped.
        :param progress: is called with the number of bytes that were read.
        """
        for path in files:
            summary.file = path.name
            with opened(path) as file:
                for line, size in read(file):
                    progress(size)
                    selected = self._selected(line, summary)
                    if selected is not None:
                        yield selected

    def _selected(self, line: Line, summary: Summary) -> tuple[Recorded, Sender] | None:
        if self.line not in (None, line.line):
            return None
        if isinstance(line, Skipped):
            summary.skip(line)
            return None
        if not all(KEYS[name](line, wanted) for name, wanted in self.only.items()):
            return None
        sender, reason = self._sender(line), f"it is of the webhook '{line.webhook}'"
        if line.app not in (None, self.app) and "app" not in self.only:
            sender, reason = None, f"it is of the application '{line.app}'"
        if sender is None:
            self.others[reason] += 1
            summary.skip(Skipped(line.line, reason, damaged=False))
            return None
        return line, sender

    def _sender(self, line: Recorded) -> Sender | None:
        """Return what sends a line; None if it is of another webhook."""
        if self.sender is None and line.webhook is not None:
            return self.senders.get(line.webhook)
        return self.sender or next(iter(self.senders.values()))
