"""Collect the mistakes in a document, as sentences with paths."""

from __future__ import annotations

import difflib
import math
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Final

import marshmallow as ma

from ..errors import Violation
from ..wire import JSON, Model
from .attributes import attributes_of

Path = tuple[str, ...]

#: Integers this large are rejected: Python refuses to format them.
HUGE: Final = 10**4300
#: The maximum number of nested objects and arrays in a notification.
DEEPEST: Final = 100
#: The same for JSON values in replies, because the next notification contains session
#: values inside three objects.
DEEPEST_VALUE: Final = DEEPEST - 3


def violations(error: ma.ValidationError) -> list[Violation]:
    """Convert a marshmallow error to violations with dotted paths."""
    found = flat(error.messages)
    return [Violation(".".join(path), sentence) for path, sentence in found]


def flat(messages: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield marshmallow's messages with their paths."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from flat(inner, path if key == "_schema" else (*path, str(key)))
        return
    for message in messages:
        yield path, str(message)


def tree_of(found: Iterable[tuple[str, str]]) -> JSON:
    """Nest pairs of dotted path and sentence, as marshmallow does."""
    root: JSON = {}
    for path, sentence in found:
        *parents, last = path.split(".")
        node = root
        for key in parents:
            node = node.setdefault(key, {})
        node.setdefault(last, []).append(sentence)
    return root


def unknown_keys(
    model: type[Model], document: JSON, *, path: str = "", received: Container[str] = ()
) -> list[Violation]:
    """Return violations for unknown keys of a document.

    :param path: the path of the document.
    :param received: received keys, which are allowed.
    """
    keys = {attribute.name: attribute.key for attribute in attributes_of(model)}
    return [
        Violation(f"{path}.{key}" if path else str(key), unknown_key(key, keys))
        for key in document
        if key not in keys.values() and key not in received
    ]


def unknown_key(key: Any, keys: Mapping[str, str]) -> str:
    """Return the error message for an unknown key, with a suggestion.

    :param keys: the known keys, by attribute.
    """
    meant = keys.get(key) or nearest(str(key), keys.values())
    return f"Unknown field. Did you mean '{meant}'?" if meant else "Unknown field."


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the most similar name; empty if none is similar."""
    near = difflib.get_close_matches(name, [*names], 1)
    return near[0] if near else ""


def json_violations(value: Any) -> Iterator[tuple[str, str]]:
    """Yield dotted paths and sentences for values that are not JSON serializable."""
    pending: list[tuple[Any, Path, tuple[int, ...]]] = [(value, (), ())]
    while pending:
        value, path, holders = pending.pop()
        if isinstance(value, (dict, list, tuple)):
            if id(value) in holders:
                yield ".".join(path), "Not a JSON value: it contains itself."
            elif len(holders) >= DEEPEST_VALUE:
                message = "Nested too deeply: the next notification would be rejected."
                yield path[0], message
                return
            else:
                inside = (*holders, id(value))
                items = list(_items(value))
                for key, _ in items:
                    if not isinstance(key, str):
                        kind = type(key).__name__
                        yield (
                            ".".join((*path, str(key))),
                            f"Not a valid key: {kind} must be a string.",
                        )
                pending += [
                    (item, (*path, str(key)), inside) for key, item in reversed(items)
                ]
        elif sentence := _scalar_violation(value):
            yield ".".join(path), sentence


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return ((str(index), item) for index, item in enumerate(value))


def _scalar_violation(value: Any) -> str:
    """Return the error message for a scalar; empty if it is valid."""
    if value is None or isinstance(value, (str, bool)):
        return ""
    if isinstance(value, float):
        if math.isfinite(value):
            return ""
        return "Not a valid number: JSON has no NaN and no Infinity."
    if isinstance(value, int):
        return (
            "" if abs(value) < HUGE else ("Not a valid number: it has too many digits.")
        )
    return f"Not a JSON value: {type(value).__name__}."
