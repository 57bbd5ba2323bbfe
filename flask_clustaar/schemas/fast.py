"""The fast path: reads and writes valid documents with msgspec.

The types are derived from the same rows as the marshmallow schemas. In each direction a
model has a struct: the *received* one is tolerant, without limits; the *sent* one has
every limit that msgspec can check. An envelope has a third, its *view*, in which parts
that handlers may never use stay bytes. Nothing here reports errors: what is not
obviously valid raises :class:`~flask_clustaar.schemas.kinds.Unsure` or a msgspec error,
and the schemas ask marshmallow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Union, cast

import msgspec
from marshmallow import ValidationError

from ..wire import JSON, RECEIVED, Lazy, Model, Unknown, copy_json, names_of, same
from .attributes import Attribute, Shape, attributes_of, untyped
from .kinds import KINDS, Kind, Unsure, Write, field_of, is_plain_text, msgspec_type
from .received import Received, has_many_brackets, parse

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
_NULL: Final = msgspec.Raw(b"null")
#: A scalar of an envelope. Anything else is read by marshmallow.
_SCALAR: Final = str | int | float | bool | None


# -- types ---------------------------------------------------------------------------


class Structs:
    """The msgspec types of the models in one direction.

    :param received: True for what arrives, False for what is sent.
    """

    def __init__(self, *, received: bool) -> None:
        self._received = received
        self._structs: dict[type[Model], Any] = {}
        self._decoders: dict[type[Model], Any] = {}
        self._list_decoders: dict[type[Model], Any] = {}
        self._defined = 0
        #: The model of each struct.
        self.models: dict[type, type[Model]] = {}

    def decoder(self, model: type[Model]) -> msgspec.json.Decoder[Any]:
        """Return what decodes an object of a model, or of a family.

        :raises Unsure: for a model that contains itself.
        """
        if self._defined != Model._defined:  # A family may have new members.
            self._structs.clear()
            self._decoders.clear()
            self._list_decoders.clear()
            self._defined = Model._defined
        found = self._decoders.get(model)
        if found is None:
            found = self._decoders[model] = msgspec.json.Decoder(self.of(model))
        return cast("msgspec.json.Decoder[Any]", found)

    def list_decoder(self, model: type[Model]) -> msgspec.json.Decoder[Any]:
        """Return what decodes a list of such objects.

        :raises Unsure: for a model that contains itself.
        """
        self.decoder(model)
        found = self._list_decoders.get(model)
        if found is None:
            found = msgspec.json.Decoder(list[self.of(model)])  # type: ignore[misc]
            self._list_decoders[model] = found
        return found

    def of(self, model: type[Model]) -> Any:
        """Return the struct of a model, or the union of a family's structs."""
        members: dict[str, type[Model]] | None = vars(model).get("_members")
        if self._received and model._envelope:
            return msgspec.Raw
        if members is None:
            return self._struct(model)
        structs = [self._struct(member) for member in members.values()]
        return Union[tuple(structs)]  # noqa: UP007 (their number is not known)

    def write(self, shape: Shape) -> Write:
        """Return what writes an object of the shape's model or family."""
        return _writer(shape)

    def _struct(self, model: type[Model]) -> Any:
        found = self._structs.get(model, _MISSING)
        if found is _MISSING:
            self._structs[model] = None  # while it is made
            rows = attributes_of(model)
            found = self._structs[model] = msgspec.defstruct(
                model.__name__,
                [self._field(row) for row in rows],
                tag=model._tag or None,
                rename={row.name: row.key for row in rows},
                forbid_unknown_fields=not self._received,
                kw_only=True,
            )
            self.models[found] = model
        if found is None:
            del self._structs[model]
            raise Unsure
        return found

    def _field(self, row: Attribute) -> Any:
        kind = msgspec_type(row.shape, self, received=self._received)
        if kind is msgspec.Raw:
            return row.name, kind, _NULL
        if row.nullable or (self._received and row.default is not None):
            kind = kind | None
        if self._received:
            return (row.name, kind, *_default(row))
        return (row.name, kind) if row.required else (row.name, kind, None)


def _default(row: Attribute) -> tuple[Any, ...]:
    return () if row.default is None else (msgspec.field(default_factory=row.default),)


_MISSING: Final[Any] = object()
_RECEIVED: Final = Structs(received=True)
_SENT: Final = Structs(received=False)


# -- what arrives --------------------------------------------------------------------


def open_document(model: type[Model], document: Received) -> bool:
    """Decode a document's bytes as the view of an envelope.

    :return: False if they are not what the model says; then marshmallow has to look
        at the document's JSON.
    :raises InvalidJSON: when they are not JSON in UTF-8.
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


def envelope_of(model: type[Model], received: Received) -> Model:
    """Return an envelope whose attributes are loaded when they are first used."""
    instance = model.__new__(model)
    instance.__dict__[RECEIVED] = received
    return instance


def read(model: type[Model], raw: bytes | msgspec.Raw, depth: int = 0) -> Model:
    """Load an object that arrived, of a model or of a family.

    :param depth: how many levels of the notification are above it.
    """
    struct = _RECEIVED.decoder(model).decode(raw)
    if has_many_brackets(raw, depth):
        parse(bytes(raw), above=depth)  # It refuses what is nested too deeply.
    return _build(struct, Received(raw, view=struct, depth=depth))


def _build(struct: Any, received: Received) -> Model:
    """Return the model of a struct; its attributes are loaded when they are used."""
    model = _RECEIVED.models[struct.__class__]
    instance = model.__new__(model)
    instance.__dict__[RECEIVED] = received
    if model.__post_init__ is not Model.__post_init__:
        for name in names_of(model):
            getattr(instance, name)
        model.__post_init__(instance)
    return instance


def _build_value(
    value: Any, shape: Shape, holder: Received, keys: tuple[str | int, ...]
) -> Any:
    if value.__class__ is msgspec.Raw:
        model = cast("type[Model]", shape.model)
        return _load_envelope(model, value, holder, "")
    if shape.item is None:
        return _build(value, Received(view=value, holder=holder, keys=keys))
    return [
        _build_value(item, shape.item, holder, (*keys, index))
        for index, item in enumerate(value)
    ]


def _holds_models(shape: Shape) -> bool:
    return shape.kind == "model" or (
        shape.item is not None and _holds_models(shape.item)
    )


# -- envelopes -----------------------------------------------------------------------

_view_decoders: dict[type[Model], msgspec.json.Decoder[Any]] = {}


def _view_decoder(model: type[Model]) -> msgspec.json.Decoder[Any]:
    found = _view_decoders.get(model)
    if found is None:
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
    return row.name, msgspec.Raw, _NULL


def _is_inline(shape: Shape) -> bool:
    """Tell if a value is an envelope that cannot be sent back."""
    return shape.kind == "model" and bool(
        shape.model and shape.model._envelope and not shape.model._whole
    )


def part_of(envelope: Model, name: str) -> Received | None:
    """Return what an attribute of a received envelope was loaded from, unparsed.

    :return: None if it did not arrive, or is null.
    """
    model, received = type(envelope), envelope.__dict__.get(RECEIVED)
    if received is None:
        return None
    row = next(row for row in attributes_of(model) if row.name == name)
    value = _value(model, row, received)
    if isinstance(value, msgspec.Raw):
        return Received(value, depth=received.depth + 1)
    return None if value is None else Received(json=value)


def _value(model: type[Model], row: Attribute, received: Received) -> Any:
    """Return what an envelope arrived with: a struct, bytes, or a JSON value."""
    if received.view is None and received.raw is not None:
        decoder = _view_decoder if model._envelope else _RECEIVED.decoder
        try:
            received.view = decoder(model).decode(received.raw)
        except (msgspec.MsgspecError, Unsure, RecursionError):
            received.view = False
    if not received.view:
        return received.json.get(row.key)
    value = getattr(received.view, row.name)
    if value.__class__ is msgspec.Raw and bytes(memoryview(value)[:4]) == b"null":
        return None
    return value


def _loader(model: type[Model], name: str) -> Callable[[Received], Any]:
    """Return what loads one attribute of an envelope."""
    found = _loaders.get((model, name))
    if found is None:
        row = next(row for row in attributes_of(model) if row.name == name)
        found = _loaders[model, name] = _make_loader(model, row)
    return found


_loaders: dict[tuple[type[Model], str], Callable[[Received], Any]] = {}
Lazy.loader = staticmethod(_loader)


def _make_loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    return _envelope_loader(model, row) if model._envelope else _part_loader(model, row)


def _part_loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    """Return what loads one attribute of a model that is valid."""
    shape = row.shape
    default = None if row.nullable else row.default
    nested = _holds_models(shape)
    field = field_of(shape, received=True)

    def load(received: Received) -> Any:
        value = _value(model, row, received)
        if value is None:
            return default() if default else None
        if not received.view:
            return field.deserialize(value)
        if nested:
            return _build_value(value, shape, received, (row.key,))
        return copy_json(value)  # It can be loaded again, to see if it was changed.

    return load


def _envelope_loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    shape, default = row.shape, row.default
    inner = shape.model if shape.model and shape.model._envelope else None
    exact = KINDS[shape.kind].exact if inner is None else None
    field = field_of(shape, received=True)

    def load(received: Received) -> Any:
        value = _value(model, row, received)
        if value is None:
            return default() if default else None
        if value.__class__ is exact and exact is str:
            return value
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
    if isinstance(value, msgspec.Struct):
        return envelope_of(
            model, Received(view=value, holder=holder, keys=(key,), depth=depth)
        )
    if value.__class__ is msgspec.Raw and bytes(memoryview(value)[:1]) == b"{":
        return envelope_of(model, Received(value, depth=depth))
    if value.__class__ is dict:
        return envelope_of(model, Received(json=value, depth=depth))
    raise ValidationError("Not a valid object.")


_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _read_value(shape: Shape, field: Kind, raw: msgspec.Raw, depth: int) -> Any:
    """Load a value that arrived as bytes.

    :raises ValidationError: when it is not what the shape says.
    """
    if shape.item is not None and shape.item.kind == "model":
        try:
            parts = _PARTS.decode(raw)
        except msgspec.MsgspecError:
            raise ValidationError("Not a valid list.") from None
        item, inner = shape.item, cast(Any, field).inner
        return [_read_value(item, inner, part, depth + 1) for part in parts]
    if shape.kind == "model":
        try:
            return read(cast("type[Model]", shape.model), raw, depth)
        except (msgspec.MsgspecError, Unsure, RecursionError):
            loaded = field.deserialize(parse(bytes(raw), above=depth))
            loaded.__dict__[RECEIVED] = Received(raw, depth=depth)
            return loaded
    return field.deserialize(parse(bytes(raw), above=depth))


# -- what is sent --------------------------------------------------------------------


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
    write = kind.write(shape, _SENT)
    plain = write is not None and is_plain_text(shape)
    return _Step(row.name, row.key, kind.exact, plain, write, row.none, row)


def plain(model: Model, plan: _Plan | None = None) -> JSON:
    """Return a model that a program built as JSON values, cleaned.

    :param plan: the plan of another model, to write this one as that.
    :raises UNCLEAR: when it arrived, or is not obviously valid.
    """
    opening, steps, check, complete = plan or _plan(model.__class__)
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
    if complete:
        complete(wire)
    if check:
        for _ in check(wire):
            raise Unsure
    return wire


def _plain_dict(value: JSON, model: type[Model]) -> JSON:
    """Return a dict that a program wrote as it is sent, cleaned."""
    opening, steps, check, complete = _plan(model)
    wire, known = opening.copy(), 0
    if opening:
        known = "type" in value
        if value.get("type", None if model._tag_required else model._tag) != model._tag:
            raise Unsure
    for _, key, exact, _, write, none, row in steps:
        item = value.get(key, _MISSING)
        if item is not _MISSING:
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
    if complete:
        complete(wire)
    if check:
        for _ in check(wire):
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
        and not (name in known and same(value, _loader(kind, name)(state[RECEIVED])))
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
    return _holds_models(shape) and not shape.limits


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
    write = kind.write(row.shape, _SENT)
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
