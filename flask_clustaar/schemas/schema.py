"""The marshmallow schemas of the models. All loading and dumping uses them.

Each model has two schemas, derived from its attributes when they are first needed. The
*strict* schema is for replies: after cleaning, it checks types without coercion,
unknown keys and all limits. The *received* schema is for notifications: it skips
unknown keys and limits, and keeps objects of unknown type
(:class:`~flask_clustaar.wire.Unknown`).

``load``, ``dump`` and ``dumps`` use the fast path for valid documents. If a value may
be invalid, or an option of marshmallow is used, marshmallow does the work.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, overload

import marshmallow as ma

from ..errors import Violation
from ..wire import JSON, RECEIVED, Model, Unknown, names_of, same
from . import kinds, reading, writing
from .attributes import Attribute, Shape, attributes_of, untyped
from .kinds import field_of
from .received import Received, dump_json
from .violations import Path, flat, nearest, tree_of, unknown_key


@overload
def schema_for(
    model: type[Model], *, received: Literal[False] = False
) -> ModelSchema: ...


@overload
def schema_for(model: type[Model], *, received: Literal[True]) -> ReceivedSchema: ...


@overload
def schema_for(model: type[Model], *, received: bool) -> ModelSchema: ...


def schema_for(model: type[Model], *, received: bool = False) -> Any:
    """Return the marshmallow schema of a model.

    ``load``, ``dump`` and ``validate`` are those of marshmallow. ``dumps`` also cleans
    and validates. It raises a :exc:`marshmallow.ValidationError` if the model breaks
    the platform's rules (PROTOCOL 4 and 5).

    :param received: True for the tolerant schema of notifications, instead of the
        strict one.
    """
    found = _schemas.get((model, received))
    if found is None:
        members: dict[str, Any] = {"model": model}
        if model._tag:
            members["type"] = Tag(model, received)
        for attribute in attributes_of(model):
            members[attribute.name] = _field(attribute, model, received)
        base = ReceivedSchema if received else ModelSchema
        schema = type(f"{model.__name__}Schema", (base,), members)
        found = _schemas[model, received] = typing.cast(ModelSchema, schema())
    return found


_schemas: dict[tuple[type[Model], bool], ModelSchema] = {}
kinds.Kind.schema_of = staticmethod(
    lambda model, received: schema_for(model, received=received)
)


class Invalid(ma.ValidationError):
    """A model cannot be sent.

    :param violations: all mistakes, with their paths.
    """

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            tree_of((path or "_schema", text) for path, text in violations)
        )
        self.violations = violations


class ModelSchema(ma.Schema):
    """The strict schema of a model."""

    class Meta:
        register = False
        unknown = ma.RAISE

    error_messages: dict[str, str] = {"type": "Not a valid object."}

    model: ClassVar[type[Model]]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._has_options = bool(options)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Return a model as cleaned JSON values, without validation."""
        if isinstance(obj, Unknown):
            return obj.data
        if many or self._has_options or type(obj) is not self.model:
            return super().dump(obj, many=many)
        try:
            return writing.plain(obj)
        except writing.UNCLEAR:
            return super().dump(obj)

    def dumps(
        self, obj: Any, *args: Any, many: bool | None = None, **kwargs: Any
    ) -> str:
        """Serialize a model to JSON, cleaned and validated.

        Received values that are unchanged are neither cleaned nor validated, at any
        depth. The platform may add types and raise limits, and accepts its own values.

        :raises marshmallow.ValidationError: if the model breaks the platform's rules.
        :raises TypeError, ValueError, RecursionError: if it is not JSON serializable.
        """
        if args or kwargs or many or self._has_options:
            return str(super().dumps(obj, *args, many=many, **kwargs))
        return self.encode(obj).decode()

    def encode(self, obj: Any) -> bytes:
        """Do what :meth:`dumps` does, and return bytes: they are what is sent."""
        try:
            return writing.dumps(obj, _slow)
        except writing.UNCLEAR:
            wire, violations = validate_model(obj)
        if violations:
            raise Invalid(violations)
        return dump_json(wire)

    @ma.post_load
    def _make(self, data: JSON, **_: Any) -> Model:
        model = _made(self.model, data)
        rule = self.model._rule
        if rule:
            found = list(rule.check(typing.cast(JSON, self.dump(model))))
            if found:
                raise ma.ValidationError(tree_of(found))
        return model

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        # Never use items: a session is a mapping, and may have a value named 'values'.
        return getattr(obj, attr, default)

    @ma.post_dump(pass_original=True)
    def _finish(self, data: JSON, original: Any, **_: Any) -> JSON:
        for attribute in attributes_of(self.model):
            if data.get(attribute.key, "") is not None:
                continue
            if attribute.none == "blank":
                data[attribute.key] = ""
            elif attribute.none == "omit":
                del data[attribute.key]
        if self.model._complete and not self._has_options:
            self.model._complete(data)
        return _merged(original, data) if RECEIVED in original.__dict__ else data

    def handle_error(self, error: ma.ValidationError, data: Any, **_: Any) -> None:
        messages = typing.cast(JSON, error.messages)
        keys = {name: field.data_key or name for name, field in self.fields.items()}
        for key, sentences in messages.items():
            if sentences == [self.error_messages["unknown"]]:
                messages[key] = [unknown_key(key, keys)]


class ReceivedSchema(ModelSchema):
    """The tolerant schema of a model."""

    class Meta:
        register = False
        unknown = ma.EXCLUDE

    def load(self, data: Any, **options: Any) -> Any:
        """Load a received value.

        :param data: a JSON value, or a :class:`~.received.Received` of bytes.
        :raises marshmallow.ValidationError: if it is invalid.
        :raises InvalidJSON: if bytes are not UTF-8 JSON.
        """
        model, received = self.model, data
        if not isinstance(data, Received):
            received = Received(value=data)
        if not (options or self._has_options):
            if model._envelope and self._opens(received):
                return reading.lazy(model, received)
            if received.raw is not None and not model._envelope:
                try:
                    return reading.read(model, received.raw)
                except writing.UNCLEAR:
                    pass
        return super().load(received.json, **options)

    def _opens(self, received: Received) -> bool:
        """Return whether an envelope's attributes can be loaded when they are used."""
        if received.raw is not None and reading.open_document(self.model, received):
            return True
        document = received.json
        return type(document) is dict and all(
            kinds.KINDS[row.shape.kind].exact is type(document.get(row.key))
            for row in attributes_of(self.model)
            if row.default is None
        )

    @ma.post_load(pass_original=True)
    def _make(self, data: JSON, original: Any = None, **_: Any) -> Model:
        for attribute in attributes_of(self.model):
            if data.get(attribute.name, "") is None and not attribute.nullable:
                del data[attribute.name]
        model = _made(self.model, data)
        model.__dict__[RECEIVED] = Received(value=original)
        return model


def _made(model: type[Model], data: JSON) -> Model:
    """Create a model from loaded attributes.

    With ``partial``, ``only`` or ``exclude``, required attributes can be missing; the
    model then lacks them. With ``unknown=INCLUDE``, the model has unknown ones.
    """
    data.pop("type", None)
    rows = {row.name: row for row in attributes_of(model)}
    missing = [name for name in rows.keys() - data.keys() if not rows[name].default]
    if not missing and data.keys() <= rows.keys():
        return model(**data)
    made = model.__new__(model)
    defaults = {name: row.default() for name, row in rows.items() if row.default}
    made.__dict__.update(defaults | data)
    return made


# -- fields --------------------------------------------------------------------------


def _field(
    attribute: Attribute, model: type[Model], received: bool
) -> ma.fields.Field[Any]:
    field: ma.fields.Field[Any] = field_of(attribute.shape, received=received)
    if received and model._envelope and attribute.default:
        field = Lenient(attribute, field)
    field.data_key = attribute.key
    field.required = attribute.required
    field.allow_none = attribute.nullable
    if received:
        field.required = attribute.default is None
        field.allow_none = attribute.default is not None or attribute.nullable
    return field


class Tag(ma.fields.Field[str]):
    """The ``type`` of a model, which is on the wire, but not in the constructor."""

    def __init__(self, model: type[Model], received: bool) -> None:
        super().__init__(required=model._tag_required and not received)
        self.tag: str = model._tag
        self.allow_none = received

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        if value != self.tag and not self.allow_none:
            raise ma.ValidationError(f"Must be '{self.tag}'.")
        return self.tag


class Lenient(ma.fields.Field[Any]):
    """An attribute of an envelope; invalid values are accepted."""

    def __init__(self, row: Attribute, inner: ma.fields.Field[Any]) -> None:
        super().__init__()
        self.row = row
        self.inner = inner

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.inner.deserialize(value, *args, **kwargs)
        except ma.ValidationError:
            return untyped(self.row, value)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self.inner._serialize(value, *args, **kwargs)


# -- validation ----------------------------------------------------------------------


def validate_model(model: Model) -> tuple[JSON, list[Violation]]:
    """Return the JSON of a model as it is sent, and all its violations."""
    schema = schema_for(type(model))
    wire = typing.cast(JSON, schema.dump(model))
    return wire, _violations(schema, wire, model)


def _slow(value: Any, shape: Shape) -> bytes:
    """Write a part of a reply with marshmallow, for the fast path."""
    field = field_of(shape)
    wire = field._serialize(value, None, None)
    if list(_violations(field, wire, value)):
        raise kinds.Unsure
    return dump_json(wire)


def _violations(
    schema: ModelSchema | ma.fields.Field[Any], wire: Any, value: Any
) -> list[Violation]:
    load = schema.load if isinstance(schema, ModelSchema) else schema.deserialize
    found: list[tuple[Path, str]] = []
    try:
        load(wire)
    except ma.ValidationError as error:
        received = dict(_received_parts(value, ()))
        found = [
            (path, sentence)
            for path, sentence in flat(error.messages)
            if not _excused(path, wire, received)
        ]
    found += _misspelt(value, ())
    return [Violation(".".join(path), sentence) for path, sentence in found]


def _received_parts(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the paths and JSON of all received parts of *value*."""
    if isinstance(value, Received):
        yield path, value.json
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _received_parts(item, (*path, str(index)))
    if not isinstance(value, Model):
        return
    if RECEIVED in value.__dict__:
        yield path, value.received
    for attribute in attributes_of(type(value)):
        if attribute.shape.kind in ("list", "model"):
            inner = getattr(value, attribute.name, None)
            yield from _received_parts(inner, (*path, attribute.key))


def _misspelt(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield unknown attributes that a program set on models."""
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _misspelt(item, (*path, str(index)))
    if not isinstance(value, Model):
        return
    attributes = attributes_of(type(value))
    names = {attribute.key: attribute.name for attribute in attributes}
    for name in value.__dict__.keys() - {RECEIVED, *names.values()}:
        meant = names.get(name) or nearest(name, names.values())
        hint = f" Did you mean '{meant}'?" if meant else ""
        yield (*path, name), f"Unknown attribute.{hint}"
    for attribute in attributes:
        if attribute.shape.kind in ("list", "model"):
            inner = getattr(value, attribute.name, None)
            yield from _misspelt(inner, (*path, attribute.key))


def _excused(path: Path, wire: Any, received: dict[Path, Any]) -> bool:
    """Return whether the value at *path* is unchanged since it was received."""
    for length in range(len(path), -1, -1):
        if path[:length] in received:
            raw = _value_at(received[path[:length]], path[length:])
            return _alike(_value_at(wire, path), raw)
    return False


def _value_at(document: Any, path: Path) -> Any:
    """Return the value at *path*; a value that equals no other if it is missing."""
    for key in path:
        if isinstance(document, list) and int(key) < len(document):
            document = document[int(key)]
        elif isinstance(document, dict):
            document = document.get(key, ma.missing)
        else:
            return object()
    return document


def _alike(now: Any, raw: Any) -> bool:
    """Return whether a value is as received; for a list, whether its length is."""
    if isinstance(now, list) and isinstance(raw, list):
        return len(now) == len(raw)
    return same(now, raw)


def _merged(model: Model, wire: JSON) -> Any:
    """Merge the received JSON of a model with *wire*.

    Unknown keys, and the values of unchanged attributes, are as received. Only values
    that a handler changed are from *wire*.
    """
    raw = model.received
    pristine = schema_for(type(model), received=True).load(raw)
    if all(
        same(getattr(model, n), getattr(pristine, n)) for n in names_of(type(model))
    ):
        return raw
    merged = dict(raw)
    for attribute in attributes_of(type(model)):
        key = attribute.key
        now, then = (getattr(which, attribute.name) for which in (model, pristine))
        changed = not same(now, then)
        completed = attribute.required and key not in raw
        if changed or (completed and (attribute.nullable or wire[key] is not None)):
            merged.pop(key, None)
            merged |= {key: wire[key]} if key in wire else {}
    return merged
