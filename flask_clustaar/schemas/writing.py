"""Writes what is sent with msgspec: cleaned, encoded once, and judged by its structs.

What arrived and is unchanged is written as the bytes it came as. Nothing here reports
errors: what is not obviously valid raises one of :data:`UNCLEAR`, and the schemas ask
marshmallow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import msgspec

from ..wire import JSON, RECEIVED, Model, Unknown, same
from .attributes import Attribute, Shape, attributes_of
from .kinds import KINDS, Unsure, Write, is_plain_text, msgspec_type
from .reading import holds_models, loader_of
from .received import Received, parse
from .structs import MISSING, Structs

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


_SENT: Final = Structs(received=False)


# -- what a program built ------------------------------------------------------------


class _Step(NamedTuple):
    """How one attribute is written."""

    name: str
    key: str
    #: The class that the value must have; None for several.
    exact: type | None
    #: Whether ASCII without ``<`` is written unchanged.
    plain: bool
    #: What writes the value; None for unchanged.
    write: Write | None
    #: How None is written.
    none: str
    row: Attribute


class _Plan(NamedTuple):
    """How an object of a model is written."""

    opening: JSON
    steps: list[_Step]
    check: Callable[[JSON], Any] | None
    complete: Callable[[JSON], None] | None


_plans: dict[type[Model], _Plan] = {}


def _plan(model: type[Model]) -> _Plan:
    found = _plans.get(model)
    if found is None:
        opening = {"type": model._tag} if model._tag else {}
        steps = [_step(row) for row in attributes_of(model)]
        check = model._rule.check if model._rule else None
        found = _plans[model] = _Plan(opening, steps, check, model._complete)
    return found


def _step(row: Attribute) -> _Step:
    kind, shape = KINDS[row.shape.kind], row.shape
    write = kind.write(shape, _writer)
    plain = write is not None and is_plain_text(shape)
    return _Step(row.name, row.key, kind.exact, plain, write, row.none, row)


def plain(model: Model, plan: _Plan | None = None) -> JSON:
    """Return a model that a program built as JSON values, cleaned.

    :param plan: the plan of another model, to write this one as that.
    :raises UNCLEAR: when it arrived, or is not obviously valid.
    """
    plan = plan or _plan(model.__class__)
    opening, steps, check, complete = plan
    state = model.__dict__
    if len(state) != len(steps):
        raise Unsure
    wire = opening.copy()
    for name, key, exact, unchanged, write, none, _ in steps:
        value = state[name]
        if value is None:
            if none == "omit":
                continue
            if none == "error":
                raise Unsure
            wire[key] = "" if none == "blank" else None
        elif exact is not None and value.__class__ is not exact:
            raise Unsure
        elif write is None or (unchanged and value.isascii() and "<" not in value):
            wire[key] = value
        else:
            wire[key] = write(value)
    return _finished(wire, plan) if complete or check else wire


def _plain_dict(value: JSON, model: type[Model]) -> JSON:
    """Return a dict that a program wrote as it is sent, cleaned."""
    plan = _plan(model)
    opening, steps, *_ = plan
    wire, known = opening.copy(), 0
    if opening:
        known = "type" in value
        if value.get("type", None if model._tag_required else model._tag) != model._tag:
            raise Unsure
    for _, key, exact, _, write, none, row in steps:
        item = value.get(key, MISSING)
        if item is not MISSING:
            known += 1
            if item is None and not row.nullable:
                raise Unsure
        elif row.required:
            raise Unsure
        else:
            item = row.default() if row.default else None
        if item is None:
            if none != "omit":
                wire[key] = "" if none == "blank" else None
        elif exact is not None and item.__class__ is not exact:
            raise Unsure
        else:
            wire[key] = item if write is None else write(item)
    if known != len(value):  # It has unknown keys.
        raise Unsure
    return _finished(wire, plan)


def _finished(wire: JSON, plan: _Plan) -> JSON:
    """Complete an object that was written, and check the rule of its model."""
    if plan.complete:
        plan.complete(wire)
    if plan.check:
        for _ in plan.check(wire):
            raise Unsure
    return wire


def _writer(shape: Shape) -> Write:
    """Return what writes an object of the shape's model or family."""
    model = cast("type[Model]", shape.model)
    plans: dict[type, _Plan] = {}

    def write(value: Any) -> Any:
        kind = value.__class__
        plan = plans.get(kind)
        if plan is None:
            if kind is dict:
                return _plain_dict(value, _member(shape, value))
            plan = plans[kind] = _plan(written_as(kind))
        return plain(value, plan)

    def written_as(kind: type) -> type[Model]:
        if kind is model._alias:
            return model
        fits = issubclass(kind, model) if shape.members is not None else kind is model
        if not fits or issubclass(kind, Unknown):
            raise Unsure
        return cast("type[Model]", kind)

    return write


def _member(shape: Shape, value: JSON) -> type[Model]:
    if shape.members is None:
        return cast("type[Model]", shape.model)
    tag = value.get("type")
    member = shape.members.get(tag) if isinstance(tag, str) else None
    if member is None:
        raise Unsure
    return member


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
    known = {row.name for row in attributes_of(kind)}
    return [
        name
        for name, value in state.items()
        if name != RECEIVED
        and not (name in known and same(value, loader_of(kind, name)(state[RECEIVED])))
    ]


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
        return bytes(_part(model, Shape("model", model=kind), slow))
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
    """Return a list of objects, each unchanged as it arrived, or written and judged."""
    if values.__class__ is not list:
        raise Unsure
    write = _written(item)
    parts: list[Any] = []
    built: list[Any] = []
    for value in values:
        if value.__class__ is not dict and RECEIVED in value.__dict__:
            parts.append(_unchanged(value, item, slow))
            continue
        try:
            wire = write(value)
        except UNCLEAR:
            wire = msgspec.Raw(slow(value, item))
        else:
            built.append(wire)
        parts.append(wire)
    data = _encode(built)
    _SENT.list_decoder(cast("type[Model]", item.model)).decode(data)
    return msgspec.Raw(data) if len(built) == len(parts) else parts


def _part(value: Any, shape: Shape, slow: Slow) -> msgspec.Raw:
    """Return an object, unchanged as it arrived, or written and judged."""
    if isinstance(value, Model) and RECEIVED in value.__dict__:
        if type(value)._envelope:
            return _changed_envelope(value)
        return _unchanged(value, shape, slow)
    data = _encode(_written(shape)(value))
    _SENT.decoder(cast("type[Model]", shape.model)).decode(data)
    return msgspec.Raw(data)


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
            wire[row.key] = _attribute(state[row.name], row)
        elif row.required and row.key not in wire:
            raise Unsure
    if not rows.keys() >= set(changed):
        raise Unsure
    return msgspec.Raw(_encode(wire))


def _attribute(value: Any, row: Attribute) -> Any:
    """Return the value of one attribute, written and judged."""
    kind = KINDS[row.shape.kind]
    if value is None or (kind.exact is not None and value.__class__ is not kind.exact):
        raise Unsure
    write = kind.write(row.shape, _writer)
    wire = value if write is None else write(value)
    data = _encode(wire)
    msgspec.json.decode(data, type=msgspec_type(row.shape, _SENT, received=False))
    return msgspec.Raw(data)


_writers: dict[Shape, Write] = {}


def _written(shape: Shape) -> Write:
    found = _writers.get(shape)
    if found is None:
        found = _writers[shape] = _writer(shape)
    return found
