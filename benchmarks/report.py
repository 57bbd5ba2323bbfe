"""Format the results: for the terminal, and as a page of the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .additions import ADDITIONS
from .field import SUBJECTS
from .ours import OURS
from .payloads import JSON
from .plots import plot
from .subjects import Subject
from .views import BY_HAND

DOCS = Path(__file__).resolve().parent.parent / "docs"

#: The file and title of each plot, by name of its scale.
PLOTS = {
    "handlers": ("performance-handlers.svg", "More handlers"),
    "payload": ("performance-payload.svg", "Larger notifications"),
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
    (docs / "run").mkdir(exist_ok=True)
    files = []
    for name, lines in (("performance", _page), ("measurements", _measurements)):
        files.append(docs / "run" / f"{name}.rst")
        files[-1].write_text("\n".join(lines(found)), encoding="utf-8")
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
    if "additions" in found:
        yield _additions(found["additions"])
    if "imports" in found:
        yield _imports(found["imports"])
    if "memory" in found:
        yield _memory(found["memory"]["samples"])


def _requests(payloads: JSON) -> Section:
    sizes = ", ".join(f"{each['bytes']:,} ({name})" for name, each in payloads.items())
    text = (
        "The table shows the CPU time of one request in microseconds. In parentheses: "
        "the multiple of the hand-written view, and its range in eight of ten rounds. "
        f"The notifications have {sizes} bytes."
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
        "The table shows thousands of processor instructions for one request, counted "
        "by Valgrind, and the multiple of the hand-written view. The counts hardly "
        "vary, on busy machines as well: two runs agree within half a percent."
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
        f"The table shows the same for {scale['steps'][0]:,} to "
        f"{scale['steps'][-1]:,} {scale['what']}: CPU time in microseconds, and the "
        f"multiple of the hand-written view. For {OURS.name} the multiple goes from "
        f"{first['ratio']:.2f} to {last['ratio']:.2f}."
    )
    title = f"With more {scale['what']}"
    return Section(title, text, header, rows, name if name in PLOTS else None)


def _ours_first(item: tuple[str, Any]) -> int:
    order = [OURS.name, BY_HAND.name]
    return order.index(item[0]) if item[0] in order else len(order)


def _brief(cost: JSON) -> str:
    return f"{cost['cpu']:,.0f} ({cost['ratio']:.2f})"


def _additions(found: JSON) -> Section:
    text = (
        "The table shows what features that are off by default add to a typical "
        "request, in microseconds of CPU time, with the range in eight of ten rounds. "
        "The last columns are the limit and the total cost of the request."
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
    header = ["", "setting or class", "adds", "limit", "total"]
    return Section("Recording, metrics and traces", text, header, rows)


def _imports(modules: JSON) -> Section:
    text = (
        "The table shows what imports add to those of Flask, in new interpreters: CPU "
        "time in milliseconds, the same as a share of Flask's, and resident memory in "
        "megabytes. Nine lines are the imports of the program in the README; the other "
        "rows of flask_clustaar add all models and filters. Installed alone means "
        "without ``typing_extensions``, which many packages require and msgspec then "
        "imports."
    )
    columns = {"milliseconds": ".1f", "ratio": ".0%", "megabytes": ".1f"}
    header = ["", "time", "of Flask's", "memory"]
    rows = [
        [name, *(f"{each[key]:{form}}" for key, form in columns.items())]
        for name, each in modules.items()
    ]
    return Section("Imports", text, header, rows)


def _memory(samples: list[list[float]]) -> Section:
    quarter, last = samples[len(samples) // 4], samples[-1]
    text = (
        f"The table shows the resident memory of a process that answers {last[0]:,.0f} "
        "typical requests. Each is new to the replay store, which keeps it for six "
        f"seconds. After {quarter[0]:,.0f} requests the memory is {quarter[1]:.1f} MB; "
        f"at the end it is {last[1]:.1f} MB."
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
    yield from _title("Performance")
    yield from _wrapped(_answer(found))
    yield from _wrapped(
        "To measure it on your machine, run ``make bench`` in a checkout. It takes "
        "about three minutes and writes these pages. ``python -m benchmarks --quick`` "
        "takes half a minute and prints its results. On a busy machine use "
        "``--instructions``, which counts processor instructions with Valgrind."
    )
    yield from _wrapped(
        "To check that a change of the code keeps all replies the same, byte for byte, "
        "run ``python -m benchmarks --answers FILE`` before and after the change."
    )
    yield from _wrapped(
        ":doc:`measurements` has all figures, and how they are measured."
    )
    yield from _image("handlers")


def _measurements(found: JSON) -> Iterator[str]:
    yield from _title("Measurements")
    yield from _wrapped(
        "These are the figures behind :doc:`performance`: each subject answers the "
        "same notifications on the same machine."
    )
    for section in _sections(found):
        yield from _rst_section(section)
    yield from _heading("Machine")
    yield from _wrapped("The table shows what the figures were measured with.")
    yield from _table([], [[name, value] for name, value in found["machine"].items()])
    yield from _heading("Subjects")
    yield from _wrapped("The table shows what each subject does with a request.")
    rows = [[subject.name, _does(subject, found["skipped"])] for subject in SUBJECTS]
    yield from _table(["", "what it does"], rows)
    yield from _wrapped(
        "The other libraries receive the same notification, with the keys that they "
        "look for, signed as their platform signs. They do not validate their replies."
    )
    yield from _heading("Method")
    for paragraph in _METHOD:
        yield from _wrapped(paragraph)


_METHOD = (
    "All subjects run in one process, on one core, in rounds. In each round every "
    "subject answers requests for a few milliseconds through WSGI, in a random order. "
    "A multiple is the median of the ratios within the rounds: the machine's speed may "
    "vary.",
    "The clock is the CPU time of the process, without other processes. Requests are "
    "made and signed before the clock runs. Each request is different, and each must "
    "be answered with 200. Garbage is collected before each block; within a block "
    "the collector runs as it does in a server.",
)


def _answer(found: JSON) -> str:
    costs = found["requests"]["typical"]["costs"]
    ours = costs[OURS.name]
    others = [subject.name for subject in SUBJECTS if subject.kind == "field"]
    slower = [
        f"{name} ({costs[name]['ratio']:.1f})"
        for name in costs
        if costs[name]["low"] > ours["high"] and name in others
    ]
    text = (
        f"A typical request costs **{ours['ratio']:.2f} times** the CPU time of a view "
        "that is written by hand, checks credentials, signature and date, and returns "
        f"a fixed dict; in eight of ten rounds {ours['low']:.2f} to "
        f"{ours['high']:.2f}."
    )
    if counts := found.get("instructions", {}).get("typical"):
        share = counts[OURS.name] / counts[BY_HAND.name]
        text += f" Counted in processor instructions, it is {share:.2f} times."
    if slower:
        text += f" These libraries cost more: {', '.join(slower)}."
    return text


def _does(subject: Subject, skipped: dict[str, str]) -> str:
    if subject.name in skipped:
        return f"{subject.does} Not measured here: {skipped[subject.name]}."
    return subject.does


def _rst_section(section: Section) -> Iterator[str]:
    yield from _heading(section.title)
    yield from _wrapped(section.text)
    if section.plot:
        yield from _image(section.plot)
    yield from _table(section.header, section.rows)


def _title(title: str) -> Iterator[str]:
    yield from (".. Written by 'make bench'. Change the benchmarks, not this file.", "")
    yield from (title, "=" * len(title), "")


def _image(plot: str) -> Iterator[str]:
    file, title = PLOTS[plot]
    yield from (
        f".. image:: /_static/{file}",
        f"   :alt: {title}",
        "   :width: 500",
        "",
    )


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
    lines = {name: [cost["ratio"] for cost in each] for name, each in costs}
    label = "CPU time, times the hand-written view"
    return plot(title, scale["what"], label, scale["steps"], lines)
