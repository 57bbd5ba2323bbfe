"""Format a summary as text, JSON or JUnit XML."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from ..printable import printable
from ..wire import JSON
from .comparison import Difference
from .summary import Group, Summary, ordered

#: The maximum length of a shown value.
_SHOWN = 60
#: The maximum number of shown paths per group.
_PATHS = 3


def as_text(summary: Summary, groups: list[Group], seconds: float) -> list[str]:
    """Return lines: one for all requests, and one for each group."""
    different = sum(group.count for group in groups)
    same = summary.replayed - different - summary.without_reply
    lines = [
        f"{_requests(summary.replayed)} in {seconds:.1f} s. "
        f"{same:,} answered as recorded, {different:,} differently."
    ]
    rows = [
        (f"{group.count:,} x", handlers_of(group), what_of(group)) for group in groups
    ]
    widths = [max((len(row[n]) for row in rows), default=0) for n in range(2)]
    for (number, handlers, what), group in zip(rows, groups, strict=True):
        lines.append(
            f"  {number:>{widths[0]}}  {handlers:<{widths[1]}}  {what}  "
            f"e.g. {example_of(group, several=_several_files(groups))}"
        )
    if summary.without_reply:
        lines.append(
            f"{_requests(summary.without_reply)} had no reply to compare with."
        )
    for reason, times in summary.skipped.most_common():
        lines.append(f"Not replayed: {times:,} x {printable(reason)}.")
    if summary.noise:
        names = ", ".join(sorted({path for path, _ in summary.noise}))
        lines.append(f"Not compared, because two runs differ: {printable(names)}.")
    return lines


def as_json(summary: Summary, groups: list[Group], seconds: float) -> JSON:
    """Return the whole summary as JSON."""
    different = sum(group.count for group in groups)
    return {
        "replayed": summary.replayed,
        "as_recorded": summary.replayed - different - summary.without_reply,
        "different": different,
        "without_reply": summary.without_reply,
        "seconds": round(seconds, 3),
        "skipped": dict(summary.skipped),
        "noise": sorted({path for path, _ in summary.noise}),
        "groups": [_json(group) for group in groups],
    }


def as_junit(summary: Summary, groups: list[Group], seconds: float) -> bytes:
    """Return a test suite with a failed test for each group."""
    suite = ElementTree.Element(
        "testsuite",
        name="flask clustaar replay",
        tests=str(max(len(groups), 1)),
        failures=str(len(groups)),
        errors="0",
        skipped="0",
        time=f"{seconds:.3f}",
    )
    for group in groups:
        # XML has no control characters.
        name = printable(what_of(group))
        case = ElementTree.SubElement(
            suite, "testcase", classname=handlers_of(group), name=name
        )
        message = printable(
            f"{_requests(group.count)}: {example_of(group, several=True)}"
        )
        ElementTree.SubElement(case, "failure", message=message).text = message
    if not groups:
        name = f"{_requests(summary.replayed)} as recorded"
        ElementTree.SubElement(suite, "testcase", classname="replay", name=name)
    xml: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return xml


# -- a group -------------------------------------------------------------------------


def handlers_of(group: Group) -> str:
    """Return the names of the handlers that answered at the time of the recording."""
    return _names(group.handlers) or "(no handler)"


def what_of(group: Group) -> str:
    """Describe what differs."""
    example = group.example
    if group.kind == "status":
        difference = example.difference
        raised = f", {_shortened(example.error)}" if example.error else ""
        return f"{difference.after} (was {difference.before}){raised}"
    if group.kind == "handlers":
        return f"answered by {_names(group.handlers_now) or 'no handler'}"
    paths = [
        f"{printable(path) or 'reply'} {kind}" for path, kind in ordered(group.paths)
    ]
    more = f" and {len(paths) - _PATHS} more" if len(paths) > _PATHS else ""
    return f"{', '.join(paths[:_PATHS])}{more}"


def example_of(group: Group, *, several: bool) -> str:
    """Describe an example: its line, and what differs.

    :param several: whether to name the file.
    """
    file, line, difference, _ = group.example
    place = f"{file}, line {line}" if several else f"line {line}"
    if difference.kind == "status":
        return place
    return f"{place}: {_values(difference)}"


def difference_of(difference: Difference) -> str:
    """Describe a difference: its path, kind and values."""
    place = printable(difference.path) or "answer"
    return f"{place} {difference.kind}: {_values(difference)}"


def _json(group: Group) -> dict[str, Any]:
    file, line, difference, error = group.example
    return {
        "count": group.count,
        "kind": group.kind,
        "handlers": list(group.handlers),
        "handlers_now": list(group.handlers_now),
        "paths": [
            {"path": path, "kind": kind, "count": group.paths[path, kind]}
            for path, kind in ordered(group.paths)
        ],
        "example": {"file": file, "line": line, **difference._asdict(), "error": error},
    }


def _several_files(groups: list[Group]) -> bool:
    return len({group.example.file for group in groups}) > 1


def _names(handlers: tuple[str, ...]) -> str:
    return ", ".join(printable(name) for name in handlers)


def _values(difference: Difference) -> str:
    values = [difference.before, difference.after]
    if difference.kind == "added":
        del values[0]
    elif difference.kind == "removed":
        del values[1]
    return " -> ".join(map(_value, values))


def _value(value: Any) -> str:
    return _shortened(json.dumps(value, ensure_ascii=False))


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"
