"""Read the annotations of a model, as one row for each attribute.

The marshmallow schemas, msgspec types, JSON Schema and tables of the documentation are
derived from these rows.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args

from marshmallow import validate

from ..cleaning import cleaner
from ..wire import (
    BLANK,
    NORMALISED,
    NOT_NULL,
    OPTIONAL,
    REQUIRED,
    SANITISED,
    STRIPPED,
    Key,
    Mark,
    Model,
    Unknown,
    is_family,
    members_of,
)
from .limits import Length, Limit, limit_of

#: The names of kinds, by annotation; filled by ``kinds``.
KIND_NAMES: Final[dict[Any, str]] = {}


class Shape(NamedTuple):
    """The shape of a value: of an attribute or of a list's item."""

    #: The name of one of the classes in ``kinds``.
    kind: str
    limits: tuple[Limit, ...] = ()
    marks: frozenset[Mark] = frozenset()
    #: The shape of a list's items.
    item: Shape | None = None
    #: The model, or the base class of a family.
    model: type[Model] | None = None

    @property
    def max_length(self) -> int | None:
        """The maximum number of characters or items; None for no limit."""
        found = [limit for limit in self.limits if isinstance(limit, Length)]
        return found[0].high if found else None

    @property
    def clean(self) -> Callable[[str], str] | None:
        """The function that cleans a text before it is sent; None for no cleaning."""
        wanted = {SANITISED, NORMALISED, STRIPPED} & self.marks
        if not wanted:
            return None
        return cleaner(
            sanitised=SANITISED in wanted,
            normalised=NORMALISED in wanted,
            stripped=STRIPPED in wanted,
            max_length=self.max_length,
        )

    @property
    def members(self) -> dict[str, type[Model]] | None:
        """The models of the family, by ``type``; None for a single model."""
        family = self.model
        return members_of(family) if family and is_family(family) else None

    @property
    def unknown(self) -> type[Unknown] | None:
        """The model for objects of the family that are unknown or malformed."""
        found: type[Unknown] | None = vars(self.model).get("_unknown")
        return found


class Attribute(NamedTuple):
    """An attribute of a model, and its key on the wire."""

    name: str
    key: str
    shape: Shape
    #: Whether the key is required on the wire.
    required: bool
    #: Whether null is allowed on the wire.
    nullable: bool
    #: Creates the default; None if the program must pass a value.
    default: Callable[[], Any] | None
    #: How None is sent.
    none: Literal["null", "omit", "blank", "error"]


def attributes_of(model: type[Model]) -> tuple[Attribute, ...]:
    """Return the rows of a model, in the order of its annotations."""
    found = _attributes.get(model)
    if found is None:
        hints = typing.get_type_hints(model, include_extras=True)
        fields = dataclasses.fields(model)  # type: ignore[arg-type]
        found = tuple(_attribute(field, hints[field.name]) for field in fields)
        _attributes[model] = found
    return found


_attributes: dict[type[Model], tuple[Attribute, ...]] = {}


def untyped(attribute: Attribute, value: Any) -> Any:
    """Return the attribute for an invalid *value* in an envelope.

    A scalar is returned unchanged. Instead of an object or a list, the default is
    returned.
    """
    if attribute.shape.kind not in ("json", "strings", "list", "model"):
        return value
    if attribute.nullable:
        return value
    return attribute.default() if attribute.default else None


def _attribute(field: dataclasses.Field[Any], hint: Any) -> Attribute:
    shape, nullable, metadata = _read(hint)
    default: Callable[[], Any] | None = None
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory
    elif field.default is not dataclasses.MISSING:
        value = field.default
        default = lambda: value  # noqa: E731
    marks = {mark for mark in metadata if isinstance(mark, Mark)}
    absent = default is not None and default() is None
    required = REQUIRED in marks or (not absent and OPTIONAL not in marks)
    nullable = nullable and NOT_NULL not in marks
    none: Literal["null", "omit", "blank", "error"] = "error"
    if BLANK in marks:
        none = "blank"
    elif not required:
        none = "omit"
    elif nullable:
        none = "null"
    key = next((m.name for m in metadata if isinstance(m, Key)), _camel(field.name))
    return Attribute(field.name, key, shape, required, nullable, default, none)


def _camel(name: str) -> str:
    """Return the platform's spelling of a name: ``image_url`` becomes ``imageURL``."""
    first, *rest = name.split("_")
    upper = {"id": "ID", "url": "URL"}
    return first + "".join(upper.get(word, word.capitalize()) for word in rest)


def _read(hint: Any) -> tuple[Shape, bool, tuple[Any, ...]]:
    """Return the shape of an annotation, whether it allows null, and its markers."""
    metadata: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *extra = get_args(hint)
        metadata = tuple(extra)
    members = [hint]
    if typing.get_origin(hint) in (Union, types.UnionType):
        members = [m for m in get_args(hint) if m is not types.NoneType]
    nullable = types.NoneType in get_args(hint)
    first = members[0]
    if typing.get_origin(first) is Annotated:
        shape, _, inner = _read(first)
        return _with(shape, metadata), nullable, inner + metadata
    literals = [m for m in members if typing.get_origin(m) is Literal]
    if literals:  # With "| str", programs can compute the value; the limit applies.
        shape = Shape("string", (limit_of(validate.OneOf(get_args(literals[0]))),))
    elif re.Pattern[str] in members:
        shape = Shape("regexp")
    elif typing.get_origin(first) is list:
        shape = Shape("list", item=_read(get_args(first)[0])[0])
    elif first in KIND_NAMES:
        shape = Shape(KIND_NAMES[first])
    else:
        shape = Shape("model", model=first)
    return _with(shape, metadata), nullable, metadata


def _with(shape: Shape, metadata: tuple[Any, ...]) -> Shape:
    limits = [limit_of(m) for m in metadata if isinstance(m, validate.Validator)]
    marks = frozenset(m for m in metadata if isinstance(m, Mark))
    return shape._replace(limits=(*shape.limits, *limits), marks=shape.marks | marks)
