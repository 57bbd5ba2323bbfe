"""Find and compare JSON values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

from ..describe import Nothing, shorten, type_name
from ..schemas import paths

#: Marks a missing value.
ABSENT: Final = Nothing("absent")

#: Matches JMESPath expressions that are more than a path.
_EXPRESSION: Final = re.compile(r"(?:^|\.)\*(?:\.|$)|^\w+\(.*\)$|[\"`]|\|\|| \| ")
_KEY: Final = re.compile(r"[^.\[\]]+")
_POSITION_IN_BRACKETS: Final = re.compile(r"\[(-?[0-9]+)\]")


def json_of(target: Any) -> Any:
    """Return the JSON object of a notification; a JSON object is returned unchanged."""
    return target if type(target) is dict else getattr(target, "received", target)


def checked_path(owner: object, path: Any) -> str:
    """Validate a path, and return it as keys joined by dots.

    :param owner: the filter, for error messages; the same below.
    """
    check_text(owner, path)
    checked = _POSITION_IN_BRACKETS.sub(r".\1", path)
    if _EXPRESSION.search(path) or not all(map(_KEY.fullmatch, checked.split("."))):
        raise ValueError(
            f"{type(owner).__name__}: {shorten(path)} is not a valid path. Pass keys "
            "joined by dots, such as 'data.step.actions.0.type', or use "
            "'JMESPath(...)'."
        )
    return checked


def find(target: Any, keys: Iterable[str]) -> Any:
    """Return the value at a path in a notification or JSON value, or ``ABSENT``."""
    return paths.find(target, keys, ABSENT)


def equal(found: Any, expected: Any) -> bool:
    """Return whether two JSON values are equal.

    The recursion is only as deep as *expected*, because *found* may be of any depth.
    """
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(expected, dict):
        return (
            isinstance(found, Mapping)
            and found.keys() == expected.keys()
            and all(equal(found[key], value) for key, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(expected)
            and all(map(equal, found, expected))
        )
    return bool(found == expected)


def is_scalar(value: Any) -> bool:
    """Return whether a JSON value contains no others."""
    return value is None or isinstance(value, (str, int, float))


def frozen(value: Any) -> Any:
    """Return a hashable object that is equal only for equal JSON values."""
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, Mapping):
        return dict, frozenset((key, frozen(value[key])) for key in value)
    if isinstance(value, (list, tuple)):
        return list, tuple(map(frozen, value))
    return value


def json_value(owner: object, value: Any) -> Any:
    """Return a copy of an argument that must be a JSON value."""
    if is_scalar(value):
        return value
    if isinstance(value, (list, tuple)):
        return [json_value(owner, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: json_value(owner, item) for key, item in value.items()}
    raise TypeError(
        f"{type(owner).__name__}: {type_name(value)} is not a JSON value, so it never "
        "matches. Pass a string, number, boolean or None, or a list or dict of those."
    )


def listed(owner: object, values: Any) -> list[Any]:
    """Return an argument that must be a collection of values, as a list."""
    name = type(owner).__name__
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name}: pass a list of values, not {type_name(values)}.")
    ordered = sorted(values, key=repr) if isinstance(values, Set) else list(values)
    if not ordered:
        raise ValueError(f"{name}: the list of values is empty.")
    return ordered


def check_text(owner: object, text: Any, *, may_be_empty: bool = False) -> None:
    """Check an argument that must be a string."""
    name = type(owner).__name__
    if not isinstance(text, str):
        raise TypeError(f"{name}: pass a string, not {type_name(text)}.")
    if not text and not may_be_empty:
        raise ValueError(f"{name}: the string is empty.")
