"""The fast path for replies, with msgspec: convert to structs, and encode once.

Received values that are unchanged are written as the received bytes. This module does
not report errors. A value that is not obviously valid raises one of :data:`UNCLEAR`,
and marshmallow validates it in full.
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

#: Exceptions that mean: fall back to marshmallow. The last six occur when an attribute
#: was deleted or is not JSON serializable.
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


# -- objects of the program ----------------------------------------------------------


def write(value: Any, shape: Shape) -> msgspec.Raw:
    """Return a value that a program built as JSON, cleaned and validated.

    :raises UNCLEAR: if it is not obviously valid.
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
    """Return the cleaned JSON of a valid model that the program created.

    :raises UNCLEAR: if it was received, or is not obviously valid.
    """
    struct = _cleaned(model, Shape("model", model=type(model)))
    return cast(JSON, msgspec.to_builtins(struct))


def _cleaned(value: Any, shape: Shape) -> Any:
    is_dict = value.__class__ is dict
    return _converted(value, shape, _CLEANED_DICTS if is_dict else _CLEANED_MODELS)


def _converted(value: Any, shape: Shape, structs: Structs) -> Any:
    """Return the structs of a value, which check what msgspec cannot check."""
    box = structs.box(shape)
    return msgspec.convert({"value": value}, box, from_attributes=True).value


# -- received objects ----------------------------------------------------------------


def is_unchanged(model: Model) -> bool:
    """Return whether a received model is unchanged."""
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
    if received.view and (value is None or value.__class__ is str):
        if value is getattr(received.view, name):
            return True
    return same(value, loader_of(kind, name)(received))


def _again(received: Received) -> Any:
    """Return a new copy of the JSON value, which handlers cannot have changed."""
    if received.raw is None:
        return received.json
    return parse(bytes(received.raw), above=received.depth)


#: Writes a value with marshmallow; raises Unsure if it is invalid.
Slow = Callable[[Any, Shape], bytes]


def dumps(model: Model, slow: Slow) -> bytes:
    """Serialize a model to JSON, cleaned and validated.

    :param slow: writes parts that may be invalid.
    :raises UNCLEAR: if marshmallow has to validate the whole model.
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
            wire[key] = _parts(value, shape, shape.item, slow)
    return _encode(wire)


_in_parts: dict[type[Model], list[tuple[str, str, Shape, str]] | None] = {}


def _rows_in_parts(model: type[Model]) -> list[tuple[str, str, Shape, str]] | None:
    """Return the attributes of a model whose parts are written separately.

    Received parts are then sent back unchanged.

    :return: None if the model is written as a whole.
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


def _parts(values: Any, shape: Shape, item: Shape, slow: Slow) -> Any:
    """Return a list of objects, each as received, or written."""
    if values.__class__ is not list:
        raise Unsure
    try:
        return write(values, shape)  # All at once, if they are new and valid.
    except UNCLEAR:
        return [_part(value, item, slow) for value in values]


def _part(value: Any, shape: Shape, slow: Slow) -> Any:
    """Return an object, as received, or written."""
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
    """Return an envelope as received, except for changed attributes."""
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
