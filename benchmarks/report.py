"""Format the results: for the terminal, and as a page of the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .additions import ADDITIONS
from .everybody import SUBJECTS
from .ours import OURS
from .plots import plot
from .subjects import Subject
from .views import BY_HAND

JSON = dict[str, Any]

DOCS = Path(__file__).resolve().parent.parent / "docs"

#: The file and title of each plot, by name of its scale.
PLOTS = {
    "handlers": ("performance-handlers.svg", "CPU time and the number of handlers"),
    "payload": ("performance-payload.svg", "CPU time and the size of the notification"),
}


class Section(NamedTuple):
    """A heading and its content."""

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    #: The name of a plot, if there is one.
    plot: str | None = None


def as_text(found: JSON) -> str:
    """Return the tables for a terminal."""
    parts = [_text_table(section) for section in _sections(found)]
    lines = [f"{name}: {value}" for name, value in found["machine"].items()]
    lines += [f"Skipped: {name} ({why})." for name, why in found["skipped"].items()]
    return "\n\n".join([*parts, "\n".join(lines)])


def write_page(found: JSON, docs: Path = DOCS) -> list[Path]:
    """Write the page and its plots; return their files."""
    static = docs / "_static"
    static.mkdir(parents=True, exist_ok=True)
    files = [docs / "run" / "performance.rst"]
    files[0].parent.mkdir(exist_ok=True)
    files[0].write_text("\n".join(_page(found)), encoding="utf-8")
    for name, (file, title) in PLOTS.items():
        files.append(static / file)
        files[-1].write_text(_plot(found["scaling"][name], title), encoding="utf-8")
    return files


# -- sections ------------------------------------------------------------------------


def _sections(found: JSON) -> Iterator[Section]:
    if "requests" in found:
        yield _requests(found["requests"])
    if "instructions" in found:
        yield _instructions(found["instructions"])
    for name, scale in found.get("scaling", {}).items():
        yield _scale(name, scale)
    if "socket" in found:
        yield _socket(found["socket"])
    if "additions" in found:
        yield _additions(found["additions"])
    if "imports" in found:
        yield _imports(found["imports"])
    if "memory" in found:
        yield _memory(found["memory"]["samples"])


def _requests(payloads: JSON) -> Section:
    sizes = ", ".join(f"{name} {each['bytes']:,}" for name, each in payloads.items())
    text = (
        "The median CPU time in microseconds. In parentheses: its ratio to the view "
        f"'{BY_HAND.name}', as median and as the range of eight of ten rounds. The "
        f"sizes of the notifications, in bytes: {sizes}."
    )
    header = ["", *payloads]
    rows = [
        [
            subject.name,
            *(_cost(each["costs"][subject.name]) for each in payloads.values()),
        ]
        for subject in SUBJECTS
        if all(subject.name in each["costs"] for each in payloads.values())
    ]
    return Section("CPU time of a notification", text, header, rows)


def _cost(cost: JSON) -> str:
    spread = f"{cost['low']:.2f}–{cost['high']:.2f}"
    return f"{cost['cpu']:,.0f} ({cost['ratio']:.2f}, {spread})"


def _instructions(payloads: JSON) -> Section:
    text = (
        "The same in thousands of processor instructions, counted by Valgrind. Two "
        "runs agree within half a percent, also on a busy machine."
    )
    names = list(next(iter(payloads.values())))
    rows = [
        [name, *(_counted(counts, name) for counts in payloads.values())]
        for name in names
    ]
    return Section("Instructions", text, ["", *payloads], rows)


def _counted(counts: JSON, name: str) -> str:
    ratio = counts[name] / counts[BY_HAND.name]
    return f"{counts[name] / 1000:,.0f} ({ratio:.2f})"


def _scale(name: str, scale: JSON) -> Section:
    header = [scale["what"], *(f"{step:,}" for step in scale["steps"])]
    rows = [
        [subject, *(_brief(cost) for cost in costs)]
        for subject, costs in sorted(scale["costs"].items(), key=_ours_first)
    ]
    first, last = scale["costs"][OURS.name][0], scale["costs"][OURS.name][-1]
    text = (
        f"From {scale['steps'][0]:,} to {scale['steps'][-1]:,} {scale['what']}, a "
        f"notification takes {first['cpu']:,.0f} to {last['cpu']:,.0f} µs: "
        f"{first['ratio']:.2f} to {last['ratio']:.2f} times as long as in the view "
        f"'{BY_HAND.name}'."
    )
    title = f"With more {scale['what']}"
    return Section(title, text, header, rows, name if name in PLOTS else None)


def _ours_first(item: tuple[str, Any]) -> int:
    order = [OURS.name, BY_HAND.name]
    return order.index(item[0]) if item[0] in order else len(order)


def _brief(cost: JSON) -> str:
    return f"{cost['cpu']:,.0f} ({cost['ratio']:.2f})"


def _socket(servers: JSON) -> Section:
    text = (
        "The latency of the typical notification in microseconds, from the first byte "
        "sent to the last byte received. gunicorn runs with one worker on the loopback "
        "interface. A client on the same machine sends to the servers in turn, over "
        "persistent connections."
    )
    header = ["", "median", "90 %", "99 %", "multiple"]
    rows = [
        [
            name,
            *(f"{each[key]:,.0f}" for key in ("median", "p90", "p99")),
            f"{each['ratio']:.2f} ({each['low']:.2f}–{each['high']:.2f})",
        ]
        for name, each in servers.items()
    ]
    return Section("Over a socket", text, header, rows)


def _additions(found: JSON) -> Section:
    text = (
        "The CPU time in microseconds that features which are off by default add to a "
        "typical notification. In parentheses: the range of eight of ten rounds. The "
        "last columns are the limit, and the total of a notification."
    )
    rows = [
        [
            name,
            each.does,
            f"{cost['added']:,.0f} ({cost['low']:,.0f}–{cost['high']:,.0f})",
            "" if each.limit is None else f"{each.limit:g}",
            f"{cost['lowest']:,.0f}",
        ]
        for name, each in ADDITIONS.items()
        if (cost := found.get(name)) is not None
    ]
    header = ["", "feature", "added", "limit", "total"]
    return Section("Recording, metrics and traces", text, header, rows)


def _imports(modules: JSON) -> Section:
    text = (
        "What imports add to the import of Flask, in new interpreters: CPU time in "
        "milliseconds, its share of Flask's in the same interpreter, and resident "
        "memory in megabytes."
    )
    header = ["", "time", "of Flask's", "memory"]
    rows = [
        [
            name,
            f"{each['milliseconds']:.1f}",
            f"{each['ratio']:.0%}",
            f"{each['megabytes']:.1f}",
        ]
        for name, each in modules.items()
    ]
    return Section("Imports", text, header, rows)


def _memory(samples: list[list[float]]) -> Section:
    quarter, last = samples[len(samples) // 4], samples[-1]
    text = (
        f"One process answers {last[0]:,.0f} typical notifications, each a new "
        "delivery that the replay store keeps for six seconds. From "
        f"{quarter[0]:,.0f} on its resident memory goes from {quarter[1]:.1f} to "
        f"{last[1]:.1f} MB."
    )
    picked = samples[:: max(1, len(samples) // 8)]
    header = ["notifications", *(f"{count:,.0f}" for count, _ in picked)]
    row = ["resident, MB", *(f"{megabytes:.1f}" for _, megabytes in picked)]
    return Section("Memory", text, header, [row])


# -- the terminal --------------------------------------------------------------------


def _text_table(section: Section) -> str:
    rows = [section.header, *section.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [section.title, "-" * len(section.title)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# -- the page ------------------------------------------------------------------------


def _page(found: JSON) -> Iterator[str]:
    yield ".. Written by 'make bench'. Change the benchmarks, not this file."
    yield ""
    yield "Performance"
    yield "==========="
    yield ""
    yield from _wrapped(_answer(found["requests"]["typical"]["costs"]))
    yield from _wrapped(
        "To measure on your own machine, run ``make bench`` in a checkout. It takes "
        "some minutes, and writes this page. ``python -m benchmarks --quick`` takes "
        "less than a minute, and prints the results. On a busy machine, use "
        "``--instructions``, which counts instructions with Valgrind."
    )
    yield from _wrapped(
        "To check that a change of the code does not change any answer, run "
        "``python -m benchmarks --answers FILE`` before and after it. The first run "
        "writes the answers to fixed requests; the second run compares them."
    )
    for section in _sections(found):
        yield from _rst_section(section)
    yield from _heading("Machine")
    yield from _table([], [[name, value] for name, value in found["machine"].items()])
    yield from _heading("Subjects")
    rows = [[subject.name, _does(subject, found["skipped"])] for subject in SUBJECTS]
    yield from _table(["", "what it does"], rows)
    yield from _wrapped(
        "The other libraries get the same notification, with the few additional keys "
        "that they require, signed as their own platform signs. None of them validates "
        "its reply."
    )
    yield from _heading("Method")
    for paragraph in _METHOD:
        yield from _wrapped(paragraph)


_METHOD = (
    "One process measures all subjects in rounds. In each round, all subjects, in "
    "random order, answer deliveries through WSGI for a few milliseconds. A ratio is "
    "the median of the ratios within one round, so that varying speed of the machine "
    "has no effect.",
    "The clock is the CPU time of the process, which does not include other work of "
    "the machine. Deliveries are created and signed before the clock starts. Each one "
    "is different, and must be answered with 200. A garbage collection runs before "
    "each block; within a block, the collector runs as in a server.",
)


def _answer(costs: JSON) -> str:
    ours, floor = costs[OURS.name], costs[BY_HAND.name]
    slower = [
        f"{name} ({costs[name]['ratio']:.2f})"
        for name in costs
        if costs[name]["ratio"] > ours["ratio"] and _kind(name) == "field"
    ]
    text = (
        "With all features on, a typical notification takes "
        f"**{ours['ratio']:.2f} times** the CPU time of a view that is written by "
        "hand, checks credentials, signature and date, and returns a fixed dict: "
        f"{ours['cpu']:.0f} µs instead of {floor['cpu']:.0f} µs."
    )
    if slower:
        text += f" These libraries take longer, and do less: {', '.join(slower)}."
    return text


def _kind(name: str) -> str:
    return next(subject.kind for subject in SUBJECTS if subject.name == name)


def _does(subject: Subject, skipped: dict[str, str]) -> str:
    if subject.name in skipped:
        return f"{subject.does} Not measured here: {skipped[subject.name]}."
    return subject.does


def _rst_section(section: Section) -> Iterator[str]:
    yield from _heading(section.title)
    yield from _wrapped(section.text)
    if section.plot:
        file, title = PLOTS[section.plot]
        yield f".. image:: /_static/{file}"
        yield f"   :alt: {title}"
        yield ""
    yield from _table(section.header, section.rows)


def _heading(title: str) -> Iterator[str]:
    yield from (title, "-" * len(title), "")


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, 80, break_long_words=False, break_on_hyphens=False)
    yield ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ".. list-table::"
    if header:
        yield "   :header-rows: 1"
    yield ""
    for row in [header, *rows] if header else rows:
        for column, cell in enumerate(row):
            yield f"   {'  -' if column else '* -'} {cell}".rstrip()
    yield ""


def _plot(scale: JSON, title: str) -> str:
    costs = sorted(scale["costs"].items(), key=_ours_first)
    lines = {name: [cost["cpu"] for cost in each] for name, each in costs}
    return plot(title, scale["what"], "microseconds of CPU time", scale["steps"], lines)
