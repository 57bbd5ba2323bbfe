"""The quick way in and out: the same as the schemas, at a fraction of the cost.

Marshmallow is the judge, and it takes its time: it looks up hooks, makes error stores
and walks every object several times. Nearly all documents are valid, so here each
model gets two closures, made once from the same :class:`~flask_clustaar.wire.Attribute`
rows as its schemas. A *reader* loads what was received; an *emitter* cleans, checks and
dumps what leaves, in one walk. Neither explains: at the first thing that is not plainly
right an emitter raises :class:`Detour`, and the schemas say what is wrong, or that
nothing is. Envelopes are not even read: :func:`load` only keeps the JSON, and each of
their attributes is loaded when a handler looks at it. A property test holds that both
ways accept the same documents, load equal objects and dump the same JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

from marshmallow import ValidationError, validate

from . import schemas
from .errors import Violation
from .limits import Pattern
from .wire import (
    JSON,
    MISSING,
    RECEIVED,
    STRIPPED,
    Attribute,
    Model,
    Shape,
    Unknown,
    attributes_of,
    copy_json,
    untyped,
)

M = TypeVar("M", bound=Model)
Reader = Callable[[Any], Any]
Emitter = Callable[[Any], Any]


class Detour(Exception):
    """The quick way does not know; ask the schemas."""


class Untyped(Exception):
    """A received value is not of the shape that its model says."""


def load(model: type[M], raw: Any) -> M:
    """Load a received JSON value.

    :raises Untyped: when *raw* is not of the model's shape; never for an envelope.
    """
    return cast(M, _reader_of(model)(raw))


def dump(model: Model) -> tuple[JSON, list[Violation]]:
    """Return *model* as it leaves, and what is wrong with that."""
    try:
        return _emitter_of(type(model))(model), []
    except (Detour, KeyError):  # KeyError: an attribute was deleted.
        return schemas.judge(model)


def is_changed(envelope: Model) -> bool:
    """Tell if an envelope is no longer what it was loaded as, or was built."""
    state, load = envelope.__dict__, envelope._loaders
    if RECEIVED not in state:
        return envelope != type(envelope)()
    raw = state[RECEIVED]
    return any(name in load and state[name] != load[name](raw) for name in state)


# -- in ------------------------------------------------------------------------------

_readers: dict[type[Model], Reader] = {}


def _reader_of(model: type[Model]) -> Reader:
    reader = _readers.get(model)
    if reader is None:
        make = _envelope_reader if model._envelope else _model_reader
        reader = _readers[model] = make(model)
    return reader


def _model_reader(model: type[Model]) -> Reader:
    plan = [
        (a.name, a.key, _reader(a.shape), a.default, a.nullable)
        for a in attributes_of(model)
    ]
    new = model.__new__
    complete = getattr(model, "__post_init__", None)

    def read(raw: Any) -> Model:
        if type(raw) is not dict:
            raise Untyped
        instance = new(model)
        state = instance.__dict__
        for name, key, read_value, default, nullable in plan:
            value = raw.get(key, MISSING)
            if value is None and nullable:
                state[name] = None
            elif value is None or value is MISSING:
                if default is None:
                    raise Untyped
                state[name] = default()
            else:
                state[name] = read_value(value)
        if complete:
            complete(instance)
        state[RECEIVED] = raw
        return instance

    return read


def _envelope_reader(model: type[Model]) -> Reader:
    model._loaders = {a.name: _lazy(a) for a in attributes_of(model)}
    new = model.__new__

    def read(raw: Any) -> Model:
        if type(raw) is not dict:
            raise Untyped
        instance = new(model)
        instance.__dict__[RECEIVED] = raw
        return instance

    return read


def _lazy(attribute: Attribute) -> Callable[[JSON], Any]:
    """Return what loads one attribute of an envelope from the envelope's JSON."""
    key, read, default = attribute.key, _reader(attribute.shape), attribute.default

    def load_attribute(raw: JSON) -> Any:
        value = raw.get(key)
        if value is None:
            return default() if default else None
        try:
            return read(value)
        except Untyped:
            return untyped(attribute, value)

    return load_attribute


def _reader(shape: Shape) -> Reader:
    if shape.kind == "list":
        assert shape.item is not None
        return _list_reader(_reader(shape.item))
    if shape.kind == "model":
        return _one_reader(shape)
    return _READERS[shape.kind]


def _list_reader(read_item: Reader) -> Reader:
    def read(raw: Any) -> list[Any]:
        if type(raw) is not list:
            raise Untyped
        return [read_item(item) for item in raw]

    return read


def _one_reader(shape: Shape) -> Reader:
    model = cast("type[Model]", shape.model)
    members, unknown, via = shape.members, model._unknown, shape.via

    def read(raw: Any) -> Any:
        if members is None:
            return _reader_of(model)(raw)
        try:
            return _reader_of(members[raw["type"]])(raw)
        except (Untyped, TypeError, KeyError, IndexError):
            if unknown is None:
                raise Untyped from None
            instance = unknown(data=raw)
            instance.__dict__[RECEIVED] = raw
            return instance

    if via:
        return lambda raw: via.part(read(raw))
    return read


def _scalar_reader(*types: type) -> Reader:
    def read(raw: Any) -> Any:
        if type(raw) not in types:
            raise Untyped
        return raw

    return read


def _read_number(raw: Any) -> Any:
    if type(raw) is int or (type(raw) is float and math.isfinite(raw)):
        return raw
    raise Untyped


def _read_object(raw: Any) -> Any:
    if type(raw) is not dict:
        raise Untyped
    return copy_json(raw)


def _read_regexp(raw: Any) -> Any:
    if type(raw) is not str:
        raise Untyped
    try:
        return re.compile(raw)
    except (re.error, OverflowError, RecursionError):
        return raw


_READERS: dict[str, Reader] = {
    "string": _scalar_reader(str),
    "regexp": _read_regexp,
    "number": _read_number,
    "integer": _scalar_reader(int),
    "boolean": _scalar_reader(bool),
    "json": _read_object,
    "strings": _read_object,
    "any": lambda raw: raw,
}


# -- out -----------------------------------------------------------------------------

_emitters: dict[type[Model], Emitter] = {}


def _emitter_of(model: type[Model]) -> Emitter:
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
    _reader_of(model)
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
            if name in state and state[name] != model._loaders[name](raw):
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
    if raw is None or _reader_of(type(value))(raw) != value:
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
        emit_whole = _emitter_of(model)
        return lambda value: emit_whole(
            value if type(value) is dict else via.whole(value)
        )
    if members is None:
        return _emitter_of(model)
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
            return _emitter_of(member)(value)
        if not isinstance(value, model):
            raise Detour
        known = by_class[type(value)] = _emitter_of(type(value))
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
    raise Detour


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
