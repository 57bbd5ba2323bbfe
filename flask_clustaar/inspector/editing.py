"""Check and complete JSON while it is typed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from marshmallow import ValidationError

from ..json_schema import notification_schema, reply_schema
from ..models import Notification, StepReachedResponse
from ..schemas import schema_for, violations
from ..wire import JSON

#: The type of document that a text is checked as; ``json`` is any JSON.
Kind = Literal["notification", "reply", "json"]


class Mistake(NamedTuple):
    """A mistake in a text."""

    #: The line, from 1; 0 if it is unknown.
    line: int
    #: The dotted path; empty for the whole text.
    path: str
    sentence: str


def check(text: str, kind: Kind) -> list[Mistake]:
    """Return the mistakes in a text that is being typed.

    Notifications are validated against the platform's keys and limits, although the
    webhook itself accepts more.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        return [Mistake(error.lineno, "", f"The text is not JSON: {error.msg}.")]
    except RecursionError:
        return [Mistake(0, "", "The document is nested too deeply.")]
    if kind == "json":
        return []
    model = Notification if kind == "notification" else StepReachedResponse
    try:
        schema_for(model).load(document)
    except ValidationError as error:
        # The platform sends several values here, or none.
        found = [each for each in violations(error) if each.path != "type"]
        places = {path: line for line, path in _places(text)}
        return [
            Mistake(_line_of(path, places), path, sentence) for path, sentence in found
        ]
    return []


def complete(text: str, caret: int, kind: Kind) -> tuple[str, list[str]]:
    """Return the part of a key or value before the caret, and its completions.

    :param caret: the number of characters before the caret.
    """
    before = text[:caret]
    path, typed, is_key = _caret(before)
    if typed is None or kind == "json":
        return "", []
    schema = notification_schema() if kind == "notification" else reply_schema()
    options: set[str] = set()
    for node in _nodes(schema, path):
        if is_key:
            options.update(node.get("properties", ()))
        else:
            options.update(str(each) for each in _constants(node))
    found = sorted(each for each in options if each.lower().startswith(typed.lower()))
    return typed, [each for each in found if each != typed]


# -- positions in the text -----------------------------------------------------------

_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+')


class _Open:
    """An object or a list that is open at a position in the text."""

    def __init__(self, bracket: str) -> None:
        self.is_list = bracket == "["
        self.key: str | None = None
        self.index = 0
        self.is_value = self.is_list
        #: The value of its key ``type``, if known.
        self.type: str | None = None

    @property
    def place(self) -> str:
        return str(self.index) if self.is_list else self.key or ""


def _walk(text: str) -> Iterator[tuple[re.Match[str], list[_Open]]]:
    """Yield each token, and the objects and lists open before it, outermost first."""
    stack: list[_Open] = []
    for token in _TOKEN.finditer(text):
        yield token, stack
        mark, top = token[0], stack[-1] if stack else None
        if mark in "{[":
            stack.append(_Open(mark))
        elif mark in "}]":
            del stack[-1:]
        elif top is None:
            continue
        elif mark == ",":
            top.index += 1
            top.is_value = top.is_list
        elif mark == ":":
            top.is_value = True
        elif not top.is_value:
            top.key = mark.strip('"')
        elif top.key == "type" and _is_whole(mark):
            top.type = mark.strip('"')


def _is_whole(string: str) -> bool:
    """Return whether a string has its closing quote."""
    return re.fullmatch(r'"(?:[^"\\]|\\.)*"', string) is not None


def _places(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the path of each value in a text."""
    for token, stack in _walk(text):
        if token[0] in "{}[]:,":
            # A value that opens in a list has no key before it.
            if token[0] not in "{[" or not (stack and stack[-1].is_list):
                continue
            path = [each.place for each in stack]
        elif stack and not stack[-1].is_value:
            path = [*(each.place for each in stack[:-1]), token[0].strip('"')]
        else:
            path = [each.place for each in stack]
        yield text.count("\n", 0, token.start()) + 1, ".".join(path)


def _line_of(path: str, places: dict[str, int]) -> int:
    while path and path not in places:
        path = path.rpartition(".")[0]
    return places.get(path, 1)


def _caret(before: str) -> tuple[list[tuple[str, str | None]], str | None, bool]:
    """Return where the end of a text is in its JSON document.

    :return: the path to the innermost object, each part with the type of its object;
        the unfinished string at the end, or None; and whether that string is a key.
    """
    typed: str | None = None
    stack: list[_Open] = []
    for token, found in _walk(before):
        text, stack = token[0], found
        typed = text[1:] if text.startswith('"') and not _is_whole(text) else None
    if not stack or typed is None:
        return [], None, False
    top = stack[-1]
    is_key = not top.is_value
    inner = stack[:-1] if is_key else stack
    path = [(each.place, each.type) for each in inner]
    if is_key:
        path.append(("", top.type))
    return path, typed, is_key


# -- looking up a path in the schema -------------------------------------------------


def _nodes(schema: JSON, path: list[tuple[str, str | None]]) -> list[JSON]:
    """Return all schemas that apply to the value at a path."""
    nodes = [schema]
    for place, kind in path:
        nodes = [each for node in nodes for each in _options(schema, node, kind)]
        if place:
            nodes = [each for node in nodes for each in _children(node, place)]
    return [each for node in nodes for each in _options(schema, node, None)]


def _options(schema: JSON, node: JSON, kind: str | None) -> Iterator[JSON]:
    """Yield a schema's alternatives, with references resolved.

    :param kind: yield only alternatives of this type; None for all.
    """
    if "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _options(schema, target, kind)
    for keyword in ("anyOf", "oneOf", "allOf"):
        for option in node.get(keyword, ()):
            yield from _options(schema, option, kind)
    properties = node.get("properties", {})
    if kind is None or kind in (*_constants(properties.get("type", {})), None):
        yield node


def _children(node: JSON, place: str) -> Iterator[Any]:
    if place.isdecimal() and "items" in node:
        yield node["items"]
    elif place in node.get("properties", {}):
        yield node["properties"][place]


def _constants(node: JSON) -> list[Any]:
    return [*([node["const"]] if "const" in node else []), *node.get("enum", [])]
