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
from msgspec.structs import asdict

from ..wire import JSON, RECEIVED, Lazy, Model, Unknown, same
from .attributes import Attribute, Shape, attributes_of, untyped
from .kinds import KINDS, Kind, Unsure, Write, field_of, msgspec_type
from .received import Received, parse
from .violations import DEEPEST

#: What the fast path raises for a value that marshmallow has to look at. The last
#: four are raised for attributes that were deleted, and for values that JSON lacks.
UNCLEAR: Final = (
    Unsure,
    msgspec.MsgspecError,
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
    if len(memoryview(raw)) > 2 * DEEPEST:
        parse(bytes(raw), above=depth)  # It refuses what is nested too deeply.
    return _build(struct, Received(raw, depth=depth))


def _build(struct: Any, received: Received) -> Model:
    return _builder(struct.__class__)(struct, received)


_builders: dict[type, Callable[[Any, Received], Model]] = {}


def _builder(struct: type) -> Callable[[Any, Received], Model]:
    found = _builders.get(struct)
    if found is None:
        found = _builders[struct] = _make_builder(_RECEIVED.models[struct])
    return found


def _make_builder(model: type[Model]) -> Callable[[Any, Received], Model]:
    """Return what makes a model of its struct."""
    rows = attributes_of(model)
    nested = [
        (row.name, row.key, row.shape) for row in rows if _holds_models(row.shape)
    ]
    defaults = [(row.name, row.default) for row in rows if not row.nullable]
    defaults = [(name, default) for name, default in defaults if default]
    complete = getattr(model, "__post_init__", None)
    new = model.__new__

    def build(struct: Any, received: Received) -> Model:
        instance = new(model)
        state = instance.__dict__
        state.update(asdict(struct))
        for name, default in defaults:
            if state[name] is None:
                state[name] = default()  # type: ignore[misc]
        for name, key, shape in nested:
            if state[name] is not None:
                state[name] = _build_value(state[name], shape, received, (key,))
        if complete:
            complete(instance)
        state[RECEIVED] = received
        return instance

    return build


def _build_value(
    value: Any, shape: Shape, holder: Received, keys: tuple[str | int, ...]
) -> Any:
    if shape.item is None:
        return _build(value, Received(holder=holder, keys=keys))
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
        try:
            received.view = _view_decoder(model).decode(received.raw)
        except (msgspec.MsgspecError, RecursionError):
            received.view = False
    if not received.view:
        return received.json.get(row.key)
    value = getattr(received.view, row.name)
    if value.__class__ is msgspec.Raw and bytes(memoryview(value)[:4]) == b"null":
        return None
    return value


def _load_attribute(model: type[Model], name: str, received: Received) -> Any:
    loaders = _loaders.get(model)
    if loaders is None:
        rows = attributes_of(model)
        loaders = _loaders[model] = {row.name: _loader(model, row) for row in rows}
    return loaders[name](received)


_loaders: dict[type[Model], dict[str, Callable[[Received], Any]]] = {}
Lazy.load = staticmethod(_load_attribute)


def _loader(model: type[Model], row: Attribute) -> Callable[[Received], Any]:
    """Return what loads one attribute of an envelope."""
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


class _Plan(NamedTuple):
    """How a model that a program built is written."""

    #: What the object begins with.
    opening: JSON
    #: For each attribute: name, key, the class it must have, what writes it, and how
    #: None is sent.
    rows: list[tuple[str, str, type | None, Write | None, str]]
    check: Callable[[JSON], Any] | None
    complete: Callable[[JSON], None] | None


_plans: dict[type[Model], _Plan] = {}


def _plan(model: type[Model]) -> _Plan:
    found = _plans.get(model)
    if found is None:
        rows: list[tuple[str, str, type | None, Write | None, str]] = [
            (
                row.name,
                row.key,
                KINDS[row.shape.kind].exact,
                KINDS[row.shape.kind].write(row.shape, _SENT),
                row.none,
            )
            for row in attributes_of(model)
        ]
        opening = {"type": model._tag} if model._tag else {}
        rule = model._rule
        check = rule.check if rule else None
        found = _plans[model] = _Plan(opening, rows, check, model._complete)
    return found


def plain(model: Model, plan: _Plan | None = None) -> JSON:
    """Return a model that a program built as JSON values, cleaned.

    :param plan: the plan of another model, to write this one as that.
    :raises Unsure: when it arrived, or is not obviously valid.
    """
    opening, rows, check, complete = plan or _plan(model.__class__)
    state = model.__dict__
    if len(state) != len(rows):
        raise Unsure
    wire = opening.copy()
    for name, key, exact, write, none in rows:
        value = state[name]
        if value is None:
            if none == "omit":
                continue
            if none == "error":
                raise Unsure
            wire[key] = "" if none == "blank" else None
        elif exact is not None and value.__class__ is not exact:
            raise Unsure
        else:
            wire[key] = value if write is None else write(value)
    if complete:
        complete(wire)
    if check:
        for _ in check(wire):
            raise Unsure
    return wire


def _plain_dict(value: JSON, model: type[Model]) -> JSON:
    """Return a dict that a program wrote as it is sent, cleaned."""
    opening, _, check, complete = _plan(model)
    plan = {row[1]: row for row in _plan(model).rows}
    tag = value.get("type", _MISSING if model._tag_required else model._tag)
    if not (plan.keys() | opening.keys()).issuperset(value):
        raise Unsure
    if opening and tag != model._tag:
        raise Unsure
    wire = opening.copy()
    for row in attributes_of(model):
        _, key, exact, write, none = plan[row.key]
        item = value.get(key, _MISSING)
        if item is _MISSING:
            if row.required:
                raise Unsure
            item = row.default() if row.default else None
        elif item is None and not row.nullable:
            raise Unsure
        if item is None:
            if none != "omit":
                wire[key] = "" if none == "blank" else None
        elif exact is not None and item.__class__ is not exact:
            raise Unsure
        else:
            wire[key] = item if write is None else write(item)
    if complete:
        complete(wire)
    if check:
        for _ in check(wire):
            raise Unsure
    return wire


def _writer(shape: Shape) -> Write:
    """Return what writes an object of the shape's model or family."""
    model = cast("type[Model]", shape.model)
    alias = model._alias
    plans: dict[type, _Plan | None] = {}

    def write(value: Any) -> Any:
        kind = value.__class__
        plan = plans.get(kind)
        if plan is not None:
            return plain(value, plan)
        if kind is dict:
            return _plain_dict(value, _member(shape, value))
        if kind is alias:
            plans[kind] = _plan(model)
        elif issubclass(kind, Unknown) or not (
            isinstance(value, model) if shape.members is not None else kind is model
        ):
            raise Unsure
        else:
            plans[kind] = _plan(kind)
        return plain(value, plans[kind])

    return write


def _member(shape: Shape, value: JSON) -> type[Model]:
    if shape.members is None:
        return cast("type[Model]", shape.model)
    tag = value.get("type")
    member = shape.members.get(tag) if tag.__class__ is str else None
    if member is None:
        raise Unsure
    return member


# -- what arrived and is sent back ---------------------------------------------------


def is_unchanged(model: Model) -> bool:
    """Tell if a model that arrived still is what it was loaded as."""
    state, kind = model.__dict__, type(model)
    received: Received = state[RECEIVED]
    if kind._envelope:
        return len(state) == 1 or not changed_attributes(model)
    if isinstance(model, Unknown):
        return len(state) == 2 and same(model.data, _again(received))
    fresh = _read_again(kind, received)
    return len(fresh.__dict__) == len(state) and same(fresh, model)


def changed_attributes(envelope: Model) -> list[str]:
    """Return the names of the attributes that a handler changed or added."""
    state, kind = envelope.__dict__, type(envelope)
    if RECEIVED not in state:
        fresh = kind()
        return [name for name in state if not same(state[name], getattr(fresh, name))]
    known = {row.name for row in attributes_of(kind)}
    return [
        name
        for name, value in state.items()
        if name != RECEIVED
        and not (
            name in known and same(value, _load_attribute(kind, name, state[RECEIVED]))
        )
    ]


def _again(received: Received) -> Any:
    """Return the JSON value once more, not shared with what handlers have."""
    if received.raw is None:
        return received.json
    return parse(bytes(received.raw), above=received.depth)


def _read_again(model: type[Model], received: Received) -> Model:
    if received.raw is not None:
        try:
            return read(model, received.raw, received.depth)
        except (msgspec.MsgspecError, Unsure, RecursionError):
            pass
    field = field_of(Shape("model", model=model), received=True)
    return cast(Model, field.deserialize(received.json))


#: Writes a value that the fast path is unsure of, or raises Unsure if it is invalid.
Slow = Callable[[Any, Shape], bytes]


def dumps(model: Model, slow: Slow) -> bytes:
    """Return a model as JSON, cleaned and validated.

    :param slow: writes the parts that the fast path is unsure of.
    :raises UNCLEAR: when marshmallow has to look at the whole model.
    """
    kind = type(model)
    rows = attributes_of(kind)
    if RECEIVED in model.__dict__ or not _is_written_by_parts(kind):
        return bytes(_part(model, Shape("model", model=kind), slow))
    wire: JSON = {}
    if len(model.__dict__) != len(rows):
        raise Unsure
    for row in rows:
        value, shape = model.__dict__[row.name], row.shape
        if value is None:
            if row.none != "omit":
                raise Unsure
        elif value.__class__ is Received:
            wire[row.key] = msgspec.Raw(value.encoded)
        elif shape.item is not None and shape.item.kind == "model":
            wire[row.key] = _parts(value, shape, slow)
        elif shape.kind == "model":
            wire[row.key] = _part(value, shape, slow)
        else:
            raise Unsure
    return _encode(wire)


def _is_written_by_parts(model: type[Model]) -> bool:
    """Tell if parts of a model may have arrived: they are written one by one."""
    if model._tag or model._envelope or model._rule:
        return False
    return all(_holds_models(row.shape) for row in attributes_of(model))


def _parts(values: Any, shape: Shape, slow: Slow) -> Any:
    """Return a list of objects, each unchanged as it arrived, or written and judged."""
    if values.__class__ is not list or shape.limits:
        raise Unsure
    item = cast(Shape, shape.item)
    model = cast("type[Model]", item.model)
    write = _written(item)
    parts: list[Any] = []
    built: list[Any] = []
    for value in values:
        try:
            if RECEIVED in value.__dict__:
                parts.append(_unchanged(value, item, slow))
                continue
        except AttributeError:
            pass  # a dict, or what marshmallow will refuse
        try:
            wire = write(value)
        except UNCLEAR:
            wire = msgspec.Raw(slow(value, item))
        else:
            built.append(wire)
        parts.append(wire)
    data = _encode(built)
    _SENT.list_decoder(model).decode(data)
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
