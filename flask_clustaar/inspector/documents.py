"""Prepare JSON for the page: line by line with marks, and as differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..wire import JSON


class Line(NamedTuple):
    """A line of an indented JSON document."""

    #: The level of indentation, from 0.
    depth: int
    text: str
    #: The dotted path of the value that begins in this line.
    path: str
    #: Sentences that say what is wrong with that value.
    marks: tuple[str, ...] = ()


class Difference(NamedTuple):
    """A place at which two documents differ."""

    path: str
    #: ``added``, ``removed`` or ``changed``.
    kind: str
    before: Any
    after: Any


def lines_of(
    text: str | None, violations: Iterable[tuple[str, str]] = ()
) -> list[Line]:
    """Return the lines of an indented document; a text that is not JSON is unchanged.

    A violation is marked at its path. If nothing is there, it is marked at the value
    that contains the path.

    :param violations: dotted paths and sentences.
    """
    if text is None:
        return []
    try:
        found = list(_lines(json.loads(text), None, "", 0))
    except (ValueError, RecursionError):
        return [Line(0, row, "") for row in text.splitlines()]
    marks: dict[str, list[str]] = {}
    paths = {line.path for line in found}
    for path, sentence in violations:
        near = path
        while near and near not in paths:
            near = near.rpartition(".")[0]
        # The document lacks the named value, so the sentence has to name it.
        name = path[len(near) :].lstrip(".")
        marks.setdefault(near, []).append(f"{name}: {sentence}" if name else sentence)
    return [line._replace(marks=tuple(marks.pop(line.path, ()))) for line in found]


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Yield the places at which two JSON documents differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = {key: (before, after) for key in [*before, *after]}
    elif isinstance(before, list) and isinstance(after, list):
        length = max(len(before), len(after))
        before, after = dict(enumerate(before)), dict(enumerate(after))
        pairs = {index: (before, after) for index in range(length)}
    else:
        # In Python, 1 equals True; in JSON they differ.
        if json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True):
            yield Difference(path, "changed", before, after)
        return
    for key in pairs:
        where = f"{path}.{key}" if path else str(key)
        if key not in before:
            yield Difference(where, "added", None, after[key])
        elif key not in after:
            yield Difference(where, "removed", before[key], None)
        else:
            yield from differences(before[key], after[key], where)


def parse(text: str | None) -> Any:
    """Return the JSON document in a text; None if it is not JSON."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None


def value_at(document: Any, *path: str) -> Any:
    """Return the value at a path of keys; None if it is missing."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def values_after(request: JSON | None, reply: JSON | None) -> tuple[JSON, JSON]:
    """Return the session values before and after a reply."""
    before = value_at(request, "data", "session", "values") or {}
    after = value_at(reply, "session", "values")
    return before, before if after is None else after


def user_after(request: JSON | None, reply: JSON | None) -> tuple[JSON, JSON]:
    """Return the user before and after a reply."""
    before = value_at(request, "data", "interlocutor") or {}
    return before, value_at(reply, "interlocutor") or before


def _lines(
    value: Any, key: str | None, path: str, depth: int, end: str = ""
) -> Iterator[Line]:
    start = f"{json.dumps(key, ensure_ascii=False)}: " if key is not None else ""
    children: list[tuple[str | None, str, Any]] = []
    opens, closes = "[", "]"
    if isinstance(value, dict) and value:
        opens, closes = "{", "}"
        children = [(name, f"{path}.{name}", each) for name, each in value.items()]
    elif isinstance(value, list) and value:
        children = [(None, f"{path}.{index}", each) for index, each in enumerate(value)]
    if not children:
        text = json.dumps(value, ensure_ascii=False)
        yield Line(depth, f"{start}{text}{end}", path)
        return
    yield Line(depth, f"{start}{opens}", path)
    for index, (name, where, each) in enumerate(children):
        comma = "," if index < len(children) - 1 else ""
        yield from _lines(each, name, where.lstrip("."), depth + 1, comma)
    yield Line(depth, f"{closes}{end}", "\0")
