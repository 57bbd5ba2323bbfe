"""Draw the pictures of the page «How it works» from the code: ``make pictures``.

The life of a notification is the calls of the functions in ``handling.py``, in the
order in which the source has them. The ladder is the imports of the modules.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import flask_clustaar
from flask_clustaar import calling, exchange, handling
from flask_clustaar.errors import PROBLEMS

HERE = Path(__file__).parent / "_static"
PACKAGE = Path(flask_clustaar.__file__).parent

#: Where Flask comes in, and when.
ENTRIES = {
    "read": "Before your before_request functions",
    "authenticate": "before_request of the webhook",
    "handle": "The view",
}


class Station(NamedTuple):
    """A call that the picture shows."""

    #: As the source writes it.
    call: str
    #: The function or method.
    module: str
    #: What it does.
    caption: str
    #: The codes of its errors.
    codes: tuple[str, ...] = ()


STATIONS = [
    Station(
        "read_body",
        "body.read_body",
        "Read the body, up to the limit",
        ("body_too_large", "length_required", "body_incomplete"),
    ),
    Station(
        "check_content",
        "body.check_content",
        "Check the content type",
        ("unsupported_content",),
    ),
    Station(
        "check_credentials",
        "security.check_credentials",
        "Check user name and password",
        ("credentials_missing", "credentials_invalid"),
    ),
    Station(
        "check_signature",
        "security.check_signature",
        "Check the signature",
        (
            "signature_missing",
            "signature_malformed",
            "signature_algorithm_refused",
            "date_missing",
            "signature_invalid",
        ),
    ),
    Station(
        "check_freshness",
        "security.check_freshness",
        "Check the age of the request",
        ("date_malformed", "request_too_old", "request_from_future"),
    ),
    Station(
        "store.claim",
        "replay.ReplayStore.claim",
        "Claim the delivery, or repeat its reply",
        ("delivery_in_progress", "replay_store_unavailable"),
    ),
    Station(
        "load_notification",
        "notifications.load_notification",
        "Parse the notification",
        ("invalid_json", "invalid_notification"),
    ),
    Station(
        "webhook._send",
        "routing.Topic.send",
        "Find the matching handlers",
        ("no_handler",),
    ),
    Station(
        "handler.function",
        "your handlers",
        "Call them in order",
        ("handler_failed", "handler_late"),
    ),
    Station("answer_of", "replies.answer_of", "Convert each return value", ()),
    Station(
        "replies.merge",
        "replies.merge",
        "Merge the answers into one reply",
        ("internal_error",),
    ),
    Station(
        "replies.dumps",
        "replies.dumps",
        "Sanitise, validate, write JSON",
        ("invalid_reply",),
    ),
    Station(
        "exchange.jobs.submit",
        "background.Jobs.submit",
        "Submit background tasks",
        ("background_unavailable",),
    ),
    Station(
        "store.complete",
        "replay.ReplayStore.complete",
        "Record the reply",
    ),
]


# -- what the code says --------------------------------------------------------------


def calls_in_order() -> dict[str, list[str]]:
    """Return the stations that each entry calls, as the source has them."""
    functions = {
        node.name: node
        for module in (handling, calling, exchange)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.FunctionDef)
    }
    known = {station.call for station in STATIONS}
    found = {}
    for entry in ENTRIES:
        calls = [call for call in _calls(functions[entry], functions) if call in known]
        found[entry] = list(dict.fromkeys(calls))
    return found


def _calls(node: ast.AST, functions: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Yield what is called, arguments before the call, our own functions inside."""
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, functions)
    if not isinstance(node, ast.Call) or ast.unparse(node.func) == "partial":
        return
    for name in map(ast.unparse, [node.func, *_passed_on(node)]):
        yield name
        own = name.removeprefix("exchange.").removeprefix("self.")
        if own in functions:
            rest = {n: each for n, each in functions.items() if n != own}
            yield from _calls(functions[own], rest)


def _passed_on(node: ast.Call) -> Iterator[ast.expr]:
    """Yield the functions that are arguments, for the called one to call."""
    for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
        if isinstance(argument, ast.Call) and ast.unparse(argument.func) == "partial":
            yield argument.args[0]
        elif isinstance(argument, (ast.Attribute, ast.Name)):
            yield argument


def rungs() -> list[list[str]]:
    """Return the modules from the top down: each imports only from rows below."""
    needs: dict[str, set[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE).with_suffix("").parts
        if not path[0].startswith("_"):
            needs.setdefault(path[0], set()).update(_imports(file, path))
    for name in needs:
        needs[name] = (needs[name] & needs.keys()) - {name}
    heights: dict[str, int] = {}
    while len(heights) < len(needs):
        for name, below in needs.items():
            if name not in heights and below <= heights.keys():
                heights[name] = 1 + max((heights[each] for each in below), default=-1)
    top = max(heights.values())
    return [
        sorted(name for name, height in heights.items() if height == row)
        for row in range(top, -1, -1)
    ]


def _imports(file: Path, path: Sequence[str]) -> Iterator[str]:
    depth = len(path)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            if node.module:
                yield node.module.split(".")[0]
            else:
                yield from (name.name for name in node.names)


# -- pictures ------------------------------------------------------------------------

WIDTH = 480
FONT = "font-family='system-ui, sans-serif'"
MONO = "font-family='ui-monospace, Menlo, Consolas, monospace'"


def life() -> str:
    """Return the picture of the life of a notification."""
    stations = {station.call: station for station in STATIONS}
    shapes: list[str] = []
    y = 34
    shapes.append(_text(WIDTH / 2, 20, "POST from the platform", "middle", weight=600))
    for entry, calls in calls_in_order().items():
        height = 34 + 66 * len(calls)
        shapes.append(
            f"<rect x='6' y='{y}' width='{WIDTH - 12}' height='{height}' rx='10' "
            "fill='#eef6f2' stroke='#b9d8ca'/>"
        )
        shapes.append(_text(20, y + 23, ENTRIES[entry], weight=600, fill="#1d5c45"))
        y += 34
        for call in calls:
            shapes += _station(stations[call], y)
            y += 66
        y += 10
    shapes.append(_text(WIDTH / 2, y + 10, "200, and the reply", "middle", weight=600))
    return _svg(y + 22, shapes, "The life of one notification")


def _station(station: Station, y: int) -> Iterator[str]:
    yield (
        f"<rect x='18' y='{y}' width='{WIDTH - 36}' height='56' rx='7' "
        "fill='#ffffff' stroke='#8fbfa9'/>"
    )
    yield _text(30, y + 22, station.caption)
    yield _text(30, y + 43, station.module, fill="#5a6b64", size=13, font=MONO)
    statuses = sorted({PROBLEMS[code]().status for code in station.codes})
    if statuses:
        shown = "  ".join(map(str, statuses))
        yield _text(WIDTH - 30, y + 22, shown, "end", fill="#b3261e", weight=600)


def ladder() -> str:
    """Return the picture of the modules: each imports only from rows below its own."""
    shapes: list[str] = []
    y = 8
    for row in rungs():
        lines = _wrapped(row)
        height = 14 + 32 * len(lines)
        shapes.append(
            f"<rect x='6' y='{y}' width='{WIDTH - 12}' height='{height}' rx='8' "
            "fill='#eef6f2' stroke='#b9d8ca'/>"
        )
        for index, line in enumerate(lines):
            x = 16.0
            for name in line:
                width = 8.0 * len(name) + 20
                top = y + 9 + 32 * index
                shapes.append(
                    f"<rect x='{x:g}' y='{top}' width='{width:g}' height='26' rx='5' "
                    "fill='#ffffff' stroke='#8fbfa9'/>"
                )
                shapes.append(
                    _text(x + width / 2, top + 18, name, "middle", size=13, font=MONO)
                )
                x += width + 8
        y += height + 8
    return _svg(y, shapes, "The modules, and what they import")


def _wrapped(names: Sequence[str]) -> list[list[str]]:
    lines: list[list[str]] = [[]]
    used = 0.0
    for name in names:
        width = 8.0 * len(name) + 28
        if used + width > WIDTH - 30:
            lines.append([])
            used = 0
        lines[-1].append(name)
        used += width
    return lines


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    *,
    fill: str = "#1c2420",
    size: int = 15,
    weight: int = 400,
    font: str = FONT,
) -> str:
    return (
        f"<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' fill='{fill}' "
        f"font-size='{size}' font-weight='{weight}' {font}>{escape(text)}</text>"
    )


def _svg(height: float, shapes: Sequence[str], title: str) -> str:
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:g}' "
        f"width='{WIDTH}' role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{WIDTH}' height='{height:g}' fill='#ffffff'/>",
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


#: The files, and what draws them.
PICTURES = {"life.svg": life, "ladder.svg": ladder}


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
