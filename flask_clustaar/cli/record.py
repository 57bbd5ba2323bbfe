"""``flask clustaar record``: statistics about recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ..printable import printable
from ..replaying.reader import opened, read
from ..replaying.stats import Latencies, Stats, ordered
from .options import json_option
from .terminal import echo_json


@click.group("record")
def command() -> None:
    """Show statistics about recordings.

    \b
      flask clustaar record stats recordings/2026-11-25.jsonl
    """


@command.command("stats")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@json_option
def stats(files: tuple[Path, ...], as_json: bool) -> None:
    """Show counts by step, handler and status, and latencies.

    \b
      flask clustaar record stats recordings/2026-11-25.jsonl
    """
    counted = Stats()
    for path in files:
        with opened(path) as file:
            for line, _ in read(file):
                counted.add(line)
    if as_json:
        echo_json(counted.as_json())
    else:
        click.echo("\n".join(_text(counted)))


def _text(counted: Stats) -> Iterator[str]:
    yield (
        f"{counted.lines:,} lines, {counted.notifications:,} notifications, "
        f"{counted.repeated:,} repeated, {counted.damaged:,} unreadable"
    )
    yield from _table(
        ("status and code", "count"),
        [(code, f"{count:,}") for code, count in counted.outcomes.most_common()],
    )
    yield from _latencies("handler", counted.handlers)
    yield from _latencies("step", counted.steps)
    yield from _latencies("part", counted.parts)


def _latencies(title: str, table: dict[str, Latencies]) -> Iterator[str]:
    rows = [
        (
            name,
            f"{len(each):,}",
            *(f"{each.percentile(percent):g}" for percent in (50, 95, 99, 100)),
        )
        for name, each in ordered(table)
    ]
    yield from _table((title, "count", "p50 ms", "p95 ms", "p99 ms", "max ms"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table; numbers are right-aligned."""
    rows = [head, *(tuple(map(printable, row)) for row in rows)]
    if len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ""
    for first, *others in rows:
        columns = zip(others, widths[1:], strict=True)
        cells = [f"{cell:>{width}}" for cell, width in columns]
        yield "  ".join([f"{first:<{widths[0]}}", *cells])
