"""The fast path for received JSON, with msgspec: parts are loaded when they are used.

A notification is decoded as a *view*, a struct in which parts that handlers may never
use remain bytes. This module does not report errors. Invalid values raise
:class:`~flask_clustaar.schemas.kinds.Unsure` or a msgspec error, or are loaded by
marshmallow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from marshmallow import ValidationError

from ..wire import RECEIVED, Lazy, Model, copy_json
from .attributes import Attribute, Shape, attributes_of, untyped
from .kinds import KINDS, Kind, Unsure, field_of, msgspec_type
from .received import Received, has_many_brackets, parse
from .structs import NULL, PREPARING, Structs

_RECEIVED: Final = Structs("received")
#: A scalar in an envelope. marshmallow loads all other values.
_SCALAR: Final = str | int | float | bool | None


# -- whole objects -------------------------------------------------------------------


def open_document(model: type[Model], document: Received) -> bool:
    """Decode the bytes of a document as the view of an envelope.

    :return: False if they do not fit the model; then marshmallow has to load the
        document.
    :raises InvalidJSON: if they are not UTF-8 JSON.
    """
    body = document.raw
    assert isinstance(body, bytes)
    try:
        body.decode()
        document.view = _view_decoder(model).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        document.json  # noqa: B018 (it raises what is wrong with the syntax)
        return False
    return True


def lazy(model: type[Model], received: Received) -> Model:
    """Return a model whose attributes are loaded when they are first used."""
    instance = model.__new__(model)
    instance.__dict__[RECEIVED] = received
    return instance


def read(model: type[Model], raw: bytes | msgspec.Raw, depth: int = 0) -> Model:
    """Load a received object of a model or family.

    :param depth: the nesting level in the notification.
    """
    struct = _RECEIVED.decoder(model).decode(raw)
    if has_many_brackets(raw, depth):
        parse(bytes(raw), above=depth)  # Raises if it is nested too deeply.
    return _build(struct, Received(raw, depth, struct))


def _build(struct: Any, received: Received) -> Model:
    """Return the model for a struct; its attributes are loaded when they are used."""
    model = _RECEIVED.models[struct.__class__]
    instance = model.__new__(model)
    instance.__dict__[RECEIVED] = received
    if model.__post_init__ is not Model.__post_init__:
        model.__post_init__(instance)
    return instance


def _build_value(
    value: Any, shape: Shape, holder: Received, keys: tuple[str | int, ...]
) -> Any:
    if value.__class__ is msgspec.Raw:
        model = cast("type[Model]", shape.model)
        return _load_envelope(model, value, holder, "")
    if shape.item is None:
        return _build(value, Received(None, 0, value, holder, keys))
    return [
        _build_value(item, shape.item, holder, (*keys, index))
        for index, item in enumerate(value)
    ]


def holds_models(shape: Shape) -> bool:
    return shape.kind == "model" or (
        shape.item is not None and holds_models(shape.item)
    )


# -- envelopes -----------------------------------------------------------------------

_view_decoders: dict[type[Model], msgspec.json.Decoder[Any]] = {}


def _view_decoder(model: type[Model]) -> msgspec.json.Decoder[Any]:
    found = _view_decoders.get(model)
    if found is None:
        with PREPARING:
            found = _view_decoders[model] = msgspec.json.Decoder(_view(model))
    return found


def _view(model: type[Model]) -> Any:
    rows = attributes_of(model)
    return msgspec.defstruct(
        f"{model.__name__}View",
        [_view_field(row) for row in rows],
        rename={row.name: row.key for row in rows},
        kw_only=True,
    )


def _view_field(row: Attribute) -> Any:
    shape = row.shape
    if row.default is None:
        return row.name, msgspec_type(shape, _RECEIVED, received=True)
    if shape.kind in ("string", "number", "integer", "boolean"):
        return row.name, _SCALAR, None
    if _is_inline(shape):
        return row.name, _view(cast("type[Model]", shape.model)) | None, None
    return row.name, msgspec.Raw, NULL


def _is_inline(shape: Shape) -> bool:
    """Return whether a value is an envelope that cannot be sent back."""
    return shape.kind == "model" and bool(
        shape.model and shape.model._envelope and not shape.model._whole
    )


def part_of(envelope: Model, name: str) -> Received | None:
    """Return the received JSON of an envelope's attribute, unparsed.

    :return: None if the attribute was not received, or is null.
    """
    model, received = type(envelope), envelope.__dict__.get(RECEIVED)
    if received is None:
        return None
    value = _value(model, _row(model, name), received)
    if isinstance(value, msgspec.Raw):
        return Received(value, received.depth + 1)
    return None if value is None else Received(value=value)


_rows: dict[tuple[type[Model], str], Attribute] = {}


def _row(model: type[Model], name: str) -> Attribute:
    if (model, name) not in _rows:
        _rows.update({(model, row.name): row for row in attributes_of(model)})
    return _rows[model, name]


def _value(model: type[Model], row: Attribute, received: Received) -> Any:
    """Return the received value of an attribute: a struct, bytes or a JSON value."""
    if received.view is None and received.raw is not None:
        decoder = _view_decoder if model._envelope else _RECEIVED.decoder
        try:
            received.view = decoder(model).decode(received.raw)
        except (msgspec.MsgspecError, Unsure, RecursionError):
            received.view = False
    if not received.view:
        return received.json.get(row.key)
    value = getattr(received.view, row.name)
    return None if value.__class__ is msgspec.Raw and value == NULL else value


def loader_of(model: type[Model], name: str) -> Callable[[Received], Any]:
    """Return a function that loads an attribute of an envelope."""
    found = _loaders.get((model, name))
    if found is None:
        found = _loaders[model, name] = _make_loader(model, _row(model, name))
    return found


_loaders: dict[tuple[type[Model], str], Callable[[Received], Any]] = {}
Lazy.loader = staticmethod(loader_of)


def _make_loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    return _envelope_loader(model, row) if model._envelope else _part_loader(model, row)


def _part_loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    """Return a function that loads an attribute of a valid model."""
    shape = row.shape
    default = None if row.nullable else row.default
    nested = holds_models(shape)
    field = field_of(shape, received=True)

    def load(received: Received) -> Any:
        value = _value(model, row, received)
        if value is None:
            return default() if default else None
        if not received.view:
            return field.deserialize(value)
        if nested:
            return _build_value(value, shape, received, (row.key,))
        return copy_json(value)  # Loading it again shows whether it was changed.

    return load


def _envelope_loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    shape, default = row.shape, row.default
    inner = shape.model if shape.model and shape.model._envelope else None
    exact, name = KINDS[shape.kind].exact if inner is None else None, row.name
    field = field_of(shape, received=True)

    def load(received: Received) -> Any:
        view = received.view
        value = getattr(view, name) if view else _value(model, row, received)
        if value.__class__ is str and exact is str:
            return value
        if value is None or (value.__class__ is msgspec.Raw and value == NULL):
            return default() if default else None
        depth = received.depth + 1
        try:
            if inner is not None:
                return _load_envelope(inner, value, received, row.key)
            if value.__class__ is msgspec.Raw:
                return _read_value(shape, field, value, depth)
            return field.deserialize(value)
        except ValidationError:
            if value.__class__ is msgspec.Raw:
                value = parse(bytes(value), above=depth)
            return untyped(row, value)

    return load


def _load_envelope(model: type[Model], value: Any, holder: Received, key: str) -> Model:
    depth = holder.depth + 1
    if value.__class__ is msgspec.Raw:
        if memoryview(value)[0] == ord("{"):
            return lazy(model, Received(value, depth))
    elif value.__class__ is dict:
        return lazy(model, Received(value=value, depth=depth))
    elif isinstance(value, msgspec.Struct):
        part = Received(None, depth, value, holder, (key,))
        return lazy(model, part)
    raise ValidationError("Not a valid object.")


_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _read_value(shape: Shape, field: Kind, raw: msgspec.Raw, depth: int) -> Any:
    """Load a value from received bytes.

    :raises ValidationError: if it does not fit the shape.
    """
    if shape.item is not None and shape.item.kind == "model":
        return _read_list(shape.item, field, raw, depth)
    if shape.kind == "model":
        assert shape.model is not None
        try:
            return read(shape.model, raw, depth)
        except (msgspec.MsgspecError, Unsure, RecursionError):
            loaded = field.deserialize(parse(bytes(raw), above=depth))
            loaded.__dict__[RECEIVED] = Received(raw, depth)
            return loaded
    return field.deserialize(parse(bytes(raw), above=depth))


def _read_list(item: Shape, field: Kind, raw: msgspec.Raw, depth: int) -> list[Any]:
    """Load a list of objects: all at once, or one by one if one may be invalid.

    :raises ValidationError: if it is not a list.
    """
    assert item.model is not None
    try:
        parts = _PARTS.decode(raw)
    except msgspec.MsgspecError:
        raise ValidationError("Not a valid list.") from None
    depth += 1
    try:
        structs = _RECEIVED.decoder(item.model, many=True).decode(raw)
    except (msgspec.MsgspecError, Unsure, RecursionError):
        inner = cast(Any, field).inner
        return [_read_value(item, inner, part, depth) for part in parts]
    for part in parts:
        if has_many_brackets(part, depth):
            parse(bytes(part), above=depth)  # Raises if it is nested too deeply.
    return [
        _build(struct, Received(part, depth, struct))
        for struct, part in zip(structs, parts, strict=True)
    ]
