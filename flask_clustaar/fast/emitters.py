"""Functions that clean, check and dump what leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

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

Emitter = Callable[[Any], Any]


class Detour(Exception):
    """The quick way does not know; ask the schemas."""


_emitters: dict[type[Model], Emitter] = {}


def emitter_of(model: type[Model]) -> Emitter:
    """Return what dumps an object of *model*, or raises :class:`Detour`."""
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

    def emit(value: Any) -> Any:
        if type(value) is not model or RECEIVED not in value.__dict__:
            return emit_built(value)
        state = value.__dict__
        raw = state[RECEIVED]
        if len(state) == 1:
            return raw
        if not model._loaders.keys() >= state.keys() - {RECEIVED}:
            raise Detour
        out = dict(raw)
        for name, key, emit_value, required in plan:
            if name in state and not same(state[name], model._loaders[name](raw)):
                out[key] = emit_value(state[name])
            elif required and key not in raw:
                raise Detour
        return out

    return emit


def _unknown_emitter(model: type[Model]) -> Emitter:
    def emit(value: Any) -> Any:
        if not isinstance(value, Unknown) or value.received is not value.data:
            raise Detour
        return value.data

    return emit


def _model_emitter(model: type[Model]) -> Emitter:
    """Compile the emitter of a model that was built.

    The function is written out attribute by attribute, as ``dataclasses`` writes
    ``__init__``: a loop over the attributes, with a call for each, costs twice as much.
    """
    attributes = attributes_of(model)
    emit_dict = _dict_emitter(model)
    names: JSON = {
        "Detour": Detour,
        "model": model,
        "unchanged": _unchanged,
        "emit_dict": emit_dict,
        "rule": model._rule,
    }
    lines = [
        "def emit(value):",
        "    if value.__class__ is not model:",
        "        return emit_dict(value)",
        "    state = value.__dict__",
        f"    if len(state) != {len(attributes)}:",
        "        return unchanged(value)",
        f"    out = {{'type': {model._tag!r}}}" if model._tag else "    out = {}",
    ]
    for number, attribute in enumerate(attributes):
        lines += _statements(attribute, number, names)
    if model._rule:
        lines += ["    for _ in rule.check(out):", "        raise Detour"]
    lines += ["    return out"]
    exec("\n".join(lines), names)
    return cast(Emitter, names["emit"])


def _statements(attribute: Attribute, number: int, names: JSON) -> list[str]:
    """Return the statements that emit one attribute.

    :param names: takes what the statements call.
    """
    key, shape = attribute.key, attribute.shape
    none = {
        "omit": ["pass"],
        "blank": [f"out[{key!r}] = ''"],
        "null": [f"out[{key!r}] = None"],
        "error": ["raise Detour"],
    }[attribute.none]
    if shape.kind == "string":
        some = _string_statements(shape, number, names) + [f"out[{key!r}] = item"]
    else:
        names[f"emit_{number}"] = _emitter(shape)
        some = [f"out[{key!r}] = emit_{number}(item)"]
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
    plan = [
        (a.key, _emitter(a.shape), a.none, a.required, a.nullable, a.default)
        for a in attributes_of(model)
    ]
    keys = {row[0] for row in plan} | ({"type"} if model._tag else set())
    tag, rule = model._tag, model._rule

    def emit(value: Any) -> JSON:
        if type(value) is not dict or not keys.issuperset(value):
            raise Detour
        out: JSON = {}
        if tag:
            if value.get("type", MISSING if model._tag_required else tag) != tag:
                raise Detour
            out["type"] = tag
        for key, emit_value, none, required, nullable, default in plan:
            item = value.get(key, MISSING)
            if item is MISSING:
                if required:
                    raise Detour
                item = default() if default else None
            elif item is None and not nullable:
                raise Detour
            if item is not None:
                out[key] = emit_value(item)
            elif none == "blank":
                out[key] = ""
            elif none == "null":
                out[key] = None
        for _ in rule.check(out) if rule else ():
            raise Detour
        return out

    return emit


def _unchanged(value: Model) -> Any:
    """Return the JSON that *value* came as, if it is still that.

    :raises Detour: when it is not, or if it was built and has attributes too many.
    """
    raw = value.received
    if raw is None:
        raise Detour
    fresh = reader_of(type(value))(raw)
    if len(fresh.__dict__) != len(value.__dict__) or not same(fresh, value):
        raise Detour
    return raw


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

    def emit(value: Any) -> Any:
        if type(value) is not str:
            raise Detour
        if clean:
            value = clean(value)
        if not low <= len(value) <= high:
            raise Detour
        for accepts in checks:
            if not accepts(value):
                raise Detour
        return value

    return emit


def _checked_emitter(shape: Shape) -> Emitter:
    emit = _EMITTERS[shape.kind]
    checks = _checks(shape)
    if not checks:
        return emit

    def emit_checked(value: Any) -> Any:
        value = emit(value)
        for accepts in checks:
            if not accepts(value):
                raise Detour
        return value

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

    def emit(value: Any) -> Any:
        if type(value) is not list or not low <= len(value) <= high:
            raise Detour
        return [emit_item(item) for item in value]

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

    def emit(value: Any) -> Any:
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


def _emit_number(value: Any) -> Any:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    raise Detour


def _emit_integer(value: Any) -> Any:
    if type(value) is not int:
        raise Detour
    return value


def _emit_boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise Detour
    return value


def _emit_regexp(value: Any) -> Any:
    pattern = pattern_of(value)
    if type(pattern) is not str or (pattern is value and not compiles(pattern)):
        raise Detour
    return pattern


def _emit_object(value: Any) -> Any:
    if type(value) is not dict:
        raise Detour
    _check_json(value)
    return value


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


def _emit_strings(value: Any) -> Any:
    if type(value) is not dict:
        raise Detour
    for key, item in value.items():
        if type(key) is not str or type(item) is not str:
            raise Detour
    return value


_EMITTERS: dict[str, Emitter] = {
    "regexp": _emit_regexp,
    "number": _emit_number,
    "integer": _emit_integer,
    "boolean": _emit_boolean,
    "json": _emit_object,
    "strings": _emit_strings,
    "any": lambda value: value,
}
