"""Compute statistics of a recording: counts and latencies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .comparison import outcome
from .reader import Line, Recorded


class Latencies:
    """Durations in milliseconds, with three significant digits."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, ms: float) -> None:
        """Count a duration."""
        self._counts[float(f"{ms:.3g}")] += 1

    def __len__(self) -> int:
        return self._counts.total()

    def percentile(self, percent: float) -> float:
        """Return a percentile of the durations, in milliseconds."""
        wanted, seen = percent / 100 * len(self), 0
        for ms in sorted(self._counts):
            seen += self._counts[ms]
            if seen >= wanted:
                return ms
        return 0.0

    def as_json(self) -> dict[str, float]:
        """Return the count and the percentiles."""
        return {
            "count": len(self),
            "p50_ms": self.percentile(50),
            "p95_ms": self.percentile(95),
            "p99_ms": self.percentile(99),
            "max_ms": self.percentile(100),
        }


@dataclass
class Stats:
    """The statistics of a recording; memory does not grow with its length."""

    #: The number of lines, and of unreadable lines.
    lines: int = 0
    damaged: int = 0
    #: The number of authenticated requests, and of those with a repeated reply.
    notifications: int = 0
    repeated: int = 0
    #: The number of requests, by status and code.
    outcomes: Counter[str] = field(default_factory=Counter)
    #: The durations of each handler, and of each step.
    handlers: dict[str, Latencies] = field(default_factory=dict)
    steps: dict[str, Latencies] = field(default_factory=dict)
    #: The durations of each part: load, handlers, reply, total.
    parts: dict[str, Latencies] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count a line."""
        self.lines += 1
        try:
            self._count(line)
        except (LookupError, TypeError, AttributeError):
            self.damaged += 1

    def _count(self, line: Line) -> None:
        row = line.row
        if row is None:
            self.damaged += 1
            return
        self.outcomes[outcome(row.get("status", 0), row.get("code"))] += 1
        if row.get("repeated"):
            self.repeated += 1
        if "handlers" not in row:
            return
        self.notifications += 1
        for part, ms in row["timings"].items():
            _add(self.parts, part, ms)
        for run in row["handlers"]:
            _add(self.handlers, run["name"], run["ms"])
        if isinstance(line, Recorded):
            step, name = line.step()
            label = f"{step} ({name})" if name else str(step)
            _add(self.steps, label, row["timings"]["total"])

    def as_json(self) -> dict[str, Any]:
        """Return the statistics as JSON."""
        tables = {"handlers": self.handlers, "steps": self.steps, "parts": self.parts}
        return {
            "lines": self.lines,
            "damaged": self.damaged,
            "notifications": self.notifications,
            "repeated": self.repeated,
            "outcomes": dict(self.outcomes.most_common()),
        } | {
            title: {name: each.as_json() for name, each in ordered(table)}
            for title, table in tables.items()
        }


def ordered(table: dict[str, Latencies]) -> list[tuple[str, Latencies]]:
    """Return the rows of a table, most frequent first."""
    return sorted(table.items(), key=lambda row: (-len(row[1]), row[0]))


def _add(table: dict[str, Latencies], name: str, ms: float) -> None:
    table.setdefault(name, Latencies()).add(ms)
