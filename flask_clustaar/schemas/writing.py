"""Writes what is sent with msgspec: converted to its structs, and encoded once.

What arrived and is unchanged is written as the bytes it came as. Nothing here reports
errors: what is not obviously valid raises one of :data:`UNCLEAR`, and the schemas ask
marshmallow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from ..cleaning import is_clean
from ..wire import JSON, RECEIVED, Model, Unknown, names_of, same
from .attributes import Shape, attributes_of
from .kinds import Unsure, plain_json
from .reading import holds_models, loader_of
from .received import Received, parse
from .structs import Structs

#: What the fast path raises for a value that marshmallow has to look at. The last
#: six are raised for attributes that were deleted, and for values that JSON lacks.
UNCLEAR: Final = (
    Unsure,
    msgspec.MsgspecError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
)

_encode: Final = msgspec.json.Encoder().encode


_FROM_MODELS: Final = Structs("models")
_FROM_DICTS: Final = Structs("dicts")
_CLEANED_MODELS: Final = Structs("models", clean=True)
_CLEANED_DICTS: Final = Structs("dicts", clean=True)


# -- what a program built ------------------------------------------------------------


def write(value: Any, shape: Shape) -> msgspec.Raw:
    """Return a value that a program built as JSON, cleaned and validated.

    :raises UNCLEAR: when it is not obviously valid.
    """
    if value.__class__ is dict:
        plain_json(value)
        data = _encode(_converted(value, shape, _FROM_DICTS))
    else:
        data = _encode(_converted(value, shape, _FROM_MODELS))
    if not is_clean(data):
        data = _encode(_cleaned(value, shape))
    return msgspec.Raw(data)


def plain(model: Model) -> JSON:
    """Return a valid model that a program built as JSON values, cleaned.

    :raises UNCLEAR: when it arrived, or is not obviously valid.
    """
    struct = _cleaned(model, Shape("model", model=type(model)))
    return cast(JSON, msgspec.to_builtins(struct))


def _cleaned(value: Any, shape: Shape) -> Any:
    is_dict = value.__class__ is dict
    return _converted(value, shape, _CLEANED_DICTS if is_dict else _CLEANED_MODELS)


def _converted(value: Any, shape: Shape, structs: Structs) -> Any:
    """Return the structs of a value; what msgspec cannot check, they do."""
    box = structs.box(shape)
    return msgspec.convert({"value": value}, box, from_attributes=True).value


# -- what arrived and is sent back ---------------------------------------------------


def is_unchanged(model: Model) -> bool:
    """Tell if a model that arrived still is what it was loaded as."""
    state = model.__dict__
    if isinstance(model, Unknown):
        return len(state) == 2 and same(model.data, _again(state[RECEIVED]))
    return len(state) == 1 or not changed_attributes(model)


def changed_attributes(model: Model) -> list[str]:
    """Return the names of the attributes that a handler changed or added."""
    state, kind = model.__dict__, type(model)
    if RECEIVED not in state:
        fresh = kind()
        return [name for name in state if not same(state[name], getattr(fresh, name))]
    known, received = names_of(kind), state[RECEIVED]
    return [
        name
        for name, value in state.items()
        if name != RECEIVED
        and not (name in known and _is_as_loaded(value, kind, name, received))
    ]


def _is_as_loaded(value: Any, kind: type[Model], name: str, received: Received) -> bool:
    if value.__class__ is str and received.view:
        if value is getattr(received.view, name):
            return True
    return same(value, loader_of(kind, name)(received))


def _again(received: Received) -> Any:
    """Return the JSON value once more, not shared with what handlers have."""
    if received.raw is None:
        return received.json
    return parse(bytes(received.raw), above=received.depth)


#: Writes a value that the fast path is unsure of, or raises Unsure if it is invalid.
Slow = Callable[[Any, Shape], bytes]


def dumps(model: Model, slow: Slow) -> bytes:
    """Return a model as JSON, cleaned and validated.

    :param slow: writes the parts that the fast path is unsure of.
    :raises UNCLEAR: when marshmallow has to look at the whole model.
    """
    kind, state = model.__class__, model.__dict__
    rows = _rows_in_parts(kind)
    if rows is None or RECEIVED in state:
        return _encode(_part(model, Shape("model", model=kind), slow))
    wire: JSON = {}
    if len(state) != len(rows):
        raise Unsure
    for name, key, shape, none in rows:
        value = state[name]
        if value is None:
            if none != "omit":
                raise Unsure
        elif value.__class__ is Received:
            wire[key] = msgspec.Raw(value.encoded)
        elif shape.item is None:
            wire[key] = _part(value, shape, slow)
        else:
            wire[key] = _parts(value, shape.item, slow)
    return _encode(wire)


_in_parts: dict[type[Model], list[tuple[str, str, Shape, str]] | None] = {}


def _rows_in_parts(model: type[Model]) -> list[tuple[str, str, Shape, str]] | None:
    """Return the attributes of a model whose parts are written one by one.

    These parts may have arrived, and then are sent back unchanged.

    :return: None for a model that is written as a whole.
    """
    if model not in _in_parts:
        rows = attributes_of(model)
        plain = not (model._tag or model._envelope or model._rule)
        _in_parts[model] = (
            [(row.name, row.key, row.shape, row.none) for row in rows]
            if plain and all(_is_part(row.shape) for row in rows)
            else None
        )
    return _in_parts[model]


def _is_part(shape: Shape) -> bool:
    return holds_models(shape) and not shape.limits


def _parts(values: Any, item: Shape, slow: Slow) -> Any:
    """Return a list of objects, each unchanged as it arrived, or written."""
    if values.__class__ is not list:
        raise Unsure
    return [_part(value, item, slow) for value in values]


def _part(value: Any, shape: Shape, slow: Slow) -> Any:
    """Return an object, unchanged as it arrived, or written."""
    if isinstance(value, Model) and RECEIVED in value.__dict__:
        if type(value)._envelope:
            return _changed_envelope(value)
        return _unchanged(value, shape, slow)
    try:
        return write(value, shape)
    except UNCLEAR:
        return msgspec.Raw(slow(value, shape))


def _unchanged(value: Model, shape: Shape, slow: Slow) -> msgspec.Raw:
    if is_unchanged(value):
        return msgspec.Raw(value.__dict__[RECEIVED].encoded)
    return msgspec.Raw(slow(value, shape))


def _changed_envelope(envelope: Model) -> msgspec.Raw:
    """Return an envelope: each key unchanged, but for attributes that changed."""
    state, kind = envelope.__dict__, type(envelope)
    received: Received = state[RECEIVED]
    changed = changed_attributes(envelope) if len(state) > 1 else []
    if not changed:
        return msgspec.Raw(received.encoded)
    wire = dict(received.json)
    rows = {row.name: row for row in attributes_of(kind)}
    for row in rows.values():
        if row.name in changed:
            if state[row.name] is None:
                raise Unsure
            wire[row.key] = write(state[row.name], row.shape)
        elif row.required and row.key not in wire:
            raise Unsure
    if not rows.keys() >= set(changed):
        raise Unsure
    return msgspec.Raw(_encode(wire))
