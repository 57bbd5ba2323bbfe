"""Functions that clean and check what leaves, and write it as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Final, cast

from marshmallow import ValidationError, validate

from ..limits import Pattern
from ..wire import (
    JSON,
    MISSING,
    RECEIVED,
    STRIPPED,
    Attribute,
    Model,
    Shape,
    Unknown,
    attributes_of,
    compiles,
    pattern_of,
    same,
)
from .readers import reader_of

#: Takes a value, gives its JSON.
Emitter = Callable[[Any], str]

#: Writes what came, or was checked. What contains itself ends as a RecursionError.
encode: Final = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, check_circular=False
).encode


class Detour(Exception):
    """The quick way does not know; ask the schemas."""


_emitters: dict[type[Model], Emitter] = {}


def emitter_of(model: type[Model]) -> Emitter:
    """Return what writes an object of *model*, or raises :class:`Detour`."""
    emitter = _emitters.get(model)
    if emitter is None:
        if issubclass(model, Unknown):
            emitter = _unknown_emitter(model)
        elif model._envelope:
            emitter = _envelope_emitter(model)
        else:
            emitter = _model_emitter(model)
        _emitters[model] = emitter
    return emitter


def _envelope_emitter(model: type[Model]) -> Emitter:
    emit_built = _model_emitter(model)
    reader_of(model)
    plan = [
        (a.name, a.key, _emitter(a.shape), a.required) for a in attributes_of(model)
    ]

    def emit(value: Any) -> str:
        if type(value) is not model or RECEIVED not in value.__dict__:
            return emit_built(value)
        state = value.__dict__
        raw = state[RECEIVED]
        if len(state) == 1:
            return encode(raw)
        if not model._loaders.keys() >= state.keys() - {RECEIVED}:
            raise Detour
        changed: dict[str, str] = {}
        for name, key, emit_value, required in plan:
            if name in state and not same(state[name], model._loaders[name](raw)):
                changed[key] = emit_value(state[name])
            elif required and key not in raw:
                raise Detour
        if not changed:
            return encode(raw)
        return _object({key: encode(item) for key, item in raw.items()} | changed)

    return emit


def _object(items: dict[str, str]) -> str:
    """Return a JSON object, given the JSON of what is in it."""
    return f"{{{','.join(f'{quote(key)}:{text}' for key, text in items.items())}}}"


def _unknown_emitter(model: type[Model]) -> Emitter:
    def emit(value: Any) -> str:
        if not isinstance(value, Unknown) or value.received is not value.data:
            raise Detour
        return encode(value.data)

    return emit


def _model_emitter(model: type[Model]) -> Emitter:
    """Compile the emitter of a model that was built.

    The function is written out attribute by attribute, as ``dataclasses`` writes
    ``__init__``: a loop over the attributes, with a call for each, costs twice as much.
    """
    attributes = attributes_of(model)
    names: JSON = {
        "Detour": Detour,
        "model": model,
        "quote": quote,
        "unchanged": _unchanged,
        "emit_dict": _dict_emitter(model),
        "check": _rule_check(model),
    }
    lines = [
        "def emit(value):",
        "    if value.__class__ is not model:",
        "        return emit_dict(value)",
        "    state = value.__dict__",
        f"    if len(state) != {len(attributes)}:",
        "        return unchanged(value)",
        f"    text = {_opening(model)!r}",
    ]
    for number, attribute in enumerate(attributes):
        lines += _statements(attribute, number, names)
    lines += ["    text = '{' + text[1:] + '}'"]
    if model._rule:
        lines += ["    check(text)"]
    lines += ["    return text"]
    exec("\n".join(lines), names)
    return cast(Emitter, names["emit"])


def _opening(model: type[Model]) -> str:
    """Return how an object begins, with a comma in front of each of its keys."""
    return _member("type") + quote(model._tag) if model._tag else ""


def _member(key: str) -> str:
    return f",{quote(key)}:"


def _rule_check(model: type[Model]) -> Callable[[str], None] | None:
    """Return what raises :class:`Detour` for JSON that breaks the rule of *model*."""
    rule = model._rule
    if rule is None:
        return None

    def check(text: str) -> None:
        for _ in rule.check(json.loads(text)):
            raise Detour

    return check


def _statements(attribute: Attribute, number: int, names: JSON) -> list[str]:
    """Return the statements that emit one attribute.

    :param names: takes what the statements call.
    """
    member, shape = _member(attribute.key), attribute.shape
    none = {
        "omit": ["pass"],
        "blank": [f"text += {member + quote('')!r}"],
        "null": [f"text += {member + 'null'!r}"],
        "error": ["raise Detour"],
    }[attribute.none]
    if shape.kind == "string":
        some = _string_statements(shape, number, names)
        some += [f"text += {member!r} + quote(item)"]
    else:
        names[f"emit_{number}"] = _emitter(shape)
        some = [f"text += {member!r} + emit_{number}(item)"]
    return [
        f"    item = state[{attribute.name!r}]",
        "    if item is None:",
        *(f"        {line}" for line in none),
        "    else:",
        *(f"        {line}" for line in some),
    ]


def _string_statements(shape: Shape, number: int, names: JSON) -> list[str]:
    low, high = _bounds(shape)
    lines = ["if item.__class__ is not str:", "    raise Detour"]
    if STRIPPED in shape.marks:
        lines += ["item = item.strip()"]
    if shape.clean:
        names[f"clean_{number}"] = shape.clean
        lines += [
            "if not item.isascii() or '<' in item:",
            f"    item = clean_{number}(item)",
        ]
    if shape.max_length is not None:
        lines += [f"if not {low} <= len(item) <= {high}:", "    raise Detour"]
    elif low:
        lines += [f"if len(item) < {low}:", "    raise Detour"]
    for index, question in enumerate(_checks(shape)):
        names[f"ask_{number}_{index}"] = question
        lines += [f"if not ask_{number}_{index}(item):", "    raise Detour"]
    return lines


def _dict_emitter(model: type[Model]) -> Emitter:
    plan = [(a, _member(a.key), _emitter(a.shape)) for a in attributes_of(model)]
    keys = {a.key for a, _, _ in plan} | ({"type"} if model._tag else set())
    tag, opening, check = model._tag, _opening(model), _rule_check(model)

    def emit(value: Any) -> str:
        if type(value) is not dict or not keys.issuperset(value):
            raise Detour
        if tag and value.get("type", MISSING if model._tag_required else tag) != tag:
            raise Detour
        text = opening
        for attribute, member, emit_value in plan:
            item = value.get(attribute.key, MISSING)
            if item is MISSING:
                if attribute.required:
                    raise Detour
                item = attribute.default() if attribute.default else None
            elif item is None and not attribute.nullable:
                raise Detour
            if item is not None:
                text += member + emit_value(item)
            elif attribute.none == "blank":
                text += member + quote("")
            elif attribute.none == "null":
                text += member + "null"
        text = f"{{{text[1:]}}}"
        if check:
            check(text)
        return text

    return emit


def _unchanged(value: Model) -> str:
    """Return the JSON that *value* came as, if it is still that.

    :raises Detour: when it is not, or if it was built and has attributes too many.
    """
    raw = value.received
    if raw is None:
        raise Detour
    fresh = reader_of(type(value))(raw)
    if len(fresh.__dict__) != len(value.__dict__) or not same(fresh, value):
        raise Detour
    return encode(raw)


def _emitter(shape: Shape) -> Emitter:
    if shape.kind == "list":
        return _list_emitter(shape)
    if shape.kind == "model":
        return _one_emitter(shape)
    if shape.kind == "string":
        return _string_emitter(shape)
    return _checked_emitter(shape)


def _string_emitter(shape: Shape) -> Emitter:
    clean = shape.clean
    low, high = _bounds(shape)
    checks = _checks(shape)

    def emit(value: Any) -> str:
        if type(value) is not str:
            raise Detour
        if clean:
            value = clean(value)
        if not low <= len(value) <= high:
            raise Detour
        for accepts in checks:
            if not accepts(value):
                raise Detour
        return quote(value)

    return emit


def _checked_emitter(shape: Shape) -> Emitter:
    emit = _EMITTERS[shape.kind]
    checks = _checks(shape)
    if not checks:
        return emit

    def emit_checked(value: Any) -> str:
        text = emit(value)
        for accepts in checks:
            if not accepts(value):
                raise Detour
        return text

    return emit_checked


def _checks(shape: Shape) -> list[Callable[[Any], object]]:
    """Return the limits of a shape, but for its length, as questions."""
    return [
        limit.question if isinstance(limit, Pattern) else _question(limit)
        for limit in shape.limits
        if not isinstance(limit, validate.Length)
    ]


def _question(limit: validate.Validator) -> Callable[[Any], object]:
    def accepts(value: Any) -> bool:
        try:
            limit(value)
        except ValidationError:
            return False
        return True

    return accepts


def _list_emitter(shape: Shape) -> Emitter:
    assert shape.item is not None
    emit_item = _emitter(shape.item)
    low, high = _bounds(shape)

    def emit(value: Any) -> str:
        if type(value) is not list or not low <= len(value) <= high:
            raise Detour
        return f"[{','.join(map(emit_item, value))}]"

    return emit


def _one_emitter(shape: Shape) -> Emitter:
    model = cast("type[Model]", shape.model)
    members, via = shape.members, shape.via
    if via:
        emit_whole = emitter_of(model)
        return lambda value: emit_whole(
            value if type(value) is dict else via.whole(value)
        )
    if members is None:
        return emitter_of(model)
    by_class: dict[type, Emitter] = {}

    def emit(value: Any) -> str:
        known = by_class.get(type(value))
        if known:
            return known(value)
        if type(value) is dict:
            tag = value.get("type")
            member = members.get(tag) if type(tag) is str else None
            if member is None:
                raise Detour
            return emitter_of(member)(value)
        if not isinstance(value, model):
            raise Detour
        known = by_class[type(value)] = emitter_of(type(value))
        return known(value)

    return emit


def _bounds(shape: Shape) -> tuple[float, float]:
    for limit in shape.limits:
        if isinstance(limit, validate.Length):
            low = 0 if limit.min is None else limit.min
            return low, math.inf if limit.max is None else limit.max
    return 0, math.inf


def _emit_number(value: Any) -> str:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    raise Detour


def _emit_integer(value: Any) -> str:
    if type(value) is not int:
        raise Detour
    return repr(value)


def _emit_boolean(value: Any) -> str:
    if type(value) is not bool:
        raise Detour
    return "true" if value else "false"


def _emit_regexp(value: Any) -> str:
    pattern = pattern_of(value)
    if type(pattern) is not str or (pattern is value and not compiles(pattern)):
        raise Detour
    return quote(pattern)


def _emit_object(value: Any) -> str:
    if type(value) is not dict:
        raise Detour
    _check_json(value)
    return encode(value)


def _check_json(value: Any) -> None:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise Detour
            _check_json(item)
    elif kind is list:
        for item in value:
            _check_json(item)
    elif kind is float:
        if not math.isfinite(value):
            raise Detour
    elif kind is not int or value.bit_length() > 14_000:
        raise Detour


def _emit_strings(value: Any) -> str:
    if type(value) is not dict:
        raise Detour
    for key, item in value.items():
        if type(key) is not str or type(item) is not str:
            raise Detour
    return encode(value)


_EMITTERS: dict[str, Emitter] = {
    "regexp": _emit_regexp,
    "number": _emit_number,
    "integer": _emit_integer,
    "boolean": _emit_boolean,
    "json": _emit_object,
    "strings": _emit_strings,
    "any": encode,
}
