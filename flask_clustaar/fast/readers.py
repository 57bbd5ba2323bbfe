"""Functions that load what was received."""

from __future__ import annotations

import copyreg
import math
from collections.abc import Callable
from typing import Any, cast

from ..wire import (
    JSON,
    MISSING,
    RECEIVED,
    Attribute,
    Model,
    Shape,
    attributes_of,
    copy_json,
    untyped,
)

Reader = Callable[[Any], Any]


class Untyped(Exception):
    """A received value is not of the shape that its model says."""


_readers: dict[type[Model], Reader] = {}


def reader_of(model: type[Model]) -> Reader:
    """Return what loads a received object of *model*, or raises :class:`Untyped`."""
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
    copyreg.pickle(model, _pickled)
    new = model.__new__

    def read(raw: Any) -> Model:
        if type(raw) is not dict:
            raise Untyped
        instance = new(model)
        instance.__dict__[RECEIVED] = raw
        return instance

    return read


def _pickled(envelope: Model) -> tuple[Any, ...]:
    """Tell how an envelope is copied and pickled: without what cannot be pickled."""
    state = envelope.__dict__
    return _restore, (type(envelope), {k: state[k] for k in state if k != "_match"})


def _restore(model: type[Model], state: JSON) -> Model:
    """Make an envelope again, perhaps in a process that has loaded none yet."""
    reader_of(model)
    instance = model.__new__(model)
    instance.__dict__.update(state)
    return instance


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
    members, unknown, via = shape.members, shape.unknown, shape.via

    def read(raw: Any) -> Any:
        if members is None:
            return reader_of(model)(raw)
        try:
            return reader_of(members[raw["type"]])(raw)
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


_READERS: dict[str, Reader] = {
    "string": _scalar_reader(str),
    "regexp": _scalar_reader(str),
    "number": _read_number,
    "integer": _scalar_reader(int),
    "boolean": _scalar_reader(bool),
    "json": _read_object,
    "strings": _read_object,
    "any": lambda raw: raw,
}
