"""The kinds of values, one class for each.

A kind is a marshmallow field. It also defines the msgspec type, the work that msgspec
does not do, the JSON Schema, and the words in the documentation. To add a kind, add a
class, and list in ``annotations`` the annotations that models use for it.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Protocol

import marshmallow as ma
import msgspec

from ..wire import (
    JSON,
    RECEIVED,
    STRIPPED,
    Model,
    Unknown,
    compiles,
    copy_json,
    pattern_of,
)
from .attributes import KIND_NAMES, Shape
from .limits import KeysMatch, Limit, OneOf
from .received import Received
from .violations import DEEPEST_VALUE, json_violations, tree_of

#: Takes a value that msgspec accepted; returns it, maybe cleaned, or raises Unsure.
Finish = Callable[[Any], Any]


class Unsure(Exception):
    """The fast path does not know whether a value is valid; marshmallow decides."""


class Types(Protocol):
    """The interface that kinds use to get the msgspec types of models."""

    def of(self, model: type[Model]) -> Any:
        """Return the msgspec type of a model or family."""
        ...


class Schemas(Protocol):
    """The interface that kinds use to get the JSON Schema of models."""

    received: bool

    def of(self, model: type[Model]) -> JSON:
        """Return a reference to the JSON Schema of a model or family."""
        ...


#: The kinds, by name.
KINDS: Final[dict[str, type[Kind]]] = {}


class Kind(ma.fields.Field[Any]):
    """Base class of all kinds.

    :param shape: the shape of the value.
    :param received: True for received values: limits do not apply.
    """

    #: The annotations of this kind.
    annotations: ClassVar[tuple[Any, ...]] = ()
    #: The name of the kind in the documentation.
    words: ClassVar[str] = ""
    #: The type in JSON Schema; empty for any.
    json_type: ClassVar[str] = ""
    #: The type for msgspec.
    wire_type: ClassVar[Any] = Any
    #: The only class that the fast path accepts; None for several.
    exact: ClassVar[type | None] = None
    #: Takes a model and *received*, and returns its schema. Set by ``schema``.
    schema_of: ClassVar[Callable[[type[Model], bool], ma.Schema]]

    def __init_subclass__(cls, *, name: str) -> None:
        super().__init_subclass__()
        KINDS[name] = cls
        KIND_NAMES.update(dict.fromkeys(cls.annotations, name))

    def __init__(self, shape: Shape, *, received: bool = False) -> None:
        super().__init__(validate=() if received else shape.limits)
        self.shape = shape
        self.received = received

    @classmethod
    def msgspec_type(cls, shape: Shape, types: Types, *, received: bool) -> Any:
        """Return the msgspec type of a value, with limits if it is sent."""
        return cls.wire_type if received else _limited(cls.wire_type, shape)

    @classmethod
    def finish(cls, shape: Shape, *, clean: bool) -> Finish | None:
        """Return a function that completes msgspec's work; None if it is complete.

        It checks the limits that msgspec cannot check.

        :param clean: True to clean texts as well; False for those that need none.
        """
        questions = _questions(shape)
        return _asking(questions) if questions else None

    @classmethod
    def json_schema(cls, shape: Shape, schemas: Schemas) -> JSON:
        """Return the JSON Schema of a value."""
        schema: JSON = {"type": cls.json_type} if cls.json_type else {}
        if not schemas.received:
            for limit in shape.limits:
                schema |= limit.json_schema(shape.kind)
        return schema

    @classmethod
    def describe(cls, shape: Shape) -> str:
        """Describe a value in words, with its limits."""
        return cls.words + "".join(limit.words(shape.kind) for limit in shape.limits)


def field_of(shape: Shape, *, received: bool = False) -> Kind:
    """Return the marshmallow field of a shape."""
    return KINDS[shape.kind](shape, received=received)


# -- scalars -------------------------------------------------------------------------


class String(Kind, name="string"):
    """A string, without coercion. It is cleaned before it is validated."""

    annotations: ClassVar[tuple[Any, ...]] = (str,)
    words = "string"
    json_type = "string"
    wire_type = str
    exact: ClassVar[type | None] = str

    def _clean(self, value: str) -> str:
        clean = None if self.received else self.shape.clean
        return clean(value) if clean else value

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        text = text_of(value)
        if text is None:
            raise ma.ValidationError("Not a valid string.")
        return self._clean(text)

    def _serialize(self, value: Any, attr: Any, obj: Any, **_: Any) -> Any:
        text = text_of(value)
        return value if text is None else self._clean(text)

    @classmethod
    def finish(cls, shape: Shape, *, clean: bool) -> Finish | None:
        clean_text = shape.clean
        if clean_text is None or not (clean or STRIPPED in shape.marks):
            return super().finish(shape, clean=clean)
        if not clean:
            clean_text = str.strip
        limits = [limit.accepts for limit in shape.limits]
        questions = [limit.accepts for limit in _questions(shape)]

        def finish(value: str) -> str:
            cleaned = clean_text(value)
            for accepts in questions if cleaned is value else limits:
                if not accepts(cleaned):
                    raise Unsure
            return cleaned

        return finish


def text_of(value: Any) -> str | None:
    """Return the text of a string or a lazy string; None for other values.

    A lazy string (``flask_babel.lazy_gettext``) has the methods of a string.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (Model, type)) or not callable(
        getattr(value, "casefold", None)
    ):
        return None
    return str(value)


class Regexp(String, name="regexp"):
    """A regular expression, as its pattern."""

    annotations: ClassVar[tuple[Any, ...]] = ()

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        if isinstance(value, re.Pattern):
            raise ma.ValidationError(
                "Flags cannot be sent. Use inline flags, as in '(?i)yes'."
            )
        pattern = super()._deserialize(value, attr, data)
        if self.validators and not compiles(pattern):
            raise ma.ValidationError("Not a valid regular expression.")
        return pattern

    def _serialize(self, value: Any, attr: Any, obj: Any, **_: Any) -> Any:
        return pattern_of(value)


class Number(Kind, name="number"):
    """A finite number. Strings and booleans are rejected."""

    annotations: ClassVar[tuple[Any, ...]] = (float,)
    words = "number"
    json_type = "number"

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ma.ValidationError("Not a valid number.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ma.ValidationError("Not a valid number.")
        return value

    @classmethod
    def msgspec_type(cls, shape: Shape, types: Types, *, received: bool) -> Any:
        if received:
            return int | float
        return _limited(int, shape) | _limited(float, shape)

    @classmethod
    def finish(cls, shape: Shape, *, clean: bool) -> Finish | None:
        ask = super().finish(shape, clean=clean)

        def finish(value: float) -> float:
            if not math.isfinite(value):
                raise Unsure
            return value if ask is None else ask(value)

        return finish


class Integer(Kind, name="integer"):
    """A whole number. Strings and booleans are rejected."""

    annotations: ClassVar[tuple[Any, ...]] = (int,)
    words = "whole number"
    json_type = "integer"
    wire_type = int
    exact: ClassVar[type | None] = int

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ma.ValidationError("Not a valid integer.")
        return value


class Boolean(Kind, name="boolean"):
    """True or false. Strings and numbers are rejected."""

    annotations: ClassVar[tuple[Any, ...]] = (bool,)
    words = "boolean"
    json_type = "boolean"
    wire_type = bool
    exact: ClassVar[type | None] = bool

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("Not a valid boolean.")
        return value


class Anything(Kind, name="any"):
    """Any JSON value."""

    annotations: ClassVar[tuple[Any, ...]] = (Any,)
    words = "anything"

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        return value

    @classmethod
    def finish(cls, shape: Shape, *, clean: bool) -> Finish | None:
        return plain_json


# -- objects and lists ---------------------------------------------------------------


class JSONObject(Kind, name="json"):
    """An object whose members can be any JSON value."""

    annotations: ClassVar[tuple[Any, ...]] = (dict[str, Any],)
    words = "object"
    json_type = "object"
    wire_type = dict
    exact: ClassVar[type | None] = dict

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> JSON:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not a valid object.")
        found = [] if self.received else list(self._violations(value))
        if found:
            raise ma.ValidationError(tree_of(found))
        return typing.cast(JSON, copy_json(value))

    def _violations(self, value: JSON) -> Iterator[tuple[str, str]]:
        return json_violations(value)

    @classmethod
    def finish(cls, shape: Shape, *, clean: bool) -> Finish | None:
        ask = super().finish(shape, clean=clean)
        return plain_json if ask is None else lambda value: ask(plain_json(value))


class StringObject(JSONObject, name="strings"):
    """An object whose members are strings."""

    annotations: ClassVar[tuple[Any, ...]] = (dict[str, str],)
    words = "object of strings"

    def _violations(self, value: JSON) -> Iterator[tuple[str, str]]:
        for key, item in value.items():
            if not isinstance(item, str):
                yield str(key), "Not a valid string."
            elif not isinstance(key, str):
                yield str(key), "Not a valid key: it must be a string."
        for limit in self.shape.limits:
            if isinstance(limit, KeysMatch):
                yield from limit.violations(value)

    @classmethod
    def msgspec_type(cls, shape: Shape, types: Types, *, received: bool) -> Any:
        return dict if received else _limited(dict[str, str], shape)

    @classmethod
    def json_schema(cls, shape: Shape, schemas: Schemas) -> JSON:
        schema = super().json_schema(shape, schemas)
        if schemas.received:
            return schema
        return schema | {"additionalProperties": {"type": "string"}}


class ListOf(Kind, name="list"):
    """A list. Strings and objects are rejected."""

    words = "list"
    json_type = "array"
    exact: ClassVar[type | None] = list

    def __init__(self, shape: Shape, *, received: bool = False) -> None:
        super().__init__(shape, received=received)
        assert shape.item is not None
        self.inner: Kind = field_of(shape.item, received=received)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ma.ValidationError("Not a valid list.")
        result, errors = [], {}
        for index, item in enumerate(value):
            try:
                result.append(self.inner.deserialize(item, **kwargs))
            except ma.ValidationError as error:
                errors[index] = error.messages
        if errors:
            raise ma.ValidationError(errors)
        return result

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        if isinstance(value, Received):
            return value.json
        if not isinstance(value, (list, tuple)):
            return value
        return [self.inner._serialize(item, attr, obj, **kwargs) for item in value]

    @classmethod
    def msgspec_type(cls, shape: Shape, types: Types, *, received: bool) -> Any:
        item: Any = msgspec_type(_item(shape), types, received=received)
        items: Any = list[item]
        return items if received else _limited(items, shape)

    @classmethod
    def finish(cls, shape: Shape, *, clean: bool) -> Finish | None:
        item = _item(shape)
        finish_item = KINDS[item.kind].finish(item, clean=clean)
        ask = super().finish(shape, clean=clean)

        def finish(values: list[Any]) -> list[Any]:
            if finish_item is not None:
                values = [finish_item(value) for value in values]
            return values if ask is None else ask(values)

        return None if ask is finish_item is None else finish

    @classmethod
    def json_schema(cls, shape: Shape, schemas: Schemas) -> JSON:
        item = _item(shape)
        items = KINDS[item.kind].json_schema(item, schemas)
        return super().json_schema(shape, schemas) | {"items": items}

    @classmethod
    def describe(cls, shape: Shape) -> str:
        item = _item(shape)
        return f"{super().describe(shape)}: {KINDS[item.kind].describe(item)}"


class One(Kind, name="model"):
    """An object of a model, or of a family, in which its ``type`` decides."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is None and self.received and not self.allow_none:
            return self._deserialize(None, None, None)  # In a list, it is unknown.
        return super().deserialize(value, *args, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        unknown = self.shape.unknown if self.received else None
        if unknown is not None and self._member(value) is None:
            return unknown_of(unknown, value)
        try:
            return self._load(value)
        except ma.ValidationError:
            if unknown is None:
                raise
            return unknown_of(unknown, value)

    def _member(self, value: Any) -> type[Model] | None:
        """Return the model for an object's ``type``."""
        members = self.shape.members
        if members is None:
            return self.shape.model
        tag = value.get("type") if isinstance(value, dict) else None
        return members.get(tag) if isinstance(tag, str) else None

    def _load(self, value: Any) -> Model:
        if not isinstance(value, dict):
            raise ma.ValidationError(f"Not a valid object.{self._hint(value)}")
        model = self._member(value)
        if model is None:
            known = ", ".join(f"'{name}'" for name in sorted(self.shape.members or ()))
            raise ma.ValidationError({"type": [f"Must be one of: {known}."]})
        loaded = Kind.schema_of(model, self.received).load(value)
        return typing.cast(Model, loaded)

    def _hint(self, value: Any) -> str:
        """Return a hint for a value that is not an object."""
        if self.received or value is None:
            return ""
        if isinstance(value, type):
            return f" Did you forget the parentheses? Write '{value.__name__}()'."
        members = self.shape.members
        models = [self.shape.model] if members is None else list(members.values())
        names = [model.__name__ for model in models if model]
        article = "an" if names[0][0] in "AEIOU" else "a"
        listed = " or ".join(f"'{name}'" for name in names)
        return f" Write {article} {listed}." if len(names) < 8 else ""

    def _serialize(self, value: Any, attr: Any, obj: Any, **_: Any) -> Any:
        if isinstance(value, Received):
            return value.json
        if isinstance(value, Unknown):
            return value.data
        if isinstance(value, Model):
            value = aliased(value, self.shape)
            return Kind.schema_of(type(value), False).dump(value)
        if isinstance(value, dict):
            return self._cleaned(value)
        return value

    def _cleaned(self, value: JSON) -> Any:
        """Clean a dict; return it unchanged if it is invalid."""
        try:
            model = self._load(value)
        except ma.ValidationError:
            return value
        return Kind.schema_of(type(model), False).dump(model)

    @classmethod
    def msgspec_type(cls, shape: Shape, types: Types, *, received: bool) -> Any:
        assert shape.model is not None
        return types.of(shape.model)

    @classmethod
    def json_schema(cls, shape: Shape, schemas: Schemas) -> JSON:
        assert shape.model is not None
        return schemas.of(shape.model)

    @classmethod
    def describe(cls, shape: Shape) -> str:
        assert shape.model is not None
        return f"``{shape.model.__name__}``"


def aliased(value: Model, shape: Shape) -> Model:
    """Convert *value* to the model that the shape requires.

    ``clustaar.webhook`` has one ``Button`` for both types of cards (PROTOCOL 5).
    """
    model = shape.model
    if model is not None and model._alias is type(value):
        return model(**{name: getattr(value, name) for name in value.__dict__})
    return value


def unknown_of(unknown: type[Unknown], value: Any) -> Unknown:
    """Return an unknown object for a *value*."""
    instance = unknown(data=value)
    instance.__dict__[RECEIVED] = Received(value=value)
    return instance


# -- helpers -------------------------------------------------------------------------


def msgspec_type(shape: Shape, types: Types, *, received: bool) -> Any:
    """Return the msgspec type of a shape."""
    return KINDS[shape.kind].msgspec_type(shape, types, received=received)


def _item(shape: Shape) -> Shape:
    assert shape.item is not None
    return shape.item


def _limited(base: Any, shape: Shape) -> Any:
    """Return a msgspec type with the limits that msgspec can check."""
    metas: JSON = {}
    for limit in shape.limits:
        if isinstance(limit, OneOf) and base is str:
            base = typing.Literal[tuple(limit.choices)]
        else:
            metas |= limit.meta() or {}
    if base is int:
        metas = {name: _whole(name, bound) for name, bound in metas.items()}
    return typing.Annotated[base, msgspec.Meta(**metas)] if metas else base


def _whole(name: str, bound: float) -> int:
    """Convert a bound to an integer for ``msgspec.Meta``."""
    return math.ceil(bound) if name in ("ge", "lt") else math.floor(bound)


def _questions(shape: Shape) -> list[Limit]:
    """Return the limits that msgspec cannot check."""
    return [
        limit
        for limit in shape.limits
        if limit.meta() is None and not isinstance(limit, OneOf)
    ]


def _asking(limits: list[Limit]) -> Finish:
    """Return a function that raises Unsure for a value that breaks a limit."""
    questions = [limit.accepts for limit in limits]

    def ask(value: Any) -> Any:
        for accepts in questions:
            if not accepts(value):
                raise Unsure
        return value

    return ask


def plain_json(value: Any, room: int = DEEPEST_VALUE) -> Any:
    """Return *value* if all its types are JSON types; msgspec would also write others.

    :param room: the number of nesting levels that are left.
    """
    kind = value.__class__
    if kind is str or value is None or kind is bool:
        return value
    if kind is dict and room:
        for key, item in value.items():
            if key.__class__ is not str:
                raise Unsure
            plain_json(item, room - 1)
    elif kind is list and room:
        for item in value:
            plain_json(item, room - 1)
    elif kind is float:
        if not math.isfinite(value):
            raise Unsure
    elif kind is not int:
        raise Unsure
    return value
