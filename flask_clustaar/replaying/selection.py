"""Select the lines of recordings to replay, and the webhook for each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .reader import Line, Recorded, Skipped, opened, read
from .sender import Sender
from .summary import Summary

#: The keys of ``--only``, with a function that compares.
KEYS: Final[Mapping[str, Callable[[Recorded, str], bool]]] = {
    "step": lambda recorded, wanted: wanted in recorded.step(),
    "handler": lambda recorded, wanted: any(
        name == wanted or name.endswith(f".{wanted}")
        for name in recorded.handlers or ()
    ),
    "status": lambda recorded, wanted: str(recorded.status) == wanted,
    "code": lambda recorded, wanted: recorded.code == wanted,
    "webhook": lambda recorded, wanted: recorded.webhook == wanted,
    "app": lambda recorded, wanted: recorded.app == wanted,
}


@dataclass
class Selection:
    """Selects the lines to replay, and the webhook for each line."""

    #: The name of the application; its lines are replayed.
    app: str
    #: The sender for each webhook, by name.
    senders: Mapping[str, Sender]
    #: The sender for all lines, independent of their webhook.
    sender: Sender | None = None
    #: The required values of lines, by :data:`KEYS`.
    only: Mapping[str, str] = field(default_factory=dict)
    #: The number of the only line to replay.
    line: int | None = None
    #: The number of lines of other applications and webhooks, by reason.
    others: Counter[str] = field(default_factory=Counter)

    def lines(
        self, files: Sequence[Path], summary: Summary, progress: Callable[[int], object]
    ) -> Iterator[tuple[Recorded, Sender]]:
        """Yield the lines, each with its sender.

        :param summary: counts the lines that are skipped.
        :param progress: called with the number of bytes that were read.
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
        """Return the sender for a line; None if it is of another webhook."""
        if self.sender is None and line.webhook is not None:
            return self.senders.get(line.webhook)
        return self.sender or next(iter(self.senders.values()))
