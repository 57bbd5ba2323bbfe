"""Find values in received JSON, and parse only what is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ..wire import RECEIVED
from .received import Received, parse

_POSITION: Final = re.compile(r"-?[0-9]{1,9}")
#: The attributes of each view, by key.
_attributes: dict[type, dict[str, str]] = {}


def step_id_of(target: Any) -> str | None:
    """Return the id of the step that was reached; None if it is missing or invalid.

    :param target: a notification, or an object whose ``received`` is the JSON of one.
    """
    try:
        view = target.__dict__[RECEIVED].view
        step_id = view.event.step.id if view else _in_json(target)
    except (AttributeError, KeyError):
        step_id = _in_json(target)
    return step_id if isinstance(step_id, str) else None


def _in_json(target: Any) -> Any:
    return find(target, ("data", "step", "id"), None)


def find(target: Any, keys: Iterable[str], absent: Any) -> Any:
    """Return the value at a path, or *absent*.

    :param target: a notification, or the JSON object of one.
    :param keys: the path: keys, and positions in lists.
    :raises InvalidJSON: if a part on the path is nested too deeply, or has a number out
        of range.
    """
    keys = tuple(keys)
    node = _node_of(target)
    for depth, key in enumerate(keys, start=1):
        if isinstance(node, msgspec.Struct):
            node = _child(node, key, depth)
            if node is _UNKNOWN:
                return find(target.received, keys, absent)
        elif isinstance(node, (dict, Mapping)):
            node = node.get(key, absent)
        elif isinstance(node, (list, tuple)) and _POSITION.fullmatch(key):
            position = int(key)
            inside = -len(node) <= position < len(node)
            node = node[position] if inside else absent
        else:
            return absent
    if isinstance(node, msgspec.Struct):
        return find(target.received, keys, absent)
    return node


#: Marks what a view does not know: unknown keys, and whether a value is null or
#: missing.
_UNKNOWN: Final = object()


def _node_of(target: Any) -> Any:
    if type(target) is dict:
        return target
    received = getattr(target, "__dict__", {}).get(RECEIVED)
    if isinstance(received, Received) and received.view:
        return received.view
    return getattr(target, "received", target)


def _child(view: msgspec.Struct, key: str, depth: int) -> Any:
    names = _attributes.get(type(view))
    if names is None:
        keys, fields = view.__struct_encode_fields__, view.__struct_fields__
        names = _attributes[type(view)] = dict(zip(keys, fields, strict=True))
    if key not in names:
        return _UNKNOWN
    value = getattr(view, names[key])
    if not isinstance(value, msgspec.Raw):
        return _UNKNOWN if value is None else value
    parsed = parse(bytes(value), above=depth)
    return _UNKNOWN if parsed is None else parsed
