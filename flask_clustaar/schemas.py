"""The marshmallow schemas of the models: the judge of what comes in and what leaves.

Each model has two, made from its attributes when they are first needed. The *strict*
one judges what leaves: no coercion, no unknown key, every limit, after cleaning. The
*received* one reads what comes in: unknown keys are passed over, limits are not looked
at, and what cannot be typed stays raw (:class:`~flask_clustaar.wire.Unknown`).
"""

from __future__ import annotations

import difflib
import math
import re
import typing
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

import marshmallow as ma

from .errors import Violation
from .wire import (
    JSON,
    RECEIVED,
    Attribute,
    Model,
    Shape,
    Unknown,
    attributes_of,
    compiles,
    copy_json,
    pattern_of,
    same,
    untyped,
)


def schema_for(model: type[Model], *, received: bool = False) -> ModelSchema:
    """Return the marshmallow schema of *model*.

    :param received: the tolerant schema for what comes in, not the strict one.
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


def judge(model: Model) -> tuple[JSON, list[Violation]]:
    """Return *model* as it leaves, and what is wrong with that.

    What was received and is unchanged is neither cleaned nor judged, at any depth: the
    platform's types and limits grow, and what came from it can go back to it.
    """
    wire = typing.cast(JSON, schema_for(type(model)).dump(model))
    try:
        schema_for(type(model)).load(wire)
    except ma.ValidationError as error:
        received = dict(_received_parts(model, ()))
        found = [
            (path, sentence)
            for path, sentence in _flat(error.messages, ())
            if not _excused(path, wire, received)
        ]
    else:
        found = []
    found += _misspelt(model, ())
    return wire, [Violation(".".join(path), sentence) for path, sentence in found]


def unknown_keys(
    model: type[Model], document: JSON, *, path: str = "", came: Container[str] = ()
) -> list[Violation]:
    """Return the keys of a document that *model* does not have.

    :param path: where the document stands.
    :param came: keys that were received, and are let through.
    """
    keys = {attribute.name: attribute.key for attribute in attributes_of(model)}
    return [
        Violation(f"{path}.{key}" if path else str(key), _unknown(key, keys))
        for key in document
        if key not in keys.values() and key not in came
    ]


def _unknown(key: Any, keys: Mapping[str, str]) -> str:
    """Return the sentence for a key that is unknown, given keys by attribute."""
    meant = keys.get(key) or _nearest(str(key), keys.values())
    return f"Unknown field. Did you mean '{meant}'?" if meant else "Unknown field."


def _nearest(name: str, names: Iterable[str]) -> str:
    """Return what *name* is most like; empty if it is like none."""
    near = difflib.get_close_matches(name, [*names], 1)
    return near[0] if near else ""


def violations(error: ma.ValidationError) -> list[Violation]:
    """Return the messages of a marshmallow error, each with its dotted path."""
    found = _flat(error.messages, ())
    return [Violation(".".join(path), sentence) for path, sentence in found]


Path = tuple[str, ...]


def _flat(messages: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flat(inner, path if key == "_schema" else (*path, str(key)))
        return
    for message in messages:
        yield path, str(message)


def _tree(found: list[tuple[str, str]]) -> JSON:
    """Return ``(dotted path, sentence)`` pairs as marshmallow nests them."""
    root: JSON = {}
    for path, sentence in found:
        *parents, last = path.split(".")
        node = root
        for key in parents:
            node = node.setdefault(key, {})
        node.setdefault(last, []).append(sentence)
    return root


def _received_parts(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield each received object in *value*, by its path: the JSON it came as."""
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _received_parts(item, (*path, str(index)))
    if not isinstance(value, Model):
        return
    if RECEIVED in value.__dict__:
        yield path, value.received
    for attribute in attributes_of(type(value)):
        if attribute.shape.kind in ("list", "model"):
            inner = getattr(value, attribute.name)
            yield from _received_parts(inner, (*path, attribute.key))


def _misspelt(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield what the program set on a model in *value* by a name that it has not."""
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _misspelt(item, (*path, str(index)))
    if not isinstance(value, Model):
        return
    attributes = attributes_of(type(value))
    names = {attribute.key: attribute.name for attribute in attributes}
    for name in value.__dict__.keys() - {RECEIVED, *names.values()}:
        meant = names.get(name) or _nearest(name, names.values())
        hint = f" Did you mean '{meant}'?" if meant else ""
        yield (*path, name), f"Unknown attribute.{hint}"
    for attribute in attributes:
        if attribute.shape.kind in ("list", "model"):
            inner = getattr(value, attribute.name, None)
            yield from _misspelt(inner, (*path, attribute.key))


def _excused(path: Path, wire: JSON, received: dict[Path, Any]) -> bool:
    """Tell if what stands at *path* came like this."""
    for length in range(len(path), -1, -1):
        if path[:length] in received:
            raw = _value_at(received[path[:length]], path[length:])
            return _alike(_value_at(wire, path), raw)
    return False


def _value_at(document: Any, path: Path) -> Any:
    """Return what stands at *path*; something that equals nothing, if nothing can."""
    for key in path:
        if isinstance(document, list) and int(key) < len(document):
            document = document[int(key)]
        elif isinstance(document, dict):
            document = document.get(key, ma.missing)
        else:
            return object()
    return document


def _alike(now: Any, raw: Any) -> bool:
    """Tell if a value is as it came; of a list, if it is as long as it came."""
    if isinstance(now, list) and isinstance(raw, list):
        return len(now) == len(raw)
    return same(now, raw)


def json_violations(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield what in *value* cannot travel as JSON: ``(dotted path, sentence)``."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if not isinstance(key, str):
                yield inner, f"Not a valid key: {type(key).__name__} must be a string."
            yield from json_violations(item, inner)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from json_violations(item, f"{path}.{index}" if path else str(index))
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield path, "Not a valid number: JSON has no NaN and no Infinity."
    elif isinstance(value, int):
        if abs(value) >= HUGE:
            yield path, "Not a valid number: it has too many digits."
    else:
        yield path, f"Not a JSON value: {type(value).__name__}."


#: Whole numbers from here on are refused in what leaves: Python does not write them.
HUGE: Final = 10**4300


class ModelSchema(ma.Schema):
    """The strict schema of a model."""

    class Meta:
        register = False
        unknown = ma.RAISE

    model: ClassVar[type[Model]]

    @ma.post_load
    def _make(self, data: JSON, **_: Any) -> Model:
        data.pop("type", None)
        model = self.model(**data)
        rule = self.model._rule
        if rule:
            found = list(rule.check(typing.cast(JSON, self.dump(model))))
            if found:
                raise ma.ValidationError(_tree(found))
        return model

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        # Never an item: a session is a mapping, and may have a value named 'values'.
        return getattr(obj, attr, default)

    @ma.post_dump(pass_original=True)
    def _finish(self, data: JSON, original: Any, **_: Any) -> JSON:
        attributes = attributes_of(self.model)
        for attribute in attributes:
            if data.get(attribute.key) is not None:
                continue
            if attribute.none == "blank":
                data[attribute.key] = ""
            elif attribute.none == "omit":
                del data[attribute.key]
        return _merged(original, data) if RECEIVED in original.__dict__ else data

    def handle_error(self, error: ma.ValidationError, data: Any, **_: Any) -> None:
        messages = typing.cast(JSON, error.messages)
        keys = {name: field.data_key or name for name, field in self.fields.items()}
        for key, sentences in messages.items():
            if sentences == [self.error_messages["unknown"]]:
                messages[key] = [_unknown(key, keys)]


def _merged(model: Model, wire: JSON) -> Any:
    """Return *wire* with what *model* came with and nobody changed, as it came.

    Unknown keys survive, and so does each value whose attribute is still what it was
    loaded as; only what a handler changed is taken from *wire*.
    """
    raw = model.received
    pristine = schema_for(type(model), received=True).load(raw)
    if same(pristine, model):
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


class ReceivedSchema(ModelSchema):
    """The tolerant schema of a model."""

    class Meta:
        register = False
        unknown = ma.EXCLUDE

    @ma.post_load(pass_original=True)
    def _make(self, data: JSON, original: Any = None, **_: Any) -> Model:
        data.pop("type", None)
        given = {
            attribute.name: data[attribute.name]
            for attribute in attributes_of(self.model)
            if attribute.name in data
            and (data[attribute.name] is not None or attribute.nullable)
        }
        model = self.model(**given)
        model.__dict__[RECEIVED] = original
        return model


def _field(
    attribute: Attribute, model: type[Model], received: bool
) -> ma.fields.Field[Any]:
    field = _typed(attribute.shape, received)
    if received and model._envelope and attribute.default:
        field = Lenient(attribute, field)
    field.data_key = attribute.key
    field.required = attribute.required
    field.allow_none = attribute.nullable
    if received:
        field.required = attribute.default is None
        field.allow_none = attribute.default is not None or attribute.nullable
    return field


def _typed(shape: Shape, received: bool) -> ma.fields.Field[Any]:
    limits = () if received else shape.limits
    if shape.kind == "list":
        assert shape.item is not None
        return ListOf(_typed(shape.item, received), validate=limits)
    if shape.kind == "model":
        return One(shape, received)
    field = _FIELDS[shape.kind](validate=limits)
    if isinstance(field, JSONObject):
        field.received = received
    if isinstance(field, String) and not received:
        field.clean = shape.clean
    return field


class Tag(ma.fields.Field[str]):
    """The ``type`` of a model: on the wire, not in the model's constructor."""

    def __init__(self, model: type[Model], received: bool) -> None:
        super().__init__(required=model._tag_required and not received)
        self.tag: str = model._tag
        self.allow_none = received

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        if value != self.tag and not self.allow_none:
            raise ma.ValidationError(f"Must be '{self.tag}'.")
        return self.tag


class String(ma.fields.Field[str]):
    """A string; nothing else is taken for one. It is cleaned before it is judged."""

    clean: Callable[[str], str] | None = None

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        if not isinstance(value, str):
            raise ma.ValidationError("Not a valid string.")
        return self.clean(value) if self.clean else value

    def _serialize(self, value: Any, attr: Any, obj: Any, **_: Any) -> Any:
        if isinstance(value, str) and self.clean:
            return self.clean(value)
        return value


class Regexp(String):
    """A regular expression, as its pattern."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        if isinstance(value, re.Pattern):
            raise ma.ValidationError(
                "Flags do not travel. Write them into the pattern, as in '(?i)yes'."
            )
        pattern = super()._deserialize(value, attr, data)
        if self.validators and not compiles(pattern):
            raise ma.ValidationError("Not a valid regular expression.")
        return pattern

    def _serialize(self, value: Any, attr: Any, obj: Any, **_: Any) -> Any:
        return pattern_of(value)


class Number(ma.fields.Field[float]):
    """A finite number; neither a string nor a boolean is taken for one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ma.ValidationError("Not a valid number.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ma.ValidationError("Not a valid number.")
        return value


class Integer(ma.fields.Field[int]):
    """A whole number; neither a string nor a boolean is taken for one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ma.ValidationError("Not a valid integer.")
        return value


class Boolean(ma.fields.Field[bool]):
    """True or false; neither a string nor a number is taken for one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("Not a valid boolean.")
        return value


class JSONObject(ma.fields.Field[JSON]):
    """An object whose members can be any JSON."""

    received = False

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> JSON:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not a valid object.")
        found = [] if self.received else list(self._violations(value))
        if found:
            raise ma.ValidationError(_tree(found))
        return typing.cast(JSON, copy_json(value))

    def _violations(self, value: JSON) -> Iterator[tuple[str, str]]:
        return json_violations(value)


class StringObject(JSONObject):
    """An object whose members are strings."""

    def _violations(self, value: JSON) -> Iterator[tuple[str, str]]:
        for key, item in value.items():
            if not isinstance(item, str):
                yield str(key), "Not a valid string."
            elif not isinstance(key, str):
                yield str(key), "Not a valid key: it must be a string."


class ListOf(ma.fields.List[Any]):
    """A list; a string or a mapping is not taken for one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ma.ValidationError("Not a valid list.")
        return super()._deserialize(value, attr, data, **kwargs)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        return super()._serialize(list(value), attr, obj, **kwargs)


class One(ma.fields.Field[Any]):
    """An object: of one model, or of a member of a family, which its ``type`` tells."""

    def __init__(self, shape: Shape, received: bool) -> None:
        super().__init__()
        self.shape = shape
        self.model: type[Model] = typing.cast("type[Model]", shape.model)
        self.received = received

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is None and self.received and not self.allow_none:
            return self._deserialize(None, None, None)  # Of a list: it is unknown.
        return super().deserialize(value, *args, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        try:
            loaded = self._load(value)
        except ma.ValidationError:
            unknown = self.shape.unknown
            if not self.received or unknown is None:
                raise
            loaded = unknown(data=value)
            loaded.__dict__[RECEIVED] = value
        via = self.shape.via
        return via.part(loaded) if via else loaded

    def _load(self, value: Any) -> Model:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not a valid object.")
        model, members = self.model, self.shape.members
        if members is not None:
            tag = value.get("type")
            if not isinstance(tag, str) or tag not in members:
                known = ", ".join(f"'{name}'" for name in sorted(members))
                raise ma.ValidationError({"type": [f"Must be one of: {known}."]})
            model = members[tag]
        loaded = schema_for(model, received=self.received).load(value)
        return typing.cast(Model, loaded)

    def _serialize(self, value: Any, attr: Any, obj: Any, **_: Any) -> Any:
        if self.shape.via and value is not None and not isinstance(value, dict):
            value = self.shape.via.whole(value)
        if isinstance(value, Unknown):
            return value.data
        if isinstance(value, Model):
            return schema_for(type(value)).dump(value)
        if isinstance(value, dict):
            return self._cleaned(value)
        return value

    def _cleaned(self, value: JSON) -> Any:
        """Return a plain dict as it leaves, or as it is if it cannot leave."""
        try:
            model = self._load(value)
        except ma.ValidationError:
            return value
        return schema_for(type(model)).dump(model)


class Lenient(ma.fields.Field[Any]):
    """An attribute of an envelope: what cannot be typed never fails the request."""

    def __init__(self, row: Attribute, inner: ma.fields.Field[Any]) -> None:
        super().__init__()
        self.row = row
        self.inner = inner

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.inner.deserialize(value, *args, **kwargs)
        except ma.ValidationError:
            return untyped(self.row, value)


_FIELDS: Final[dict[str, type[ma.fields.Field[Any]]]] = {
    "string": String,
    "regexp": Regexp,
    "number": Number,
    "integer": Integer,
    "boolean": Boolean,
    "json": JSONObject,
    "strings": StringObject,
    "any": ma.fields.Raw,
}
